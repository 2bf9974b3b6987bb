//! The encodings of the wire: query strings, forms, JSON bodies, and the
//! percent encoding that signatures are made over.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::HttpRequest;
use crate::error::{Error, Result};
use crate::operation::Params;

/// RFC 3986's unreserved characters stay, all others are encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as signatures want it: a blank is `%20`.
pub(super) fn encode(text: &str) -> String {
    // Most of what is long is JSON, of which every third character is reserved.
    let mut encoded = String::with_capacity(text.len() * 2);
    encoded.extend(utf8_percent_encode(text, RESERVED));
    encoded
}

fn decode(text: &str) -> String {
    let blanks = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_encoding::percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
}

/// The keys of a query string or form, decoded, and the values as they came.
fn keys(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), value)
    })
}

/// The pairs of a query string or form: `+` and `%20` are blanks.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    keys(text).map(|(key, value)| (key, decode(value))).collect()
}

/// The first value of a key that is wanted; of the others nothing is decoded
/// but the key.
pub(super) fn first(text: &str, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    keys(text).find(|(key, _)| is_wanted(key)).map(|(_, value)| decode(value))
}

/// The query string as signatures are made over it: decoded, sorted by key,
/// encoded again. Never the raw text: clients and proxies write it differently.
pub(super) fn canonical_query(query: &str) -> String {
    canonical_pairs(pairs(query).iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// Decoded pairs as signatures are made over them.
pub(super) fn canonical_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(String, String)> =
        pairs.into_iter().map(|(key, value)| (encode(key), encode(value))).collect();
    pairs.sort();
    let bytes = pairs.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut canonical = String::with_capacity(bytes);
    for (key, value) in &pairs {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        canonical.extend([key, "=", value]);
    }
    canonical
}

/// The text of a body that is a form; `None` where it is something else.
pub(super) fn form(request: &HttpRequest) -> Option<Cow<'_, str>> {
    request
        .content_type()
        .starts_with("application/x-www-form-urlencoded")
        .then(|| String::from_utf8_lossy(&request.body))
}

/// The object that a JSON body holds.
///
/// # Errors
/// `InvalidJSON`.
pub(super) fn json_object(body: &[u8]) -> Result<Params> {
    match serde_json::from_slice(body).map_err(|error| Error::invalid_json("body", error))? {
        Value::Object(map) => Ok(map),
        _ => Err(Error::invalid_json("body", "an object is expected")),
    }
}

/// All parameters of a request: those of the query string, then those of a
/// form or JSON body on top.
///
/// # Errors
/// `InvalidJSON` for a JSON body that is none.
pub(super) fn params(request: &HttpRequest) -> Result<Params> {
    let mut params = Params::new();
    for (key, value) in pairs(&request.query) {
        params.insert(key, Value::String(value));
    }
    if request.body.is_empty() {
        return Ok(params);
    }
    if request.content_type().starts_with("application/json") {
        params.extend(json_object(&request.body)?);
    } else if let Some(form) = form(request) {
        params.extend(pairs(&form).into_iter().map(|(key, value)| (key, Value::String(value))));
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_canonical_however_they_are_written() {
        let table = [
            ("B=1&A=im+m%2Atest~%E4%B8%AD", "A=im%20m%2Atest~%E4%B8%AD&B=1"),
            ("A=im%20m*test~中", "A=im%20m%2Atest~%E4%B8%AD"),
            ("A&B=", "A=&B="),
            ("", ""),
            ("A=x=y", "A=x%3Dy"),
        ];
        for (query, want) in table {
            assert_eq!(canonical_query(query), want);
        }
    }
}
