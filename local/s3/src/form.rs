//! Uploads by a form, where s3s reads them differently from S3.
//!
//! s3s drops the name of the file, for which `${filename}` in the key stands, and
//! the field `tagging`. So the fields before the file are read here as well; the
//! policy is still checked by s3s, with the key that is meant.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
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

/// The fields of a form: an extension of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Checks the fields, and adds to what s3s took from them.
    pub(crate) fn complete(&self, input: &mut PutObjectInput) -> Outcome<()> {
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
        let document = with_text(&document, "Code", "AccessDenied")
            .replace("<Message>", "<Message>Invalid according to Policy: ");
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(document);
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
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

/// What is read already, and the rest.
struct Joined {
    read: Option<Bytes>,
    rest: RequestBody,
}

impl hyper::body::Body for Joined {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.read.take() {
            Some(read) => Poll::Ready(Some(Ok(Frame::data(read)))),
            None => Pin::new(&mut self.rest).poll_frame(cx).map_err(io::Error::other),
        }
    }
}

/// Reads the fields of a form up to its file. The request that goes on has them
/// among its extensions, and the file's name in its key.
///
/// # Errors
/// A message, where the form cannot be read.
pub(crate) async fn receive(request: Request<RequestBody>) -> Result<(Request<Body>, Place), String> {
    let (mut head, mut rest) = request.into_parts();
    let Some(boundary) = boundary(&head.headers) else {
        return Err("The Content-Type of the form has no boundary.".to_owned());
    };
    let mut read = BytesMut::new();
    let fields = loop {
        if let Some(fields) = fields(&read, &boundary)? {
            break fields;
        }
        if read.len() > MOST {
            return Err("The fields before the file are too large.".to_owned());
        }
        match rest.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    read.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("The form has no file.".to_owned()),
        }
    };
    let mut key = String::new();
    let mut read = read.freeze();
    let mut form = Form::default();
    for field in fields.named {
        let name = field.name.to_ascii_lowercase();
        if name == "key" {
            key = field.value.replace(FILENAME, &fields.file);
            if field.value.contains(FILENAME) {
                let (before, after) = (read.slice(..field.span.0), read.slice(field.span.1..));
                read = [&before, key.as_bytes(), &after].concat().into();
            }
        }
        form.0.push((name, field.value));
    }
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let place = Place {
        location: format!("http://{host}{}/{}", head.uri.path().trim_end_matches('/'), encode(&key)),
    };
    head.extensions.insert(form);
    // The length of what was sent is not that of what goes on.
    head.headers.remove(header::CONTENT_LENGTH);
    let body = Body::http_body_unsync(Joined { read: Some(read), rest });
    Ok((Request::from_parts(head, body), place))
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

/// A field, and where its value stands in the body.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    value: String,
    span: (usize, usize),
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
        let span = (from, to);
        let value = body.get(span.0..span.1).and_then(|value| std::str::from_utf8(value).ok());
        named.push(Field { name, value: value.ok_or_else(malformed)?.to_owned(), span });
        at = to + between.len();
        match body.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Err(malformed()),
            None => return Ok(None),
        }
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
            assert_eq!(HEAD.get(field.span.0..field.span.1), Some(field.value.as_str()));
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
