//! The function of GetFileMeta.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("GetFileMeta").await
}
