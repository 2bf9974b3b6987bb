//! What a scan will cost, said in the log before it runs.

use mediadex_media::Features;

use crate::bucket::Look;
use crate::cost::{Content, Prices, scan, total};
use crate::error::Result;

/// What a scan costs.
#[derive(Debug, Clone, PartialEq)]
struct Estimate {
    /// Of so many objects: all, or a million where there are more than were seen.
    objects: f64,
    /// Their mean size, in bytes.
    mean_size: f64,
    /// USD.
    usd: f64,
}

impl Estimate {
    fn of(Look { sizes, more }: &Look, features: Features) -> Result<Self> {
        let count = f64::from(u32::try_from(sizes.len()).unwrap_or(u32::MAX));
        let mean_size = sizes.iter().sum::<i64>() as f64 / count.max(1.0);
        let content = if features.reads_object() { Content::Ranges(mean_size) } else { Content::Nothing };
        let objects = if *more { 1e6 } else { count };
        let usd = total(&scan(&Prices::listed()?, objects, content));
        Ok(Self { objects, mean_size, usd })
    }
}

/// Logs what the scan of a bucket will cost, at list prices. Storage says only
/// of a bucket of one page how many objects it has: of a larger one, what a
/// million objects like its first ones cost.
pub(crate) fn log_estimate(bucket: &str, look: &Look, features: Features) {
    // The prices are the repository's own, and a test reads them.
    let Ok(Estimate { objects, mean_size, usd }) = Estimate::of(look, features) else { return };
    tracing::info!(
        bucket,
        objects_seen = look.sizes.len(),
        has_more = look.more,
        mean_bytes = mean_size,
        objects_estimated = objects,
        usd,
        "what the scan will cost in AWS, at list prices"
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_small_bucket_is_known_and_a_large_one_costs_by_the_million() {
        let (all, none) = (Features::all(), Features::none());
        let of = |sizes: &[i64], more, features| Estimate::of(&Look { sizes: sizes.into(), more }, features);
        let small = of(&[1_000_000; 10], false, all).unwrap();
        assert_eq!((small.objects, small.mean_size), (10.0, 1e6));
        assert!(small.usd > 0.0 && small.usd < 0.01, "{small:?}");
        let large = of(&[1_000_000; 1000], true, all).unwrap();
        assert_eq!(large.objects, 1e6);
        assert!((1.0..=4.0).contains(&large.usd), "{large:?}");
        // Nothing but what the listing says is read.
        assert!(of(&[1_000_000; 1000], true, none).unwrap().usd < large.usd);
        let empty = of(&[], false, all).unwrap();
        assert_eq!(empty.mean_size, 0.0);
    }
}
