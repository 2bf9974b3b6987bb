//! The API endpoint: plain HTTP in front of the gateway.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::serve::Listener;
use mediadex_core::gateway::{Gateway, HttpRequest, HttpResponse, MAX_BODY, body_too_large, url_too_long};
use mediadex_core::{Code, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// How long a client that was refused may take to read why.
const LINGER: Duration = Duration::from_secs(2);

/// Serves the gateway until told to stop.
pub(crate) fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    gateway: Gateway,
    stop: CancellationToken,
) {
    let listener = Explaining { listener, gateway: gateway.clone() };
    let router = Router::new().fallback(answer).with_state(gateway);
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the API endpoint ended");
        }
    });
}

async fn answer(State(gateway): State<Gateway>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return encode(gateway.refuse(head.uri.path(), &body_too_large()));
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let request = HttpRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    };
    encode(gateway.handle(request).await)
}

fn encode(response: HttpResponse) -> Response<Body> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(response.body)).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Connections on which even what is no HTTP request gets an error of the API.
///
/// The HTTP library refuses a URL that is too long, too many headers, or what
/// is no HTTP at all before anything of ours is asked, with an empty body that
/// clients cannot read. Its refusal is one write that begins with the status
/// and has no body, which no answer of ours is; here it gets one.
struct Explaining {
    listener: TcpListener,
    gateway: Gateway,
}

impl Listener for Explaining {
    type Io = Explained;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Explained { stream, gateway: self.gateway.clone(), late: Vec::new(), linger: None }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

struct Explained {
    stream: TcpStream,
    gateway: Gateway,
    /// What is still to be written in the place of the library's refusal.
    late: Vec<u8>,
    /// Set once a refusal was given.
    linger: Option<Pin<Box<Sleep>>>,
}

/// The library's refusal, if this is one.
fn refusal(written: &[u8]) -> Option<Error> {
    let text = std::str::from_utf8(written).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?.get(..3)?;
    if !text.ends_with("\r\n\r\n") || !text.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    match status {
        "414" => Some(url_too_long()),
        "431" => Some(Error::with_code(Code::RequestTooLarge, "The request's URL or headers are too large.")),
        "400" => Some(Error::invalid_argument("This is not a valid HTTP request.")),
        _ => None,
    }
}

impl Explained {
    fn explain(&self, error: &Error) -> Vec<u8> {
        let answer = self.gateway.refuse("/", error);
        let reason =
            StatusCode::from_u16(answer.status).ok().and_then(|s| s.canonical_reason()).unwrap_or("");
        let mut text = format!("HTTP/1.1 {} {reason}\r\n", answer.status);
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", answer.body.len()));
        text.push_str(&answer.body);
        text.into_bytes()
    }

    fn write_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.late.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.late))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.late.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Explained {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Explained {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_late(cx))?;
        if let Some(error) = refusal(buf) {
            self.late = self.explain(&error);
            self.linger = Some(Box::pin(tokio::time::sleep(LINGER)));
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_late(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_late(cx))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        let this = &mut *self;
        let Some(linger) = this.linger.as_mut() else { return Poll::Ready(Ok(())) };
        // What the client is still sending is read and dropped: closed with
        // unread bytes, a connection is reset and the answer lost.
        let mut scratch = [0; 4096];
        while linger.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_refusals_are_replaced() {
        let table = [
            ("HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\ndate: x\r\n\r\n", Some(414)),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n", Some(413)),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Some(400)),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            ("{}", None),
        ];
        for (written, status) in table {
            assert_eq!(refusal(written.as_bytes()).map(|error| error.code().status()), status, "{written}");
        }
    }
}
