//! A body that is compared with the digests in the request's headers while it
//! is read. s3s parses the XML of an operation without looking at them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};
use md5::{Digest, Md5};
use mediadex_endpoint::RequestBody;

use crate::checksums::{Algorithm, Hashers};

/// What the headers say of the body: names of headers and digests in base64.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected(Vec<(&'static str, Option<Algorithm>, String)>);

/// The header of a body's MD5.
pub(crate) const MD5: &str = "Content-MD5";

/// Content-MD5 and the checksum headers, with the algorithm and the length of
/// each in bytes.
fn digests() -> impl Iterator<Item = (&'static str, Option<Algorithm>, usize)> {
    let sums = Algorithm::all().map(|algorithm| (algorithm.header(), Some(algorithm), algorithm.length()));
    std::iter::once((MD5, None, 16)).chain(sums)
}

impl Expected {
    /// The digests of a request, if it has any.
    ///
    /// # Errors
    /// The name of a header whose value can be no digest.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, &'static str> {
        let mut expected = Vec::new();
        for (name, algorithm, length) in digests() {
            for value in headers.get_all(name) {
                let text = value.to_str().map_err(|_| name)?.trim();
                if STANDARD.decode(text).map_err(|_| name)?.len() != length {
                    return Err(name);
                }
                expected.push((name, algorithm, text.to_owned()));
            }
        }
        Ok((!expected.is_empty()).then_some(Self(expected)))
    }
}

/// Whether a Content-MD5 can be one.
pub(crate) fn is_md5(value: &HeaderValue) -> bool {
    let bytes = value.to_str().ok().and_then(|text| STANDARD.decode(text.trim()).ok());
    bytes.is_some_and(|bytes| bytes.len() == 16)
}

/// Which digest differs, once the body was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Differs(Arc<OnceLock<&'static str>>);

impl Differs {
    /// The name of its header.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.0.get().copied()
    }
}

/// A body that ends in an error if it is not what was expected.
pub(crate) struct Checked {
    body: RequestBody,
    expected: Expected,
    md5: Md5,
    /// Taken at the end.
    sums: Option<Hashers>,
    differs: Differs,
}

impl Checked {
    pub(crate) fn new(body: RequestBody, expected: Expected) -> (Self, Differs) {
        let sums = Hashers::of(expected.0.iter().filter_map(|(_, algorithm, _)| *algorithm));
        let differs = Differs::default();
        (Self { body, expected, md5: Md5::new(), sums: Some(sums), differs: differs.clone() }, differs)
    }

    /// Compares at the end of the body.
    fn finish(&mut self) -> Option<io::Error> {
        let sums = self.sums.take()?.finish();
        let md5 = STANDARD.encode(std::mem::take(&mut self.md5).finalize());
        for (name, algorithm, wanted) in &self.expected.0 {
            let got = match algorithm {
                None => Some(md5.as_str()),
                Some(algorithm) => sums.get(*algorithm).map(String::as_str),
            };
            if got != Some(wanted.as_str()) {
                let _already_known = self.differs.0.set(name);
                return Some(io::Error::other("the body is not the one that its headers describe"));
            }
        }
        None
    }
}

impl Body for Checked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.md5.update(bytes);
                    if let Some(sums) = &mut self.sums {
                        sums.update(bytes);
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(io::Error::other(error)))),
            None => Poll::Ready(self.finish().map(Err)),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn digests_are_found_or_refused() {
        let cases: &[(&str, &str, Result<bool, &str>)] = &[
            ("content-type", "a/b", Ok(false)),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==", Ok(true)),
            ("content-md5", "XUFAKrxLKna5cZ2REBfF", Err("Content-MD5")),
            ("content-md5", "", Err("Content-MD5")),
            ("x-amz-checksum-crc32", "NhCmhg==", Ok(true)),
            ("x-amz-checksum-crc32", "?", Err("x-amz-checksum-crc32")),
            ("x-amz-checksum-type", "FULL_OBJECT", Ok(false)),
        ];
        for (name, value, want) in cases {
            let mut headers = HeaderMap::new();
            let name: header::HeaderName = name.parse().expect("a name");
            headers.insert(name, header::HeaderValue::from_static(value));
            assert_eq!(Expected::of(&headers).map(|found| found.is_some()), *want, "{value}");
        }
    }
}
