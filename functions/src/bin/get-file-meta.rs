//! The function of GetFileMeta.

use mediadex_core::operation::row;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation(&row::GET_FILE_META).await
}
