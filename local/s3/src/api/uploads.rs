//! The multipart operations.

use std::sync::Arc;

use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3Response, TrailingHeaders};

use crate::api::answer::{Document, Instead};
use crate::api::list::{encode, is_url, max_keys};
use crate::api::read::{copied_range, copied_section};
use crate::api::write::{seek, source};
use crate::api::{Endpoint, attributes, blocking, owner};
use crate::checksums::{Algorithm, DEFAULT, Hashers, Plan, copy_hashed, fields};
use crate::conditions::ReadConditions;
use crate::error::Outcome;
use crate::fsys;
use crate::intake::{Declared, Received, receive};
use crate::multipart::mismatch;
use crate::sidecar::Upload;

impl Endpoint {
    pub(crate) async fn create_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> Outcome<CreateMultipartUploadOutput> {
        let mut attributes = attributes!(input)?;
        attributes.plan = Plan::of(
            input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str),
            input.checksum_type.as_ref().map(ChecksumType::as_str),
        )?;
        let plan = attributes.plan;
        let key = input.key.clone();
        let id = self
            .on_bucket(&input.bucket, move |inner, bucket| inner.create_upload(bucket, &key, attributes))
            .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: plan.map(|plan| ChecksumAlgorithm::from_static(plan.algorithm.name())),
            checksum_type: plan.map(|plan| plan.sum_type.dto()),
            ..Default::default()
        })
    }

    pub(crate) async fn upload_part_body(
        &self,
        mut input: UploadPartInput,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Outcome<S3Response<UploadPartOutput>> {
        let mut declared =
            Declared::of(input.content_length, input.content_md5.take(), fields!(input), headers, trailers)?;
        let (key, id, number) = (input.key, input.upload_id.clone(), input.part_number);
        let (staged, upload) = self
            .on_bucket(&input.bucket, move |inner, bucket| inner.start_part(bucket, &key, &id, number))
            .await?;
        let plan = upload.attributes.plan;
        if let (Some(plan), Some(sent)) = (plan, declared.sent())
            && plan.algorithm != sent
        {
            return Err(mismatch(plan.algorithm, sent));
        }
        declared.wanted = Some(plan.map_or(DEFAULT, |plan| plan.algorithm));
        let shown = declared.sent().or(plan.map(|plan| plan.algorithm));
        let received = receive(staged, input.body.take(), declared).await?;
        let id = input.upload_id;
        let part =
            self.on_bucket(&input.bucket, move |inner, _| inner.finish_part(&id, number, received)).await?;
        let output = UploadPartOutput { e_tag: Some(ETag::Strong(part.etag)), ..Default::default() };
        let mut response = S3Response::new(output);
        shown.map(|algorithm| part.sums.only(algorithm)).unwrap_or_default().put(None, &mut response.headers);
        Ok(response)
    }

    pub(crate) async fn upload_part_from(
        &self,
        mut input: UploadPartCopyInput,
    ) -> Outcome<S3Response<UploadPartCopyOutput>> {
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let range = input.copy_source_range.as_deref().map(copied_range).transpose()?;
        let inner = Arc::clone(&self.0);
        let part = blocking(move || {
            let from = inner.bucket(&from_bucket)?;
            let bucket = inner.bucket(&input.bucket)?;
            let (mut staged, upload) =
                inner.start_part(&bucket, &input.key, &input.upload_id, input.part_number)?;
            let (mut file, object) = inner.open_object(&from, &from_key)?;
            conditions.check(&object.etag, object.stamp.modified(), true)?;
            let section = copied_section(range, object.stamp.size)?;
            seek(&mut file, section.start)?;
            let plan = upload.attributes.plan;
            let algorithm = plan.map_or(DEFAULT, |plan| plan.algorithm);
            let mut hashers = Hashers::of([Algorithm::Md5, algorithm]);
            let size = copy_hashed(&mut file, &mut staged.file, section.length, &mut hashers)?;
            let sums = hashers.finish();
            let md5 = sums.bytes(Algorithm::Md5)?;
            let received = Received { staged, size, md5, sums: sums.only(algorithm) };
            let part = inner.finish_part(&input.upload_id, input.part_number, received)?;
            Ok((part, plan))
        })
        .await?;
        let (part, plan) = part;
        let mut document = Document::new("CopyPartResult");
        document.time("LastModified", &fsys::timestamp(part.modified));
        document.etag(&part.etag);
        if plan.is_some() {
            document.sums(&part.sums, None);
        }
        let mut response = S3Response::new(UploadPartCopyOutput::default());
        response.extensions.insert(Instead::whole(document));
        Ok(response)
    }

    pub(crate) async fn list_upload_parts(
        &self,
        input: ListPartsInput,
    ) -> Outcome<S3Response<ListPartsOutput>> {
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
        let mut parts: Vec<_> = all.into_iter().filter(|part| part.number > marker).collect();
        let page = usize::try_from(max).unwrap_or(0);
        let plan = upload.attributes.plan;
        let is_truncated = parts.len() > page && page > 0;
        parts.truncate(page);
        let mut document = Document::new("ListPartsResult");
        document.text("Bucket", &input.bucket);
        document.text("Key", &input.key);
        document.text("UploadId", &input.upload_id);
        document.owner("Initiator");
        document.owner("Owner");
        let class = upload.attributes.storage_class;
        document.text("StorageClass", class.as_deref().unwrap_or(StorageClass::STANDARD));
        document.maybe("PartNumberMarker", Some(marker));
        document.maybe("NextPartNumberMarker", parts.last().map(|part| part.number));
        document.maybe("MaxParts", Some(max));
        document.maybe("IsTruncated", Some(is_truncated));
        document.maybe("ChecksumAlgorithm", plan.map(|plan| plan.algorithm.name()));
        document.maybe("ChecksumType", plan.map(|plan| plan.sum_type.as_str()));
        for part in parts {
            document.begin("Part");
            document.maybe("PartNumber", Some(part.number));
            document.time("LastModified", &fsys::timestamp(part.modified));
            document.etag(&part.etag);
            document.maybe("Size", Some(part.size));
            if let Some(plan) = plan {
                document.sums(&part.sums.only(plan.algorithm), None);
            }
            document.end();
        }
        let mut response = S3Response::new(ListPartsOutput::default());
        response.extensions.insert(Instead::whole(document));
        Ok(response)
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
            checksum_algorithm: upload
                .attributes
                .plan
                .map(|plan| ChecksumAlgorithm::from_static(plan.algorithm.name())),
            checksum_type: upload.attributes.plan.map(|plan| plan.sum_type.dto()),
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
