//! The function of ListDatasets.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("ListDatasets").await
}
