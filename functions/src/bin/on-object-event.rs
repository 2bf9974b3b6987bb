//! The worker for events of object storage: S3, SQS and EventBridge shapes.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    mediadex_functions::run_object_events().await
}
