//! The API endpoint: plain HTTP in front of the gateway.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use mediadex_core::gateway::{
    Gateway, HttpRequest, HttpResponse, MAX_BODY, Precheck, body_too_large, url_too_long,
};
use mediadex_core::{Code, Error};
use mediadex_endpoint::{BodyError, Caller, Handler, Hosts, Limits, Refusal, RequestBody, Unverified};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves the gateway until told to stop.
pub(crate) fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    gateway: Gateway,
    hosts: Hosts,
    unverified: Unverified,
    stop: CancellationToken,
) {
    let api = Api { gateway, unverified };
    tasks.spawn(async move {
        let stopped = stop.cancelled_owned();
        let served = mediadex_endpoint::serve(listener, api, hosts, Limits::default(), stopped).await;
        if let Err(error) = served {
            tracing::error!(%error, "the API endpoint ended");
        }
    });
}

#[derive(Clone)]
struct Api {
    gateway: Gateway,
    unverified: Unverified,
}

impl Handler for Api {
    type Body = Body;

    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if body.size_hint().lower() > MAX_BODY as u64 {
            let error = body_too_large(MAX_BODY);
            return encode(self.gateway.refuse(head.uri.path(), &error)).map(Body::from);
        }
        let caller = head.extensions.get::<Caller>();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut request = HttpRequest {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers,
            body: Vec::new(),
        };
        let (read, max, is_verified) = match self.gateway.precheck(&request).await {
            Precheck::Refused(response) => return encode(response).map(Body::from),
            Precheck::Verified => {
                if let Some(caller) = caller {
                    caller.set_verified();
                }
                let read = mediadex_endpoint::read(body, MAX_BODY).await;
                (read.map(|bytes| (bytes, None)), MAX_BODY, true)
            }
            Precheck::NeedsBody { max } => {
                let read = self.unverified.read(body, max).await;
                (read.map(|held| (held.bytes, Some(held.share))), max, false)
            }
        };
        let (bytes, share) = match read {
            Ok(read) => read,
            Err(error) => {
                let error = unreadable(&error, max);
                return encode(self.gateway.refuse(head.uri.path(), &error)).map(Body::from);
            }
        };
        request.body = bytes.into();
        let response = self.gateway.handle(request).await;
        drop(share);
        if let Some(caller) = caller.filter(|_| !is_verified && response.status < 400) {
            caller.set_verified();
        }
        encode(response).map(Body::from)
    }

    fn refuse(&self, path: &str, refusal: Refusal) -> Response<String> {
        let error = match refusal {
            Refusal::Host => Error::with_code(Code::MisdirectedRequest, refusal.message()),
            Refusal::Origin | Refusal::Preflight => Error::with_code(Code::NoPermission, refusal.message()),
            Refusal::NotHttp => Error::invalid_argument(refusal.message()),
            Refusal::UrlTooLong => url_too_long(),
            Refusal::HeadTooLarge => Error::with_code(Code::RequestTooLarge, refusal.message()),
            Refusal::Busy => Error::with_code(Code::ServiceUnavailable, refusal.message()),
        };
        encode(self.gateway.refuse(path, &error))
    }
}

/// The error of a body that could not be read.
fn unreadable(error: &BodyError, max: usize) -> Error {
    match error {
        BodyError::TooLarge => body_too_large(max),
        BodyError::TooSlow => Error::with_code(Code::RequestTimeout, "The request's body came too slowly."),
        BodyError::Busy => Error::with_code(
            Code::ServiceUnavailable,
            "Too many large bodies are being read whose signature is not in the headers; try again later, or sign with ACS3-HMAC-SHA256.",
        ),
        BodyError::Broken(_) => Error::invalid_argument("The request's body could not be read."),
    }
}

fn encode(response: HttpResponse) -> Response<String> {
    let mut encoded = Response::new(response.body);
    match StatusCode::from_u16(response.status) {
        Ok(status) => *encoded.status_mut() = status,
        Err(_) => *encoded.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    for (name, value) in &response.headers {
        // They are ours; what is not a header is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            encoded.headers_mut().append(name, value);
        }
    }
    encoded
}
