//! What a request may ask of S3 and this endpoint does not do. It is refused: a
//! client that asks for encryption or a lock and is answered 200 would rely on it.

use http::HeaderMap;
use s3s::S3ErrorCode;
use s3s::dto::{Grant, Permission, Type};

use crate::api::OWNER;
use crate::error::{Fault, Outcome};

/// The number of the account in the names of the local cloud's resources.
const ACCOUNT: &str = "000000000000";
/// The most bytes that names and values of an object's metadata may have.
const MOST_METADATA: usize = 2048;
const METADATA: &str = "x-amz-meta-";
/// The storage classes of a bucket. All are stored the same way, and told as they were given.
const CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];
/// The access control lists that give nobody but the owner access.
const OWN_LISTS: [&str; 3] = ["private", "bucket-owner-full-control", "bucket-owner-read"];
/// All others that S3 knows.
const OTHER_LISTS: [&str; 5] =
    ["public-read", "public-read-write", "authenticated-read", "aws-exec-read", "log-delivery-write"];
/// The operations that make an object with the attributes of their headers.
const MAKES: [&str; 4] = ["PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"];

/// Checks the headers of a request, or the fields of a form: names in lower case, with values.
pub(crate) fn check(operation: &str, given: &[(&str, &str)]) -> Outcome<()> {
    for (name, value) in given {
        match *name {
            "x-amz-expected-bucket-owner" | "x-amz-source-expected-bucket-owner" => check_owner(value)?,
            "x-amz-acl" => check_list(operation, value)?,
            "x-amz-storage-class" if MAKES.contains(&operation) && !CLASSES.contains(value) => {
                return Err(Fault::client(
                    S3ErrorCode::InvalidStorageClass,
                    "The storage class you specified is not valid",
                ));
            }
            "x-amz-server-side-encryption" if *value != "AES256" => {
                return Err(match *value {
                    "aws:kms" | "aws:kms:dsse" => not_done("Encryption with keys of KMS"),
                    _ => Fault::invalid("The encryption method specified is not supported"),
                });
            }
            "x-amz-server-side-encryption-aws-kms-key-id" | "x-amz-server-side-encryption-context" => {
                return Err(not_done("Encryption with keys of KMS"));
            }
            "x-amz-bucket-object-lock-enabled" if value.eq_ignore_ascii_case("true") => {
                return Err(not_done("Object lock"));
            }
            name if name.starts_with("x-amz-object-lock-") => return Err(no_lock()),
            name if name.starts_with("x-amz-grant-") => check_grant(name, value)?,
            name if name.contains("server-side-encryption-customer-") => {
                let reads = operation.starts_with("Get") || operation.starts_with("Head");
                return Err(if reads || name.starts_with("x-amz-copy-source") {
                    Fault::client(
                        S3ErrorCode::InvalidRequest,
                        "The encryption parameters are not applicable to this object.",
                    )
                } else {
                    not_done("Encryption with a customer's own keys")
                });
            }
            _ => {}
        }
    }
    let sizes = given
        .iter()
        .filter_map(|(name, value)| name.strip_prefix(METADATA).map(|name| name.len() + value.len()));
    if MAKES.contains(&operation) && sizes.sum::<usize>() > MOST_METADATA {
        return Err(Fault::client(
            S3ErrorCode::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    Ok(())
}

/// Checks the headers of a request.
pub(crate) fn check_headers(operation: &str, headers: &HeaderMap) -> Outcome<()> {
    let given: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
        .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)))
        .collect();
    check(operation, &given)
}

/// Checks the grants of an access control list: there may be none but the owner's.
pub(crate) fn check_grants(grants: &[Grant]) -> Outcome<()> {
    let is_own = |grant: &Grant| {
        grant.permission.as_ref().is_some_and(|one| one.as_str() == Permission::FULL_CONTROL)
            && grant.grantee.as_ref().is_some_and(|grantee| {
                grantee.type_.as_str() == Type::CANONICAL_USER && grantee.id.as_deref() == Some(OWNER)
            })
    };
    if grants.iter().all(is_own) { Ok(()) } else { Err(no_lists()) }
}

/// The answer about locks of a bucket that has none.
pub(crate) fn no_lock() -> Fault {
    Fault::client(S3ErrorCode::InvalidRequest, "Bucket is missing Object Lock Configuration")
}

fn not_done(what: &str) -> Fault {
    Fault::client(S3ErrorCode::NotImplemented, format!("{what} is not implemented here; nothing was stored."))
}

fn no_lists() -> Fault {
    Fault::client(S3ErrorCode::AccessControlListNotSupported, "The bucket does not allow ACLs")
}

fn check_owner(owner: &str) -> Outcome<()> {
    if owner == ACCOUNT || owner == OWNER {
        return Ok(());
    }
    if owner.len() != ACCOUNT.len() || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::client(
            S3ErrorCode::Custom("InvalidBucketOwnerAWSAccountID".into()),
            "The value of the expected bucket owner parameter must be an AWS account ID",
        ));
    }
    Err(Fault::client(S3ErrorCode::AccessDenied, "Access Denied: the bucket belongs to another account"))
}

fn check_list(operation: &str, list: &str) -> Outcome<()> {
    match list {
        own if OWN_LISTS.contains(&own) => Ok(()),
        other if !OTHER_LISTS.contains(&other) => Err(Fault::invalid("The canned ACL is not known")),
        _ if operation == "CreateBucket" => Err(Fault::client(
            S3ErrorCode::InvalidBucketAclWithObjectOwnership,
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )),
        _ => Err(no_lists()),
    }
}

/// A header such as `id="mediadex"` that grants a permission.
fn check_grant(name: &str, grantees: &str) -> Outcome<()> {
    let is_own = |grantee: &str| {
        grantee.trim().split_once('=').is_some_and(|(kind, who)| {
            kind.trim().eq_ignore_ascii_case("id") && who.trim().trim_matches('"') == OWNER
        })
    };
    let is_full = name == "x-amz-grant-full-control";
    if is_full && grantees.split(',').all(is_own) { Ok(()) } else { Err(no_lists()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_is_refused() {
        let long = "x".repeat(MOST_METADATA - 1);
        let longer = "x".repeat(MOST_METADATA);
        let table: &[(&str, &str, &str, Option<&str>)] = &[
            ("PutObject", "x-amz-acl", "private", None),
            ("PutObject", "x-amz-acl", "bucket-owner-full-control", None),
            ("PutObject", "x-amz-acl", "public-read", Some("AccessControlListNotSupported")),
            ("PutObjectAcl", "x-amz-acl", "authenticated-read", Some("AccessControlListNotSupported")),
            ("CreateBucket", "x-amz-acl", "public-read", Some("InvalidBucketAclWithObjectOwnership")),
            ("PutObject", "x-amz-acl", "secret", Some("InvalidArgument")),
            ("PutObject", "x-amz-grant-read", "id=\"mediadex\"", Some("AccessControlListNotSupported")),
            ("PutObject", "x-amz-grant-full-control", "id=\"mediadex\", id=\"mediadex\"", None),
            (
                "PutObject",
                "x-amz-grant-full-control",
                "id=\"mediadex\", uri=\"http://x\"",
                Some("AccessControlListNotSupported"),
            ),
            ("PutObject", "x-amz-storage-class", "GLACIER_IR", None),
            ("PutObject", "x-amz-storage-class", "FAST", Some("InvalidStorageClass")),
            ("CopyObject", "x-amz-storage-class", "standard", Some("InvalidStorageClass")),
            ("PutObject", "x-amz-server-side-encryption", "AES256", None),
            ("PutObject", "x-amz-server-side-encryption", "aws:kms", Some("NotImplemented")),
            ("PutObject", "x-amz-server-side-encryption", "aws:kms:dsse", Some("NotImplemented")),
            ("PutObject", "x-amz-server-side-encryption", "rot13", Some("InvalidArgument")),
            ("PutObject", "x-amz-server-side-encryption-aws-kms-key-id", "k", Some("NotImplemented")),
            ("UploadPart", "x-amz-server-side-encryption-customer-key", "k", Some("NotImplemented")),
            ("GetObject", "x-amz-server-side-encryption-customer-key", "k", Some("InvalidRequest")),
            (
                "CopyObject",
                "x-amz-copy-source-server-side-encryption-customer-key",
                "k",
                Some("InvalidRequest"),
            ),
            ("PutObject", "x-amz-object-lock-mode", "GOVERNANCE", Some("InvalidRequest")),
            ("CreateBucket", "x-amz-bucket-object-lock-enabled", "True", Some("NotImplemented")),
            ("CreateBucket", "x-amz-bucket-object-lock-enabled", "false", None),
            ("GetObject", "x-amz-expected-bucket-owner", "000000000000", None),
            ("GetObject", "x-amz-expected-bucket-owner", "123456789012", Some("AccessDenied")),
            ("CopyObject", "x-amz-source-expected-bucket-owner", "123456789012", Some("AccessDenied")),
            ("GetObject", "x-amz-expected-bucket-owner", "me", Some("InvalidBucketOwnerAWSAccountID")),
            ("PutObject", "x-amz-meta-m", &long, None),
            ("PutObject", "x-amz-meta-m", &longer, Some("MetadataTooLarge")),
        ];
        for (operation, name, value, want) in table {
            let got = match check(operation, &[(name, value)]) {
                Ok(()) => None,
                Err(Fault::Client { code, .. }) => Some(code.as_str().to_owned()),
                Err(other) => Some(format!("{other:?}")),
            };
            assert_eq!(got.as_deref(), *want, "{operation} {name}: {}", value.get(..20).unwrap_or(value));
        }
    }
}
