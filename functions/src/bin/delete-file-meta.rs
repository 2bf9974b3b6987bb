//! The function of DeleteFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("DeleteFileMeta").await
}
