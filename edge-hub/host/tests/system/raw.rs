//! A connection on which anything can be said, rightly or not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::harness::within;

pub struct Raw(TcpStream);

/// What came over a WebSocket.
#[derive(Debug)]
pub enum Heard {
    Frame(Value),
    Closed(u16),
    /// Without a word.
    Ended,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        Self(stream.expect("an edge that listens"))
    }

    /// A WebSocket that was opened.
    pub async fn websocket(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        raw.say(handshake(address, "")).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("a head", raw.0.read_u8()).await.expect("a head"));
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        raw
    }

    /// The same after `hello`, in a room.
    pub async fn joined(address: SocketAddr, user: &str, room: &str) -> Self {
        let mut raw = Self::websocket(address).await;
        let rooms = json!([{ "room": room }]);
        let hello = json!({ "type": "hello", "user": user, "rooms": rooms });
        raw.text(&hello.to_string()).await;
        raw.hear_that("joined").await;
        raw
    }

    /// Whoever is not listened to any more is told nothing.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("bytes to go", self.0.write_all(bytes.as_ref())).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.say(frame(0x81, text.as_bytes())).await;
    }

    /// Says that nothing more will be said.
    pub async fn end(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// The next frame; pings are passed over, and not answered.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let Ok(first) = within("a frame", self.0.read_u8()).await else {
                return Heard::Ended;
            };
            let length = match self.0.read_u8().await.expect("a length") {
                126 => usize::from(self.0.read_u16().await.expect("a length")),
                127 => {
                    usize::try_from(self.0.read_u64().await.expect("a length")).expect("a frame")
                }
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.expect("a payload");
            match first & 0x0f {
                1 => return Heard::Frame(serde_json::from_slice(&payload).expect("JSON")),
                8 => return Heard::Closed(u16::from_be_bytes([payload[0], payload[1]])),
                _ => {}
            }
        }
    }

    /// The next frame of another type, or how it ended.
    pub async fn hear_but(&mut self, passed: &[&str]) -> Heard {
        loop {
            match self.hear().await {
                Heard::Frame(frame) if passed.iter().any(|kind| frame["type"] == *kind) => {}
                other => return other,
            }
        }
    }

    /// The next frame of a type.
    pub async fn hear_that(&mut self, kind: &str) -> Value {
        loop {
            match self.hear().await {
                Heard::Frame(frame) if frame["type"] == kind => return frame,
                Heard::Frame(_) => {}
                other => panic!("{other:?} in the place of `{kind}`"),
            }
        }
    }

    /// Status and body of an answer after which the connection ends; nothing if it ends without.
    pub async fn answer(&mut self) -> Option<(u16, Value)> {
        let mut heard = Vec::new();
        // A reset after the answer is an end as well.
        let _ = within("an answer", self.0.read_to_end(&mut heard)).await;
        if heard.is_empty() {
            return None;
        }
        let text = String::from_utf8(heard).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status");
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {text}"));
        Some((status.parse().expect("a status"), body))
    }
}

/// A good handshake with more headers.
pub fn handshake(address: SocketAddr, more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: clustertalk.v1\r\n{more}\r\n"
    )
}

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("a short frame").to_be_bytes());
        }
    }
    frame.extend(MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}
