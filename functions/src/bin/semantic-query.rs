//! The function of SemanticQuery.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("SemanticQuery").await
}
