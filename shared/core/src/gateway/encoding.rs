//! The encodings of the wire: query strings, forms, JSON bodies, and the
//! percent encoding that signatures are made over.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::HttpRequest;
use crate::error::{Error, Result};
use crate::operation::Params;

/// RFC 3986's unreserved characters stay, all others are encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as signatures want it: a blank is `%20`.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decode(text: &str) -> String {
    let blanks = text.replace('+', " ");
    percent_encoding::percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
}

/// The pairs of a query string or form: `+` and `%20` are blanks.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// The query string as signatures are made over it: decoded, sorted by key,
/// encoded anew. Never the raw text: clients and proxies write it differently.
pub(super) fn canonical_query(query: &str) -> String {
    canonical_pairs(pairs(query))
}

/// Decoded pairs as signatures are made over them.
pub(super) fn canonical_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> String {
    let mut pairs: Vec<(String, String)> =
        pairs.into_iter().map(|(key, value)| (encode(&key), encode(&value))).collect();
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    joined.join("&")
}

/// The pairs of a body that is a form; `None` where it is something else.
pub(super) fn form(request: &HttpRequest) -> Option<Vec<(String, String)>> {
    request
        .content_type()
        .starts_with("application/x-www-form-urlencoded")
        .then(|| pairs(&String::from_utf8_lossy(&request.body)))
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
        params.extend(form.into_iter().map(|(key, value)| (key, Value::String(value))));
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
