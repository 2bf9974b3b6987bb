//! The function of UpdateFileMeta.

use mediadex_core::operation::row;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation(&row::UPDATE_FILE_META).await
}
