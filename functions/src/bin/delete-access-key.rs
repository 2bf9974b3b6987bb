//! The function of DeleteAccessKey.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("DeleteAccessKey").await
}
