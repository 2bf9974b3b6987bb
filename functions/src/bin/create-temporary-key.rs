//! The function of CreateTemporaryKey.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("CreateTemporaryKey").await
}
