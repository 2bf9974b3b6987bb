//! Requests and answers, as the gateway sees them.

use serde_json::Value;

use super::encoding;

/// A request, decoded as far as HTTP goes.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// The method, in upper case.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query string, as it came, without `?`.
    pub query: String,
    /// The headers, names in lower case, in the order that they came in.
    pub headers: Vec<(String, String)>,
    /// The body. Not base64: the caller has decoded it.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of a name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The action: the header of new clients, the parameter of old ones.
    pub fn action(&self) -> Option<String> {
        self.header("x-acs-action").map(str::to_owned).or_else(|| self.parameter("Action"))
    }

    /// The API version, in the same two ways.
    pub fn version(&self) -> Option<String> {
        self.header("x-acs-version").map(str::to_owned).or_else(|| self.parameter("Version"))
    }

    /// The type of the body, in lower case; empty where nothing is said.
    pub(super) fn content_type(&self) -> String {
        self.header("content-type").unwrap_or_default().to_lowercase()
    }

    /// A parameter of the query string, or else of a form.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let is_wanted = |key: &str| key == name;
        encoding::first(&self.query, is_wanted)
            .or_else(|| encoding::form(self).and_then(|form| encoding::first(&form, is_wanted)))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl HttpResponse {
    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A JSON answer with the request id in its headers.
    pub fn json(status: u16, body: &Value, request_id: &str) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type".into(), "application/json;charset=utf-8".into()),
                // The same id for each kind of client.
                ("x-acs-request-id".into(), request_id.into()),
                ("x-request-id".into(), request_id.into()),
            ],
            body: body.to_string(),
        }
    }
}
