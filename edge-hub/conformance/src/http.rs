//! HTTP as a case needs it: one request a connection, and server-sent events.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    header::{HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use crate::{transcript::Transcript, transport::Address};

/// What is asked for.
pub struct Query<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: String,
}

/// A whole answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text)
            .with_context(|| format!("{}: not JSON: {:.300}", self.status, self.text))
    }

    /// The body of an answer with this status.
    pub fn with(&self, status: u16) -> Result<Value> {
        ensure!(
            self.status == status,
            "answered {} in the place of {status}: {:.300}",
            self.status,
            self.text
        );
        self.json()
    }

    /// That it refuses with this status and error code; gives the error.
    pub fn refuses(&self, status: u16, code: &str) -> Result<Value> {
        let error = self.with(status)?;
        ensure!(
            error["type"] == "error" && error["code"] == code && error["message"].is_string(),
            "the body is not the error frame `{code}`: {error}"
        );
        Ok(error)
    }
}

/// One request and its whole answer.
pub async fn request(
    address: &Address,
    query: Query<'_>,
    transcript: &Transcript,
    patience: Duration,
) -> Result<Answer> {
    let what = format!("{} {}", query.method, query.path);
    let whole = async {
        let response = send(address, query, transcript, patience).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.context("a body that ends")?.to_bytes();
        anyhow::Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).context("a body that is text")?,
        })
    };
    let answer = timeout(patience, whole).await;
    let answer = answer
        .map_err(|_| anyhow!("no answer to {what} within {} s", patience.as_secs()))?
        .with_context(|| what.clone())?;
    let frame = serde_json::from_str(&answer.text).unwrap_or_default();
    transcript.received(
        "http",
        &frame,
        &format!("{} {}", answer.status, answer.text),
    );
    Ok(answer)
}

async fn send(
    address: &Address,
    Query {
        method,
        path,
        headers,
        body,
    }: Query<'_>,
    transcript: &Transcript,
    patience: Duration,
) -> Result<Response<Incoming>> {
    let stream = address.connect(patience, None).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut noted = format!("{method} {path} {body}");
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.authority())
        .body(Full::new(Bytes::from(body)))?;
    for (name, value) in headers {
        noted.push_str(&format!(", {name}: {value}"));
        let name = HeaderName::try_from(name)?;
        request
            .headers_mut()
            .append(name, HeaderValue::try_from(value)?);
    }
    transcript.note("http", '>', &noted);
    Ok(sender.send_request(request).await?)
}

/// A room as server-sent events.
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    transcript: Transcript,
    patience: Duration,
}

pub struct Event {
    pub id: String,
    pub name: String,
    pub data: Value,
}

/// Bytes of one event that are waited for.
const MOST_EVENT_BYTES: usize = 1 << 20;

impl Events {
    /// Opens a stream, or answers with what refuses it.
    pub async fn open(
        address: &Address,
        query: Query<'_>,
        transcript: &Transcript,
        patience: Duration,
    ) -> Result<Self> {
        let response = timeout(patience, send(address, query, transcript, patience)).await;
        let response = response.map_err(|_| anyhow!("no answer to a request for events"))??;
        ensure!(
            response.status() == 200,
            "a request for events is answered with {}",
            response.status()
        );
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
        ensure!(
            kind.starts_with("text/event-stream"),
            "events have the content type `{kind}`"
        );
        Ok(Self {
            body: response.into_body(),
            buffer: Vec::new(),
            transcript: transcript.clone(),
            patience,
        })
    }

    pub async fn next(&mut self) -> Result<Event> {
        self.next_or_end()
            .await?
            .context("the stream of events ended")
    }

    /// The next event, which has this name.
    pub async fn next_named(&mut self, name: &str) -> Result<Event> {
        let event = self.next().await?;
        ensure!(
            event.name == name,
            "an event `{}` in the place of `{name}`: {}",
            event.name,
            event.data
        );
        Ok(event)
    }

    /// `None` once the stream has ended.
    pub async fn next_or_end(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let block = String::from_utf8(block).context("events that are text")?;
                if let Some(event) = parse(&block)? {
                    self.transcript.note("events", '<', block.trim_end());
                    return Ok(Some(event));
                }
            }
            ensure!(self.buffer.len() < MOST_EVENT_BYTES, "an event has no end");
            let next = timeout(self.patience, self.body.frame()).await;
            let next = next.map_err(|_| {
                anyhow!("waited {} s in vain for an event", self.patience.as_secs())
            })?;
            match next {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.buffer.extend_from_slice(&bytes);
                }
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

/// One block of lines; `None` for a comment, which keeps a connection alive and is no event.
fn parse(block: &str) -> Result<Option<Event>> {
    let field = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let field = |name| field(name).map(|value| value.strip_prefix(' ').unwrap_or(value));
    match (field("id"), field("event"), field("data")) {
        (Some(id), Some(name), Some(data)) => Ok(Some(Event {
            id: id.to_owned(),
            name: name.to_owned(),
            data: serde_json::from_str(data)?,
        })),
        (None, None, None) => Ok(None),
        _ => bail!("an event lacks its id, name or data: {block:.300}"),
    }
}
