//! The figures of BENCHMARKS.md.

/// What to measure.
#[derive(clap::Args)]
pub struct Bench {}

/// Measures.
///
/// # Errors
/// Never.
pub async fn run(_: Bench) -> anyhow::Result<()> { Ok(()) }
