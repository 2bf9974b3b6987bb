//! The function of DeleteProject.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("DeleteProject").await
}
