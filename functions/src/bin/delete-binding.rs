//! The function of DeleteBinding.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("DeleteBinding").await
}
