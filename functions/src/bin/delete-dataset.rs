//! The function of DeleteDataset.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("DeleteDataset").await
}
