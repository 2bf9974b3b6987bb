//! The multipart operations.

use std::sync::Arc;

use http::HeaderMap;
use s3s::TrailingHeaders;
use s3s::dto::*;

use crate::api::list::{encode, is_url, max_keys};
use crate::api::read::section;
use crate::api::write::{copy_hashed, seek, source};
use crate::api::{Endpoint, attributes, blocking, owner, sums};
use crate::conditions::{ReadConditions, WriteConditions};
use crate::error::{Fault, Outcome};
use crate::fsys;
use crate::intake::{Declared, Received, receive};
use crate::sidecar::{Sums, Upload};

impl Endpoint {
    pub(crate) async fn create_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> Outcome<CreateMultipartUploadOutput> {
        let attributes = attributes!(input)?;
        let key = input.key.clone();
        let id = self
            .on_bucket(&input.bucket, move |inner, bucket| inner.create_upload(bucket, &key, attributes))
            .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..Default::default()
        })
    }

    pub(crate) async fn upload_part_body(
        &self,
        mut input: UploadPartInput,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Outcome<UploadPartOutput> {
        let declared = Declared {
            length: input.content_length,
            md5: input.content_md5.take(),
            sums: sums!(input),
            algorithm: input.checksum_algorithm.take(),
            ..Default::default()
        }
        .with_trailers(headers, trailers);
        let (key, id, number) = (input.key, input.upload_id.clone(), input.part_number);
        let staged = self
            .on_bucket(&input.bucket, move |inner, bucket| inner.start_part(bucket, &key, &id, number))
            .await?;
        let received = receive(staged, input.body.take(), declared).await?;
        let id = input.upload_id;
        let part =
            self.on_bucket(&input.bucket, move |inner, _| inner.finish_part(&id, number, received)).await?;
        Ok(UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag)),
            checksum_crc32: part.sums.crc32,
            checksum_crc32c: part.sums.crc32c,
            checksum_crc64nvme: part.sums.crc64nvme,
            checksum_sha1: part.sums.sha1,
            checksum_sha256: part.sums.sha256,
            ..Default::default()
        })
    }

    pub(crate) async fn upload_part_from(
        &self,
        mut input: UploadPartCopyInput,
    ) -> Outcome<UploadPartCopyOutput> {
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let range = input
            .copy_source_range
            .as_deref()
            .map(|text| {
                Range::parse(text).map_err(|_| {
                    Fault::invalid("The x-amz-copy-source-range value must be of the form bytes=first-last")
                })
            })
            .transpose()?;
        let inner = Arc::clone(&self.0);
        let part = blocking(move || {
            let from = inner.bucket(&from_bucket)?;
            let bucket = inner.bucket(&input.bucket)?;
            let mut staged = inner.start_part(&bucket, &input.key, &input.upload_id, input.part_number)?;
            let (mut file, object) = inner.open_object(&from, &from_key)?;
            conditions.check(&object.etag, object.stamp.modified(), true)?;
            let section = section(range, object.stamp.size)?;
            seek(&mut file, section.start)?;
            let (md5, size) = copy_hashed(&mut file, &mut staged.file, section.length)?;
            let received = Received { staged, size, md5, sums: Sums::default() };
            inner.finish_part(&input.upload_id, input.part_number, received)
        })
        .await?;
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                e_tag: Some(ETag::Strong(part.etag)),
                last_modified: Some(fsys::timestamp(part.modified)),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(crate) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> Outcome<CompleteMultipartUploadOutput> {
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (key, id) = (input.key.clone(), input.upload_id);
        let object = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                inner.complete_upload(bucket, &key, &id, &wanted, &conditions)
            })
            .await?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, encode(&input.key))),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(object.etag)),
            ..Default::default()
        })
    }

    pub(crate) async fn list_upload_parts(&self, input: ListPartsInput) -> Outcome<ListPartsOutput> {
        let max = max_keys(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or(0);
        let (key, id) = (input.key.clone(), input.upload_id.clone());
        let (upload, all) = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                let upload = inner.upload(bucket, &key, &id)?;
                let parts = inner.sidecar.parts(&upload.id)?;
                Ok((upload, parts))
            })
            .await?;
        let rest: Vec<_> = all.into_iter().filter(|part| part.number > marker).collect();
        let page = usize::try_from(max).unwrap_or(0);
        let truncated = rest.len() > page && page > 0;
        let parts: Vec<Part> = rest
            .into_iter()
            .take(page)
            .map(|part| Part {
                checksum_crc32: part.sums.crc32,
                checksum_crc32c: part.sums.crc32c,
                checksum_crc64nvme: part.sums.crc64nvme,
                checksum_sha1: part.sums.sha1,
                checksum_sha256: part.sums.sha256,
                e_tag: Some(ETag::Strong(part.etag)),
                last_modified: Some(fsys::timestamp(part.modified)),
                part_number: Some(part.number),
                size: i64::try_from(part.size).ok(),
            })
            .collect();
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            initiator: Some(Initiator { display_name: owner().display_name, id: owner().id }),
            is_truncated: Some(truncated),
            key: Some(input.key),
            max_parts: Some(max),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            owner: Some(owner()),
            part_number_marker: Some(marker),
            parts: Some(parts),
            storage_class: Some(
                upload
                    .attributes
                    .storage_class
                    .map_or(StorageClass::from_static(StorageClass::STANDARD), StorageClass::from),
            ),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    pub(crate) async fn list_uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> Outcome<ListMultipartUploadsOutput> {
        let url = is_url(input.encoding_type.as_ref())?;
        let max = max_keys(input.max_uploads, "max-uploads")?;
        let all = self
            .on_bucket(&input.bucket, |inner, bucket| {
                bucket.root()?;
                Ok(inner.sidecar.uploads(&bucket.name)?)
            })
            .await?;
        let page = page_of_uploads(all, &input, usize::try_from(max).unwrap_or(0));
        let text = |text: String| if url { encode(&text) } else { text };
        let uploads = page.uploads.into_iter().map(|upload| MultipartUpload {
            initiated: Some(fsys::timestamp(upload.initiated)),
            initiator: Some(Initiator { display_name: owner().display_name, id: owner().id }),
            key: Some(text(upload.key)),
            owner: Some(owner()),
            storage_class: Some(
                upload
                    .attributes
                    .storage_class
                    .map_or(StorageClass::from_static(StorageClass::STANDARD), StorageClass::from),
            ),
            upload_id: Some(upload.id),
            ..Default::default()
        });
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: Some(
                page.prefixes.into_iter().map(|p| CommonPrefix { prefix: Some(text(p)) }).collect(),
            ),
            delimiter: input.delimiter.map(text),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            key_marker: Some(text(input.key_marker.unwrap_or_default())),
            max_uploads: Some(max),
            next_key_marker: page.next.as_ref().map(|(key, _)| text(key.clone())),
            next_upload_id_marker: page.next.map(|(_, id)| id),
            prefix: Some(text(input.prefix.unwrap_or_default())),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads.collect()),
            ..Default::default()
        })
    }
}

#[derive(Default)]
struct UploadPage {
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
    /// Key and id markers of the next page, if there is one.
    next: Option<(String, String)>,
}

/// Cuts a page out of all uploads, which are in order of key and id.
fn page_of_uploads(all: Vec<Upload>, input: &ListMultipartUploadsInput, max: usize) -> UploadPage {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    let id_marker = input.upload_id_marker.as_deref();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let mut page = UploadPage::default();
    let mut last = (String::new(), String::new());
    for upload in all {
        // Without an id marker all uploads of the marker's key are behind us.
        let behind = match upload.key.as_str().cmp(key_marker) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => id_marker.is_none_or(|id| upload.id.as_str() <= id),
            std::cmp::Ordering::Greater => false,
        };
        let Some(rest) = upload.key.strip_prefix(prefix) else { continue };
        let common = delimiter.and_then(|d| rest.find(d).map(|at| prefix.len() + at + d.len()));
        let common = common.and_then(|end| upload.key.get(..end)).map(str::to_owned);
        let seen =
            common.as_ref().is_some_and(|c| c.as_str() <= key_marker || page.prefixes.last() == Some(c));
        if (behind && !key_marker.is_empty()) || seen {
            continue;
        }
        if page.uploads.len() + page.prefixes.len() >= max {
            page.next = (max > 0).then_some(last);
            return page;
        }
        match common {
            Some(common) => {
                last = (common.clone(), String::new());
                page.prefixes.push(common);
            }
            None => {
                last = (upload.key.clone(), upload.id.clone());
                page.uploads.push(upload);
            }
        }
    }
    page
}
