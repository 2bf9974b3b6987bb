//! The function of SimpleQuery.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("SimpleQuery").await
}
