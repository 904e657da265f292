//! Answers and problems as JSON.

use clustertalk_core::api::status;
use clustertalk_core::event::NoAnswer;
use clustertalk_core::ids::RoomName;
use clustertalk_core::protocol::codes::Retry;
use clustertalk_core::protocol::{ErrorCode, ErrorFrame, ServerFrame};
use clustertalk_core::store::Term;
use clustertalk_core::time::Timestamp;
use serde::Serialize;
use spin_sdk::http::{Headers, OutgoingResponse, ResponseOutparam};

/// When to try again what failed for no reason of the caller's.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

pub struct Answer {
    status: u16,
    body: Vec<u8>,
    retry_after_ms: Option<u64>,
    /// The methods that the path takes, for one that it does not.
    allow: Option<String>,
}

impl Answer {
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            body: serde_json::to_vec(body).unwrap_or_default(),
            retry_after_ms: None,
            allow: None,
        }
    }

    /// What is JSON already.
    pub fn text(json: String) -> Self {
        Self {
            status: 200,
            body: json.into_bytes(),
            retry_after_ms: None,
            allow: None,
        }
    }

    pub async fn send(self, out: ResponseOutparam) {
        let mut headers = vec![
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("cache-control".to_owned(), b"no-store".to_vec()),
            (
                "content-length".to_owned(),
                self.body.len().to_string().into_bytes(),
            ),
        ];
        if let Some(millis) = self.retry_after_ms {
            headers.push((
                "retry-after".to_owned(),
                millis.div_ceil(1000).to_string().into_bytes(),
            ));
        }
        if self.status == 401 {
            headers.push(("www-authenticate".to_owned(), b"Bearer".to_vec()));
        }
        if let Some(methods) = self.allow {
            headers.push(("allow".to_owned(), methods.into()));
        }
        let response = response(self.status, &headers);
        // The caller may be gone; there is nobody left to tell.
        let _ = out.set_with_body(response, self.body).await;
    }
}

pub fn response(status: u16, headers: &[(String, Vec<u8>)]) -> OutgoingResponse {
    let headers = Headers::from_list(headers).unwrap_or_else(|_| Headers::new());
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    response
}

/// Why a request is not answered with what it asked for.
pub struct Problem {
    error: ErrorFrame,
    allow: Option<String>,
}

impl Problem {
    pub fn new(code: ErrorCode) -> Self {
        ServerFrame::error(code).into()
    }

    /// The path takes these methods only.
    pub fn method(allow: String) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(ErrorCode::MethodNotAllowed)
        }
    }

    pub fn because(code: ErrorCode, reason: &str) -> Self {
        ServerFrame::error(code).because(reason).into()
    }

    pub fn forbidden(room: RoomName) -> Self {
        ServerFrame::error(ErrorCode::Forbidden)
            .in_room(room)
            .into()
    }

    pub fn banned(room: RoomName, term: Term, now: Timestamp) -> Self {
        let error = ServerFrame::error(ErrorCode::Banned).in_room(room);
        match term.until {
            Some(until) => error.retry_after(until.since(now)).into(),
            None => error.into(),
        }
    }
}

impl From<ErrorFrame> for Problem {
    fn from(error: ErrorFrame) -> Self {
        Self { error, allow: None }
    }
}

impl From<NoAnswer> for Problem {
    fn from(_: NoAnswer) -> Self {
        ServerFrame::error(ErrorCode::Unavailable)
            .retry_after(RETRY)
            .into()
    }
}

/// The error frame of the protocol is the body of every problem.
pub fn problem(Problem { mut error, allow }: Problem) -> Answer {
    if error.code.retry() == Retry::Backoff && error.retry_after_ms.is_none() {
        error = error.retry_after(RETRY);
    }
    let retry_after_ms = error.retry_after_ms;
    let status = status(error.code);
    Answer {
        retry_after_ms,
        allow,
        ..Answer::json(status, &ServerFrame::Error(Box::new(error)))
    }
}
