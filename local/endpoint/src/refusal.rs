//! Why a request is refused before its endpoint is asked.

use http::StatusCode;

/// Why a request is refused. Each endpoint writes it in the shape of its own
/// errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `Host` is missing, or names a host that this endpoint does not have.
    Host,
    /// The request comes from a web page of another origin.
    Origin,
    /// A web page asks whether it may send a request from another origin.
    Preflight,
    /// This is not a valid HTTP request.
    NotHttp,
    /// The URL is longer than the HTTP library reads.
    UrlTooLong,
    /// The head of the request is larger than the HTTP library reads.
    HeadTooLarge,
    /// The port has as many connections as it may have, all of them in use.
    Busy,
}

impl Refusal {
    /// The HTTP status that fits.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Preflight => StatusCode::FORBIDDEN,
            Self::NotHttp => StatusCode::BAD_REQUEST,
            Self::UrlTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the caller may read.
    pub fn message(self) -> &'static str {
        match self {
            Self::Host => {
                "The Host of the request is not a name of this endpoint; names are added with --allowed-host."
            }
            Self::Origin => "Requests from web pages of other origins are refused.",
            Self::Preflight => "This endpoint does not take requests from web pages of other origins.",
            Self::NotHttp => "This is not a valid HTTP request.",
            Self::UrlTooLong => "The URL is too long.",
            Self::HeadTooLarge => "The request's URL or headers are too large.",
            Self::Busy => "The port has too many connections; try again later.",
        }
    }
}
