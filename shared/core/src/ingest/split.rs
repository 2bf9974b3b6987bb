//! Splitting a bucket's key space into segments that can be listed beside
//! each other.

use std::collections::BTreeSet;

use aws_sdk_s3::types::EncodingType;

use super::events::decode_key;
use crate::context::Context;
use crate::error::{Error, Result};

/// Listing calls that finding boundaries may take.
const MAX_CALLS: usize = 48;

/// Ranges `(start_after, end]` that cover all keys with a prefix; an empty
/// `end` means to the end. A small bucket is one range.
pub(super) async fn split(
    ctx: &Context,
    bucket: &str,
    prefix: &str,
    want: usize,
) -> Result<Vec<(String, String)>> {
    let first = list(ctx, bucket, prefix, "", None, 1000).await?;
    if want <= 1 || !first.truncated {
        return Ok(vec![(String::new(), String::new())]);
    }
    let mut boundaries: BTreeSet<String> = BTreeSet::new();
    let mut calls = 1;
    // Directories first: they are where keys part.
    let mut level = vec![prefix.to_owned()];
    while boundaries.len() < want && !level.is_empty() && calls < MAX_CALLS / 2 {
        let mut below = Vec::new();
        for parent in level {
            if calls >= MAX_CALLS / 2 {
                break;
            }
            let page = list(ctx, bucket, &parent, "", Some("/"), 1000).await?;
            calls += 1;
            for directory in page.prefixes {
                boundaries.insert(directory.clone());
                below.push(directory);
            }
        }
        level = below;
    }
    // Few directories: probe where keys with each next character begin.
    if boundaries.len() < want / 2 {
        let common = common_prefix(&first.keys);
        for c in ('0'..='9').chain('A'..='Z').chain('a'..='z') {
            if calls >= MAX_CALLS || boundaries.len() >= want {
                break;
            }
            let probe = format!("{common}{c}");
            let page = list(ctx, bucket, prefix, &probe, None, 1).await?;
            calls += 1;
            match page.keys.into_iter().next() {
                Some(key) => boundaries.insert(key),
                None => break,
            };
        }
    }
    Ok(ranges(&boundaries.into_iter().collect::<Vec<_>>(), want))
}

/// The longest prefix that all keys of a page have.
fn common_prefix(keys: &[String]) -> String {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return String::new() };
    first.chars().zip(last.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// Ranges between evenly chosen boundaries.
fn ranges(boundaries: &[String], want: usize) -> Vec<(String, String)> {
    let cuts = want.saturating_sub(1).min(boundaries.len());
    let mut ranges = Vec::with_capacity(cuts + 1);
    let mut start = String::new();
    for cut in 1..=cuts {
        let position = cut * boundaries.len() / (cuts + 1);
        if let Some(boundary) = boundaries.get(position)
            && *boundary > start
        {
            ranges.push((start, boundary.clone()));
            start = boundary.clone();
        }
    }
    ranges.push((start, String::new()));
    ranges
}

/// One page of a listing.
pub(super) struct Listing {
    pub(super) keys: Vec<String>,
    pub(super) prefixes: Vec<String>,
    pub(super) objects: Vec<aws_sdk_s3::types::Object>,
    pub(super) truncated: bool,
}

/// Lists a page, with keys URL-encoded on the wire: XML cannot carry all of them.
pub(super) async fn list(
    ctx: &Context,
    bucket: &str,
    prefix: &str,
    start_after: &str,
    delimiter: Option<&str>,
    max_keys: i32,
) -> Result<Listing> {
    ctx.usage.s3_list();
    let reply = ctx
        .s3
        .list_objects_v2()
        .bucket(bucket)
        .set_prefix(Some(prefix.to_owned()).filter(|p| !p.is_empty()))
        .set_start_after(Some(start_after.to_owned()).filter(|key| !key.is_empty()))
        .set_delimiter(delimiter.map(str::to_owned))
        .encoding_type(EncodingType::Url)
        .max_keys(max_keys)
        .send()
        .await
        .map_err(|error| Error::unavailable(aws_sdk_s3::error::DisplayErrorContext(&error).to_string()))?;
    let objects = reply.contents.unwrap_or_default();
    Ok(Listing {
        keys: objects.iter().filter_map(|object| object.key()).map(decode_key).collect(),
        prefixes: reply
            .common_prefixes
            .unwrap_or_default()
            .iter()
            .filter_map(|prefix| prefix.prefix())
            .map(decode_key)
            .collect(),
        objects,
        truncated: reply.is_truncated.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_everything_once() {
        let boundaries: Vec<String> = ["b/", "d/", "f/", "h/", "k/"].map(str::to_owned).to_vec();
        for want in 1..8 {
            let ranges = ranges(&boundaries, want);
            assert!(ranges.len() <= want);
            assert_eq!(ranges.first().map(|r| r.0.as_str()), Some(""));
            assert_eq!(ranges.last().map(|r| r.1.as_str()), Some(""));
            assert!(ranges.windows(2).all(|pair| matches!(pair, [a, b] if a.1 == b.0 && a.0 < a.1)));
        }
        assert_eq!(ranges(&[], 4), vec![(String::new(), String::new())]);
    }
}
