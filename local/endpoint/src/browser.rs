//! Keeping web pages out. A page that the user opens can send requests to
//! loopback; with a known access key it could sign them as well.
//!
//! A browser names the page's origin in `Origin` (every request that can carry
//! a body) and says in `Sec-Fetch-Site` how the page's site relates to the
//! address (every request to loopback, pictures and links included). A page
//! whose own host name was made to resolve to loopback is of the same origin
//! for the browser, but its requests carry that name in `Host`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method};

use crate::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host names under which an endpoint may be addressed.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: Arc<BTreeSet<String>>,
    /// Every IP address: an endpoint that others reach does not know all of
    /// its own, and a name that was made to resolve to it is never one.
    any_address: bool,
    below_localhost: bool,
}

impl Hosts {
    /// The hosts of an endpoint that is bound to an address: the names of
    /// loopback, the address itself and `names` (without port, in any case).
    /// Bound to another address than loopback, every IP address is one too.
    pub fn of(bind: IpAddr, names: &[String]) -> Self {
        let mut all: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        all.insert("localhost".to_owned());
        Self { names: Arc::new(all), any_address: !bind.is_loopback(), below_localhost: false }
    }

    /// The same, with every name below `localhost`. Browsers resolve these to
    /// loopback themselves, so no page from elsewhere can have one.
    #[must_use]
    pub fn with_names_below_localhost(mut self) -> Self {
        self.below_localhost = true;
        self
    }

    fn has(&self, name: &str) -> bool {
        let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => name.parse::<IpAddr>().ok(),
        };
        match address {
            Some(address) => self.any_address || address.is_loopback(),
            None => self.names.contains(name) || (self.below_localhost && name.ends_with(".localhost")),
        }
    }

    /// Whether a request may come from where it comes.
    ///
    /// # Errors
    /// [`Refusal::Host`], [`Refusal::Origin`] or [`Refusal::Preflight`].
    pub(crate) fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let host = only(&head.headers, &HOST).ok_or(Refusal::Host)?.to_ascii_lowercase();
        // The official Python SDK of IMM sends its endpoint as it was given, with the
        // scheme; a browser cannot.
        let host = host.strip_prefix("http://").unwrap_or(&host).trim_end_matches('/');
        let authority: Authority = host.parse().map_err(|_| Refusal::Host)?;
        // A full URL in the request line counts more than `Host`.
        let target = head.uri.host().map(str::to_ascii_lowercase);
        if host.contains('@')
            || !self.has(authority.host())
            || target.is_some_and(|target| target != authority.host())
        {
            return Err(Refusal::Host);
        }
        if head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Err(Refusal::Preflight);
        }
        if head.headers.contains_key(ORIGIN) {
            let own = format!("http://{host}");
            let origin = only(&head.headers, &ORIGIN).ok_or(Refusal::Origin)?;
            if !origin.eq_ignore_ascii_case(&own) {
                return Err(Refusal::Origin);
            }
        }
        if head.headers.contains_key(&SEC_FETCH_SITE)
            && !matches!(only(&head.headers, &SEC_FETCH_SITE), Some("none" | "same-origin"))
        {
            return Err(Refusal::Origin);
        }
        Ok(())
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Method, headers, and what becomes of the request.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Result<(), Refusal>);

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hosts() {
        let loopback = Hosts::of(IpAddr::V4(Ipv4Addr::LOCALHOST), &["Photos.example".to_owned()]);
        let buckets = loopback.clone().with_names_below_localhost();
        let everywhere = Hosts::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &["nas.home".to_owned()]);
        let table = [
            // Host, and whether it is right for the loopback, for S3 there, and bound to all addresses.
            ("127.0.0.1:7300", [true, true, true]),
            ("127.0.0.1", [true, true, true]),
            ("LocalHost:7300", [true, true, true]),
            ("[::1]:7300", [true, true, true]),
            ("127.9.9.9", [true, true, true]),
            ("photos.example:80", [true, true, false]),
            ("nas.home:7300", [false, false, true]),
            ("192.168.1.5:7300", [false, false, true]),
            ("[fe80::1]:7300", [false, false, true]),
            ("bucket.localhost:7301", [false, true, false]),
            ("bucket.s3.localhost", [false, true, false]),
            ("evil.test:7300", [false, false, false]),
            ("localhost.evil.test", [false, false, false]),
            ("evil-localhost", [false, false, false]),
            ("127.0.0.1.evil.test", [false, false, false]),
            ("user@127.0.0.1", [false, false, false]),
            ("http://127.0.0.1:7300", [true, true, true]),
            ("http://127.0.0.1:7300/", [true, true, true]),
            ("http://evil.test:7300", [false, false, false]),
            ("2130706433", [false, false, false]),
            ("", [false, false, false]),
        ];
        for (host, want) in table {
            let head = head("GET", "/", &[("host", host)]);
            let got = [&loopback, &buckets, &everywhere].map(|hosts| hosts.check(&head).is_ok());
            assert_eq!(got, want, "{host}");
        }
        assert_eq!(loopback.check(&head("GET", "/", &[])), Err(Refusal::Host));
        let twice = head("GET", "/", &[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(loopback.check(&twice), Err(Refusal::Host));
        let target = head("GET", "http://evil.test/", &[("host", "localhost")]);
        assert_eq!(loopback.check(&target), Err(Refusal::Host));
        let target = head("GET", "http://localhost:7300/", &[("host", "localhost:7300")]);
        assert_eq!(loopback.check(&target), Ok(()));
    }

    #[test]
    fn origins() {
        let hosts = Hosts::of(IpAddr::V4(Ipv4Addr::LOCALHOST), &[]);
        let host = ("host", "127.0.0.1:7300");
        let table: [Case; 14] = [
            ("GET", &[], Ok(())),
            ("POST", &[("origin", "http://127.0.0.1:7300")], Ok(())),
            ("POST", &[("origin", "http://127.0.0.1:7301")], Err(Refusal::Origin)),
            ("POST", &[("origin", "http://localhost:7300")], Err(Refusal::Origin)),
            ("POST", &[("origin", "https://127.0.0.1:7300")], Err(Refusal::Origin)),
            ("POST", &[("origin", "http://evil.test")], Err(Refusal::Origin)),
            ("POST", &[("origin", "null")], Err(Refusal::Origin)),
            (
                "POST",
                &[("origin", "http://127.0.0.1:7300"), ("origin", "http://evil.test")],
                Err(Refusal::Origin),
            ),
            ("GET", &[("sec-fetch-site", "none")], Ok(())),
            ("GET", &[("sec-fetch-site", "same-origin")], Ok(())),
            ("GET", &[("sec-fetch-site", "same-site")], Err(Refusal::Origin)),
            ("GET", &[("sec-fetch-site", "cross-site")], Err(Refusal::Origin)),
            ("OPTIONS", &[("access-control-request-method", "PUT")], Err(Refusal::Preflight)),
            ("OPTIONS", &[], Ok(())),
        ];
        for (method, headers, want) in table {
            let mut all = vec![host];
            all.extend(headers);
            assert_eq!(hosts.check(&head(method, "/", &all)), want, "{method} {headers:?}");
        }
    }
}
