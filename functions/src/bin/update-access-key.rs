//! The function of UpdateAccessKey.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("UpdateAccessKey").await
}
