//! Bodies of requests, which come before a component is called: one that comes slowly occupies no
//! instance.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Request, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
};
use tokio::time::{Instant, timeout_at};

use crate::server::Refusal;

/// How long a body may take.
const TIME: Duration = Duration::from_secs(10);

/// The largest body that is waited for: more than a hub takes. A component gets a larger one as it comes.
const BYTES: usize = 256 * 1024;

/// Waits for the body of a request.
///
/// # Errors
/// It does not come in time.
pub async fn arrived(request: Request<Incoming>) -> Result<Request<Arrived>, Refusal> {
    let (parts, mut rest) = request.into_parts();
    let deadline = Instant::now() + TIME;
    let mut first = BytesMut::new();
    let is_large = rest.size_hint().lower() > BYTES as u64;
    while !is_large && first.len() <= BYTES && !rest.is_end_stream() {
        let frame = timeout_at(deadline, rest.frame()).await.map_err(|_| {
            let message = "the body of the request did not come in time";
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).retry_after(1)
        })?;
        match frame {
            // Trailers are not for us.
            Some(Ok(frame)) => first.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => {
                let message = "the body of the request broke off";
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "bad_request",
                    message,
                ));
            }
            None => break,
        }
    }
    let body = Arrived {
        first: first.freeze(),
        rest,
    };
    Ok(Request::from_parts(parts, body))
}

/// A body of which the beginning is here, and mostly all of it.
pub struct Arrived {
    first: Bytes,
    rest: Incoming,
}

impl Body for Arrived {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, first) = (self.rest.size_hint(), self.first.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}
