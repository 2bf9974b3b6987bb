//! GET and HEAD of an object.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::StreamExt;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Response};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::api::answer::Partial;
use crate::api::parts::choose;
use crate::api::{Endpoint, check_version};
use crate::conditions::ReadConditions;
use crate::error::{Doing, Fault, Outcome};
use crate::fsys;

/// Up to here a body is read at once, by the thread that opened the file.
const AT_ONCE: u64 = 256 * 1024;
/// Larger bodies are read in pieces of this many bytes.
const PIECE: usize = 256 * 1024;
/// What S3 says of an object whose type nobody gave.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// The bytes of an object that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// Finds the bytes that a range asks for, as S3 does: beyond the end is not
/// satisfiable, and nothing of an empty object is.
pub(crate) fn section(range: Option<Range>, size: u64) -> Outcome<Section> {
    let unsatisfiable = || Fault::client(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
    match range {
        None => Ok(Section { start: 0, length: size }),
        Some(_) if size == 0 => Err(unsatisfiable()),
        Some(range) => {
            let bytes = range.check(size).map_err(|_| unsatisfiable())?;
            Ok(Section { start: bytes.start, length: bytes.end - bytes.start })
        }
    }
}

/// The range of a copy: its first and its last byte, both of them given.
pub(crate) fn copied_range(text: &str) -> Outcome<Range> {
    match Range::parse(text) {
        Ok(range @ Range::Int { last: Some(_), .. }) => Ok(range),
        _ => Err(Fault::invalid("The x-amz-copy-source-range value must be of the form bytes=first-last")),
    }
}

/// The bytes that a copy is made of: other than for reading, all of the range must be there.
pub(crate) fn copied_section(range: Option<Range>, size: u64) -> Outcome<Section> {
    match range {
        Some(Range::Int { last: Some(last), .. }) if last >= size => Err(Fault::client(
            S3ErrorCode::InvalidRange,
            format!("Range specified is not valid for source object of size: {size}"),
        )),
        range => section(range, size),
    }
}

fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

enum Body {
    Whole(Bytes),
    Stream(File, u64),
    /// The body of a file that may be written over in place meanwhile.
    Guarded(File, u64),
}

fn body(mut file: File, section: Section, linked: bool) -> Outcome<Body> {
    file.seek(SeekFrom::Start(section.start)).doing("reading an object")?;
    if section.length > AT_ONCE {
        return Ok(if linked {
            Body::Guarded(file, section.length)
        } else {
            Body::Stream(file, section.length)
        });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(section.length).unwrap_or(0));
    file.take(section.length).read_to_end(&mut bytes).doing("reading an object")?;
    if bytes.len() as u64 != section.length {
        // Another program cut the file short after its length was answered for.
        return Err(Fault::internal("reading an object", io::Error::from(io::ErrorKind::UnexpectedEof)));
    }
    Ok(Body::Whole(bytes.into()))
}

impl Body {
    fn into_stream(self) -> Outcome<StreamingBlob> {
        Ok(match self {
            Self::Whole(bytes) => StreamingBlob::from(s3s::Body::from(bytes)),
            Self::Stream(file, length) => StreamingBlob::wrap(pieces(file, length)),
            Self::Guarded(file, length) => {
                let same = file.try_clone().doing("reading an object")?;
                let before = fsys::status_of(&same).doing("reading an object")?.stamp;
                // Broken off rather than made of two contents.
                StreamingBlob::wrap(pieces(file, length).map(move |piece| {
                    if fsys::status_of(&same)?.stamp == before {
                        piece
                    } else {
                        Err(io::Error::other("the object was changed while it was read"))
                    }
                }))
            }
        })
    }
}

fn pieces(file: File, length: u64) -> ReaderStream<tokio::io::Take<tokio::fs::File>> {
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(PIECE);
    ReaderStream::with_capacity(file.take(length), PIECE)
}

fn wants_sums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

impl Endpoint {
    pub(crate) async fn get(&self, input: GetObjectInput) -> Outcome<S3Response<GetObjectOutput>> {
        check_version(input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (key, range, part) = (input.key, input.range, input.part_number);
        let (object, chosen, body) = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                let (file, object, _still) = inner.open_still(bucket, &key)?;
                conditions.check(&object.etag, object.stamp.modified(), false)?;
                let chosen = choose(range, part, &object)?;
                let body = body(file, chosen.section, object.linked)?.into_stream()?;
                Ok((object, chosen, body))
            })
            .await?;
        let attributes = object.attributes;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body),
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_length: Some(signed(chosen.section.length)),
            content_range: chosen.content_range,
            content_type: Some(attributes.content_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned())),
            e_tag: Some(ETag::Strong(object.etag)),
            expires: attributes.expires.map(fsys::timestamp),
            last_modified: Some(fsys::timestamp(object.stamp.modified())),
            metadata: Some(attributes.metadata.into_iter().collect()),
            parts_count: chosen.parts_count,
            storage_class: attributes.storage_class.map(StorageClass::from),
            tag_count: i32::try_from(attributes.tags.len()).ok().filter(|count| *count > 0),
            website_redirect_location: attributes.website_redirect,
            ..Default::default()
        };
        let mut response = S3Response::new(output);
        if wants_sums(input.checksum_mode.as_ref()) {
            chosen.sums.put(Some(chosen.sum_type), &mut response.headers);
        }
        Ok(response)
    }

    /// The answer to HEAD, and how many tags the object has: for that s3s has no field.
    pub(crate) async fn head(
        &self,
        input: HeadObjectInput,
    ) -> Outcome<(S3Response<HeadObjectOutput>, usize)> {
        check_version(input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (key, range, part) = (input.key, input.range, input.part_number);
        let (object, chosen) = self
            .on_bucket(&input.bucket, move |inner, bucket| {
                let object = inner.stat_object(bucket, &key)?;
                conditions.check(&object.etag, object.stamp.modified(), false)?;
                let chosen = choose(range, part, &object)?;
                Ok((object, chosen))
            })
            .await?;
        let attributes = object.attributes;
        let tags = attributes.tags.len();
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_length: Some(signed(chosen.section.length)),
            content_range: chosen.content_range,
            content_type: Some(attributes.content_type.unwrap_or_else(|| UNKNOWN_TYPE.to_owned())),
            e_tag: Some(ETag::Strong(object.etag)),
            expires: attributes.expires.map(fsys::timestamp),
            last_modified: Some(fsys::timestamp(object.stamp.modified())),
            metadata: Some(attributes.metadata.into_iter().collect()),
            parts_count: chosen.parts_count,
            storage_class: attributes.storage_class.map(StorageClass::from),
            website_redirect_location: attributes.website_redirect,
            ..Default::default()
        };
        let is_partial = output.content_range.is_some();
        let mut response = S3Response::new(output);
        if wants_sums(input.checksum_mode.as_ref()) {
            chosen.sums.put(Some(chosen.sum_type), &mut response.headers);
        }
        if is_partial {
            response.extensions.insert(Partial);
        }
        Ok((response, tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_s3_does() {
        let int = |first, last| Some(Range::Int { first, last });
        let suffix = |length| Some(Range::Suffix { length });
        let cases = [
            (None, 0, Some((0, 0))),
            (None, 10, Some((0, 10))),
            (int(0, Some(65_535)), 10, Some((0, 10))),
            (int(0, Some(65_535)), 0, None),
            (int(2, Some(4)), 10, Some((2, 3))),
            (int(9, None), 10, Some((9, 1))),
            (int(10, None), 10, None),
            (suffix(3), 10, Some((7, 3))),
            (suffix(30), 10, Some((0, 10))),
            (suffix(0), 10, None),
            (suffix(3), 0, None),
        ];
        for (range, size, want) in cases {
            let got = section(range, size).ok().map(|s| (s.start, s.length));
            assert_eq!(got, want, "{range:?} of {size}");
        }
    }
}
