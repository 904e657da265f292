//! Which answers pages of other origins may read (Cross-Origin Resource Sharing, by the Fetch standard),
//! as on the native host.
//!
//! There are no cookies: who asks says so in `Authorization`, so nothing is answered "with credentials".

use crate::settings::Origins;
use clustertalk_core::{http::Problem, protocol::ErrorCode};
use worker::{Method, Request, Response, Result};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str = "authorization, content-type, last-event-id";
const RESPONSE_HEADERS: &str = "retry-after";
/// How long a browser may remember what it was allowed, in seconds.
const REMEMBERED: &str = "600";

/// Whose page asks, if it is one of an origin that may read the answer.
pub struct Reader(Option<String>);

/// Admits a request. One that writes must not come from a page of another origin.
pub fn admit(origins: &Origins, request: &Request) -> Result<std::result::Result<Reader, Problem>> {
    let own = request.url()?.origin().ascii_serialization();
    // One that stands twice comes as one that nobody has.
    let origin = request.headers().get("origin")?;
    let is_allowed = origins.allow(origin.as_deref(), &own);
    let reads = matches!(request.method(), Method::Get | Method::Head);
    if !is_allowed && !reads {
        let reason = "pages of this origin may not use this edge";
        return Ok(Err(Problem::because(ErrorCode::BadOrigin, reason)));
    }
    Ok(Ok(Reader(origin.filter(|_| is_allowed))))
}

/// Whether a browser asks what a page may ask.
pub fn is_preflight(request: &Request) -> Result<bool> {
    let headers = request.headers();
    Ok(request.method() == Method::Options
        && headers.has("origin")?
        && headers.has("access-control-request-method")?)
}

/// The answer to a preflight of an origin that is admitted.
pub fn preflight() -> Result<Response> {
    let response = Response::empty()?.with_status(204);
    let headers = response.headers();
    headers.set("access-control-allow-methods", METHODS)?;
    headers.set("access-control-allow-headers", REQUEST_HEADERS)?;
    headers.set("access-control-max-age", REMEMBERED)?;
    Ok(response)
}

impl Reader {
    /// Lets the page read the answer, and tells caches that this depends on whose page it is.
    pub fn sign(self, response: Response) -> Result<Response> {
        let headers = response.headers();
        headers.append("vary", "origin")?;
        if let Some(origin) = self.0 {
            headers.set("access-control-allow-origin", &origin)?;
            headers.set("access-control-expose-headers", RESPONSE_HEADERS)?;
        }
        Ok(response)
    }

    /// For the answer to nobody's page.
    pub fn nobody() -> Self {
        Self(None)
    }
}
