//! A WebSocket client that forgets nothing it was told, and takes nothing for granted: frames are
//! read as plain JSON.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderMap, HeaderName, HeaderValue},
        protocol::Role,
    },
};

use crate::{
    transcript::Transcript,
    transport::{Address, Silent, Transport},
};

/// The subprotocol of version 1.
pub const SUBPROTOCOL: &str = "clustertalk.v1";

/// Frames that may wait to be taken: a server that floods fails the case and not the machine.
const MOST_WAITING: usize = 10_000;

/// One connection.
pub struct Socket {
    name: String,
    stream: WebSocketStream<Box<dyn Transport>>,
    /// Frames that came while something else was waited for.
    waiting: VecDeque<Value>,
    transcript: Transcript,
    patience: Duration,
}

/// What a connection is opened with.
pub struct Handshake<'a> {
    pub protocols: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub receive_bytes: Option<u32>,
}

impl Default for Handshake<'_> {
    fn default() -> Self {
        Self {
            protocols: SUBPROTOCOL,
            headers: &[],
            receive_bytes: None,
        }
    }
}

impl Socket {
    /// Opens a connection and says nothing; gives the headers of the answer, too.
    pub async fn open(
        name: &str,
        address: &Address,
        handshake: &Handshake<'_>,
        transcript: &Transcript,
        patience: Duration,
    ) -> Result<(Self, HeaderMap)> {
        let stream = address.connect(patience, handshake.receive_bytes).await?;
        let mut request = address.websocket("/ws").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            HeaderValue::from_str(handshake.protocols)?,
        );
        for (name, value) in handshake.headers {
            headers.insert(HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        }
        transcript.note(name, '>', &format!("GET /ws, {}", handshake.protocols));
        let upgrade = timeout(patience, client_async(request, stream)).await;
        let upgrade = upgrade
            .map_err(|_| anyhow!("{name}: no answer to the handshake"))?
            .map_err(|error| match error {
                tungstenite::Error::Http(answer) => {
                    let body = answer.body().as_deref().unwrap_or_default();
                    let body = String::from_utf8_lossy(body).into_owned();
                    anyhow!("{name}: refused with {} {body}", answer.status())
                }
                other => anyhow!("{name}: the handshake failed: {other}"),
            });
        let (stream, answer) = upgrade?;
        let socket = Self {
            name: name.to_owned(),
            stream,
            waiting: VecDeque::new(),
            transcript: transcript.clone(),
            patience,
        };
        Ok((socket, answer.headers().clone()))
    }

    pub async fn send(&mut self, frame: Value) -> Result<()> {
        self.send_text(frame.to_string()).await
    }

    pub async fn send_text(&mut self, text: String) -> Result<()> {
        self.send_message(Message::text(text)).await
    }

    pub async fn send_message(&mut self, message: Message) -> Result<()> {
        let noted = match &message {
            Message::Text(text) => text.to_string(),
            other => format!("{} bytes that are not text", other.len()),
        };
        self.transcript.note(&self.name, '>', &noted);
        let sent = timeout(self.patience, self.stream.send(message)).await;
        sent.map_err(|_| anyhow!("{}: a frame could not be sent", self.name))?
            .with_context(|| format!("{}: a frame could not be sent", self.name))
    }

    /// Writes bytes past the WebSocket, to misuse it.
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.transcript
            .note(&self.name, '>', &format!("raw bytes {bytes:02x?}"));
        let stream = self.stream.get_mut();
        stream.write_all(bytes).await?;
        Ok(stream.flush().await?)
    }

    /// The same connection, which from here on only reads: not even pings are answered.
    pub async fn silenced(self) -> Self {
        let silent: Box<dyn Transport> = Box::new(Silent(self.stream.into_inner()));
        let stream = WebSocketStream::from_raw_socket(silent, Role::Client, None).await;
        Self { stream, ..self }
    }

    /// Sends a frame with a `ref`; gives what answers that.
    pub async fn ask(&mut self, mut frame: Value) -> Result<Value> {
        let reference = format!("ask-{}", fastrand::u32(..));
        frame["ref"] = json!(reference);
        let what = format!("an answer to `{}`", frame["type"].as_str().unwrap_or("?"));
        self.send(frame).await?;
        self.find(&what, |frame| frame["ref"] == reference.as_str())
            .await
    }

    /// The same for what must not be refused.
    pub async fn done(&mut self, frame: Value) -> Result<Value> {
        let answer = self.ask(frame).await?;
        ensure!(
            answer["type"] != "error",
            "{}: refused: {answer}",
            self.name
        );
        Ok(answer)
    }

    /// Joins a room from a position; gives its `joined` or `error`.
    pub async fn join(&mut self, room: &str, since: Option<&Value>) -> Result<Value> {
        let reference = format!("join-{}", fastrand::u32(..));
        self.send(json!({ "type": "join", "room": room, "since": since, "ref": reference }))
            .await?;
        self.find(&format!("`joined` of {room}"), |frame| {
            frame["type"] == "joined" && frame["room"] == room
                || frame["type"] == "error" && frame["ref"] == reference.as_str()
        })
        .await
    }

    /// Joins a room that must let him in; gives its `joined`.
    pub async fn enter(&mut self, room: &str) -> Result<Value> {
        let joined = self.join(room, None).await?;
        ensure!(
            joined["type"] == "joined",
            "{}: not let in: {joined}",
            self.name
        );
        Ok(joined)
    }

    /// Sends a message; gives its `ack` or `error`.
    pub async fn say(&mut self, room: &str, id: &str, text: &str) -> Result<Value> {
        self.send(json!({ "type": "send", "room": room, "id": id, "text": text }))
            .await?;
        self.answer(id).await
    }

    /// Sends a message that must be stored; gives its position.
    pub async fn store(&mut self, room: &str, id: &str, text: &str) -> Result<Value> {
        let ack = self.say(room, id, text).await?;
        ensure!(ack["type"] == "ack", "{}: not stored: {ack}", self.name);
        Ok(ack["position"].clone())
    }

    /// The same for any frame with an id.
    pub async fn change(&mut self, frame: Value) -> Result<Value> {
        let id = frame["id"].as_str().unwrap_or_default().to_owned();
        self.send(frame).await?;
        self.answer(&id).await
    }

    /// The `ack` or `error` for this id.
    pub async fn answer(&mut self, id: &str) -> Result<Value> {
        self.find(&format!("an answer to {id}"), |frame| {
            match frame["type"].as_str() {
                Some("ack") => frame["id"] == id,
                Some("error") => frame["ref"] == id,
                _ => false,
            }
        })
        .await
    }

    /// Sends a message as often as the errors ask for, until it is stored; gives its position.
    pub async fn persist(&mut self, room: &str, id: &str, text: &str) -> Result<Value> {
        let frame = json!({ "type": "send", "room": room, "id": id, "text": text });
        let answer = self.persist_change(frame).await?;
        Ok(answer["position"].clone())
    }

    /// The same for any frame with an id; gives its `ack`, or an error that names no time.
    pub async fn persist_change(&mut self, frame: Value) -> Result<Value> {
        loop {
            let answer = self.change(frame.clone()).await?;
            match answer["retry_after_ms"].as_u64() {
                Some(pause) => sleep(Duration::from_millis(pause)).await,
                None => return Ok(answer),
            }
        }
    }

    /// The next frame of a type; others wait for their turn.
    pub async fn take(&mut self, kind: &str) -> Result<Value> {
        self.find(&format!("`{kind}`"), |frame| frame["type"] == kind)
            .await
    }

    /// The next frame that is wanted.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let found = self.find_or_close(what, wanted).await?;
        found.map_err(|code| anyhow!("{}: closed with {code} before {what}", self.name))
    }

    /// The same, or the code of the close that came in its place.
    pub async fn find_or_close(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Result<Value, u16>> {
        if let Some(index) = self.waiting.iter().position(&wanted) {
            return Ok(self.waiting.remove(index).ok_or(1006));
        }
        loop {
            let frame = match self.read(what).await? {
                Ok(frame) => frame,
                Err(code) => return Ok(Err(code)),
            };
            if wanted(&frame) {
                return Ok(Ok(frame));
            }
            self.keep(frame)?;
        }
    }

    /// The next frame in the order in which they came.
    pub async fn next(&mut self) -> Result<Value> {
        self.find("any frame", |_| true).await
    }

    /// Everything told so far and not taken: a `ping` is answered after what was queued before.
    pub async fn told(&mut self) -> Result<Vec<Value>> {
        self.ask(json!({ "type": "ping" })).await?;
        Ok(self.waiting.drain(..).collect())
    }

    /// That nothing of a type was told so far.
    pub async fn told_no(&mut self, kind: &str) -> Result<()> {
        let told = self.told().await?;
        let unwanted = told.iter().find(|frame| frame["type"] == kind);
        match unwanted {
            Some(frame) => bail!("{}: told {frame}", self.name),
            None => Ok(()),
        }
    }

    /// The code that the connection is closed with; what comes before that is kept.
    pub async fn closed(&mut self) -> Result<u16> {
        loop {
            match self.read("the close").await? {
                Ok(frame) => self.keep(frame)?,
                Err(code) => return Ok(code),
            }
        }
    }

    /// That the connection is closed with this code.
    pub async fn closed_with(&mut self, code: u16) -> Result<()> {
        let found = self.closed().await?;
        ensure!(
            found == code,
            "{}: closed with {found} in the place of {code}",
            self.name
        );
        Ok(())
    }

    /// What came of a type and was not taken.
    pub fn kept(&mut self, kind: &str) -> Vec<Value> {
        let of_kind = |frame: &Value| frame["type"] == kind;
        let (kept, others): (VecDeque<_>, _) = self.waiting.drain(..).partition(of_kind);
        self.waiting = others;
        kept.into()
    }

    /// Waits for other frames as long as this.
    pub fn be_patient_for(&mut self, patience: Duration) {
        self.patience = patience;
    }

    fn keep(&mut self, frame: Value) -> Result<()> {
        ensure!(
            self.waiting.len() < MOST_WAITING,
            "{}: more than {MOST_WAITING} frames that nobody asked for",
            self.name
        );
        self.waiting.push_back(frame);
        Ok(())
    }

    /// The next frame, or the code of the close; 1006 if there was none.
    async fn read(&mut self, what: &str) -> Result<Result<Value, u16>> {
        loop {
            let next = timeout(self.patience, self.stream.next()).await;
            let next = next.map_err(|_| {
                let seconds = self.patience.as_secs();
                anyhow!("{}: waited {seconds} s in vain for {what}", self.name)
            })?;
            let code = match next {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text)
                        .with_context(|| format!("{}: a frame is not JSON: {text}", self.name))?;
                    self.transcript.received(&self.name, &frame, &text);
                    ensure!(
                        frame["type"].is_string(),
                        "{}: a frame without a type: {frame}",
                        self.name
                    );
                    return Ok(Ok(frame));
                }
                Some(Ok(Message::Binary(_))) => {
                    bail!("{}: a binary frame, and all frames are text", self.name)
                }
                Some(Ok(Message::Close(Some(frame)))) => frame.code.into(),
                Some(Ok(Message::Close(None)) | Err(_)) | None => 1006,
                Some(Ok(_)) => continue,
            };
            self.transcript.closed(&self.name, code);
            return Ok(Err(code));
        }
    }
}
