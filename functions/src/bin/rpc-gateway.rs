//! The front door, behind a function URL.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_gateway().await
}
