//! A WebSocket client that forgets nothing it was told.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

use super::harness::within;

/// What a connection goes over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// One connection.
pub struct Client {
    socket: WebSocketStream<Box<dyn Transport>>,
    /// Frames that came while something else was waited for.
    waiting: VecDeque<Value>,
}

/// What is sent to open a connection.
pub struct Handshake {
    pub protocol: Option<&'static str>,
    pub origin: Option<&'static str>,
    /// Bytes that the system takes for a client that does not read; the least it grants if small.
    pub receive_buffer: Option<u32>,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            protocol: Some("clustertalk.v1"),
            origin: None,
            receive_buffer: None,
        }
    }
}

impl Client {
    /// Opens a connection and says nothing.
    pub async fn open(address: SocketAddr) -> Self {
        match Self::dial(address, &Handshake::default()).await {
            Ok(client) => client,
            Err(status) => panic!("the upgrade was refused with {status}"),
        }
    }

    /// Opens a connection, or answers with the status of the refusal.
    pub async fn dial(address: SocketAddr, handshake: &Handshake) -> Result<Self, u16> {
        let tcp = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = handshake.receive_buffer {
            tcp.set_recv_buffer_size(bytes).expect("a buffer");
        }
        let stream = within("a connection", tcp.connect(address)).await;
        let stream = stream.expect("an edge that listens");
        Self::over(Box::new(stream), address, handshake).await
    }

    /// The same over a stream that leads there.
    pub async fn over(
        stream: Box<dyn Transport>,
        address: SocketAddr,
        handshake: &Handshake,
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/ws")
            .into_client_request()
            .expect("a request");
        let headers = request.headers_mut();
        if let Some(protocol) = handshake.protocol {
            headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
        if let Some(origin) = handshake.origin {
            headers.insert("origin", HeaderValue::from_static(origin));
        }
        let upgrade = client_async(request, stream);
        match within("the upgrade", upgrade).await {
            Ok((socket, _)) => Ok(Self {
                socket,
                waiting: VecDeque::new(),
            }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }

    /// Says hello under a name, joins `general`, and reads the answers.
    pub async fn join(address: SocketAddr, user: &str) -> Self {
        Self::resume(address, user, "general", None).await.0
    }

    /// Says hello and joins a room from a position on; answers with `joined` too.
    pub async fn resume(
        address: SocketAddr,
        user: &str,
        room: &str,
        since: Option<&Value>,
    ) -> (Self, Value) {
        let mut client = Self::open(address).await;
        let joined = client.hello(user, room, since).await;
        (client, joined)
    }

    /// Says hello on an open connection; answers with `joined`.
    pub async fn hello(&mut self, user: &str, room: &str, since: Option<&Value>) -> Value {
        let rooms = json!([{ "room": room, "since": since }]);
        self.send(json!({ "type": "hello", "user": user, "rooms": rooms }))
            .await;
        self.take("welcome").await;
        self.take("joined").await
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_message(Message::text(frame.to_string())).await;
    }

    pub async fn send_message(&mut self, message: Message) {
        within("a frame to go", self.socket.send(message))
            .await
            .expect("an open connection");
    }

    /// Sends a frame if the connection still takes one.
    pub async fn try_send(&mut self, frame: Value) -> bool {
        let message = Message::text(frame.to_string());
        within("a frame to go", self.socket.send(message))
            .await
            .is_ok()
    }

    /// Sends a message and answers with its `ack` or `error`.
    pub async fn say(&mut self, room: &str, id: &str, text: &str) -> Value {
        self.send(json!({ "type": "send", "room": room, "id": id, "text": text }))
            .await;
        self.answer(id).await
    }

    /// Sends a message that must be stored; answers with its position.
    pub async fn store(&mut self, room: &str, id: &str, text: &str) -> Value {
        let ack = self.say(room, id, text).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["position"].clone()
    }

    /// The `ack` or `error` for this id.
    pub async fn answer(&mut self, id: &str) -> Value {
        let answer = self.answer_or_close(id).await;
        answer.unwrap_or_else(|code| panic!("closed with {code} before an answer to {id}"))
    }

    /// The `ack` or `error` for this id, or the code of the close that came in its place.
    pub async fn answer_or_close(&mut self, id: &str) -> Result<Value, u16> {
        self.find(&format!("an answer to {id}"), |frame| {
            match frame["type"].as_str() {
                Some("ack") => frame["id"] == id,
                Some("error") => frame["ref"] == id,
                _ => false,
            }
        })
        .await
    }

    /// Sends a message again and again, as the errors ask for, until it is stored.
    pub async fn persist(&mut self, room: &str, id: &str, text: &str) -> Value {
        loop {
            let answer = self.say(room, id, text).await;
            if answer["type"] == "ack" {
                return answer["position"].clone();
            }
            let pause = answer["retry_after_ms"].as_u64();
            let pause = pause.unwrap_or_else(|| panic!("no time to try again: {answer}"));
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// The next frame of a type; others wait for their turn.
    pub async fn take(&mut self, kind: &str) -> Value {
        self.next_that(&format!("`{kind}`"), |frame| frame["type"] == kind)
            .await
    }

    pub async fn take_many(&mut self, kind: &str, count: usize) -> Vec<Value> {
        let mut frames = Vec::with_capacity(count);
        for _ in 0..count {
            frames.push(self.take(kind).await);
        }
        frames
    }

    pub async fn next_that(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.find(what, wanted).await;
        found.unwrap_or_else(|code| panic!("closed with {code} before {what}"))
    }

    async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, u16> {
        if let Some(index) = self.waiting.iter().position(&wanted) {
            return Ok(self.waiting.remove(index).expect("it was just found"));
        }
        loop {
            let frame = within(what, self.read()).await?;
            if wanted(&frame) {
                return Ok(frame);
            }
            self.waiting.push_back(frame);
        }
    }

    /// Everything told so far: a `ping` is answered after what was queued before it.
    pub async fn told(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping", "ref": "told" })).await;
        self.next_that("a pong", |frame| frame["ref"] == "told")
            .await;
        self.waiting.drain(..).collect()
    }

    /// The code that the connection is closed with; what comes before that is kept.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match within("the close", self.read()).await {
                Ok(frame) => self.waiting.push_back(frame),
                Err(code) => return code,
            }
        }
    }

    /// Waits for a frame of a type, or for the close.
    pub async fn closed_or(&mut self, kind: &str) {
        let _ = self.find(kind, |frame| frame["type"] == kind).await;
    }

    /// What came of a type and was not taken.
    pub fn kept(&mut self, kind: &str) -> Vec<Value> {
        let of_kind = |frame: &Value| frame["type"] == kind;
        let (kept, others): (VecDeque<_>, _) = self.waiting.drain(..).partition(of_kind);
        self.waiting = others;
        Vec::from(kept)
    }

    /// The next frame, or the code of the close; 1006 if there was none.
    async fn read(&mut self) -> Result<Value, u16> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None))) | Some(Err(_)) | None => return Err(1006),
                Some(Ok(_)) => {}
            }
        }
    }
}

/// What a reader of a room has, checked with each frame: every entry once, in order, each hanging
/// on the one before.
pub struct Reader {
    pub position: Value,
    pub messages: Vec<Value>,
}

impl Reader {
    /// Begins with the first `joined`, wherever that begins.
    pub fn new(joined: &Value) -> Self {
        let first = &joined["messages"][0];
        let position = if first.is_null() {
            joined["position"].clone()
        } else {
            json!({ "seq": seq(first) - 1, "tag": first["prev"] })
        };
        let mut reader = Self::at(position);
        reader.take(joined);
        reader
    }

    pub fn at(position: Value) -> Self {
        Self {
            position,
            messages: Vec::new(),
        }
    }

    /// Takes a `joined` that continues, a `page`, or a live `message`.
    pub fn take(&mut self, frame: &Value) {
        if frame["type"] == "message" {
            return self.append(frame);
        }
        for message in frame["messages"].as_array().expect("messages") {
            self.append(message);
        }
        assert_eq!(self.position, frame["position"], "{}", frame["type"]);
    }

    /// Reads pages to the last one.
    pub async fn page(&mut self, client: &mut Client, joined: &Value) -> usize {
        let mut more = joined["more"] == true;
        let mut pages = 0;
        while more {
            let page = client.take("page").await;
            self.take(&page);
            more = page["more"] == true;
            pages += 1;
        }
        pages
    }

    /// Reads live messages until it has this position.
    pub async fn follow(&mut self, client: &mut Client, until: &Value) {
        while self.position["seq"].as_u64() < until["seq"].as_u64() {
            let message = client.take("message").await;
            self.take(&message);
        }
        assert_eq!(&self.position, until);
    }

    fn append(&mut self, message: &Value) {
        assert_eq!(message["type"], "message", "{message}");
        assert_eq!(message["prev"], self.position["tag"], "a gap at {message}");
        assert_eq!(
            Some(seq(message)),
            self.position["seq"].as_u64().map(|seq| seq + 1)
        );
        self.position = message["position"].clone();
        self.messages.push(message.clone());
    }
}

pub fn seq(message: &Value) -> u64 {
    message["position"]["seq"].as_u64().expect("a position")
}

/// Lets as many users as their rate limits take store `count` messages in a room as fast as they
/// can; answers with the acknowledged positions by id.
pub async fn flood(
    address: SocketAddr,
    room: &str,
    prefix: &str,
    count: usize,
    text: &str,
) -> Vec<(String, Value)> {
    const BURST: usize = 20;
    let speakers = (0..count.div_ceil(BURST)).map(|speaker| async move {
        let user = format!("{prefix}{speaker}");
        let (mut client, _) = Client::resume(address, &user, room, None).await;
        let ids: Vec<String> = (speaker * BURST..count.min((speaker + 1) * BURST))
            .map(|number| format!("{prefix}-{number}"))
            .collect();
        for id in &ids {
            client
                .send(json!({ "type": "send", "room": room, "id": id, "text": text }))
                .await;
        }
        let mut stored = Vec::new();
        for id in ids {
            let ack = client.answer(&id).await;
            assert_eq!(ack["type"], "ack", "{ack}");
            stored.push((id, ack["position"].clone()));
        }
        stored
    });
    let mut stored = futures_util::future::join_all(speakers).await.concat();
    stored.sort_by_key(|(_, position)| position["seq"].as_u64());
    stored
}
