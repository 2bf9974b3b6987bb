//! The function of CreateAccessKey.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("CreateAccessKey").await
}
