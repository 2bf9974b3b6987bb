//! The S3 operations: wire types in, wire types out; the work is done by the
//! modules beside this one, in blocking threads.

pub(crate) mod answer;
mod attributes;
mod complete;
mod configurations;
mod list;
mod parts;
mod read;
mod subresources;
mod uploads;
mod write;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::api::subresources::Missing;
use crate::bucket::Bucket;
use crate::error::{Fault, Outcome};
use crate::events::EventName;
use crate::form::Form;
use crate::refused::no_lock;
use crate::rewrite::SumsOfParts;
use crate::store::{FIRST_REGION, Inner};
use crate::{events, tags};

pub(crate) use attributes::attributes;
pub(crate) use list::encode;

/// The id and name of the owner of everything.
pub(crate) const OWNER: &str = "mediadex";
/// The id of the only version that an object has.
const NULL: &str = "null";

/// The store as s3s sees it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(pub(crate) Arc<Inner>);

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await?
}

impl Endpoint {
    /// Runs work on a bucket.
    async fn on_bucket<T: Send + 'static>(
        &self,
        bucket: &str,
        work: impl FnOnce(&Inner, &Bucket) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let bucket = self.0.bucket(bucket)?;
        let inner = Arc::clone(&self.0);
        blocking(move || work(&inner, &bucket)).await
    }
}

fn answer<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// Buckets are not versioned: the only version there is has the id `null`.
fn check_version(version: Option<&str>) -> Outcome<()> {
    match version {
        None | Some(NULL) => Ok(()),
        Some("") => Err(Fault::invalid("Version id cannot be the empty string")),
        Some(_) => Err(Fault::client(S3ErrorCode::NoSuchVersion, "The specified version does not exist.")),
    }
}

#[async_trait::async_trait]
impl S3 for Endpoint {
    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        answer(self.buckets(req.input).await?)
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let inner = Arc::clone(&self.0);
        let location = format!("/{}", req.input.bucket);
        let region = req.input.create_bucket_configuration.and_then(|asked| asked.location_constraint);
        let region = region.map(|region| region.as_str().to_owned());
        blocking(move || inner.create_bucket(&req.input.bucket, region.as_deref())).await?;
        answer(CreateBucketOutput { location: Some(location) })
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.delete_bucket(&req.input.bucket)).await?;
        Ok(S3Response::with_status(DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.there(&req.input.bucket).await?;
        answer(HeadBucketOutput { bucket_region: Some(self.0.options.region.clone()), ..Default::default() })
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.there(&req.input.bucket).await?;
        let region = self.0.options.region.clone();
        // S3 calls its first region by no name.
        let named = (region != FIRST_REGION).then(|| BucketLocationConstraint::from(region));
        answer(GetBucketLocationOutput { location_constraint: named })
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let set = self.configuration(&req.input.bucket).await?;
        let suspended = BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED);
        answer(GetBucketVersioningOutput {
            status: set.is_suspended.then_some(suspended),
            ..Default::default()
        })
    }

    async fn put_bucket_versioning(
        &self,
        req: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        self.set_versioning(req.input).await?;
        answer(PutBucketVersioningOutput {})
    }

    async fn get_bucket_notification_configuration(
        &self,
        req: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let found = self
            .on_bucket(&req.input.bucket, |inner, bucket| {
                bucket.root()?;
                Ok(inner.sidecar.notification(&bucket.name)?.unwrap_or_default())
            })
            .await?;
        answer(GetBucketNotificationConfigurationOutput {
            event_bridge_configuration: found.event_bridge_configuration,
            lambda_function_configurations: found.lambda_function_configurations,
            queue_configurations: found.queue_configurations,
            topic_configurations: found.topic_configurations,
        })
    }

    async fn put_bucket_notification_configuration(
        &self,
        req: S3Request<PutBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
        let configuration = req.input.notification_configuration;
        self.on_bucket(&req.input.bucket, move |inner, bucket| {
            bucket.root()?;
            let rules = events::rules(&configuration)?;
            inner.sidecar.set_notification(&bucket.name, &configuration)?;
            bucket.set_rules(rules);
            Ok(())
        })
        .await?;
        answer(PutBucketNotificationConfigurationOutput {})
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        Ok(S3Response::new(self.list_v1(req.input).await?))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        Ok(S3Response::new(self.list_v2(req.input).await?))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.get(req.input).await.map_err(Into::into)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (mut response, tags) = self.head(req.input).await?;
        if tags > 0 {
            response.headers.insert("x-amz-tagging-count", http::HeaderValue::from(tags));
        }
        Ok(response)
    }

    async fn get_object_attributes(
        &self,
        req: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        self.attributes_of(req.input).await.map_err(Into::into)
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let form = req.extensions.remove::<Form>();
        if let Some(form) = &form {
            form.complete(&mut req.input, &mut req.headers)?;
        }
        let mut response = self.put(req.input, &req.headers, req.trailing_headers).await?;
        // s3s tells it itself where the upload was none by a form.
        if form.is_some()
            && let Some(ETag::Strong(etag)) = &response.output.e_tag
            && let Ok(value) = http::HeaderValue::try_from(format!("\"{etag}\""))
        {
            response.headers.insert(http::header::ETAG, value);
        }
        Ok(response)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.copy(req.input).await.map_err(Into::into)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        Ok(S3Response::new(self.delete(req.input).await?))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        Ok(S3Response::new(self.delete_many(req.input).await?))
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        check_version(req.input.version_id.as_deref())?;
        let key = req.input.key;
        let object =
            self.on_bucket(&req.input.bucket, move |inner, bucket| inner.stat_object(bucket, &key)).await?;
        answer(GetObjectTaggingOutput { tag_set: tags::told(object.attributes.tags), version_id: None })
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        check_version(req.input.version_id.as_deref())?;
        let tags = tags::from_request(req.input.tagging.tag_set, tags::OF_OBJECT)?;
        let key = req.input.key;
        self.on_bucket(&req.input.bucket, move |inner, bucket| {
            inner.change_attributes(bucket, &key, EventName::TaggingPut, |attributes| attributes.tags = tags)
        })
        .await?;
        answer(PutObjectTaggingOutput::default())
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        check_version(req.input.version_id.as_deref())?;
        let key = req.input.key;
        self.on_bucket(&req.input.bucket, move |inner, bucket| {
            inner.change_attributes(bucket, &key, EventName::TaggingDelete, |attributes| {
                attributes.tags.clear()
            })
        })
        .await?;
        answer(DeleteObjectTaggingOutput::default())
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        Ok(S3Response::new(self.create_upload(req.input).await?))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.upload_part_body(req.input, &req.headers, req.trailing_headers).await.map_err(Into::into)
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.upload_part_from(req.input).await.map_err(Into::into)
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let of_parts = req.extensions.remove::<SumsOfParts>().unwrap_or_default();
        self.complete_upload(req.input, of_parts, &req.headers).await.map_err(Into::into)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = req.input;
        self.on_bucket(&bucket, move |inner, bucket| inner.abort_upload(bucket, &key, &upload_id)).await?;
        answer(AbortMultipartUploadOutput::default())
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.list_upload_parts(req.input).await.map_err(Into::into)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        Ok(S3Response::new(self.list_uploads(req.input).await?))
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        answer(self.list_versions(req.input).await?)
    }

    async fn get_bucket_acl(
        &self,
        req: S3Request<GetBucketAclInput>,
    ) -> S3Result<S3Response<GetBucketAclOutput>> {
        answer(self.bucket_acl(req.input).await?)
    }

    async fn put_bucket_acl(
        &self,
        req: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        answer(self.set_bucket_acl(req.input).await?)
    }

    async fn get_object_acl(
        &self,
        req: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        answer(self.object_acl(req.input).await?)
    }

    async fn put_object_acl(
        &self,
        req: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        answer(self.set_object_acl(req.input).await?)
    }

    async fn delete_bucket_policy(
        &self,
        req: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketPolicyOutput {})
    }

    async fn get_bucket_policy(
        &self,
        req: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        self.none(&req.input.bucket, Missing::Policy).await
    }

    async fn get_bucket_policy_status(
        &self,
        req: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
        self.none(&req.input.bucket, Missing::Policy).await
    }

    async fn delete_bucket_cors(
        &self,
        req: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketCorsOutput {})
    }

    async fn get_bucket_cors(
        &self,
        req: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        self.none(&req.input.bucket, Missing::Cors).await
    }

    async fn delete_bucket_lifecycle(
        &self,
        req: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketLifecycleOutput {})
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        req: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        self.none(&req.input.bucket, Missing::Lifecycle).await
    }

    async fn get_bucket_tagging(
        &self,
        req: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        match self.configuration(&req.input.bucket).await?.tags {
            tags if tags.is_empty() => self.none(&req.input.bucket, Missing::Tagging).await,
            tags => answer(GetBucketTaggingOutput { tag_set: tags::told(tags) }),
        }
    }

    async fn put_bucket_tagging(
        &self,
        req: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let tags = tags::from_request(req.input.tagging.tag_set, tags::OF_BUCKET)?;
        self.configure(&req.input.bucket, |it| it.tags = tags).await?;
        answer(PutBucketTaggingOutput {})
    }

    async fn delete_bucket_tagging(
        &self,
        req: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        self.configure(&req.input.bucket, |it| it.tags.clear()).await?;
        answer(DeleteBucketTaggingOutput {})
    }

    async fn get_object_lock_configuration(
        &self,
        req: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        self.none(&req.input.bucket, Missing::ObjectLock).await
    }

    async fn get_public_access_block(
        &self,
        req: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        match self.configuration(&req.input.bucket).await?.public_access.map(configurations::public_access) {
            None => self.none(&req.input.bucket, Missing::PublicAccessBlock).await,
            set => answer(GetPublicAccessBlockOutput { public_access_block_configuration: set }),
        }
    }

    async fn put_public_access_block(
        &self,
        req: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        self.set_public_access(req.input).await?;
        answer(PutPublicAccessBlockOutput {})
    }

    async fn delete_public_access_block(
        &self,
        req: S3Request<DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
        self.configure(&req.input.bucket, |it| it.public_access = None).await?;
        answer(DeletePublicAccessBlockOutput {})
    }

    async fn delete_bucket_website(
        &self,
        req: S3Request<DeleteBucketWebsiteInput>,
    ) -> S3Result<S3Response<DeleteBucketWebsiteOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketWebsiteOutput {})
    }

    async fn get_bucket_website(
        &self,
        req: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<S3Response<GetBucketWebsiteOutput>> {
        self.none(&req.input.bucket, Missing::Website).await
    }

    async fn delete_bucket_encryption(
        &self,
        req: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketEncryptionOutput {})
    }

    async fn get_bucket_encryption(
        &self,
        req: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        self.none(&req.input.bucket, Missing::Encryption).await
    }

    async fn delete_bucket_replication(
        &self,
        req: S3Request<DeleteBucketReplicationInput>,
    ) -> S3Result<S3Response<DeleteBucketReplicationOutput>> {
        self.there(&req.input.bucket).await?;
        answer(DeleteBucketReplicationOutput {})
    }

    async fn get_bucket_replication(
        &self,
        req: S3Request<GetBucketReplicationInput>,
    ) -> S3Result<S3Response<GetBucketReplicationOutput>> {
        self.none(&req.input.bucket, Missing::Replication).await
    }

    async fn get_bucket_ownership_controls(
        &self,
        req: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        if !self.configuration(&req.input.bucket).await?.is_enforced {
            return self.none(&req.input.bucket, Missing::OwnershipControls).await;
        }
        answer(GetBucketOwnershipControlsOutput { ownership_controls: Some(configurations::enforced()) })
    }

    async fn put_bucket_ownership_controls(
        &self,
        req: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
        self.set_ownership(req.input).await?;
        answer(PutBucketOwnershipControlsOutput {})
    }

    async fn delete_bucket_ownership_controls(
        &self,
        req: S3Request<DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
        self.configure(&req.input.bucket, |it| it.is_enforced = false).await?;
        answer(DeleteBucketOwnershipControlsOutput {})
    }

    async fn get_bucket_logging(
        &self,
        req: S3Request<GetBucketLoggingInput>,
    ) -> S3Result<S3Response<GetBucketLoggingOutput>> {
        self.there(&req.input.bucket).await?;
        answer(GetBucketLoggingOutput::default())
    }

    async fn get_bucket_accelerate_configuration(
        &self,
        req: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketAccelerateConfigurationOutput>> {
        self.there(&req.input.bucket).await?;
        answer(GetBucketAccelerateConfigurationOutput::default())
    }

    async fn get_bucket_request_payment(
        &self,
        req: S3Request<GetBucketRequestPaymentInput>,
    ) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
        self.there(&req.input.bucket).await?;
        answer(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) })
    }

    async fn list_bucket_analytics_configurations(
        &self,
        req: S3Request<ListBucketAnalyticsConfigurationsInput>,
    ) -> S3Result<S3Response<ListBucketAnalyticsConfigurationsOutput>> {
        self.there(&req.input.bucket).await?;
        answer(ListBucketAnalyticsConfigurationsOutput::default())
    }

    async fn list_bucket_metrics_configurations(
        &self,
        req: S3Request<ListBucketMetricsConfigurationsInput>,
    ) -> S3Result<S3Response<ListBucketMetricsConfigurationsOutput>> {
        self.there(&req.input.bucket).await?;
        answer(ListBucketMetricsConfigurationsOutput::default())
    }

    async fn list_bucket_inventory_configurations(
        &self,
        req: S3Request<ListBucketInventoryConfigurationsInput>,
    ) -> S3Result<S3Response<ListBucketInventoryConfigurationsOutput>> {
        self.there(&req.input.bucket).await?;
        answer(ListBucketInventoryConfigurationsOutput::default())
    }

    async fn list_bucket_intelligent_tiering_configurations(
        &self,
        req: S3Request<ListBucketIntelligentTieringConfigurationsInput>,
    ) -> S3Result<S3Response<ListBucketIntelligentTieringConfigurationsOutput>> {
        self.there(&req.input.bucket).await?;
        answer(ListBucketIntelligentTieringConfigurationsOutput::default())
    }

    async fn get_object_retention(
        &self,
        req: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        self.there(&req.input.bucket).await?;
        Err(no_lock().into())
    }

    async fn get_object_legal_hold(
        &self,
        req: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        self.there(&req.input.bucket).await?;
        Err(no_lock().into())
    }

    async fn put_object_retention(
        &self,
        req: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        self.there(&req.input.bucket).await?;
        Err(no_lock().into())
    }

    async fn put_object_legal_hold(
        &self,
        req: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        self.there(&req.input.bucket).await?;
        Err(no_lock().into())
    }
}

fn owner() -> Owner {
    Owner { display_name: Some(OWNER.to_owned()), id: Some(OWNER.to_owned()) }
}
