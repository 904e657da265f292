//! Answers and problems as JSON.

use crate::api::status;
use crate::event::NoAnswer;
use crate::ids::RoomName;
use crate::protocol::codes::Retry;
use crate::protocol::{ErrorCode, ErrorFrame, ServerFrame};
use crate::store::Term;
use crate::time::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// When to try again what failed for no reason of the caller's.
const RETRY: Duration = Duration::from_secs(1);

/// An answer with all its headers but those that every answer of a platform has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// A room in whose log something was stored by this. The overall figures are behind with it
    /// ([`Api::bring_overall_up`](super::Api::bring_overall_up)), and a host that hears of news in no
    /// other way has to look.
    pub stored_in: Option<RoomName>,
}

impl Answer {
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::of(status, serde_json::to_vec(body).unwrap_or_default())
    }

    /// What is JSON already.
    pub(super) fn text(json: String) -> Self {
        Self::of(200, json.into_bytes())
    }

    fn of(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ],
            body,
            stored_in: None,
        }
    }
}

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug)]
pub struct Problem {
    error: Box<ErrorFrame>,
    /// The methods that the path takes, for one that it does not.
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

    pub(super) fn forbidden(room: RoomName) -> Self {
        ServerFrame::error(ErrorCode::Forbidden)
            .in_room(room)
            .into()
    }

    pub(super) fn banned(room: RoomName, term: Term, now: Timestamp) -> Self {
        let error = ServerFrame::error(ErrorCode::Banned).in_room(room);
        match term.until {
            Some(until) => error.retry_after(until.since(now)).into(),
            None => error.into(),
        }
    }
}

impl From<ErrorFrame> for Problem {
    fn from(error: ErrorFrame) -> Self {
        Self {
            error: Box::new(error),
            allow: None,
        }
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
impl From<Problem> for Answer {
    fn from(Problem { mut error, allow }: Problem) -> Self {
        if error.code.retry() == Retry::Backoff && error.retry_after_ms.is_none() {
            *error = error.retry_after(RETRY);
        }
        let (code, retry_after_ms) = (error.code, error.retry_after_ms);
        let mut answer = Self::json(status(code), &ServerFrame::Error(error));
        if let Some(millis) = retry_after_ms {
            let seconds = millis.div_ceil(1000).to_string();
            answer.headers.push(("retry-after", seconds));
        }
        if answer.status == 401 {
            let challenge = ("www-authenticate", "Bearer".to_owned());
            answer.headers.push(challenge);
        }
        if let Some(methods) = allow {
            answer.headers.push(("allow", methods));
        }
        answer
    }
}
