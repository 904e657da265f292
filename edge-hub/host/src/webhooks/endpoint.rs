//! One server of the operator: what it is told, by which connections, and how that goes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use clustertalk_core::{
    ids::RoomName,
    protocol::{WebhookEvent, WebhookType},
    store::Webhooks as Told,
    time::Timestamp,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    client::conn::http1::SendRequest,
    header::{CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout},
};
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::signature::Secret;
use crate::{clock, http_client};

/// How long connection, request and answer may take together.
pub(super) const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Of an answer only the status matters; a longer one costs its connection.
const ANSWER_BYTES: usize = 64 << 10;
/// Requests to one endpoint at a time.
const AT_ONCE: usize = 8;
/// A receiver may ask for a longer pause than this, and does not get it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What is set of an endpoint.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// Under which Redis knows how far it has been told.
    pub name: String,
    pub url: Url,
    /// Each signs; more than one while one is replaced.
    pub secrets: Vec<Secret>,
    /// All, if there is none.
    pub events: Vec<WebhookType>,
    /// Names, or beginnings of names followed by `*`. All, if there is none.
    pub rooms: Vec<String>,
    /// Whether it is told of private rooms and direct messages.
    pub private_rooms: bool,
}

impl EndpointSettings {
    pub fn wants(&self, room: &RoomName) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => room.as_str().starts_with(start),
            None => room.as_str() == pattern,
        };
        self.told().include(room) && (self.rooms.is_empty() || self.rooms.iter().any(fits))
    }

    pub fn told(&self) -> Told {
        match self.private_rooms {
            true => Told::AllRooms,
            false => Told::PublicRooms,
        }
    }
}

/// What has become of events since the start.
#[derive(Debug, Default)]
pub struct Figures {
    pub delivered: AtomicU64,
    /// Requests that were not answered as they should.
    pub failed: AtomicU64,
    /// Events that were given up for their age, as the endpoint was told.
    pub expired: AtomicU64,
    /// Events that a full queue dropped, as the endpoint was told.
    pub dropped: AtomicU64,
}

/// An endpoint at work.
pub struct Endpoint {
    pub settings: EndpointSettings,
    pub figures: Figures,
    trust: Arc<ClientConfig>,
    /// When it was set up: what happened before is not for it.
    pub(super) since: OnceCell<Timestamp>,
    pub(super) turns: Semaphore,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// Of each room: when happened what is next to be told from here.
    waiting: Mutex<HashMap<RoomName, Timestamp>>,
    gone: AtomicBool,
    /// It asked for a pause until then.
    paused: Mutex<Option<Instant>>,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The receiver wants nothing more, ever.
    Gone,
}

impl Endpoint {
    pub(super) fn new(settings: EndpointSettings, trust: Arc<ClientConfig>) -> Self {
        Self {
            settings,
            figures: Figures::default(),
            trust,
            since: OnceCell::new(),
            turns: Semaphore::new(AT_ONCE),
            idle: Mutex::default(),
            waiting: Mutex::default(),
            gone: AtomicBool::new(false),
            paused: Mutex::default(),
        }
    }

    /// Whether it has answered 410.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The age of the oldest event that is being told from here.
    pub fn lag(&self) -> Duration {
        let oldest = lock(&self.waiting).values().min().copied();
        oldest.map_or(Duration::ZERO, |at| clock::now().since(at))
    }

    pub(super) fn note_waiting(&self, room: &RoomName, at: Option<Timestamp>) {
        let mut waiting = lock(&self.waiting);
        match at {
            Some(at) => drop(waiting.insert(room.clone(), at)),
            None => drop(waiting.remove(room)),
        }
    }

    /// How long the receiver asked not to be disturbed.
    pub(super) fn pause(&self) -> Option<Duration> {
        let until = (*lock(&self.paused))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Tells an event once.
    pub(super) async fn deliver(&self, event: &WebhookEvent) -> Outcome {
        let body = body(event);
        let sent = timeout(REQUEST_TIME, self.post(&event.id, &body)).await;
        let (status, headers) = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return failed(format!("{error:#}")),
            Err(_) => return failed(format!("no answer in {} s", REQUEST_TIME.as_secs())),
        };
        if status.is_success() {
            return Outcome::Delivered;
        }
        if status == StatusCode::GONE {
            self.gone.store(true, Ordering::Relaxed);
            return Outcome::Gone;
        }
        let retry_after = retry_after(&headers, SystemTime::now());
        if let Some(pause) = retry_after {
            *lock(&self.paused) = Instant::now().checked_add(pause);
        }
        Outcome::Failed {
            reason: format!("answered {status}"),
            retry_after,
        }
    }

    async fn post(&self, id: &str, body: &str) -> Result<(StatusCode, HeaderMap)> {
        let kept = lock(&self.idle).pop();
        if let Some(mut connection) = kept
            && connection.ready().await.is_ok()
            && let Ok(answer) = self.post_on(connection, id, body).await
        {
            return Ok(answer);
        }
        // There was none, or it had been closed meanwhile.
        let connection = http_client::connect_trusting(&self.settings.url, &self.trust).await?;
        self.post_on(connection, id, body).await
    }

    async fn post_on(
        &self,
        mut connection: SendRequest<Full<Bytes>>,
        id: &str,
        body: &str,
    ) -> Result<(StatusCode, HeaderMap)> {
        let url = &self.settings.url;
        let timestamp = clock::now().as_millis() / 1000;
        let secrets = self.settings.secrets.iter();
        let signatures: Vec<String> = secrets
            .map(|secret| secret.sign(id, timestamp, body))
            .collect();
        let request = Request::post(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, http_client::host(url))
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("clustertalk/", env!("CARGO_PKG_VERSION")),
            )
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        let answer = connection.send_request(request).await;
        let (parts, body) = answer.context("no answer came")?.into_parts();
        let read = Limited::new(body, ANSWER_BYTES).collect().await;
        if read.is_ok() {
            let mut idle = lock(&self.idle);
            if idle.len() < AT_ONCE {
                idle.push(connection);
            }
        }
        Ok((parts.status, parts.headers))
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed {
        reason,
        retry_after: None,
    }
}

fn body(event: &WebhookEvent) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(event.at.as_millis());
    serde_json::json!({
        "type": event.kind.as_str(),
        "timestamp": humantime::format_rfc3339_millis(at).to_string(),
        "data": event.data,
    })
    .to_string()
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let span = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(span.min(LONGEST_RETRY_AFTER))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date_and_is_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        for (text, seconds) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:57 GMT", Some(20)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("86400", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a value"));
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
    }

    #[test]
    fn rooms_are_chosen_by_name_and_private_ones_are_asked_for() {
        let cases: [(&[&str], bool, &str, bool); 7] = [
            (&[], false, "general", true),
            (&[], false, "private-plans-0011223344556677", false),
            (&[], true, "direct-0011223344556677", true),
            (&["general"], false, "general", true),
            (&["general"], false, "generals", false),
            (&["team-*", "general"], false, "team-a", true),
            (
                &["private-*"],
                false,
                "private-plans-0011223344556677",
                false,
            ),
        ];
        for (rooms, private_rooms, room, expected) in cases {
            let settings = EndpointSettings {
                name: "crm".to_owned(),
                url: Url::parse("https://example.org").expect("a URL"),
                secrets: Vec::new(),
                events: Vec::new(),
                rooms: rooms.iter().map(|&room| room.to_owned()).collect(),
                private_rooms,
            };
            let room = RoomName::parse(room).expect("a name");
            assert_eq!(settings.wants(&room), expected, "{room} of {rooms:?}");
        }
    }
}
