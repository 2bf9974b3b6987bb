//! What buckets and objects have in S3 and not here: the answer is the one that
//! S3 gives where nothing of the kind was set.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Response, S3Result};

use crate::api::list::{token, untoken};
use crate::api::{Endpoint, OWNER, blocking, check_version, owner};
use crate::error::{Fault, Outcome};
use crate::{fsys, refused};

/// The most buckets that a page may be asked to have.
const MOST_BUCKETS: i32 = 10_000;

/// A configuration that no bucket has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Policy,
    Cors,
    Lifecycle,
    Tagging,
    ObjectLock,
    PublicAccessBlock,
    Website,
    Encryption,
    Replication,
    OwnershipControls,
}

impl Missing {
    fn code(self) -> S3ErrorCode {
        match self {
            Self::Policy => S3ErrorCode::NoSuchBucketPolicy,
            Self::Cors => S3ErrorCode::NoSuchCORSConfiguration,
            Self::Lifecycle => S3ErrorCode::NoSuchLifecycleConfiguration,
            Self::Tagging => S3ErrorCode::NoSuchTagSet,
            Self::ObjectLock => S3ErrorCode::ObjectLockConfigurationNotFoundError,
            Self::PublicAccessBlock => S3ErrorCode::Custom("NoSuchPublicAccessBlockConfiguration".into()),
            Self::Website => S3ErrorCode::NoSuchWebsiteConfiguration,
            Self::Encryption => S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
            Self::Replication => S3ErrorCode::ReplicationConfigurationNotFoundError,
            Self::OwnershipControls => S3ErrorCode::OwnershipControlsNotFoundError,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Policy => "The bucket policy does not exist",
            Self::Cors => "The CORS configuration does not exist",
            Self::Lifecycle => "The lifecycle configuration does not exist",
            Self::Tagging => "The TagSet does not exist",
            Self::ObjectLock => "Object Lock configuration does not exist for this bucket",
            Self::PublicAccessBlock => "The public access block configuration was not found",
            Self::Website => "The specified bucket does not have a website configuration",
            Self::Encryption => "The server side encryption configuration was not found",
            Self::Replication => "The replication configuration was not found",
            Self::OwnershipControls => "The bucket ownership controls were not found",
        }
    }
}

/// The only access control list that there is.
fn grants() -> Vec<Grant> {
    let grantee = Grantee {
        type_: Type::from_static(Type::CANONICAL_USER),
        id: Some(OWNER.to_owned()),
        display_name: Some(OWNER.to_owned()),
        email_address: None,
        uri: None,
    };
    vec![Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}

/// Checks the list of a request: in its headers or, where it has none there, in its body.
fn check_list(in_headers: bool, policy: Option<&AccessControlPolicy>) -> Outcome<()> {
    match policy {
        Some(policy) => refused::check_grants(policy.grants.as_deref().unwrap_or_default()),
        None if in_headers => Ok(()),
        None => Err(Fault::client(
            S3ErrorCode::MissingSecurityHeader,
            "Your request was missing a required header: x-amz-acl",
        )),
    }
}

impl Endpoint {
    /// Checks that a bucket is there.
    pub(crate) async fn there(&self, bucket: &str) -> Outcome<()> {
        self.on_bucket(bucket, |_, bucket| bucket.root().map(drop)).await
    }

    /// The answer for what no bucket has.
    pub(crate) async fn none<T>(&self, bucket: &str, missing: Missing) -> S3Result<S3Response<T>> {
        self.there(bucket).await?;
        let mut error = S3Error::with_message(missing.code(), missing.message());
        error.set_status_code(StatusCode::NOT_FOUND);
        Err(error)
    }

    async fn there_is(&self, bucket: &str, key: String) -> Outcome<()> {
        self.on_bucket(bucket, move |inner, bucket| inner.stat_object(bucket, &key).map(drop)).await
    }

    pub(crate) async fn bucket_acl(&self, input: GetBucketAclInput) -> Outcome<GetBucketAclOutput> {
        self.there(&input.bucket).await?;
        Ok(GetBucketAclOutput { grants: Some(grants()), owner: Some(owner()) })
    }

    /// Takes no other list than the one that is there.
    pub(crate) async fn set_bucket_acl(&self, input: PutBucketAclInput) -> Outcome<PutBucketAclOutput> {
        self.there(&input.bucket).await?;
        check_list(
            input.acl.is_some() || input.grant_full_control.is_some(),
            input.access_control_policy.as_ref(),
        )?;
        Ok(PutBucketAclOutput::default())
    }

    pub(crate) async fn object_acl(&self, input: GetObjectAclInput) -> Outcome<GetObjectAclOutput> {
        check_version(input.version_id.as_deref())?;
        self.there_is(&input.bucket, input.key).await?;
        Ok(GetObjectAclOutput { grants: Some(grants()), owner: Some(owner()), ..Default::default() })
    }

    /// Takes no other list than the one that is there.
    pub(crate) async fn set_object_acl(&self, input: PutObjectAclInput) -> Outcome<PutObjectAclOutput> {
        check_version(input.version_id.as_deref())?;
        self.there_is(&input.bucket, input.key).await?;
        check_list(
            input.acl.is_some() || input.grant_full_control.is_some(),
            input.access_control_policy.as_ref(),
        )?;
        Ok(PutObjectAclOutput::default())
    }

    /// The buckets, in pages where the client asks for some.
    pub(crate) async fn buckets(&self, input: ListBucketsInput) -> Outcome<ListBucketsOutput> {
        let most = input.max_buckets.unwrap_or(MOST_BUCKETS);
        if !(1..=MOST_BUCKETS).contains(&most) {
            return Err(Fault::invalid("Argument max-buckets must be an integer between 1 and 10000"));
        }
        let after = input.continuation_token.as_deref().map(untoken).transpose()?.unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let is_here = input.bucket_region.as_ref().is_none_or(|region| *region == self.0.options.region);
        let inner = Arc::clone(&self.0);
        let mut buckets: Vec<Bucket> = blocking(move || {
            let wanted = |name: &str| is_here && name.starts_with(&prefix) && name > after.as_str();
            let there = inner.all().into_iter().filter(|b| wanted(&b.name) && b.root().is_ok());
            Ok(there
                .map(|b| Bucket {
                    bucket_region: Some(inner.options.region.clone()),
                    creation_date: Some(fsys::timestamp(b.created)),
                    name: Some(b.name.clone()),
                })
                .collect())
        })
        .await?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let is_more = buckets.len() > most;
        buckets.truncate(most);
        let last = buckets.last().and_then(|bucket| bucket.name.as_deref());
        Ok(ListBucketsOutput {
            continuation_token: last.filter(|_| is_more).map(token),
            buckets: Some(buckets),
            owner: Some(owner()),
            prefix: input.prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_list_is_taken() {
        let policy = |grants: Vec<Grant>| AccessControlPolicy { grants: Some(grants), owner: Some(owner()) };
        let mut all = grants();
        for grant in &mut all {
            if let Some(grantee) = &mut grant.grantee {
                grantee.type_ = Type::from_static(Type::GROUP);
                grantee.id = None;
                grantee.uri = Some("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
            }
        }
        let mut reads = grants();
        reads.iter_mut().for_each(|grant| grant.permission = Some(Permission::from_static(Permission::READ)));
        let table = [
            (true, None, true),
            (false, None, false),
            (false, Some(grants()), true),
            (false, Some(Vec::new()), true),
            (false, Some(all), false),
            (false, Some(reads), false),
        ];
        for (in_headers, list, want) in table {
            let policy = list.map(policy);
            assert_eq!(check_list(in_headers, policy.as_ref()).is_ok(), want, "{policy:?}");
        }
    }
}
