//! Splitting a bucket's key space into segments that can be listed beside
//! each other.
//!
//! Object storage tells neither how many keys there are nor the last of them, but
//! one call finds the first key after any text. That is enough to walk the tree
//! that the keys form by their characters: below what all keys have in common,
//! each next character that there is begins a branch. Branches of one level that
//! are larger than a page are taken to be as large as each other: so they are
//! where keys are numbered, dated or hashed, in one directory or in a million.

use aws_sdk_s3::types::EncodingType;

use super::notification::decode_key;
use crate::context::Context;
use crate::error::{Error, Result};

/// Listing calls that finding boundaries may take.
const MAX_CALLS: usize = 256;
/// Branches that are looked for, for each segment: of more, better ones are chosen.
const CHOICE: usize = 2;
/// Comes after every text that begins alike.
const LAST: char = '\u{10FFFF}';

/// Ranges `(start_after, end]` that cover all keys with a prefix; an empty
/// `end` means to the end. A small bucket is one range.
pub(super) async fn split(
    ctx: &Context,
    bucket: &str,
    prefix: &str,
    want: usize,
) -> Result<Vec<(String, String)>> {
    let first = list(ctx, bucket, prefix, "", ctx.config.scan_page).await?;
    let Some(key) = first.keys.into_iter().next().filter(|_| want > 1 && first.truncated) else {
        return Ok(vec![(String::new(), String::new())]);
    };
    let mut prober = Prober { ctx, bucket, calls: 0 };
    let mut branches = vec![Branch { prefix: prefix.to_owned(), first: key, weight: 1.0, is_large: true }];
    while prober.calls < MAX_CALLS && branches.iter().filter(|branch| branch.is_large).count() < want * CHOICE
    {
        let heaviest = (0..)
            .zip(&branches)
            .filter(|(_, branch)| branch.is_large)
            .max_by(|(_, a), (_, b)| a.weight.total_cmp(&b.weight));
        let Some((index, _)) = heaviest else { break };
        let branch = branches.swap_remove(index);
        branches.extend(prober.parts(branch).await?);
    }
    branches.sort_by(|a, b| a.first.cmp(&b.first));
    Ok(ranges(&branches, want))
}

/// Keys that begin alike.
#[derive(Debug)]
struct Branch {
    /// What they begin with.
    prefix: String,
    /// The first of them.
    first: String,
    /// Its guessed share of all keys.
    weight: f64,
    /// Whether they are more than a page, and may part.
    is_large: bool,
}

/// Asks for single keys.
struct Prober<'a> {
    ctx: &'a Context,
    bucket: &'a str,
    calls: usize,
}

impl Prober<'_> {
    /// The first key with a prefix after a text.
    async fn after(&mut self, prefix: &str, text: &str) -> Result<Option<String>> {
        self.calls += 1;
        let page = list(self.ctx, self.bucket, prefix, text, 1).await?;
        Ok(page.keys.into_iter().next())
    }

    /// The branches of a branch, where its keys part.
    async fn parts(&mut self, branch: Branch) -> Result<Vec<Branch>> {
        let common = self.common(&branch).await?;
        let mut parts = Vec::new();
        let mut key = branch.first.clone();
        // Boundaries that are not found make larger ranges, no gaps.
        while self.calls < MAX_CALLS {
            // A key may itself be what all others begin with.
            let mut text = key.clone();
            if let Some(c) = key.get(common.len()..).and_then(|rest| rest.chars().next()) {
                let prefix = format!("{common}{c}");
                text = format!("{prefix}{LAST}");
                self.calls += 1;
                let page = list(self.ctx, self.bucket, &prefix, "", self.ctx.config.scan_page).await?;
                parts.push(Branch { prefix, first: key, weight: 0.0, is_large: page.truncated });
            }
            match self.after(&common, &text).await? {
                Some(next) => key = next,
                None => break,
            }
        }
        // Those of a page or less weigh nothing beside larger ones.
        let large = parts.iter().filter(|part| part.is_large).count();
        let share = branch.weight / (if large > 0 { large } else { parts.len().max(1) }) as f64;
        for part in &mut parts {
            part.weight = if large == 0 || part.is_large { share } else { 0.0 };
        }
        Ok(parts)
    }

    /// What all keys of a branch begin with: as much of its first key as has no
    /// key of the branch behind it, found by halving.
    async fn common(&mut self, branch: &Branch) -> Result<String> {
        let Branch { prefix, first, .. } = branch;
        let ends: Vec<usize> = first
            .char_indices()
            .map(|(start, c)| start + c.len_utf8())
            .filter(|end| *end > prefix.len())
            .collect();
        let (mut low, mut high) = (0, ends.len());
        let text = |count: usize| match count.checked_sub(1).and_then(|index| ends.get(index)) {
            Some(end) => first.get(..*end).unwrap_or(prefix),
            None => prefix,
        };
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.after(prefix, &format!("{}{LAST}", text(middle))).await? {
                None => low = middle,
                Some(_) => high = middle - 1,
            }
        }
        Ok(text(low).to_owned())
    }
}

/// Ranges that begin where branches do, about as heavy as each other.
fn ranges(branches: &[Branch], want: usize) -> Vec<(String, String)> {
    let total: f64 = branches.iter().map(|branch| branch.weight).sum();
    let mut ranges = Vec::with_capacity(want);
    let (mut start, mut before) = (String::new(), 0.0);
    for branch in branches {
        let is_due = before >= total * (ranges.len() + 1) as f64 / want as f64 - f64::EPSILON;
        // The key itself still belongs to the range before it.
        if is_due && ranges.len() + 1 < want && branch.first > start {
            ranges.push((start, branch.first.clone()));
            start = branch.first.clone();
        }
        before += branch.weight;
    }
    ranges.push((start, String::new()));
    ranges
}

/// One page of a listing.
pub(super) struct Listing {
    pub(super) keys: Vec<String>,
    pub(super) objects: Vec<aws_sdk_s3::types::Object>,
    pub(super) truncated: bool,
}

/// Lists a page, with keys URL-encoded on the wire: XML cannot carry all of them.
pub(super) async fn list(
    ctx: &Context,
    bucket: &str,
    prefix: &str,
    start_after: &str,
    max_keys: i32,
) -> Result<Listing> {
    ctx.usage.s3_list();
    let reply = ctx
        .s3()
        .list_objects_v2()
        .bucket(bucket)
        .set_prefix(Some(prefix.to_owned()).filter(|p| !p.is_empty()))
        .set_start_after(Some(start_after.to_owned()).filter(|key| !key.is_empty()))
        .encoding_type(EncodingType::Url)
        .max_keys(max_keys)
        .send()
        .await
        .map_err(|error| Error::unavailable(aws_sdk_s3::error::DisplayErrorContext(&error).to_string()))?;
    let objects = reply.contents.unwrap_or_default();
    Ok(Listing {
        keys: objects.iter().filter_map(|object| object.key()).map(listed_key).collect(),
        objects,
        truncated: reply.is_truncated.unwrap_or(false),
    })
}

/// A key of a listing. Storage encodes what XML cannot carry; what is no UTF-8
/// even so, no request can name.
pub(super) fn listed_key(key: &str) -> String {
    decode_key(key).unwrap_or_else(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_everything_once() {
        let branch = |first: &str| Branch {
            prefix: String::new(),
            first: first.to_owned(),
            weight: 0.2,
            is_large: true,
        };
        let boundaries = ["b/", "d/", "f/", "h/", "k/"].map(branch);
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
