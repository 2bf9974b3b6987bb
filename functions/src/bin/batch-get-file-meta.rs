//! The function of BatchGetFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("BatchGetFileMeta").await
}
