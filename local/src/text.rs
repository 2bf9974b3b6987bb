//! The text of documents: `mediadex text FILE`, and how the local cloud reads it, in
//! a child process for each document. A document that makes a reader take all memory
//! or end its process is that document's failure and nobody else's.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use clap::Args;
use mediadex_core::Error;
use mediadex_core::text::{
    DOCUMENT_BYTES, DocumentText, TextFailure, TextReader, content_type_of, read_here,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// The command of a child, which is no command for people.
const COMMAND: &str = "read-text";
/// Children at a time.
const BESIDE: usize = 2;
/// How long a child may take, by the clock and of the processor.
const TIME: Duration = Duration::from_secs(60);
/// Bytes of address space that a child may have, without its document.
const ADDRESS_SPACE: u64 = 768 * 1024 * 1024;
/// The same for each byte of its document: that and what its reader copies of it.
const FOR_EACH_BYTE: u64 = 3;
/// Bytes of an answer: a text of 2 MB with every character escaped, and notes.
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Reads each document in a child process of the same program.
pub(crate) struct ChildReader {
    program: PathBuf,
    patience: Duration,
    free: Semaphore,
}

impl ChildReader {
    /// `program` is mediadex; without one, this process's own.
    pub(crate) fn new(program: Option<PathBuf>) -> Self {
        let program = program.unwrap_or_else(own_program);
        Self { program, patience: TIME, free: Semaphore::new(BESIDE) }
    }

    fn spawn(&self, content: &[u8], content_type: &str) -> std::io::Result<Child> {
        let space = ADDRESS_SPACE.saturating_add(FOR_EACH_BYTE.saturating_mul(content.len() as u64));
        Command::new(&self.program)
            .args([COMMAND, "--content-type", content_type])
            .args(["--address-space", &space.to_string(), "--length", &content.len().to_string()])
            // The allocator reserves a gigabyte at once unless told otherwise.
            .env("MIMALLOC_ARENA_RESERVE", "65536")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// This process's program, also after its file was replaced.
fn own_program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        link.to_owned()
    } else {
        std::env::current_exe().unwrap_or_else(|_| "mediadex".into())
    }
}

#[async_trait]
impl TextReader for ChildReader {
    async fn read(
        &self,
        content: Vec<u8>,
        content_type: String,
    ) -> Result<Result<DocumentText, TextFailure>, Error> {
        let _turn = self.free.acquire().await.map_err(Error::internal)?;
        let mut child = self.spawn(&content, &content_type).map_err(|error| {
            Error::internal(format!("{} cannot be started: {error}", self.program.display()))
        })?;
        let answered = tokio::time::timeout(self.patience, answer(&mut child, content)).await;
        // It may be at work still, whatever came of it; after this it is not.
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "a reader of text could not be ended");
        }
        Ok(match answered {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(TextFailure::Limit("its reader ended, or took more memory than it may".into())),
            Err(_) => {
                Err(TextFailure::Limit(format!("its reader took more than {} s", self.patience.as_secs())))
            }
        })
    }
}

/// Gives a child its document and takes its answer; `None` where it ends without.
async fn answer(child: &mut Child, content: Vec<u8>) -> Option<Result<DocumentText, TextFailure>> {
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let give = async move {
        // A child that does not read on has ended: its answer says it.
        let _ = stdin.write_all(&content).await;
        drop(stdin);
    };
    let mut text = Vec::new();
    let mut stdout = stdout.take(ANSWER_BYTES);
    let ((), read) = tokio::join!(give, stdout.read_to_end(&mut text));
    read.ok()?;
    serde_json::from_slice(&text).ok()
}

/// Arguments of the child.
#[derive(Debug, Args)]
pub struct ReadText {
    /// The content type of the document on stdin.
    #[arg(long)]
    content_type: String,
    /// Bytes of address space that the process may have.
    #[arg(long)]
    address_space: u64,
    /// Bytes of the document.
    #[arg(long)]
    length: usize,
}

/// What the child does: it reads one document from stdin, and writes what came of it
/// to stdout.
///
/// # Errors
/// When stdin or stdout fail.
pub fn read_text(args: &ReadText) -> anyhow::Result<ExitCode> {
    limit(args.address_space);
    end_with_parent();
    // At once: a buffer that grows is held twice.
    let mut content = Vec::new();
    content.try_reserve_exact(args.length)?;
    std::io::stdin().lock().take(DOCUMENT_BYTES + 1).read_to_end(&mut content)?;
    let read = read_here(&content, &args.content_type);
    serde_json::to_writer(std::io::stdout().lock(), &read)?;
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Takes limits of memory and of the processor's time, where the system has them.
#[cfg(unix)]
fn limit(address_space: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let same = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    let limits = [
        (Resource::Cpu, TIME.as_secs()),
        #[cfg(target_os = "linux")]
        (Resource::As, address_space),
        // What it dies of is not written to the user's disk.
        (Resource::Core, 0),
    ];
    #[cfg(not(target_os = "linux"))]
    let _ = address_space;
    for (resource, limit) in limits {
        // One that cannot be taken leaves the others, and the clock of the parent.
        let _ = setrlimit(resource, same(limit));
    }
}

/// Ends this process soon after the one that started it, even where that was killed.
#[cfg(unix)]
fn end_with_parent() {
    let parent = rustix::process::getppid();
    std::thread::spawn(move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(Duration::from_millis(250));
        }
        std::process::exit(1);
    });
}

/// Arguments of `mediadex text`.
#[derive(Debug, Args)]
pub struct Text {
    /// The document.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Its type as a file's extension (docx, pdf, ...), where its name does not say it.
    #[arg(long = "type", value_name = "EXTENSION")]
    extension: Option<String>,
}

/// Prints the text of a file.
///
/// # Errors
/// When it cannot be read or has no text.
pub fn run(args: &Text) -> anyhow::Result<ExitCode> {
    let file = std::fs::File::open(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let mut content = Vec::new();
    file.take(DOCUMENT_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > DOCUMENT_BYTES {
        bail!("a document may have at most {} MB", DOCUMENT_BYTES / 1_000_000);
    }
    let name = match &args.extension {
        Some(extension) => format!("a.{}", extension.trim_start_matches('.')),
        None => args.file.to_string_lossy().into_owned(),
    };
    let read = match read_here(&content, &content_type_of(&name, &content, None)) {
        Ok(read) => read,
        Err(failure) => bail!("{}: {failure}", args.file.display()),
    };
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(read.text.as_bytes()).and_then(|()| match read.text.ends_with('\n') {
        true => Ok(()),
        false => stdout.write_all(b"\n"),
    });
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error.into());
    }
    for note in &read.notes {
        eprintln!("note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    /// A reader whose child is a script.
    fn script(directory: &Path, text: &str, patience: Duration) -> ChildReader {
        let path = directory.join("reader");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        ChildReader { program: path, patience, free: Semaphore::new(BESIDE) }
    }

    #[tokio::test]
    async fn a_child_that_dies_or_hangs_is_its_documents_failure() {
        let directory = tempfile::tempdir().unwrap();
        let ended = "its reader ended, or took more memory than it may";
        let table = [
            ("kill -9 $$", ended),
            ("exit 3", ended),
            ("cat >/dev/null; echo nonsense", ended),
            // It does not read its document, and does not end.
            ("exec sleep 600", "its reader took more than 1 s"),
        ];
        for (text, why) in table {
            let reader = script(directory.path(), text, Duration::from_secs(1));
            let started = Instant::now();
            let read = reader.read(vec![b'a'; 5_000_000], "text/plain".into()).await.unwrap();
            assert_eq!(read, Err(TextFailure::Limit(why.into())), "{text}");
            assert!(started.elapsed() < Duration::from_secs(20), "{text}");
        }
    }

    #[tokio::test]
    async fn no_child_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("pid");
        let text = format!("echo $$ > {}; exec sleep 600", note.display());
        let reader = script(directory.path(), &text, Duration::from_secs(600));
        let is_running = |pid: &str| Path::new("/proc").join(pid).join("cmdline").exists();
        // A caller that goes away while its document is read.
        let read = reader.read(b"a".to_vec(), "text/plain".into());
        assert!(tokio::time::timeout(Duration::from_secs(2), read).await.is_err());
        let pid = std::fs::read_to_string(note).unwrap().trim().to_owned();
        for _ in 0..100 {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if !is_running(&pid) || state.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!is_running(&pid), "the process {pid} is left");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_no_fault_of_the_document() {
        let reader = ChildReader::new(Some("/nowhere/mediadex".into()));
        assert!(reader.read(Vec::new(), "text/plain".into()).await.is_err());
    }
}
