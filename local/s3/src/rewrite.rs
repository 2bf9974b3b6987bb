//! Requests that s3s reads differently from S3, rewritten between the check of
//! their signature and the operation.
//!
//! s3s verifies and reads a request in one step. A request that it would misread
//! goes through two services: the first verifies the signature over what was
//! sent and hands the request to [`Rewrite`]; the second, which knows that it was
//! verified, reads what was rewritten.

use futures::StreamExt;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, RANGE, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri};
use mediadex_endpoint::Caller;
use s3s::dto::Range;
use s3s::route::S3Route;
use s3s::service::S3Service;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use crate::checksums::Sums;
use crate::signing::{IN_QUERY, decoded, parameters};
use crate::{intake, xml};

/// The most bytes of an XML document.
const LARGEST: usize = 20 * 1024 * 1024;
const COPY_SOURCE: &str = "x-amz-copy-source";

/// Among a request's extensions, says that its signature was verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified;

/// Among a request's extensions: of the parts that an upload is completed with, in
/// order, the checksums that s3s does not know.
#[derive(Debug, Clone, Default)]
pub(crate) struct SumsOfParts(pub(crate) Vec<Sums>);

/// Takes the requests that have to be rewritten from the first service.
pub(crate) struct Rewrite(pub(crate) S3Service);

/// Tells whether the body of a request is a document of XML.
pub(crate) fn has_xml(method: &Method, uri: &Uri) -> bool {
    let names: &[&str] = match *method {
        Method::POST => &["delete", "uploadId", "restore", "select"],
        Method::PUT => &[
            "acl",
            "tagging",
            "notification",
            "retention",
            "legal-hold",
            "versioning",
            "ownershipControls",
            "publicAccessBlock",
        ],
        _ => return false,
    };
    let query = parameters(uri.query().unwrap_or_default());
    query.iter().any(|(name, _)| names.contains(&name.as_str()))
}

/// Tells whether a request names several ranges, or none that can be read. S3
/// answers with the whole object.
fn has_odd_range(method: &Method, headers: &HeaderMap) -> bool {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (None, _) => false,
        (Some(range), None) => is_read && range.to_str().map_or(true, |text| Range::parse(text).is_err()),
        (Some(_), Some(_)) => is_read,
    }
}

/// S3 reads the source of a copy as it reads forms: a plus is a blank.
fn has_plus(headers: &HeaderMap) -> bool {
    headers.get(COPY_SOURCE).is_some_and(|source| source.as_bytes().contains(&b'+'))
}

/// Leaves the signature's parameters out of a query.
fn without_signature(uri: &Uri) -> S3Result<Uri> {
    let Some(query) = uri.query() else { return Ok(uri.clone()) };
    let is_signature = |pair: &&str| {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        IN_QUERY.iter().any(|one| one.eq_ignore_ascii_case(&name))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let mut parts = uri.clone().into_parts();
    let target =
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    parts.path_and_query = Some(target.parse().map_err(|_| s3_error!(InvalidURI))?);
    Uri::from_parts(parts).map_err(|_| s3_error!(InvalidURI))
}

async fn read(mut body: Body) -> S3Result<Vec<u8>> {
    let mut document = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| S3Error::from(intake::broken_body(error.as_ref())))?;
        if document.len() + chunk.len() > LARGEST {
            return Err(s3_error!(MaxMessageLengthExceeded, "Your request was too big."));
        }
        document.extend_from_slice(&chunk);
    }
    Ok(document)
}

#[async_trait::async_trait]
impl S3Route for Rewrite {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        has_xml(method, uri) || has_odd_range(method, headers) || has_plus(headers)
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        if request.credentials.is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        if let Some(caller) = request.extensions.get::<Caller>() {
            caller.set_verified();
        }
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let S3Request { input: mut body, method, uri, mut headers, mut extensions, .. } = request;
        if has_xml(&method, &uri) {
            let document = read(body).await?;
            let document = if document.is_empty() {
                document
            } else {
                let (plain, of_parts) = xml::plain(&document).ok_or_else(|| {
                    s3_error!(
                        MalformedXML,
                        "The XML you provided was not well-formed or did not validate against our published schema"
                    )
                })?;
                extensions.insert(SumsOfParts(of_parts));
                plain
            };
            headers.remove(TRANSFER_ENCODING);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
            body = Body::from(document);
        }
        if has_odd_range(&method, &headers) {
            headers.remove(RANGE);
        }
        if let Some(source) = headers.get(COPY_SOURCE).filter(|_| has_plus(&headers)) {
            let text = String::from_utf8_lossy(source.as_bytes()).replace('+', "%20");
            let source = HeaderValue::try_from(text).map_err(|_| {
                S3Error::with_message(S3ErrorCode::InvalidArgument, "Copy Source must be valid text")
            })?;
            headers.insert(COPY_SOURCE, source);
        }
        let uri = without_signature(&uri)?;
        for name in [AUTHORIZATION.as_str(), "x-amz-content-sha256", "x-amz-decoded-content-length"] {
            headers.remove(name);
        }
        extensions.insert(Verified);
        let mut rewritten = Request::new(body);
        *rewritten.method_mut() = method;
        *rewritten.uri_mut() = uri;
        *rewritten.headers_mut() = headers;
        *rewritten.extensions_mut() = extensions;
        let (head, body) = self.0.call(rewritten).await.map_err(internal)?.into_parts();
        let mut response = S3Response::with_status(body, head.status);
        response.headers = head.headers;
        response.extensions = head.extensions;
        Ok(response)
    }
}

fn internal(error: s3s::HttpError) -> S3Error {
    let mut answer = s3_error!(InternalError, "We encountered an internal error. Please try again.");
    answer.set_source(error.into());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_is_rewritten() {
        type Case<'a> = (Method, &'a str, &'a [(&'static str, &'static str)], bool);
        let table: &[Case<'static>] = &[
            (Method::POST, "/b?delete", &[], true),
            (Method::POST, "/b/k?uploadId=x", &[], true),
            (Method::POST, "/b/k?uploads", &[], false),
            (Method::PUT, "/b/k?tagging", &[], true),
            (Method::PUT, "/b?notification=", &[], true),
            (Method::PUT, "/b/k?uploadId=x&partNumber=1", &[], false),
            (Method::PUT, "/b/k", &[], false),
            (Method::GET, "/b/k?tagging", &[], false),
            (Method::GET, "/b/k", &[("range", "bytes=0-1")], false),
            (Method::GET, "/b/k", &[("range", "bytes=0-1,3-4")], true),
            (Method::HEAD, "/b/k", &[("range", "bytes=5-1")], true),
            (Method::GET, "/b/k", &[("range", "lines=1-2")], true),
            (Method::PUT, "/b/k", &[("range", "lines=1-2")], false),
            (Method::PUT, "/b/k", &[("x-amz-copy-source", "b/a%20b")], false),
            (Method::PUT, "/b/k", &[("x-amz-copy-source", "b/a+b")], true),
        ];
        for (method, uri, given, want) in table {
            let (uri, headers) = (Uri::from_static(uri), headers(given));
            let got = has_xml(method, &uri) || has_odd_range(method, &headers) || has_plus(&headers);
            assert_eq!(got, *want, "{method} {uri} {given:?}");
        }
    }

    #[test]
    fn a_query_loses_its_signature() {
        let table = [
            ("/b", "/b"),
            ("/b?delete", "/b?delete"),
            ("/b?X-Amz-Signature=1&delete=&x%2Damz-date=2", "/b?delete="),
            ("/b?X-Amz-Expires=1", "/b"),
            ("/a%20b?x-amz-acl=private&X-Amz-Algorithm=A", "/a%20b?x-amz-acl=private"),
        ];
        for (uri, want) in table {
            let got = without_signature(&Uri::from_static(uri)).map(|uri| uri.to_string());
            assert_eq!(got.ok().as_deref(), Some(want), "{uri}");
        }
    }
}
