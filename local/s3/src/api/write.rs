//! Operations that make or remove objects.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, TrailingHeaders};

use crate::api::{Endpoint, attributes, blocking, check_version, sums};
use crate::bucket::Bucket;
use crate::conditions::{ReadConditions, WriteConditions};
use crate::error::{Doing, Fault, Outcome};
use crate::events::EventName;
use crate::fsys;
use crate::intake::{Declared, receive};
use crate::objects::Object;
use crate::sidecar::Record;
use crate::staging::Staged;
use crate::store::Inner;

/// The most keys in one DeleteObjects.
const MAX_DELETES: usize = 1000;

impl Endpoint {
    pub(crate) async fn put(
        &self,
        mut input: PutObjectInput,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Outcome<PutObjectOutput> {
        if input.write_offset_bytes.is_some() {
            return Err(Fault::client(
                S3ErrorCode::NotImplemented,
                "appending to an object is not implemented",
            ));
        }
        let mut attributes = attributes!(input)?;
        let conditions =
            WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        let declared = Declared {
            length: input.content_length,
            md5: input.content_md5.take(),
            sums: sums!(input),
            algorithm: input.checksum_algorithm.take(),
            ..Default::default()
        }
        .with_trailers(headers, trailers);
        let (key, early) = (input.key.clone(), conditions.clone());
        let staged = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                inner.check_put(bucket, &key, &early)?;
                Staged::new(inner, bucket)
            })
            .await?;
        let received = receive(staged, input.body.take(), declared).await?;
        attributes.sums = received.sums.clone();
        let sums = received.sums;
        let record = Record { etag: Some(hex::encode(received.md5)), attributes };
        let (key, staged) = (input.key, received.staged);
        let object = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                inner.commit(bucket, &key, staged, &record, &conditions, EventName::Put)
            })
            .await?;
        Ok(PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        })
    }

    pub(crate) async fn copy(&self, mut input: CopyObjectInput) -> Outcome<CopyObjectOutput> {
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let new_metadata =
            input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let new_tags =
            input.tagging_directive.as_ref().is_some_and(|d| d.as_str() == TaggingDirective::REPLACE);
        let new_class = input.storage_class.is_some();
        if from_bucket == input.bucket && from_key == input.key && !new_metadata && !new_class {
            return Err(Fault::client(
                S3ErrorCode::InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let asked = attributes!(input)?;
        let (inner, to_bucket, to_key) = (Arc::clone(&self.0), input.bucket, input.key);
        let object = blocking(move || {
            let source_bucket = inner.bucket(&from_bucket)?;
            let bucket = inner.bucket(&to_bucket)?;
            let write = WriteConditions::default();
            inner.check_put(&bucket, &to_key, &write)?;
            let (mut file, source) = inner.open_object(&source_bucket, &from_key)?;
            conditions.check(&source.etag, source.stamp.modified(), true)?;
            let mut staged = Staged::new(&inner, &bucket)?;
            let md5 = copy_content(&source_bucket, &source, &mut file, &mut staged.file)?;
            let mut attributes = source.attributes;
            // The checksums are those of the content, which is the same.
            let (sums, tags) = (attributes.sums.clone(), attributes.tags.clone());
            if new_metadata {
                attributes = asked.clone();
            }
            attributes.sums = sums;
            attributes.tags = if new_tags { asked.tags } else { tags };
            attributes.storage_class = asked.storage_class;
            attributes.parts = None;
            let record = Record { etag: Some(md5), attributes };
            inner.commit(&bucket, &to_key, staged, &record, &write, EventName::Copy)
        })
        .await?;
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(fsys::timestamp(object.stamp.modified())),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(crate) async fn delete(&self, input: DeleteObjectInput) -> Outcome<DeleteObjectOutput> {
        check_version(input.version_id.as_deref())?;
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: None };
        let key = input.key;
        self.on_bucket(&input.bucket, move |inner, bucket| inner.delete_object(bucket, &key, &conditions))
            .await?;
        Ok(DeleteObjectOutput::default())
    }

    pub(crate) async fn delete_many(&self, input: DeleteObjectsInput) -> Outcome<DeleteObjectsOutput> {
        let Delete { objects, quiet } = input.delete;
        if objects.is_empty() || objects.len() > MAX_DELETES {
            return Err(Fault::client(
                S3ErrorCode::MalformedXML,
                "name between 1 and 1,000 objects to delete",
            ));
        }
        let quiet = quiet.unwrap_or(false);
        let (deleted, errors) = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                bucket.root()?;
                Ok(delete_each(inner, bucket, objects, quiet))
            })
            .await?;
        Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() })
    }
}

fn delete_each(
    inner: &Inner,
    bucket: &Bucket,
    objects: Vec<ObjectIdentifier>,
    quiet: bool,
) -> (Vec<DeletedObject>, Vec<s3s::dto::Error>) {
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for object in objects {
        let conditions =
            WriteConditions { if_match: object.e_tag.map(ETagCondition::ETag), if_none_match: None };
        let outcome = check_version(object.version_id.as_deref())
            .and_then(|()| inner.delete_object(bucket, &object.key, &conditions));
        match outcome {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
            Err(fault) => {
                let error = S3Error::from(fault);
                errors.push(s3s::dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                });
            }
        }
    }
    (deleted, errors)
}

/// The bucket and key that a copy is made from.
pub(crate) fn source(copy_source: &CopySource) -> Outcome<(String, String)> {
    match copy_source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => Err(Fault::client(S3ErrorCode::NotImplemented, "copying from access points is not implemented")),
    }
}

/// Copies an object's content and answers its MD5 in hex. Where that is known
/// already the system may copy by reference.
fn copy_content(bucket: &Bucket, source: &Object, from: &mut File, to: &mut File) -> Outcome<String> {
    let is_md5 = source.etag.len() == 32 && !source.etag.contains('-');
    let md5 = if is_md5 {
        io::copy(from, to).doing("copying an object")?;
        source.etag.clone()
    } else {
        hex::encode(copy_hashed(from, to, u64::MAX)?.0)
    };
    let after = fsys::status_of(&*from).doing("copying an object")?;
    if bucket.stamp(after.stamp) != source.stamp {
        return Err(Fault::client(
            S3ErrorCode::OperationAborted,
            "the source was changed while it was copied; try again",
        ));
    }
    Ok(md5)
}

/// Copies up to a number of bytes; answers the MD5 and how many there were.
pub(crate) fn copy_hashed(from: &mut impl Read, to: &mut impl Write, most: u64) -> Outcome<([u8; 16], u64)> {
    let mut buffer = vec![0; 1 << 20];
    let mut hash = Md5::new();
    let mut from = from.take(most);
    let mut size = 0;
    loop {
        let read = from.read(&mut buffer).doing("copying an object")?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        to.write_all(bytes).doing("copying an object")?;
        size += bytes.len() as u64;
    }
    Ok((hash.finalize().into(), size))
}

/// Moves to where a copied section starts.
pub(crate) fn seek(file: &mut File, start: u64) -> Outcome<()> {
    file.seek(SeekFrom::Start(start)).doing("copying an object").map(drop)
}
