//! Configurations of buckets that may be set, because they say what is the case
//! anyway: versions are not kept, the owner owns all objects, nothing is public.
//! What would loosen any of it is refused.

use s3s::S3ErrorCode;
use s3s::dto::*;

use crate::api::Endpoint;
use crate::error::{Fault, Outcome};
use crate::sidecar::{Configuration, PublicAccess};

fn not_done(what: &'static str) -> Fault {
    Fault::client(S3ErrorCode::NotImplemented, what)
}

fn malformed() -> Fault {
    Fault::client(
        S3ErrorCode::MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// Checks what is asked of versioning.
fn check_versioning(asked: &VersioningConfiguration) -> Outcome<()> {
    if asked.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED) {
        return Err(not_done("MFA delete is not implemented here."));
    }
    match asked.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::SUSPENDED) => Ok(()),
        Some(BucketVersioningStatus::ENABLED) => {
            Err(not_done("Versioning is not implemented here; buckets keep one version of each object."))
        }
        _ => Err(malformed()),
    }
}

/// Checks who is asked to own the objects of a bucket.
fn check_ownership(asked: &OwnershipControls) -> Outcome<()> {
    let [rule] = asked.rules.as_slice() else { return Err(malformed()) };
    match rule.object_ownership.as_str() {
        ObjectOwnership::BUCKET_OWNER_ENFORCED => Ok(()),
        ObjectOwnership::BUCKET_OWNER_PREFERRED | ObjectOwnership::OBJECT_WRITER => Err(not_done(
            "Access control lists are not implemented here; the owner of the bucket owns its objects.",
        )),
        _ => Err(malformed()),
    }
}

impl Endpoint {
    /// What was set of a bucket.
    pub(crate) async fn configuration(&self, bucket: &str) -> Outcome<Configuration> {
        self.on_bucket(bucket, |inner, bucket| {
            bucket.root()?;
            Ok(inner.sidecar.configuration(&bucket.name)?)
        })
        .await
    }

    /// Changes what is set of a bucket.
    pub(crate) async fn configure(
        &self,
        bucket: &str,
        change: impl FnOnce(&mut Configuration) + Send + 'static,
    ) -> Outcome<()> {
        self.on_bucket(bucket, |inner, bucket| {
            bucket.root()?;
            Ok(inner.sidecar.configure(&bucket.name, change)?)
        })
        .await
    }

    pub(crate) async fn set_versioning(&self, input: PutBucketVersioningInput) -> Outcome<()> {
        self.there(&input.bucket).await?;
        check_versioning(&input.versioning_configuration)?;
        self.configure(&input.bucket, |it| it.is_suspended = true).await
    }

    pub(crate) async fn set_ownership(&self, input: PutBucketOwnershipControlsInput) -> Outcome<()> {
        self.there(&input.bucket).await?;
        check_ownership(&input.ownership_controls)?;
        self.configure(&input.bucket, |it| it.is_enforced = true).await
    }

    pub(crate) async fn set_public_access(&self, input: PutPublicAccessBlockInput) -> Outcome<()> {
        let asked = input.public_access_block_configuration;
        let wanted = PublicAccess {
            block_acls: asked.block_public_acls.unwrap_or(false),
            ignore_acls: asked.ignore_public_acls.unwrap_or(false),
            block_policy: asked.block_public_policy.unwrap_or(false),
            restrict_buckets: asked.restrict_public_buckets.unwrap_or(false),
        };
        self.configure(&input.bucket, move |it| it.public_access = Some(wanted)).await
    }
}

/// The ownership that can be set.
pub(crate) fn enforced() -> OwnershipControls {
    let owner = ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED);
    OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership: owner }] }
}

/// The block of public access as S3 writes it.
pub(crate) fn public_access(set: PublicAccess) -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(set.block_acls),
        block_public_policy: Some(set.block_policy),
        ignore_public_acls: Some(set.ignore_acls),
        restrict_public_buckets: Some(set.restrict_buckets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcome: Outcome<()>) -> Option<String> {
        outcome.err().map(|fault| s3s::S3Error::from(fault).code().as_str().to_owned())
    }

    #[test]
    fn versioning_may_be_suspended() {
        for (status, mfa, want) in [
            (Some("Suspended"), None, None),
            (Some("Suspended"), Some("Disabled"), None),
            (Some("Suspended"), Some("Enabled"), Some("NotImplemented")),
            (Some("Enabled"), None, Some("NotImplemented")),
            (Some("On"), None, Some("MalformedXML")),
            (None, None, Some("MalformedXML")),
        ] {
            let asked = VersioningConfiguration {
                mfa_delete: mfa.map(MFADelete::from_static),
                status: status.map(BucketVersioningStatus::from_static),
            };
            assert_eq!(code(check_versioning(&asked)).as_deref(), want, "{status:?} {mfa:?}");
        }
    }

    #[test]
    fn the_owner_may_be_the_owner() {
        for (owners, want) in [
            (&["BucketOwnerEnforced"][..], None),
            (&["BucketOwnerPreferred"], Some("NotImplemented")),
            (&["ObjectWriter"], Some("NotImplemented")),
            (&["Nobody"], Some("MalformedXML")),
            (&["BucketOwnerEnforced", "BucketOwnerEnforced"], Some("MalformedXML")),
            (&[], Some("MalformedXML")),
        ] {
            let rule = |owner: &&'static str| OwnershipControlsRule {
                object_ownership: ObjectOwnership::from_static(owner),
            };
            let asked = OwnershipControls { rules: owners.iter().map(rule).collect() };
            assert_eq!(code(check_ownership(&asked)).as_deref(), want, "{owners:?}");
        }
    }
}
