//! The function of ListAccessKeys.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_operation("ListAccessKeys").await
}
