//! Which web pages may open a WebSocket.

use std::net::{IpAddr, SocketAddr};

use hyper::Uri;

/// A browser says in the `Origin` header which page opens a WebSocket; what sends none is not a
/// browser and is always allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Pages of this machine, on any port, and these origins. A page whose name merely points here is
    /// refused, since any page can make its name do so: for a loopback address.
    Loopback(Vec<String>),
    /// The host's own pages: those whose origin is what they call this host.
    Same,
    /// The host's own pages and these origins, such as `https://chat.example`.
    Listed(Vec<String>),
    /// Any page at all. To be asked for by name.
    Any,
}

impl Origins {
    /// What is safe for a listener at this address.
    pub fn for_address(address: SocketAddr) -> Self {
        if address.ip().is_loopback() {
            Self::Loopback(Vec::new())
        } else {
            Self::Same
        }
    }

    /// Whether an edge answers to this `Host`. On loopback it is called by a name of loopback, or, behind
    /// a proxy, by that of an origin which is listed: any other name may be that of a foreign page which
    /// made it point here. On other addresses an edge does not know what it is called.
    pub(super) fn knows(&self, host: Option<&str>) -> bool {
        match (self, host) {
            (Self::Loopback(listed), Some(host)) => {
                is_loopback(&format!("http://{host}"))
                    || listed.iter().any(|origin| is_same(origin, host))
            }
            // By HTTP/1.0, which no browser speaks.
            (Self::Loopback(_), None) | (Self::Same | Self::Listed(_) | Self::Any, _) => true,
        }
    }

    /// `host` is the request's `Host` header.
    pub(super) fn allow(&self, origin: Option<&str>, host: &str) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::Loopback(listed) => is_loopback(origin) || is_listed(listed, origin),
            Self::Same => is_same(origin, host),
            Self::Listed(listed) => is_same(origin, host) || is_listed(listed, origin),
        }
    }
}

fn is_listed(listed: &[String], origin: &str) -> bool {
    listed
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

fn is_same(origin: &str, host: &str) -> bool {
    web_authority(origin).is_some_and(|uri| {
        uri.authority()
            .is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host))
    })
}

fn is_loopback(origin: &str) -> bool {
    let Some(uri) = web_authority(origin) else {
        return false;
    };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// An origin of a web page, not the `null` of a sandboxed one.
fn web_authority(origin: &str) -> Option<Uri> {
    let uri: Uri = origin.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_judged_by_the_setting() {
        let loopback = Origins::Loopback(Vec::new());
        let listed = Origins::Listed(vec!["https://app.example".to_owned()]);
        let behind = Origins::Loopback(vec!["https://app.example".to_owned()]);
        let cases = [
            (&loopback, None, "chat.example", true),
            (
                &loopback,
                Some("http://localhost:5173"),
                "127.0.0.1:3000",
                true,
            ),
            (
                &loopback,
                Some("http://127.0.0.1:3000"),
                "127.0.0.1:3000",
                true,
            ),
            (&loopback, Some("http://[::1]:3000"), "[::1]:3000", true),
            (&loopback, Some("http://edge.localhost"), "localhost", true),
            (
                &loopback,
                Some("http://evil.example:3000"),
                "evil.example:3000",
                false,
            ),
            (
                &loopback,
                Some("http://localhost.evil.example"),
                "localhost",
                false,
            ),
            (&loopback, Some("http://notlocalhost"), "localhost", false),
            (&loopback, Some("null"), "localhost", false),
            (
                &Origins::Same,
                Some("https://chat.example"),
                "chat.example",
                true,
            ),
            (
                &Origins::Same,
                Some("https://Chat.example:8443"),
                "chat.example:8443",
                true,
            ),
            (
                &Origins::Same,
                Some("https://chat.example:8443"),
                "chat.example",
                false,
            ),
            (
                &Origins::Same,
                Some("https://evil.example"),
                "chat.example",
                false,
            ),
            (&Origins::Same, Some("null"), "null", false),
            (&behind, Some("https://app.example"), "app.example", true),
            (&behind, Some("http://localhost"), "app.example", true),
            (&behind, Some("http://evil.example"), "evil.example", false),
            (&listed, Some("https://app.example"), "chat.example", true),
            (&listed, Some("https://chat.example"), "chat.example", true),
            (&listed, Some("http://app.example"), "chat.example", false),
            (&Origins::Any, Some("null"), "chat.example", true),
        ];
        for (origins, origin, host, allowed) in cases {
            assert_eq!(
                origins.allow(origin, host),
                allowed,
                "{origins:?} {origin:?} at {host}"
            );
        }
    }

    #[test]
    fn a_loopback_listener_trusts_loopback_pages_only() {
        assert_eq!(
            Origins::for_address(([127, 0, 0, 1], 3000).into()),
            Origins::Loopback(Vec::new())
        );
        assert_eq!(
            Origins::for_address(([0, 0, 0, 0], 3000).into()),
            Origins::Same
        );
    }
}
