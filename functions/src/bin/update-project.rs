//! The function of UpdateProject.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("UpdateProject").await
}
