//! What the headers of a request say of the object that it makes.

use s3s::dto::*;

use crate::error::Outcome;
use crate::sidecar::Attributes;
use crate::tags;

/// The attributes in the headers of a request that makes an object.
macro_rules! attributes {
    ($input:expr) => {
        crate::api::attributes::Headers {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            website_redirect: $input.website_redirect_location.take(),
            storage_class: $input.storage_class.take(),
            metadata: $input.metadata.take(),
            tagging: $input.tagging.take(),
        }
        .attributes()
    };
}
pub(crate) use attributes;

/// The headers of a request that makes an object.
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) website_redirect: Option<String>,
    pub(crate) storage_class: Option<StorageClass>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) tagging: Option<String>,
}

impl Headers {
    pub(crate) fn attributes(self) -> Outcome<Attributes> {
        let encoding = self.content_encoding.map(|encodings| without_chunks(&encodings));
        Ok(Attributes {
            content_type: self.content_type,
            content_encoding: encoding.filter(|e| !e.is_empty()),
            content_disposition: self.content_disposition,
            content_language: self.content_language,
            cache_control: self.cache_control,
            expires: self.expires.map(seconds),
            website_redirect: self.website_redirect,
            storage_class: self
                .storage_class
                .map(|c| c.as_str().to_owned())
                .filter(|c| c != StorageClass::STANDARD),
            metadata: self.metadata.into_iter().flatten().collect(),
            tags: self.tagging.as_deref().map_or_else(|| Ok(Vec::new()), tags::from_header)?,
            ..Attributes::default()
        })
    }
}

/// The encodings of an object as they were given: the chunked encoding of an upload
/// is the request's, not the object's.
fn without_chunks(encodings: &str) -> String {
    let kept: Vec<&str> =
        encodings.split(',').filter(|encoding| !matches!(encoding.trim(), "aws-chunked" | "")).collect();
    kept.join(",").trim().to_owned()
}

/// Whole seconds since 1970. s3s gives its time stamps out only as text or as
/// a type of a crate that it does not re-export.
fn seconds(stamp: Timestamp) -> i64 {
    let mut text = Vec::new();
    if stamp.format(TimestampFormat::EpochSeconds, &mut text).is_err() {
        return 0;
    }
    let text = String::from_utf8(text).unwrap_or_default();
    text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_kept_as_they_were_given() {
        for (given, want) in [
            ("gzip", "gzip"),
            ("deflate, gzip", "deflate, gzip"),
            ("aws-chunked", ""),
            ("aws-chunked,gzip", "gzip"),
            ("aws-chunked, gzip", "gzip"),
            ("deflate, gzip, aws-chunked", "deflate, gzip"),
            ("deflate,gzip,aws-chunked", "deflate,gzip"),
            ("deflate, aws-chunked, gzip,", "deflate, gzip"),
        ] {
            assert_eq!(without_chunks(given), want, "{given}");
        }
    }
}
