//! What a scan will cost, said in the log before it runs.

use super::split::list;
use crate::context::Context;
use crate::cost::{Content, Prices, scan, total};
use crate::error::Result;
use mediadex_media::Features;

/// Objects that one listing call gives, and that are looked at.
const SAMPLE: i32 = 1000;

/// What is known of a bucket before its scan.
#[derive(Debug, Clone, PartialEq)]
struct Estimate {
    /// Objects seen: all of them, or as many as one call lists.
    seen: usize,
    /// There are more.
    more: bool,
    /// Mean size of those seen, in bytes.
    mean_size: f64,
    /// USD for all of them; where there are more, for a million of such.
    usd: f64,
}

impl Estimate {
    fn of(sizes: &[i64], more: bool, features: Features) -> Result<Self> {
        let count = |number: usize| u32::try_from(number).map_or(f64::MAX, f64::from);
        let bytes: i64 = sizes.iter().sum();
        let mean_size = bytes as f64 / count(sizes.len()).max(1.0);
        let content = if features.reads_object() { Content::Ranges(mean_size) } else { Content::Nothing };
        let objects = if more { 1e6 } else { count(sizes.len()) };
        let usd = total(&scan(&Prices::listed()?, objects, content));
        Ok(Self { seen: sizes.len(), more, mean_size, usd })
    }
}

/// Logs what the scan of a bucket will cost, at list prices. Storage says only
/// of a bucket of one page how many objects it has: of a larger one, what a
/// million objects like its first ones cost. Where the bucket does not answer
/// nothing is logged: the scan itself will say why.
pub(crate) async fn log_estimate(ctx: &Context, bucket: &str, features: Features) {
    let Ok(page) = list(ctx, bucket, "", "", SAMPLE).await else { return };
    let sizes: Vec<i64> = page.objects.iter().map(|object| object.size().unwrap_or(0)).collect();
    match Estimate::of(&sizes, page.truncated, features) {
        Ok(Estimate { seen, more: false, mean_size, usd }) => tracing::info!(
            bucket,
            objects = seen,
            mean_bytes = mean_size.round(),
            estimated_usd = usd,
            "what the scan will cost in AWS, at list prices"
        ),
        Ok(Estimate { seen, mean_size, usd, .. }) => tracing::info!(
            bucket,
            objects_at_least = seen,
            mean_bytes = mean_size.round(),
            estimated_usd_a_million = usd,
            "what the scan will cost in AWS for each million objects, at list prices"
        ),
        Err(error) => tracing::warn!(bucket, error = %error.internal_text(), "no estimate of the scan"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_small_bucket_is_known_and_a_large_one_costs_by_the_million() {
        let (all, none) = (Features::all(), Features::none());
        let small = Estimate::of(&[1_000_000; 10], false, all).unwrap();
        assert_eq!((small.seen, small.more, small.mean_size), (10, false, 1e6));
        assert!(small.usd > 0.0 && small.usd < 0.01, "{small:?}");
        let large = Estimate::of(&[1_000_000; 1000], true, all).unwrap();
        assert!((1.0..=4.0).contains(&large.usd), "{large:?}");
        // Nothing but what the listing says is read.
        assert!(Estimate::of(&[1_000_000; 1000], true, none).unwrap().usd < large.usd);
        let empty = Estimate::of(&[], false, all).unwrap();
        assert_eq!(empty.mean_size, 0.0);
    }
}
