//! Object tags: S3's limits and the header's encoding.

use percent_encoding::percent_decode_str;
use s3s::S3ErrorCode;
use s3s::dto::Tag;

use crate::error::{Fault, Outcome};

/// The most tags that an object may have.
pub(crate) const OF_OBJECT: usize = 10;
/// The most tags that a bucket may have.
pub(crate) const OF_BUCKET: usize = 50;

/// Tags as stored.
pub(crate) type Tags = Vec<(String, String)>;

/// Reads the header `x-amz-tagging`: `a=1&b=2`, URL-encoded.
pub(crate) fn from_header(header: &str) -> Outcome<Tags> {
    let decode = |text: &str| {
        let blanks = text.replace('+', " ");
        percent_decode_str(&blanks)
            .decode_utf8()
            .map(|t| t.into_owned())
            .map_err(|_| invalid("The tags are not UTF-8"))
    };
    let tags = header
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect::<Outcome<Tags>>()?;
    check(tags, OF_OBJECT)
}

/// Reads the tags of a request's body.
pub(crate) fn from_request(tags: Vec<Tag>, most: usize) -> Outcome<Tags> {
    let text = Option::unwrap_or_default;
    check(tags.into_iter().map(|tag| (text(tag.key), text(tag.value))).collect(), most)
}

/// Tags as they are told: in order of their keys.
pub(crate) fn told(mut tags: Tags) -> Vec<Tag> {
    tags.sort_unstable();
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

fn check(tags: Tags, most: usize) -> Outcome<Tags> {
    if tags.len() > most {
        let message = match most {
            OF_OBJECT => "Object tags cannot be greater than 10",
            _ => "Bucket tags cannot be greater than 50",
        };
        return Err(Fault::client(S3ErrorCode::InvalidTag, message));
    }
    for (index, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if tags.iter().take(index).any(|(earlier, _)| earlier == key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

fn invalid(message: &'static str) -> Fault {
    Fault::client(S3ErrorCode::InvalidTag, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_and_checked() {
        let many = (0..11).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        type Case<'a> = (&'a str, Option<&'a [(&'a str, &'a str)]>);
        let cases: &[Case<'_>] = &[
            ("", Some(&[])),
            ("a=1&b=x+y%2B", Some(&[("a", "1"), ("b", "x y+")])),
            ("a", Some(&[("a", "")])),
            ("a=1&a=2", None),
            ("=1", None),
            ("a=%ff", None),
            (&many, None),
        ];
        for (header, want) in cases {
            let got = from_header(header).ok();
            let want =
                want.map(|w| w.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>());
            assert_eq!(got, want, "{header:?}");
        }
    }
}
