//! The function of BatchIndexFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("BatchIndexFileMeta").await
}
