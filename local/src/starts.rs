//! Starts that did not end well: a process that died while it read an object would
//! die of it again at each start.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mediadex_core::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::private;
use crate::scans::Scans;

/// The file that counts them, in the state directory.
const FILE: &str = "starts";
/// Starts in a row that may end in any way before objects are read with care: a
/// process that is killed by hand is not slower for it the next time.
const IN_A_ROW: u32 = 2;
/// Without a scan for so long, a start counts as having gone well.
const CALM: Duration = Duration::from_secs(15);

/// The count of a state directory.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    file: PathBuf,
}

impl Starts {
    /// Counts a start; gives how many before it, in a row, did not end well.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn begin(directory: &Path) -> std::io::Result<(Self, u32)> {
        let starts = Self { file: directory.join(FILE) };
        let before = std::fs::read_to_string(&starts.file).ok().and_then(|text| text.trim().parse().ok());
        let before: u32 = before.unwrap_or(0);
        starts.write(before.saturating_add(1))?;
        Ok((starts, before))
    }

    fn write(&self, count: u32) -> std::io::Result<()> {
        let directory = self.file.parent().unwrap_or(Path::new("."));
        let mut file = private::temporary_file(directory)?;
        writeln!(file, "{count}")?;
        file.persist(&self.file)?;
        Ok(())
    }

    /// Notes that the process ends, or goes on, as it should.
    pub(crate) fn went_well(&self) {
        if let Err(error) = self.write(0) {
            tracing::warn!(%error, "the next start will read objects one at a time");
        }
    }
}

/// Has objects read one at a time if the starts before did not end well, until all
/// scans are done.
pub(crate) fn watch(
    tasks: &mut JoinSet<()>,
    starts: Starts,
    before: u32,
    ctx: Context,
    scans: Scans,
    stop: CancellationToken,
) {
    if before >= IN_A_ROW {
        ctx.set_careful(true);
        tracing::warn!(
            starts = before,
            "the last starts did not end well: objects are read one at a time until all is scanned"
        );
    }
    tasks.spawn(async move {
        let mut calm = Duration::ZERO;
        while calm < CALM {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            calm = if scans.are_idle() { calm + Duration::from_secs(1) } else { Duration::ZERO };
        }
        ctx.set_careful(false);
        starts.went_well();
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn starts_count_until_one_goes_well() {
        let directory = tempfile::tempdir().unwrap();
        for want in [0, 1, 2] {
            let (starts, before) = Starts::begin(directory.path()).unwrap();
            assert_eq!(before, want);
            if want == 2 {
                starts.went_well();
            }
        }
        assert_eq!(Starts::begin(directory.path()).unwrap().1, 0);
        std::fs::write(directory.path().join(FILE), "no number").unwrap();
        assert_eq!(Starts::begin(directory.path()).unwrap().1, 0);
    }
}
