//! Uploads by a form, where s3s reads them differently from S3.
//!
//! s3s drops the name of the file, for which `${filename}` in the key stands, the
//! field `tagging` and some checksums. So the fields before the file are read here as
//! well; the policy is still checked by s3s, with the key that is meant.

use std::io;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use mediadex_endpoint::RequestBody;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::PutObjectInput;
use s3s::{Body, HttpResponse, S3ErrorCode};

use crate::api::encode;
use crate::error::{Fault, Outcome};
use crate::{refused, xml};

/// The most bytes of the fields before the file.
const MOST: usize = 64 * 1024;
const FILENAME: &str = "${filename}";
/// The fields with a signature, of either version.
const SIGNATURES: [&str; 2] = ["x-amz-signature", "signature"];
/// Fields that need no condition in the policy: they only say what the file is.
const CHECKSUM: &str = "x-amz-checksum-";
/// Fields that mean what the headers of their names mean.
const HEADERS: [&str; 2] = [CHECKSUM, "x-amz-sdk-checksum-algorithm"];

/// The fields of a form: an extension of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Checks the fields, and adds to what s3s took from them.
    pub(crate) fn complete(&self, input: &mut PutObjectInput, headers: &mut HeaderMap) -> Outcome<()> {
        let given: Vec<(&str, &str)> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        refused::check("PostObject", &given)?;
        if let Some(acl) = self.get("acl") {
            refused::check("PostObject", &[("x-amz-acl", acl)])?;
        }
        if let Some(document) = self.get("tagging") {
            let tags = xml::tags(document.as_bytes()).ok_or_else(|| {
                Fault::client(S3ErrorCode::MalformedXML, "The field tagging is not well-formed XML")
            })?;
            let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pairs: Vec<String> =
                tags.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
            input.tagging = Some(pairs.join("&"));
        }
        for (name, value) in &self.0 {
            if HEADERS.iter().any(|start| name.starts_with(start)) {
                let wrong = || Fault::invalid("The name or value of a checksum field is not valid");
                let name = HeaderName::try_from(name).map_err(|_| wrong())?;
                headers.append(name, HeaderValue::try_from(value).map_err(|_| wrong())?);
            }
        }
        Ok(())
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

/// Where an upload by a form goes.
#[derive(Debug)]
pub(crate) struct Place {
    location: String,
}

impl Place {
    /// Adds to an answer what s3s leaves out of it.
    pub(crate) fn complete(self, mut response: HttpResponse) -> HttpResponse {
        if response.status() == StatusCode::BAD_REQUEST {
            return denied(response);
        }
        let etag =
            response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let Some(etag) = etag else { return response };
        let bare = etag.trim_matches('"');
        if let Some(target) = response.headers().get(header::LOCATION) {
            // A redirect: the tag in it is quoted.
            let target = target.to_str().unwrap_or_default();
            let quoted = target.replace(&format!("&etag={bare}"), &format!("&etag=%22{bare}%22"));
            if let Ok(quoted) = HeaderValue::try_from(quoted) {
                response.headers_mut().insert(header::LOCATION, quoted);
            }
            return response;
        }
        if let Ok(location) = HeaderValue::try_from(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(bytes) = response.body().bytes().filter(|bytes| !bytes.is_empty()) {
            let document = String::from_utf8_lossy(&bytes);
            let document = with_text(&document, "ETag", &format!("&quot;{bare}&quot;"));
            let document = with_text(&document, "Location", &self.location.replace('&', "&amp;"));
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::from(document);
        }
        response
    }
}

/// S3 denies what a condition of the policy does not allow, where s3s calls the
/// policy invalid.
fn denied(mut response: HttpResponse) -> HttpResponse {
    const INVALID: &str = "<Code>InvalidPolicyDocument</Code>";
    let bytes = response.body().bytes().unwrap_or_default();
    let document = String::from_utf8_lossy(&bytes);
    let starts = ["<Message>Policy condition ", "<Message>Bucket in form field "];
    if document.contains(INVALID) && starts.iter().any(|start| document.contains(start)) {
        let message = between(&document, "<Message>", "</Message>").unwrap_or_default();
        let message = failed(message).unwrap_or_else(|| message.to_owned());
        let document = with_text(&document, "Code", "AccessDenied");
        let document = with_text(&document, "Message", &format!("Invalid according to Policy: {message}"));
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(document);
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// What S3 says of a condition that does not hold, out of what s3s says of it. Both
/// are as they stand in a document.
fn failed(message: &str) -> Option<String> {
    let operator = between(message, "Policy condition &apos;", "&apos; for field ")?;
    let field = between(message, "for field &apos;", "&apos; failed: ")?;
    let (before, _) = message.rsplit_once("&apos;, got &apos;")?;
    let (_, value) = before.split_once("failed: expected ")?;
    let value = value.strip_prefix("prefix ").unwrap_or(value).strip_prefix("&apos;")?;
    Some(format!("Policy Condition failed: [\"{operator}\", \"${field}\", \"{value}\"]"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// A document with another text in its first element of a name.
fn with_text(document: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts =
        document.split_once(&start).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{start}{text}{end}{after}"),
        None => document.to_owned(),
    }
}

/// Why a form is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { code: "MalformedPOSTRequest", message }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

/// What is read here of a policy.
#[derive(Debug, PartialEq, Eq)]
struct Policy {
    expiration: String,
    /// The fields that it has conditions for, in lower case.
    fields: Vec<String>,
}

impl Policy {
    /// Reads the field `policy`. What cannot be read is refused by s3s.
    fn parse(field: &str) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_slice(&STANDARD.decode(field).ok()?).ok()?;
        let mut fields = Vec::new();
        for condition in document.get("conditions")?.as_array()? {
            match condition {
                serde_json::Value::Object(names) => fields.extend(names.keys().cloned()),
                other => fields.extend(other.get(1).and_then(|name| name.as_str()).map(str::to_owned)),
            }
        }
        let name = |field: String| field.strip_prefix('$').unwrap_or(&field).to_ascii_lowercase();
        Some(Self {
            expiration: document.get("expiration")?.as_str()?.to_owned(),
            fields: fields.into_iter().map(name).collect(),
        })
    }

    /// S3 takes one form of a time only, s3s others as well.
    fn check_expiration(&self) -> Result<(), Wrong> {
        const FORM: &str = "0000-00-00T00:00:00";
        let text = self.expiration.as_str();
        let (time, fraction) = text.split_at_checked(FORM.len()).unwrap_or((text, ""));
        let is_time = time.len() == FORM.len()
            && time.bytes().zip(FORM.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            });
        let is_fraction = match fraction.strip_suffix('Z') {
            None => false,
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('.')
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())),
        };
        if is_time && is_fraction {
            return Ok(());
        }
        Err(Wrong {
            code: "InvalidPolicyDocument",
            message: format!("Invalid Policy: Invalid 'expiration' value: '{text}'"),
        })
    }
}

/// Reads the fields of a form up to its file. The request that goes on has them
/// among its extensions, and the file's name in its key; of the checksums it has
/// those that the policy names.
///
/// # Errors
/// Where the form cannot be read, or its policy has a wrong time.
pub(crate) async fn receive(request: Request<RequestBody>) -> Result<(Request<Body>, Place), Wrong> {
    let (mut head, mut rest) = request.into_parts();
    let Some(boundary) = boundary(&head.headers) else {
        return Err("The Content-Type of the form has no boundary.".into());
    };
    let mut read = BytesMut::new();
    let fields = loop {
        if let Some(fields) = fields(&read, &boundary)? {
            break fields;
        }
        if read.len() > MOST {
            return Err("The fields before the file are too large.".into());
        }
        match rest.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    read.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Err(error.to_string().into()),
            None => return Err("The form has no file.".into()),
        }
    };
    let policy = fields.named.iter().find(|field| field.name.eq_ignore_ascii_case("policy"));
    let policy = policy.and_then(|field| Policy::parse(&field.value));
    if let Some(policy) = &policy {
        let is_signed = |field: &Field| SIGNATURES.iter().any(|name| field.name.eq_ignore_ascii_case(name));
        if !fields.named.iter().any(is_signed) {
            return Err(Wrong {
                code: "InvalidArgument",
                message: "Bucket POST must contain a field named 'signature'.  If it is specified, please check the order of the fields.".to_owned(),
            });
        }
        policy.check_expiration()?;
    }
    let mut key = String::new();
    let mut form = Form::default();
    // From the end, so that what stands before stays where it is.
    for field in fields.named.into_iter().rev() {
        let name = field.name.to_ascii_lowercase();
        if name == "key" {
            key = field.value.replace(FILENAME, &fields.file);
            if field.value.contains(FILENAME) {
                replace(&mut read, field.span, key.as_bytes());
            }
        }
        let is_named = policy.as_ref().is_none_or(|policy| policy.fields.contains(&name));
        if name.starts_with(CHECKSUM) && !is_named {
            replace(&mut read, field.part, b"");
        }
        form.0.push((name, field.value));
    }
    form.0.reverse();
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let place = Place {
        location: format!("http://{host}{}/{}", head.uri.path().trim_end_matches('/'), encode(&key)),
    };
    head.extensions.insert(form);
    // The length of what was sent is not that of what goes on.
    head.headers.remove(header::CONTENT_LENGTH);
    let read = futures::stream::once(std::future::ready(Ok(Frame::data(read.freeze()))));
    let rest = TryStreamExt::map_err(BodyStream::new(rest), io::Error::other);
    let body = Body::http_body_unsync(StreamBody::new(read.chain(rest)));
    Ok((Request::from_parts(head, body), place))
}

/// Puts other bytes where some are.
fn replace(bytes: &mut BytesMut, at: Range<usize>, others: &[u8]) {
    if at.start <= at.end && at.end <= bytes.len() {
        let after = bytes.split_off(at.end);
        bytes.truncate(at.start);
        bytes.extend_from_slice(others);
        bytes.extend_from_slice(&after);
    }
}

/// The boundary between the parts of a form.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let found = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    });
    found.filter(|boundary| !boundary.is_empty())
}

/// A field, and where it stands in the body.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    value: String,
    /// Where its value is.
    span: Range<usize>,
    /// From its head to that of the next field.
    part: Range<usize>,
}

/// The fields before the file, and the file's name without its folders.
#[derive(Debug, PartialEq, Eq)]
struct Fields {
    named: Vec<Field>,
    file: String,
}

/// Reads the fields, if all up to the file is there.
fn fields(body: &[u8], boundary: &str) -> Result<Option<Fields>, String> {
    let malformed = || "The form is not well-formed multipart/form-data.".to_owned();
    let line = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}");
    let first = usize::from(body.starts_with(b"\r\n")) * 2;
    let Some(start) = body.get(first..).filter(|rest| rest.len() >= line.len()) else { return Ok(None) };
    if !start.starts_with(line.as_bytes()) {
        return Err(malformed());
    }
    let mut at = first + line.len();
    let mut named = Vec::new();
    loop {
        let Some(end) = find(body, at, b"\r\n\r\n") else { return Ok(None) };
        let head = body.get(at..end).and_then(|head| std::str::from_utf8(head).ok()).ok_or_else(malformed)?;
        let disposition = head
            .split("\r\n")
            .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))
            .ok_or_else(malformed)?;
        let name = parameter(disposition, "name").ok_or_else(malformed)?;
        if name.eq_ignore_ascii_case("file") {
            let path = parameter(disposition, "filename").unwrap_or_default();
            let file = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            return Ok(Some(Fields { named, file }));
        }
        let from = end + 4;
        let Some(to) = find(body, from, between.as_bytes()) else { return Ok(None) };
        let value = body.get(from..to).and_then(|value| std::str::from_utf8(value).ok());
        let value = value.ok_or_else(malformed)?.to_owned();
        let next = to + between.len();
        match body.get(next..next + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(malformed()),
            None => return Ok(None),
        }
        named.push(Field { name, value, span: from..to, part: at..next + 2 });
        at = next + 2;
    }
}

fn find(body: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// A parameter of a Content-Disposition, such as `name="key"`.
fn parameter(disposition: &str, wanted: &str) -> Option<String> {
    let mut rest = disposition.split_once(';')?.1;
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                value.split_at(end)
            }
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim_end().to_owned());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nup/${filename}\r\n\
        --b\r\ncontent-disposition: form-data; name=\"Tagging\"\r\n\r\n\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\pictures\\a b.jpg\"\r\n\
        Content-Type: image/jpeg\r\n\r\n";

    #[test]
    fn fields_are_read_when_all_are_there() {
        let whole = fields(HEAD.as_bytes(), "b").expect("a form").expect("all of it");
        assert_eq!(whole.file, "a b.jpg");
        let named: Vec<_> =
            whole.named.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
        assert_eq!(named, [("key", "up/${filename}"), ("Tagging", "")]);
        for field in &whole.named {
            assert_eq!(HEAD.get(field.span.clone()), Some(field.value.as_str()));
        }
        // Each can be left out.
        for (at, field) in whole.named.iter().enumerate() {
            let mut rest = BytesMut::from(HEAD);
            replace(&mut rest, field.part.clone(), b"");
            let rest = fields(&rest, "b").expect("a form").expect("all of it");
            let left: Vec<&str> = rest.named.iter().map(|field| field.name.as_str()).collect();
            assert_eq!(left, [["Tagging"], ["key"]][at]);
        }
        for cut in 0..HEAD.len() {
            assert_eq!(fields(HEAD.get(..cut).unwrap_or_default().as_bytes(), "b"), Ok(None), "{cut}");
        }
        for wrong in ["--c\r\nx\r\n", "--b\r\nx: y\r\n\r\n", "--b\r\nContent-Disposition: form-data\r\n\r\n"]
        {
            assert!(fields(wrong.as_bytes(), "b").is_err(), "{wrong}");
        }
        let closed = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b--\r\n";
        assert!(fields(closed.as_bytes(), "b").is_err());
    }

    #[test]
    fn policies_are_read_and_their_times_checked() {
        let read = |text: &str| Policy::parse(&STANDARD.encode(text));
        let policy = read(
            r#"{"expiration":"x","conditions":[{"acl":"private"},["eq","$Key","a"],["content-length-range",1,2],[],1]}"#,
        );
        let policy = policy.expect("a policy");
        assert_eq!((policy.expiration.as_str(), policy.fields.join(",")), ("x", "acl,key".to_owned()));
        for none in ["", "[]", r#"{"expiration":"x"}"#, r#"{"conditions":[]}"#] {
            assert_eq!(read(none), None, "{none}");
        }
        for (expiration, want) in [
            ("2026-11-28T01:00:00Z", true),
            ("2026-11-28T01:00:00.000Z", true),
            ("2026-11-28T01:00:00.Z", false),
            ("2026-11-28T01:00:00", false),
            ("2026-11-28T01:00:00+00:00", false),
            ("2026-11-28 01:00:00+00:00", false),
            ("2026-11-28 01:00:00Z", false),
            ("2026-11-28é1:00:00Z", false),
            ("2026-11-28", false),
            ("", false),
        ] {
            let policy = Policy { expiration: expiration.to_owned(), fields: Vec::new() };
            assert_eq!(policy.check_expiration().is_ok(), want, "{expiration}");
        }
    }

    #[test]
    fn conditions_that_do_not_hold_are_told_as_s3_does() {
        for (message, want) in [
            (
                "Policy condition &apos;eq&apos; for field &apos;key&apos; failed: expected &apos;a&amp;b&apos;, got &apos;c&apos;",
                Some("Policy Condition failed: [\"eq\", \"$key\", \"a&amp;b\"]"),
            ),
            (
                "Policy condition &apos;starts-with&apos; for field &apos;key&apos; failed: expected prefix &apos;up/&apos;, got &apos;&apos;",
                Some("Policy Condition failed: [\"starts-with\", \"$key\", \"up/\"]"),
            ),
            ("Bucket in form field &apos;a&apos; does not match bucket in URL &apos;b&apos;", None),
        ] {
            assert_eq!(failed(message).as_deref(), want, "{message}");
        }
    }

    #[test]
    fn boundaries() {
        let table = [
            ("multipart/form-data; boundary=b", Some("b")),
            ("multipart/form-data; charset=x; Boundary=\"b c\"", Some("b c")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
        ];
        for (kind, want) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(boundary(&headers).as_deref(), want, "{kind}");
        }
    }

    #[test]
    fn parameters_are_found() {
        let table = [
            ("form-data; name=\"key\"", "name", Some("key")),
            ("form-data; name=key; filename=a.jpg", "filename", Some("a.jpg")),
            ("form-data; filename=\"a;name=x.jpg\"; name=\"file\"", "name", Some("file")),
            ("form-data; name=\"key", "name", None),
            ("form-data", "name", None),
        ];
        for (text, wanted, want) in table {
            assert_eq!(parameter(text, wanted).as_deref(), want, "{text}");
        }
    }
}
