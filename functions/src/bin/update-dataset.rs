//! The function of UpdateDataset.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("UpdateDataset").await
}
