//! Reading an object by its parts, and what is known of them.

use http::HeaderValue;
use s3s::S3Response;
use s3s::dto::*;

use crate::api::answer::{Document, Instead};
use crate::api::list::max_keys;
use crate::api::read::{Section, section};
use crate::api::{Endpoint, check_version};
use crate::checksums::{SumType, Sums, invalid_request};
use crate::error::{Fault, Outcome};
use crate::multipart::check_number;
use crate::objects::Object;

/// What of an object is answered with.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) section: Section,
    /// Where it is not the whole object, or was asked for as a part.
    pub(crate) content_range: Option<String>,
    /// Where a part of an object in parts was asked for.
    pub(crate) parts_count: Option<i32>,
    /// The checksum of just these bytes, or of the whole object.
    pub(crate) sums: Sums,
    pub(crate) sum_type: SumType,
}

/// Finds the bytes that a range or a part number asks for. An object that was not
/// uploaded in parts has one, the whole.
pub(crate) fn choose(range: Option<Range>, part: Option<i32>, object: &Object) -> Outcome<Chosen> {
    let size = object.stamp.size;
    let sum_type = object.attributes.sum_type;
    let between = |section: Section| {
        let last = (section.start + section.length).checked_sub(1).filter(|_| section.length > 0)?;
        Some(format!("bytes {}-{last}/{size}", section.start))
    };
    let Some(number) = part else {
        let section = section(range, size)?;
        let (content_range, sums) = match range {
            Some(_) => (between(section), Sums::default()),
            None => (None, object.attributes.sums.clone()),
        };
        return Ok(Chosen { section, content_range, parts_count: None, sums, sum_type });
    };
    if range.is_some() {
        return Err(invalid_request("Cannot specify both Range header and partNumber query parameter"));
    }
    check_number(number)?;
    let (section, parts_count, sums) = match object.layout() {
        Some(layout) => {
            let place = layout.part(number).ok_or_else(Fault::invalid_part_number)?;
            let section = Section { start: place.start, length: place.size };
            (section, Some(layout.count()), place.sums)
        }
        None if number == 1 => (Section { start: 0, length: size }, None, object.attributes.sums.clone()),
        None => return Err(Fault::invalid_part_number()),
    };
    Ok(Chosen { section, content_range: between(section), parts_count, sums, sum_type })
}

impl Endpoint {
    pub(crate) async fn attributes_of(
        &self,
        input: GetObjectAttributesInput,
    ) -> Outcome<S3Response<GetObjectAttributesOutput>> {
        check_version(input.version_id.as_deref())?;
        // s3s takes the whole list for one name.
        let list: Vec<String> =
            input.object_attributes.into_iter().map(|name| name.as_str().to_owned()).collect();
        let wanted: Vec<&str> = list.iter().flat_map(|names| names.split(',')).map(str::trim).collect();
        let known = [
            ObjectAttributes::CHECKSUM,
            ObjectAttributes::ETAG,
            ObjectAttributes::OBJECT_PARTS,
            ObjectAttributes::OBJECT_SIZE,
            ObjectAttributes::STORAGE_CLASS,
        ];
        if wanted.is_empty() || wanted.iter().any(|name| !known.contains(name)) {
            return Err(Fault::invalid("Invalid attribute name specified."));
        }
        let max = max_keys(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or(0).max(0);
        let key = input.key;
        let object =
            self.on_bucket(&input.bucket, move |inner, bucket| inner.stat_object(bucket, &key)).await?;
        let wants = |name: &str| wanted.contains(&name);
        let attributes = &object.attributes;
        let mut document = Document::new("GetObjectAttributesResponse");
        if wants(ObjectAttributes::ETAG) {
            document.text("ETag", &object.etag);
        }
        if wants(ObjectAttributes::CHECKSUM) && !attributes.sums.is_empty() {
            document.begin("Checksum");
            // Here alone S3 leaves out of how many parts a checksum is.
            document.sums(&attributes.sums.without_number(), Some(attributes.sum_type));
            document.end();
        }
        if wants(ObjectAttributes::OBJECT_PARTS)
            && let Some(layout) = object.layout()
        {
            let page = usize::try_from(max).unwrap_or(0);
            let mut parts = layout.after(marker, page.saturating_add(1));
            let is_truncated = parts.len() > page;
            parts.truncate(page);
            document.begin("ObjectParts");
            document.text("IsTruncated", if is_truncated { "true" } else { "false" });
            document.maybe("MaxParts", Some(max));
            document.maybe("NextPartNumberMarker", parts.last().map(|part| part.number));
            document.maybe("PartNumberMarker", Some(marker));
            for part in parts {
                document.begin("Part");
                document.sums(&part.sums, None);
                document.maybe("PartNumber", Some(part.number));
                document.maybe("Size", Some(part.size));
                document.end();
            }
            document.maybe("PartsCount", Some(layout.count()));
            document.end();
        }
        if wants(ObjectAttributes::OBJECT_SIZE) {
            document.maybe("ObjectSize", Some(object.stamp.size));
        }
        if wants(ObjectAttributes::STORAGE_CLASS) {
            document
                .text("StorageClass", attributes.storage_class.as_deref().unwrap_or(StorageClass::STANDARD));
        }
        let mut response = S3Response::new(GetObjectAttributesOutput::default());
        response.extensions.insert(Instead::whole(document));
        let mut date = Vec::new();
        let stamp = crate::fsys::timestamp(object.stamp.modified());
        if stamp.format(TimestampFormat::HttpDate, &mut date).is_ok()
            && let Ok(value) = HeaderValue::from_bytes(&date)
        {
            response.headers.insert(http::header::LAST_MODIFIED, value);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsys::Stamp;
    use crate::parts::Layout;
    use crate::sidecar::{Attributes, Part};

    fn object(size: u64, parts: &[u64]) -> Object {
        let parts: Vec<Part> = (1..)
            .zip(parts)
            .map(|(number, size)| Part {
                number,
                file: String::new(),
                etag: String::new(),
                size: *size,
                modified: 0,
                sums: Sums::default(),
            })
            .collect();
        let layout = (!parts.is_empty()).then(|| Layout::of(&parts, None));
        Object {
            stamp: Stamp { size, mtime_ns: 0, inode: 1 },
            etag: String::new(),
            attributes: Attributes { layout, ..Attributes::default() },
            linked: false,
        }
    }

    #[test]
    fn a_part_is_answered_as_s3_does() {
        let three: &[u64] = &[5, 5, 2];
        type Want<'a> = Result<(u64, u64, Option<&'a str>, Option<i32>), &'a str>;
        let cases: &[(u64, &[u64], i32, Want<'_>)] = &[
            (12, three, 1, Ok((0, 5, Some("bytes 0-4/12"), Some(3)))),
            (12, three, 3, Ok((10, 2, Some("bytes 10-11/12"), Some(3)))),
            (12, three, 4, Err("InvalidPartNumber")),
            (12, three, 0, Err("InvalidArgument")),
            (12, three, 10_001, Err("InvalidArgument")),
            (12, &[12], 1, Ok((0, 12, Some("bytes 0-11/12"), Some(1)))),
            (12, &[], 1, Ok((0, 12, Some("bytes 0-11/12"), None))),
            (12, &[], 2, Err("InvalidPartNumber")),
            (0, &[], 1, Ok((0, 0, None, None))),
            // Of another size than its parts: their sizes are not used.
            (13, three, 1, Ok((0, 13, Some("bytes 0-12/13"), None))),
        ];
        for (size, parts, number, want) in cases {
            let got = choose(None, Some(*number), &object(*size, parts)).map_err(s3s::S3Error::from);
            let got = match &got {
                Ok(chosen) => Ok((
                    chosen.section.start,
                    chosen.section.length,
                    chosen.content_range.as_deref(),
                    chosen.parts_count,
                )),
                Err(error) => Err(error.code().as_str()),
            };
            assert_eq!(got, *want, "part {number} of {parts:?}");
        }
        let both = Some(Range::Int { first: 0, last: None });
        assert!(choose(both, Some(1), &object(12, three)).is_err());
    }
}
