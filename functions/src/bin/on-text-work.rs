//! The worker for the texts of documents.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_text_work().await
}
