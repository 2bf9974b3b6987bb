//! The function of BatchUpdateFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("BatchUpdateFileMeta").await
}
