//! Operations that make or remove objects.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Response, TrailingHeaders};

use crate::api::answer::{Document, Instead};
use crate::api::{Endpoint, attributes, blocking, check_version};
use crate::bucket::Bucket;
use crate::checksums::{Algorithm, DEFAULT, Hashers, SumType, Sums, copy_hashed, fields};
use crate::conditions::{ReadConditions, WriteConditions};
use crate::error::{Doing, Fault, Outcome};
use crate::events::EventName;
use crate::fsys;
use crate::intake::{Declared, receive};
use crate::objects::{Object, markers};
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
    ) -> Outcome<S3Response<PutObjectOutput>> {
        if input.write_offset_bytes.is_some() {
            return Err(Fault::client(
                S3ErrorCode::NotImplemented,
                "appending to an object is not implemented",
            ));
        }
        let mut attributes = attributes!(input)?;
        let conditions =
            WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        let mut declared =
            Declared::of(input.content_length, input.content_md5.take(), fields!(input), headers, trailers)?;
        let algorithm = declared.sent().or(declared.wanted).unwrap_or(DEFAULT);
        declared.wanted = Some(algorithm);
        if markers::is_folder(&input.key) && input.content_length.is_some_and(|length| length > 0) {
            return Err(markers::no_content(&input.key));
        }
        let (key, early) = (input.key.clone(), conditions.clone());
        let staged = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                inner.check_put(bucket, &key, &early)?;
                Staged::new(inner, bucket)
            })
            .await?;
        let received = receive(staged, input.body.take(), declared).await?;
        let sums = received.sums;
        attributes.sums = sums.clone();
        let (key, staged) = (input.key, received.staged);
        let object = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                if markers::is_folder(&key) {
                    if received.size > 0 {
                        return Err(markers::no_content(&key));
                    }
                    return inner.put_marker(bucket, &key, attributes, &conditions);
                }
                let record = Record { etag: Some(hex::encode(received.md5)), attributes };
                inner.commit(bucket, &key, staged, &record, &conditions, EventName::Put)
            })
            .await?;
        let output = PutObjectOutput { e_tag: Some(ETag::Strong(object.etag)), ..Default::default() };
        let mut response = S3Response::new(output);
        sums.put(Some(SumType::FullObject), &mut response.headers);
        Ok(response)
    }

    pub(crate) async fn copy(&self, mut input: CopyObjectInput) -> Outcome<S3Response<CopyObjectOutput>> {
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
        // What is asked for counts as a change, even where the object has it already.
        let is_change =
            new_metadata || input.storage_class.is_some() || input.server_side_encryption.is_some();
        if from_bucket == input.bucket && from_key == input.key && !is_change {
            return Err(Fault::client(
                S3ErrorCode::InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let asked_sum =
            input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
        let asked = attributes!(input)?;
        let (inner, to_bucket, to_key) = (Arc::clone(&self.0), input.bucket, input.key);
        let object = blocking(move || {
            let source_bucket = inner.bucket(&from_bucket)?;
            let bucket = inner.bucket(&to_bucket)?;
            let write = WriteConditions::default();
            inner.check_put(&bucket, &to_key, &write)?;
            let (mut file, source) = inner.open_object(&source_bucket, &from_key)?;
            conditions.check(&source.etag, source.stamp.modified(), true)?;
            // The checksum that the source has is kept, if it is of the whole content.
            let known = source.attributes.sums.clone();
            let algorithm = asked_sum.or(known.algorithm()).unwrap_or(DEFAULT);
            let known = known.only(algorithm);
            let known = Some(known).filter(|it| source.attributes.sum_type.is_full() && !it.is_empty());
            let is_folder = markers::is_folder(&to_key);
            if is_folder && source.stamp.size > 0 {
                return Err(markers::no_content(&to_key));
            }
            let mut staged = Staged::new(&inner, &bucket)?;
            let (md5, sums) = if source.stamp.size == 0 {
                // Perhaps a folder, of which there is nothing to read.
                (markers::EMPTY.to_owned(), Hashers::of([algorithm]).finish())
            } else {
                copy_content(&source_bucket, &source, &mut file, &mut staged.file, known, algorithm)?
            };
            let mut attributes = source.attributes;
            let tags = attributes.tags.clone();
            if new_metadata {
                attributes = asked.clone();
            }
            attributes.sums = sums;
            attributes.sum_type = SumType::FullObject;
            attributes.tags = if new_tags { asked.tags } else { tags };
            attributes.storage_class = asked.storage_class;
            attributes.parts = None;
            attributes.layout = None;
            if is_folder {
                return inner.put_marker(&bucket, &to_key, attributes, &write);
            }
            let record = Record { etag: Some(md5), attributes };
            inner.commit(&bucket, &to_key, staged, &record, &write, EventName::Copy)
        })
        .await?;
        let mut document = Document::new("CopyObjectResult");
        document.time("LastModified", &fsys::timestamp(object.stamp.modified()));
        document.etag(&object.etag);
        document.sums(&object.attributes.sums, Some(SumType::FullObject));
        let mut response = S3Response::new(CopyObjectOutput::default());
        response.extensions.insert(Instead::whole(document));
        Ok(response)
    }

    pub(crate) async fn delete(&self, input: DeleteObjectInput) -> Outcome<DeleteObjectOutput> {
        check_version(input.version_id.as_deref())?;
        let version_id = input.version_id;
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: None };
        let key = input.key;
        self.on_bucket(&input.bucket, move |inner, bucket| inner.delete_object(bucket, &key, &conditions))
            .await?;
        Ok(DeleteObjectOutput { version_id, ..Default::default() })
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
        let version_id = object.version_id.filter(|version| !version.is_empty());
        let outcome = check_version(version_id.as_deref())
            .and_then(|()| inner.delete_object(bucket, &object.key, &conditions));
        match outcome {
            Ok(()) if quiet => {}
            Ok(()) => {
                deleted.push(DeletedObject { key: Some(object.key), version_id, ..Default::default() });
            }
            Err(fault) => {
                let error = S3Error::from(fault);
                errors.push(s3s::dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id,
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

/// Copies an object's content and answers its MD5 in hex and its checksum. Where
/// both are known already the system may copy by reference.
fn copy_content(
    bucket: &Bucket,
    source: &Object,
    from: &mut File,
    to: &mut File,
    known: Option<Sums>,
    algorithm: Algorithm,
) -> Outcome<(String, Sums)> {
    let is_md5 = source.etag.len() == 32 && !source.etag.contains('-');
    let found = match known {
        Some(sums) if is_md5 => {
            io::copy(from, to).doing("copying an object")?;
            (source.etag.clone(), sums)
        }
        _ => {
            let mut hashers = Hashers::of([Algorithm::Md5, algorithm]);
            copy_hashed(from, to, u64::MAX, &mut hashers)?;
            let sums = hashers.finish();
            (hex::encode(sums.bytes::<16>(Algorithm::Md5)?), sums.only(algorithm))
        }
    };
    let after = fsys::status_of(&*from).doing("copying an object")?;
    if bucket.stamp(after.stamp) != source.stamp {
        return Err(Fault::client(
            S3ErrorCode::OperationAborted,
            "the source was changed while it was copied; try again",
        ));
    }
    Ok(found)
}

/// Moves to where a copied section starts.
pub(crate) fn seek(file: &mut File, start: u64) -> Outcome<()> {
    file.seek(SeekFrom::Start(start)).doing("copying an object").map(drop)
}
