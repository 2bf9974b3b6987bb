//! What is done by the clock: scans for differences, work that was left behind.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_schedule().await
}
