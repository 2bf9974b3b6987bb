//! The function of CreateBinding.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("CreateBinding").await
}
