//! CompleteMultipartUpload. Joining the parts of a large object takes longer than
//! clients wait for an answer, so the answer begins before it is known.

use std::sync::Arc;

use http::HeaderMap;
use s3s::S3Response;
use s3s::dto::*;
use tokio::task::JoinHandle;

use crate::api::Endpoint;
use crate::api::answer::{self, Document, Instead};
use crate::api::list::encode;
use crate::checksums::{Sums, fields};
use crate::conditions::WriteConditions;
use crate::error::{Fault, Outcome};
use crate::multipart::{Completion, Named};
use crate::rewrite::SumsOfParts;
use crate::sidecar::Completed;

impl Endpoint {
    pub(crate) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
        of_parts: SumsOfParts,
        headers: &HeaderMap,
    ) -> Outcome<S3Response<CompleteMultipartUploadOutput>> {
        let mut sums = fields!(input);
        sums.extend(Sums::of(headers));
        let size = input.mpu_object_size.map(u64::try_from).transpose();
        let asked = Completion {
            parts: named(input.multipart_upload, of_parts),
            sums,
            sum_type: input.checksum_type.map(|named| named.as_str().to_owned()),
            size: size.map_err(|_| Fault::invalid("x-amz-mp-object-size must not be negative"))?,
            conditions: WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match },
        };
        let place = Place { bucket: input.bucket, key: input.key };
        let bucket = self.0.bucket(&place.bucket)?;
        let (inner, key, id) = (Arc::clone(&self.0), place.key.clone(), input.upload_id);
        // The work goes on where the client does not wait for it.
        let mut work: Work =
            tokio::task::spawn_blocking(move || inner.complete_upload(&bucket, &key, &id, &asked));
        let patience = self.0.options.patience;
        let early = match patience.is_zero() {
            true => None,
            false => tokio::time::timeout(patience, &mut work).await.ok(),
        };
        let instead = match early {
            Some(done) => Instead::whole(place.document(&done??)),
            None => Instead::late(Box::pin(async move {
                match work.await.map_err(Fault::from).and_then(|done| done) {
                    Ok(completed) => place.document(&completed).finish(),
                    Err(fault) => answer::error(fault),
                }
            })),
        };
        let mut response = S3Response::new(CompleteMultipartUploadOutput::default());
        response.extensions.insert(instead);
        Ok(response)
    }
}

/// The parts that a request names, with all their checksums.
fn named(upload: Option<CompletedMultipartUpload>, of_parts: SumsOfParts) -> Vec<Named> {
    let mut more = of_parts.0.into_iter();
    let parts = upload.and_then(|upload| upload.parts).unwrap_or_default().into_iter();
    parts
        .map(|part| {
            let mut sums = fields!(part);
            sums.extend(more.next().unwrap_or_default());
            Named {
                number: part.part_number.unwrap_or_default(),
                etag: part.e_tag.map(|etag| etag.value().to_owned()),
                sums,
            }
        })
        .collect()
}

type Work = JoinHandle<Outcome<Completed>>;

/// Where the object is.
struct Place {
    bucket: String,
    key: String,
}

impl Place {
    fn document(&self, completed: &Completed) -> Document {
        let mut document = Document::new("CompleteMultipartUploadResult");
        document.text("Location", &format!("/{}/{}", self.bucket, encode(&self.key)));
        document.text("Bucket", &self.bucket);
        document.text("Key", &self.key);
        document.etag(&completed.etag);
        document.sums(&completed.sums, Some(completed.sum_type));
        document
    }
}
