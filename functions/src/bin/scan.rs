//! A step of a scan: plan, list-segment, finish.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_scan().await
}
