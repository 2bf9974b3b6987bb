//! What may be done to a bucket: folders are read-only unless they were given
//! to be written into.

use std::sync::Arc;

use mediadex_endpoint::Caller;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};

use crate::refused;
use crate::rewrite::Verified;
use crate::store::Inner;

/// What clients may do to the files of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// List and read them, and configure the bucket's notifications.
    #[default]
    ReadOnly,
    /// Write and remove them as well.
    ReadWrite,
}

/// Operations that change a bucket's configuration or none of its objects, and
/// are not named Get, Head or List. What is not known to be harmless is refused.
const HARMLESS: [&str; 4] =
    ["PutBucketNotificationConfiguration", "SelectObjectContent", "CreateBucket", "DeleteBucket"];

/// Tells whether an operation leaves all objects of its bucket as they are.
fn only_reads(operation: &str) -> bool {
    ["Get", "Head", "List"].iter().any(|start| operation.starts_with(start)) || HARMLESS.contains(&operation)
}

/// Asked before an operation's body is read.
pub(crate) struct Gate(pub(crate) Arc<Inner>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let verified = request.extensions_mut().get::<Verified>().is_some();
        if request.credentials().is_none() && !verified {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        // Its signature holds: the connection does not give way to a stranger's.
        if let Some(caller) = request.extensions_mut().get::<Caller>() {
            caller.set_verified();
        }
        let bucket = request.s3_path().get_bucket_name().and_then(|name| self.0.find(name));
        match bucket {
            Some(bucket) if bucket.access == Access::ReadOnly && !only_reads(request.s3_op().name()) => {
                Err(s3_error!(
                    AccessDenied,
                    "The bucket is a folder that is served read-only; start mediadex with --writable to write into it."
                ))
            }
            _ => Ok(refused::check_headers(request.s3_op().name(), request.headers())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::only_reads;

    #[test]
    fn what_changes_objects_is_known() {
        let table = [
            ("GetObject", true),
            ("GetObjectTagging", true),
            ("HeadObject", true),
            ("ListObjectsV2", true),
            ("ListParts", true),
            ("PutBucketNotificationConfiguration", true),
            ("PutObject", false),
            ("PostObject", false),
            ("CopyObject", false),
            ("CreateMultipartUpload", false),
            ("UploadPart", false),
            ("UploadPartCopy", false),
            ("CompleteMultipartUpload", false),
            ("AbortMultipartUpload", false),
            ("DeleteObject", false),
            ("DeleteObjects", false),
            ("PutObjectTagging", false),
            ("DeleteObjectTagging", false),
            ("PutObjectAcl", false),
            ("PutBucketAcl", false),
            ("RestoreObject", false),
        ];
        for (operation, reads) in table {
            assert_eq!(only_reads(operation), reads, "{operation}");
        }
    }
}
