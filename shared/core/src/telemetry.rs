//! Logs: JSON lines in the cloud, plain lines for people.

use tracing_subscriber::EnvFilter;

/// Sends JSON lines to stdout, where Lambda takes them from. The level comes
/// from `MEDIADEX_LOG` (as `tracing` filters are written), `info` by default.
pub fn init_json() {
    let filter = EnvFilter::try_from_env("MEDIADEX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .try_init();
}

/// Sends plain lines to stderr, `default` being the level where `MEDIADEX_LOG`
/// says nothing.
pub fn init_plain(default: &str) {
    let filter = EnvFilter::try_from_env("MEDIADEX_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).try_init();
}
