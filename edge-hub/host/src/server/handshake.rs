//! The opening handshake (RFC 6455, section 4.2), without input or output.

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{
    HeaderMap, Method, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, ORIGIN,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
        UPGRADE,
    },
    http::request,
};
use sha1::{Digest, Sha1};

use super::{Origins, Refusal};

/// The subprotocol that a client must offer.
pub const SUBPROTOCOL: &str = "clustertalk.v1";

/// A second value offered as a subprotocol carries a token, since browsers cannot set headers.
const TOKEN_PREFIX: &str = "bearer.";

const VERSION: &str = "13";

/// From RFC 6455, section 1.3.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A handshake that is in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub(super) accept: String,
    pub(super) token: Option<String>,
}

/// Whether the request wants to become a WebSocket, rightly or not.
pub(super) fn is_wanted(parts: &request::Parts) -> bool {
    has_token(&parts.headers, UPGRADE, "websocket") || parts.headers.contains_key(SEC_WEBSOCKET_KEY)
}

pub(super) fn check(parts: &request::Parts, origins: &Origins) -> Result<Handshake, Refusal> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        let message = "a WebSocket is opened by GET";
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
        .with_header(ALLOW, HeaderValue::from_static("GET")));
    }
    if parts.version != Version::HTTP_11 {
        return Err(bad_upgrade("a WebSocket is opened by HTTP/1.1"));
    }
    if !has_token(headers, UPGRADE, "websocket") {
        return Err(bad_upgrade("the header `Upgrade` must be `websocket`"));
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(bad_upgrade("the header `Connection` must name `Upgrade`"));
    }
    if headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
    {
        return Err(bad_upgrade("an upgrade request must have no body"));
    }
    if only(headers, SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        let message = "only version 13 of the WebSocket protocol is spoken";
        return Err(
            Refusal::new(StatusCode::UPGRADE_REQUIRED, "bad_upgrade", message)
                .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
        );
    }
    let key = only(headers, SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or_else(|| bad_upgrade("the header `Sec-WebSocket-Key` must be 16 bytes in base64"))?;
    let host = only(headers, HOST)
        .ok_or_else(|| bad_upgrade("there must be exactly one header `Host`"))?;
    // An origin that is not text is some page's too: it must not pass for none.
    let origin = headers
        .get(ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("null"));
    if !origins.allow(origin, host) {
        let message = "pages of this origin may not open a WebSocket here";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "bad_origin", message));
    }
    if !tokens(headers, SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == SUBPROTOCOL) {
        return Err(bad_upgrade(
            "the subprotocol `clustertalk.v1` must be offered",
        ));
    }
    let token = tokens(headers, SEC_WEBSOCKET_PROTOCOL)
        .find_map(|offered| offered.strip_prefix(TOKEN_PREFIX))
        .map(str::to_owned);
    Ok(Handshake {
        accept: accept(key),
        token,
    })
}

fn accept(key: &str) -> String {
    STANDARD.encode(
        Sha1::new()
            .chain_update(key)
            .chain_update(ACCEPT_SUFFIX)
            .finalize(),
    )
}

fn bad_upgrade(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "bad_upgrade", message)
}

/// The value of a header that must stand exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok().map(str::trim)
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// The members of a header that is a list, over all its lines.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const GOOD: [(&str, &str); 6] = [
        ("host", "127.0.0.1:3000"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, clustertalk.v1"),
    ];

    /// The good request with one header taken away, replaced or added.
    fn changed(name: &str, value: Option<&str>) -> request::Parts {
        let kept = GOOD.into_iter().filter(|(known, _)| *known != name);
        let mut request = Request::get("/ws");
        for (name, value) in kept.chain(value.map(|value| (name, value))) {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(parts: &request::Parts) -> Result<Handshake, Refusal> {
        super::check(parts, &Origins::Loopback(Vec::new()))
    }

    #[test]
    fn a_good_handshake_is_accepted_with_the_key_of_the_rfc() {
        let handshake = check(&changed("x-nothing", None)).unwrap();
        assert_eq!(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(handshake.token, None);
    }

    #[test]
    fn a_token_is_the_second_subprotocol() {
        let parts = changed(
            "sec-websocket-protocol",
            Some("clustertalk.v1, bearer.a.b-c_d"),
        );
        assert_eq!(check(&parts).unwrap().token.as_deref(), Some("a.b-c_d"));
    }

    #[test]
    fn bad_handshakes_are_refused_each_with_its_status() {
        let cases = [
            ("host", None, 400, "bad_upgrade"),
            ("connection", None, 400, "bad_upgrade"),
            ("connection", Some("close"), 400, "bad_upgrade"),
            ("upgrade", None, 400, "bad_upgrade"),
            ("upgrade", Some("h2c"), 400, "bad_upgrade"),
            ("sec-websocket-version", None, 426, "bad_upgrade"),
            ("sec-websocket-version", Some("8"), 426, "bad_upgrade"),
            ("sec-websocket-key", None, 400, "bad_upgrade"),
            (
                "sec-websocket-key",
                Some("dG9vIHNob3J0"),
                400,
                "bad_upgrade",
            ),
            (
                "sec-websocket-key",
                Some("not base64 at all!!!!!!!"),
                400,
                "bad_upgrade",
            ),
            ("sec-websocket-protocol", None, 400, "bad_upgrade"),
            (
                "sec-websocket-protocol",
                Some("clustertalk.v2"),
                400,
                "bad_upgrade",
            ),
            (
                "sec-websocket-protocol",
                Some("bearer.token"),
                400,
                "bad_upgrade",
            ),
            ("content-length", Some("5"), 400, "bad_upgrade"),
            ("transfer-encoding", Some("chunked"), 400, "bad_upgrade"),
            ("origin", Some("http://evil.example"), 403, "bad_origin"),
        ];
        for (name, value, status, code) in cases {
            let refusal = check(&changed(name, value)).unwrap_err();
            assert_eq!(
                (refusal.status.as_u16(), refusal.code),
                (status, code),
                "{name}: {value:?}"
            );
        }
    }

    #[test]
    fn another_version_is_told_which_one_is_spoken() {
        let refusal = check(&changed("sec-websocket-version", Some("8"))).unwrap_err();
        let version = refusal.into_response().headers()[SEC_WEBSOCKET_VERSION].clone();
        assert_eq!(version, "13");
    }

    #[test]
    fn another_method_and_an_old_http_are_refused() {
        let mut parts = changed("x-nothing", None);
        parts.method = Method::POST;
        assert_eq!(
            check(&parts).unwrap_err().status,
            StatusCode::METHOD_NOT_ALLOWED
        );
        let mut parts = changed("x-nothing", None);
        parts.version = Version::HTTP_10;
        assert_eq!(check(&parts).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_header_that_must_stand_once_must_not_stand_twice() {
        for name in ["sec-websocket-key", "sec-websocket-version", "host"] {
            let mut parts = changed("x-nothing", None);
            let again = parts.headers[name].clone();
            parts.headers.append(HeaderName::from_static(name), again);
            assert!(check(&parts).is_err(), "{name}");
        }
    }
}
