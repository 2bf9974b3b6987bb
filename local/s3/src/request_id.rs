//! The ids by which S3 names a request in every answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Response};
use s3s::Body;
use uuid::Uuid;

/// The end of every error's document.
const END: &str = "</Error>";

/// The two ids of a request.
struct Ids {
    request: String,
    host: String,
}

impl Ids {
    fn new() -> Self {
        let text = Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        let host = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        Self { request: text.chars().take(16).collect(), host: STANDARD.encode(host) }
    }

    fn insert(&self, headers: &mut HeaderMap) {
        for (name, id) in [("x-amz-request-id", &self.request), ("x-amz-id-2", &self.host)] {
            if let Ok(value) = HeaderValue::from_str(id) {
                headers.insert(name, value);
            }
        }
    }

    /// The document of an error with the ids in it.
    fn write_into(&self, document: &str) -> Option<String> {
        let before = document.trim_end().strip_suffix(END)?;
        Some(format!("{before}<RequestId>{}</RequestId><HostId>{}</HostId>{END}", self.request, self.host))
    }
}

/// Adds the ids to an answer.
pub(crate) fn add(mut response: Response<Body>) -> Response<Body> {
    let ids = Ids::new();
    ids.insert(response.headers_mut());
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error
        && let Some(bytes) = response.body().bytes()
        && let Some(document) = std::str::from_utf8(&bytes).ok().and_then(|text| ids.write_into(text))
    {
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(document);
    }
    response
}

/// Adds the ids to the answer to a request that was refused.
pub(crate) fn add_to_refusal(mut response: Response<String>) -> Response<String> {
    let ids = Ids::new();
    ids.insert(response.headers_mut());
    if let Some(document) = ids.write_into(response.body()) {
        *response.body_mut() = document;
    }
    response
}
