//! Which answers pages of other origins may read (Cross-Origin Resource Sharing, by the Fetch standard).
//!
//! There are no cookies: who asks says so in `Authorization`, so nothing is answered "with credentials".

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
        HeaderName, HeaderValue, ORIGIN, VARY,
    },
};

use super::{Origins, Refusal};

/// How long a browser may remember what it was allowed, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, last-event-id");
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("retry-after");

/// Whose page asks, if it is one of an origin that may read the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Reader(Option<HeaderValue>);

impl Origins {
    /// Admits a plain request. One that writes must not come from a page of another origin, and a page
    /// whose name merely points to this machine must not even read from it.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<Reader, Refusal> {
        let headers = request.headers();
        let host = only(headers, HOST);
        let origin = only(headers, ORIGIN);
        let is_allowed = self.allow(origin, host.unwrap_or_default());
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !(self.knows(host) && (is_allowed || reads)) {
            let reason = "pages of this origin may not use this edge";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "bad_origin", reason));
        }
        let origin = headers.get(ORIGIN).filter(|_| is_allowed);
        Ok(Reader(origin.cloned()))
    }
}

/// Whether a browser asks what a page may ask, which is for no component to know.
pub fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of an origin that is admitted.
pub fn preflight<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    response
}

impl Reader {
    /// Lets the page read the answer, and tells caches that this depends on whose page it is.
    pub fn sign<B>(self, mut response: Response<B>) -> Response<B> {
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.0 {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
        response
    }

    /// For the answer to nobody's page.
    pub fn nobody() -> Self {
        Self(None)
    }
}

/// The value of a header; one that stands twice or is not text is somebody's too, and must not pass for
/// none.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().unwrap_or("null");
    Some(if values.next().is_some() {
        "null"
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, host: &str, origins: &[&str]) -> Request<()> {
        let mut request = Request::builder().method(method).header("host", host);
        for origin in origins {
            request = request.header("origin", *origin);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_page_reads_and_writes_by_its_origin() {
        let loopback = Origins::Loopback(Vec::new());
        let listed = Origins::Listed(vec!["https://app.example".to_owned()]);
        let behind = Origins::Loopback(vec!["https://app.example".to_owned()]);
        let (evil, app) = ("https://evil.example", "https://app.example");
        let local = "http://localhost:5173";
        // Whether it is answered, and whether the page may read the answer.
        #[rustfmt::skip]
        let cases = [
            (&loopback,          "GET",    "127.0.0.1:3000",  &[][..],          true,  false),
            (&loopback,          "GET",    "127.0.0.1:3000",  &[evil][..],      true,  false),
            (&loopback,          "GET",    "127.0.0.1:3000",  &[local][..],     true,  true),
            (&loopback,          "POST",   "127.0.0.1:3000",  &[][..],          true,  false),
            (&loopback,          "POST",   "127.0.0.1:3000",  &[evil][..],      false, false),
            (&loopback,          "POST",   "127.0.0.1:3000",  &[local][..],     true,  true),
            (&loopback,          "POST",   "127.0.0.1:3000",  &[local, evil],   false, false),
            (&loopback,          "POST",   "127.0.0.1:3000",  &["null"][..],    false, false),
            (&loopback,          "GET",    "evil.example",    &[][..],          false, false),
            (&loopback,          "GET",    "localhost:3000",  &[][..],          true,  false),
            (&behind,            "POST",   "127.0.0.1:3000",  &[local][..],     true,  true),
            (&behind,            "POST",   "app.example",     &[app][..],       true,  true),
            (&behind,            "GET",    "app.example",     &[][..],          true,  false),
            (&behind,            "GET",    "evil.example",    &[][..],          false, false),
            (&behind,            "POST",   "evil.example",    &["http://evil.example"][..], false, false),
            (&listed,            "DELETE", "chat.example",    &[app][..],       true,  true),
            (&listed,            "GET",    "chat.example",    &[evil][..],      true,  false),
            (&listed,            "DELETE", "chat.example",    &[evil][..],      false, false),
            (&listed,            "OPTIONS", "chat.example",   &[evil][..],      false, false),
            (&Origins::Any,      "DELETE", "chat.example",    &[evil][..],      true,  true),
        ];
        for (origins, method, host, from, answered, readable) in cases {
            let reader = origins.admit(&request(method, host, from));
            let case = format!("{origins:?} {method} {host} {from:?}");
            assert_eq!(reader.is_ok(), answered, "{case}");
            let signed = reader.unwrap_or(Reader::nobody()).sign(Response::new(()));
            let allowed = signed.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
            let expected = from.first().filter(|_| readable);
            assert_eq!(
                allowed.map(|origin| origin.to_str().unwrap()),
                expected.copied(),
                "{case}"
            );
            assert_eq!(signed.headers()[VARY], "origin", "{case}");
        }
    }
}
