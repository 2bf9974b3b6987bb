//! The function of BatchDeleteFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("BatchDeleteFileMeta").await
}
