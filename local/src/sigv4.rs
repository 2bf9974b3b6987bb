//! Holding a request to AWS Signature Version 4, for the endpoints that are
//! our own.

use axum::http::request::Parts;
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn hmac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

fn canonical_query(query: &str) -> String {
    let recode =
        |text: &str| utf8_percent_encode(&percent_decode_str(text).decode_utf8_lossy(), RESERVED).to_string();
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}={}", recode(key), recode(value))
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The signature of a request, as its head has it.
pub(crate) struct Claim {
    signed: String,
    date: String,
    day: String,
    region: String,
    service: String,
    signature: Vec<u8>,
}

/// Reads the signature of a request, by header, if it is a whole one, names the
/// key and is not older than 15 minutes. Nothing of it is verified.
pub(crate) fn claim(head: &Parts, access_key_id: &str) -> Option<Claim> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let rest = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part =
        |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let mut scope = credential.split('/');
    let (id, day, region, service) = (scope.next()?, scope.next()?, scope.next()?, scope.next()?);
    if id != access_key_id || !signed.split(';').any(|name| name == "host") {
        return None;
    }
    let date = header("x-amz-date")?;
    let sent = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).ok()?.to_datetime().ok()?;
    let sent = sent.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    if jiff::Timestamp::now().duration_since(sent).as_secs().abs() > 15 * 60 || !date.starts_with(day) {
        return None;
    }
    Some(Claim {
        signed: signed.to_owned(),
        date: date.to_owned(),
        day: day.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signature: hex::decode(signature).ok()?,
    })
}

impl Claim {
    /// Whether the signature holds for this head and body.
    pub(crate) fn holds(&self, head: &Parts, body: &[u8], secret: &str) -> bool {
        self.verify(head, body, secret).unwrap_or(false)
    }

    fn verify(&self, head: &Parts, body: &[u8], secret: &str) -> Option<bool> {
        let Self { signed, date, day, region, service, signature } = self;
        let mut headers = String::new();
        for name in signed.split(';') {
            let values: Vec<&str> = head
                .headers
                .get_all(name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .map(str::trim)
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{signed}\n{}",
            head.method,
            head.uri.path(),
            canonical_query(head.uri.query().unwrap_or_default()),
            hex::encode(Sha256::digest(body))
        );
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let key = hmac(format!("AWS4{secret}").as_bytes(), day)?;
        let key = hmac(&hmac(&hmac(&key, region)?, service)?, "aws4_request")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(to_sign.as_bytes());
        // Constant-time comparison.
        Some(mac.verify_slice(signature).is_ok())
    }
}
