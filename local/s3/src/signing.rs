//! What a request's signature must cover, checked before anything else.
//!
//! s3s verifies a signature over the headers that the request itself names, and
//! obeys all others too: the holder of a presigned URL could add a header such
//! as `x-amz-copy-source`. As in S3, each `x-amz-*` header and the host must be
//! signed, by Signature Version 4 alone. Headers of HTTP itself (a range, a
//! content type, a condition) need not be, which is also as in S3.

use http::{HeaderMap, Method, Request, StatusCode, header};
use mediadex_endpoint::RequestBody;
use percent_encoding::percent_decode_str;
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};

use crate::{date, digests, form, rewrite};

/// The only algorithm there is.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest time that a presigned URL may be good for, in seconds: 7 days.
const LONGEST: i64 = 604_800;
/// Headers with lists in them.
const LISTS: [&str; 2] = ["x-amz-object-attributes", "x-amz-optional-object-attributes"];
/// The parameters of a presigned URL, and the token that may come with them.
pub(crate) const IN_QUERY: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// The S3 service behind the checks.
#[derive(Clone)]
pub(crate) struct Signed {
    service: S3Service,
    /// Whether browsers may upload with a form and a signed policy.
    post_policy: bool,
    /// The region that a client is told which names none that there can be.
    region: String,
}

impl Signed {
    pub(crate) fn new(service: S3Service, post_policy: bool, region: String) -> Self {
        Self { service, post_policy, region }
    }

    /// Answers a request, if what matters in it is signed.
    ///
    /// # Errors
    /// When the service fails in a way that is no answer.
    pub(crate) async fn answer(&self, mut request: Request<RequestBody>) -> Result<HttpResponse, HttpError> {
        join_lists(request.headers_mut());
        let checked = check(&request, self.post_policy).and_then(|passed| {
            date::supply(request.headers_mut()).map_err(Refusal::undated)?;
            Ok(passed)
        });
        match checked {
            Err(refusal) => {
                tracing::debug!(
                    code = refusal.code,
                    "a request was refused before its signature was verified"
                );
                Ok(refusal.response(&self.region))
            }
            Ok(Passed::Form) => match form::receive(request).await {
                Ok((request, place)) => Ok(place.complete(self.service.call(request).await?)),
                Err(wrong) => Ok(Refusal::bad(wrong.code, wrong.message).response(&self.region)),
            },
            Ok(Passed::AsItIs) => self.service.call(request.map(Body::http_body_unsync)).await,
            Ok(Passed::Digested(expected)) => {
                let (parts, body) = request.into_parts();
                let (body, differs) = digests::Checked::new(body, expected);
                let request = Request::from_parts(parts, Body::http_body_unsync(body));
                let response = self.service.call(request).await?;
                Ok(match differs.name() {
                    None => response,
                    Some(name) => Refusal::new(
                        StatusCode::BAD_REQUEST,
                        "BadDigest",
                        format!("The {name} you specified did not match what we received."),
                    )
                    .response(&self.region),
                })
            }
        }
    }
}

/// How the request's body is passed on.
#[derive(Debug, PartialEq, Eq)]
enum Passed {
    AsItIs,
    /// It is a form, which s3s reads only in part.
    Form,
    /// It is compared with what the headers say of it.
    Digested(digests::Expected),
}

/// An answer given without the service.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    not_signed: Option<String>,
    /// Whether the client is told the region that it should have named.
    tells_region: bool,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), not_signed: None, tells_region: false }
    }

    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn mismatch() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        )
    }

    /// The time of a request is missing, or is none.
    fn undated(why: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", why)
    }

    fn mechanism() -> Self {
        Self::bad(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    }

    fn response(&self, region: &str) -> HttpResponse {
        let more = match &self.not_signed {
            Some(names) => format!("<HeadersNotSigned>{}</HeadersNotSigned>", escape(names)),
            None if self.tells_region => format!("<Region>{}</Region>", escape(region)),
            None => String::new(),
        };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{more}</Error>",
            self.code,
            escape(&self.message),
        );
        let mut response = HttpResponse::new(Body::from(xml));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
        response
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn check<B>(request: &Request<B>, post_policy: bool) -> Result<Passed, Refusal> {
    let headers = request.headers();
    // A question of a browser's, which is answered before if it comes from one.
    if request.method() == Method::OPTIONS {
        return Err(Refusal::bad("BadRequest", "Insufficient information. Origin request header needed."));
    }
    if request.method() == Method::POST && is_form(headers) {
        if !post_policy {
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource: uploads by a form are switched off (--post-policy switches them on).",
            ));
        }
        // The policy covers the fields of the form and no header.
        check_headers(headers, None)?;
        return Ok(Passed::Form);
    }
    let query = parameters(request.uri().query().unwrap_or_default());
    let has = |wanted: &str| query.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let presigned = IN_QUERY.iter().any(|name| has(name));
    let second_version = query.iter().any(|(name, _)| name == "Signature" || name == "AWSAccessKeyId");
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let authorization = authorizations.next();
    let ways = usize::from(presigned) + usize::from(second_version) + usize::from(authorization.is_some());
    if ways > 1 || authorizations.next().is_some() {
        return Err(Refusal::bad(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        ));
    }
    if second_version {
        return Err(Refusal::mechanism());
    }
    let signed = match authorization {
        Some(value) => signed_by_header(value.to_str().unwrap_or_default())?,
        None if presigned => signed_by_query(&query)?,
        // Nobody in particular; the service refuses that.
        None => return Ok(Passed::AsItIs),
    };
    if has("X-Amz-Security-Token") || headers.contains_key("x-amz-security-token") {
        return Err(Refusal::bad("InvalidToken", "The provided token is malformed or otherwise invalid."));
    }
    check_headers(headers, Some(&signed))?;
    // s3s takes an empty one for none.
    if !headers.get_all("content-md5").iter().all(digests::is_md5) {
        return Err(invalid_digest(digests::MD5));
    }
    let has = |wanted: &str| query.iter().any(|(name, _)| name == wanted);
    // Where an upload is completed they are the object's, not the body's.
    if rewrite::has_xml(request.method(), request.uri()) && !has("uploadId") {
        return match digests::Expected::of(headers) {
            Ok(Some(expected)) => Ok(Passed::Digested(expected)),
            Ok(None) if has("delete") => {
                Err(Refusal::bad("InvalidRequest", "Missing required header for this request: Content-MD5"))
            }
            Ok(None) => Ok(Passed::AsItIs),
            Err(name) => Err(invalid_digest(name)),
        };
    }
    Ok(Passed::AsItIs)
}

fn invalid_digest(name: &str) -> Refusal {
    Refusal::bad("InvalidDigest", format!("The {name} you specified is not valid."))
}

/// Makes one header of those that are lists: some clients send a line for each
/// element, and sign what the lines are together.
fn join_lists(headers: &mut HeaderMap) {
    for name in LISTS {
        let lines: Vec<&[u8]> =
            headers.get_all(name).iter().map(|line| line.as_bytes().trim_ascii()).collect();
        if lines.len() > 1
            && let Ok(joined) = header::HeaderValue::from_bytes(&lines.join(&b","[..]))
        {
            headers.insert(name, joined);
        }
    }
}

/// Tells whether the body is a form, which s3s takes for an upload with a policy.
fn is_form(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
    })
}

/// The parameters of a query string, decoded.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// A name or value of a query string, decoded.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The names that an Authorization header says are signed.
fn signed_by_header(authorization: &str) -> Result<Vec<String>, Refusal> {
    let (algorithm, rest) =
        authorization.trim().split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(Refusal::mechanism());
    }
    let malformed = |why: &str| {
        Refusal::bad("AuthorizationHeaderMalformed", format!("The authorization header is malformed; {why}"))
    };
    let parts: Vec<&str> = rest.split(',').map(str::trim).collect();
    let [credential, signed, signature] = parts.as_slice() else {
        return Err(malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        ));
    };
    let (Some(credential), Some(signed), Some(_)) = (
        credential.strip_prefix("Credential="),
        signed.strip_prefix("SignedHeaders="),
        signature.strip_prefix("Signature="),
    ) else {
        return Err(malformed("it must name Credential, SignedHeaders and Signature, in this order."));
    };
    check_scope(credential).map_err(malformed)?;
    check_region(credential).map_err(|why| Refusal { tells_region: true, ..malformed(&why) })?;
    Ok(names(signed))
}

/// The names that a presigned URL says are signed.
fn signed_by_query(query: &[(String, String)]) -> Result<Vec<String>, Refusal> {
    let wrong = |why: &str| Refusal::bad("AuthorizationQueryParametersError", why);
    let the = |wanted: &str| {
        let mut found = query.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        found.next().filter(|_| found.next().is_none()).ok_or_else(|| {
            wrong("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
        })
    };
    if the("X-Amz-Algorithm")? != ALGORITHM {
        return Err(wrong("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let (credential, signed) = (the("X-Amz-Credential")?, the("X-Amz-SignedHeaders")?);
    the("X-Amz-Signature")?;
    the("X-Amz-Date")?;
    match the("X-Amz-Expires")?.parse::<i64>() {
        Err(_) => return Err(wrong("X-Amz-Expires should be a number")),
        Ok(..0) => return Err(wrong("X-Amz-Expires must be non-negative")),
        Ok(0) => return Err(wrong("X-Amz-Expires must be at least 1 second")),
        Ok(1..=LONGEST) => {}
        Ok(_) => {
            return Err(wrong(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
            ));
        }
    }
    check_scope(credential).map_err(wrong)?;
    check_region(credential).map_err(|why| Refusal { tells_region: true, ..wrong(&why) })?;
    Ok(names(signed))
}

/// A signature for another service is none for this one.
fn check_scope(credential: &str) -> Result<(), &'static str> {
    match credential.split('/').collect::<Vec<_>>().as_slice() {
        [_key, _date, _region, "s3", "aws4_request"] => Ok(()),
        [_key, _date, _region, _service, "aws4_request"] => {
            Err("incorrect service. This endpoint belongs to \"s3\".")
        }
        _ => Err("the Credential must be of the form KEY/DATE/REGION/s3/aws4_request."),
    }
}

/// Any region is right that could be one. Of `US`, the default of old clients, S3
/// says which one it is instead, and they try that.
fn check_region(credential: &str) -> Result<(), String> {
    let region = credential.split('/').nth(2).unwrap_or_default();
    let could_be = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !region.is_empty() && region.bytes().all(could_be) {
        return Ok(());
    }
    Err(format!("the region '{region}' is wrong"))
}

fn names(signed: &str) -> Vec<String> {
    signed.split(';').map(|name| name.trim().to_owned()).collect()
}

/// Holds the headers to the names that are signed; without names (a form with a
/// policy) there may be no `x-amz-*` header at all.
fn check_headers(headers: &HeaderMap, signed: Option<&[String]>) -> Result<(), Refusal> {
    let is_text = |value: &header::HeaderValue| std::str::from_utf8(value.as_bytes()).is_ok();
    let is_signed = |name: &str| signed.is_some_and(|signed| signed.iter().any(|one| one == name));
    let mut not_signed = Vec::new();
    for name in headers.keys() {
        let is_ours = name.as_str().starts_with("x-amz-");
        if (is_ours || (signed.is_some() && name == header::HOST)) && !is_signed(name.as_str()) {
            not_signed.push(name.as_str());
        }
        if is_ours {
            let mut values = headers.get_all(name).iter();
            let first = values.next();
            // s3s takes neither for there, but may have found it signed.
            if values.next().is_some() || !first.is_some_and(is_text) {
                return Err(Refusal::bad(
                    "InvalidArgument",
                    format!("the header {name} must be given once, as text"),
                ));
            }
        }
    }
    if !not_signed.is_empty() {
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "There were headers present in the request which were not signed",
        );
        not_signed.sort_unstable();
        return Err(Refusal { not_signed: Some(not_signed.join(", ")), ..refusal });
    }
    // s3s leaves a name out of what it verifies if the header is not there, so
    // that names could be added to the list at will.
    let all_there = signed.unwrap_or_default().iter().all(|name| headers.get(name).is_some_and(is_text));
    if all_there && (signed.is_none() || is_signed("host")) { Ok(()) } else { Err(Refusal::mismatch()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: &str = "ak/20260101/us-east-1/s3/aws4_request";

    fn authorization(signed: &str) -> String {
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={signed}, Signature=00")
    }

    fn presigned(expires: &str, signed: &str) -> String {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date=20260101T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders={}&X-Amz-Signature=00",
            SCOPE.replace('/', "%2F"),
            signed.replace(';', "%3B"),
        )
    }

    fn asked(method: &str, query: &str, headers: &[(&str, &str)], post_policy: bool) -> String {
        let mut request = Request::builder().method(method).uri(format!("/b/k?{query}")).header("host", "h");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match check(&request.body(()).expect("the request is well formed"), post_policy) {
            Ok(Passed::AsItIs) => "ok".to_owned(),
            Ok(Passed::Digested(_)) => "digested".to_owned(),
            Ok(Passed::Form) => "form".to_owned(),
            Err(refusal) => match refusal.not_signed {
                Some(names) => format!("{} {}: {names}", refusal.status.as_u16(), refusal.code),
                None => format!("{} {}", refusal.status.as_u16(), refusal.code),
            },
        }
    }

    #[test]
    fn headers_that_are_not_signed_are_refused() {
        let plain = authorization("host;x-amz-date");
        let own = ("authorization", plain.as_str());
        let date = ("x-amz-date", "20260101T000000Z");
        let url = presigned("60", "host");
        let copy = ("x-amz-copy-source", "photos/private.jpg");
        let wide = authorization("host;x-amz-copy-source;x-amz-date");
        let sts = plain.replace("/s3/", "/sts/");
        let second = "AWSAccessKeyId=ak&Expires=1&Signature=x";
        let case = |method: &str, query: &str, headers: &[(&str, &str)], want: &str| {
            assert_eq!(asked(method, query, headers, false), want, "{method} {query} {headers:?}");
        };
        case("GET", "", &[], "ok");
        case("OPTIONS", "", &[], "400 BadRequest");
        case("OPTIONS", "", &[own, date], "400 BadRequest");
        case("GET", "", &[own, date], "ok");
        case("GET", "", &[own, date, ("range", "bytes=0-1"), ("content-type", "a/b")], "ok");
        case("PUT", "", &[own, date, copy], "403 AccessDenied: x-amz-copy-source");
        case("PUT", "", &[("authorization", &wide), date, copy], "ok");
        // Named as signed, but not there when it was.
        case("PUT", "", &[("authorization", &wide), date], "403 SignatureDoesNotMatch");
        case("PUT", &url, &[copy], "403 AccessDenied: x-amz-copy-source");
        case(
            "PUT",
            &url,
            &[("x-amz-meta-b", "1"), ("x-amz-tagging", "a=b")],
            "403 AccessDenied: x-amz-meta-b, x-amz-tagging",
        );
        case("PUT", &url, &[("content-type", "a/b")], "ok");
        case("PUT", "", &[own, date, ("x-amz-date", "20260101T000001Z")], "400 InvalidArgument");
        case(
            "GET",
            "",
            &[("authorization", &plain.replace("HMAC-SHA256", "HMAC-SHA1"))],
            "400 InvalidRequest",
        );
        case(
            "GET",
            "",
            &[("authorization", &plain.replace("AWS4-HMAC", "AWS4-ECDSA-P256"))],
            "400 InvalidRequest",
        );
        case("GET", "", &[("authorization", "AWS ak:sig")], "400 InvalidRequest");
        case("GET", "", &[("authorization", "Bearer x")], "400 InvalidRequest");
        case("GET", "", &[("authorization", "AWS4-HMAC-SHA256")], "400 AuthorizationHeaderMalformed");
        case("GET", "", &[("authorization", &sts)], "400 AuthorizationHeaderMalformed");
        case("GET", "", &[own, own, date], "400 InvalidArgument");
        case("GET", &url, &[own, date], "400 InvalidArgument");
        case("GET", "X-Amz-Expires=5", &[own, date], "400 InvalidArgument");
        case("GET", second, &[], "400 InvalidRequest");
        case("GET", second, &[own, date], "400 InvalidArgument");
        case("GET", "", &[("authorization", &authorization("x-amz-date")), date], "403 AccessDenied: host");
        case("GET", &presigned("60", "HOST"), &[], "403 AccessDenied: host");
        case("GET", &presigned("604800", "host"), &[], "ok");
        case("GET", &presigned("604801", "host"), &[], "400 AuthorizationQueryParametersError");
        case("GET", &presigned("0", "host"), &[], "400 AuthorizationQueryParametersError");
        case("GET", &presigned("-1", "host"), &[], "400 AuthorizationQueryParametersError");
        case("GET", &presigned("soon", "host"), &[], "400 AuthorizationQueryParametersError");
        case("GET", &url.replace("SHA256", "SHA1"), &[], "400 AuthorizationQueryParametersError");
        case("GET", "X-Amz-Signature=00", &[], "400 AuthorizationQueryParametersError");
        case("GET", "x%2Damz-signature=00", &[], "400 AuthorizationQueryParametersError");
        case("GET", &format!("{url}&X-Amz-Expires=9"), &[], "400 AuthorizationQueryParametersError");
        case("GET", &format!("{url}&X-Amz-Security-Token=t"), &[], "400 InvalidToken");
        case("GET", "", &[own, date, ("x-amz-security-token", "t")], "400 InvalidToken");
        case("POST", "", &[("content-type", "Multipart/Form-Data; boundary=b")], "405 MethodNotAllowed");
        case("POST", "delete", &[own, date], "400 InvalidRequest");
        case("POST", "delete=", &[own, date, ("content-md5", "no")], "400 InvalidDigest");
        case("POST", "delete", &[own, date, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "digested");
        case("PUT", "", &[own, date, ("content-md5", "")], "400 InvalidDigest");
        case("PUT", "", &[own, date, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "ok");
        case("PUT", "tagging", &[own, date], "ok");
        case("PUT", "tagging", &[own, date, ("content-md5", "no")], "400 InvalidDigest");
        case("PUT", "tagging", &[own, date, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "digested");
        case("POST", "uploadId=u", &[own, date, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "ok");
        let old = plain.replace("us-east-1", "US");
        case("GET", "", &[("authorization", &old), date], "400 AuthorizationHeaderMalformed");
        case("GET", &url.replace("us-east-1", "US"), &[], "400 AuthorizationQueryParametersError");
    }

    #[test]
    fn a_form_with_a_policy_has_no_headers_of_s3() {
        let form = ("content-type", "multipart/form-data; boundary=b");
        assert_eq!(asked("POST", "", &[form], true), "form");
        let meta = ("x-amz-meta-a", "1");
        assert_eq!(asked("POST", "", &[form, meta], true), "403 AccessDenied: x-amz-meta-a");
    }

    #[test]
    fn the_answer_is_what_s3_writes() {
        let refusal = Refusal {
            not_signed: Some("x-amz-a&b".into()),
            ..Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", "a < b")
        };
        let bytes = refusal.response("us-east-1").into_body().bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.ends_with("<Error><Code>AccessDenied</Code><Message>a &lt; b</Message><HeadersNotSigned>x-amz-a&amp;b</HeadersNotSigned></Error>"),
            "{text}"
        );
        let refusal = Refusal { tells_region: true, ..Refusal::bad("AuthorizationHeaderMalformed", "x") };
        let bytes = refusal.response("us-east-1").into_body().bytes().unwrap_or_default();
        assert!(String::from_utf8_lossy(&bytes).contains("<Region>us-east-1</Region>"));
    }
}
