//! The function of ExtractDocumentText.

use mediadex_core::operation::row;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_text_operation(&row::EXTRACT_DOCUMENT_TEXT).await
}
