//! The function of ResumeBinding.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("ResumeBinding").await
}
