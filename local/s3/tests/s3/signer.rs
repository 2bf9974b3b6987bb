//! Requests made and signed by hand, to be wrong where a test wants them wrong.

use std::net::SocketAddr;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn sha256(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// A moment, as it stands in requests and scopes, and the key of that day.
pub(crate) struct Signer {
    pub(crate) host: String,
    pub(crate) time: String,
    pub(crate) scope: String,
    key: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::at(address, jiff::Timestamp::now())
    }

    /// One of another moment.
    pub(crate) fn at(address: SocketAddr, moment: jiff::Timestamp) -> Self {
        let time = moment.strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &time[..8];
        let scope = format!("{date}/us-east-1/s3/aws4_request");
        let key = ["us-east-1", "s3", "aws4_request"]
            .iter()
            .fold(hmac(b"AWS4sk", date), |key, part| hmac(&key, part));
        Self { host: address.to_string(), scope, key, time }
    }

    pub(crate) fn credential(&self) -> String {
        format!("ak/{}", self.scope)
    }

    /// The signature of a text that is signed as it is.
    pub(crate) fn sign_text(&self, text: &str) -> String {
        hex::encode(hmac(&self.key, text))
    }

    /// The signature over a request. Headers are in order, the query encoded and in order.
    pub(crate) fn sign(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> String {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{}\n{payload}", names(headers));
        let text =
            format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.time, self.scope, sha256(canonical.as_bytes()));
        self.sign_text(&text)
    }

    /// A presigned URL's path and query, with the host as its only header.
    pub(crate) fn presign(&self, method: &str, path: &str, expires: u64) -> String {
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host",
            self.credential().replace('/', "%2F"),
            self.time
        );
        let host = [("host", self.host.as_str())];
        let signature = self.sign(method, path, &query, &host, "UNSIGNED-PAYLOAD");
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }

    /// An Authorization header that signs these headers.
    pub(crate) fn authorization(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}, SignedHeaders={}, Signature={}",
            self.credential(),
            names(headers),
            self.sign(method, path, query, headers, payload)
        )
    }
}

fn names(headers: &[(&str, &str)]) -> String {
    headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

/// Signs a request and sends it; answers as [`send`] does. The query is encoded and in order.
pub(crate) async fn send_signed(
    signer: &Signer,
    method: &str,
    (path, query): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String) {
    let payload = sha256(body);
    let mut all = vec![
        ("host", signer.host.as_str()),
        ("x-amz-content-sha256", payload.as_str()),
        ("x-amz-date", signer.time.as_str()),
    ];
    all.extend(headers);
    all.sort_unstable();
    let authorization = signer.authorization(method, path, query, &all, &payload);
    let mut sent: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
    sent.extend(
        all.iter().filter(|(name, _)| *name != "host").map(|(name, value)| (*name, value.as_bytes())),
    );
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    send(signer.host.parse().unwrap(), method, &target, &sent, body).await
}

/// Sends a request as it is; answers the status and the text of the answer.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> (u16, String) {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for (name, value) in headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    request.extend(body);
    socket.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}
