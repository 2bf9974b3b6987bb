//! The function of UpdateFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("UpdateFileMeta").await
}
