//! The function of RotateAccessKey.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("RotateAccessKey").await
}
