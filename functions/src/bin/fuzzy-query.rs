//! The function of FuzzyQuery.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("FuzzyQuery").await
}
