//! HTTP as a test needs it: one request a connection, and server-sent events.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    header::{HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::harness::within;

/// A whole answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in `{}`", self.text))
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}

pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    within(path, async {
        let response = send(address, method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("text"),
        }
    })
    .await
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Incoming> {
    let stream = TcpStream::connect(address)
        .await
        .expect("an edge that listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("a connection");
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", address.to_string());
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    let mut request = request.expect("a request");
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).expect("a name");
        let value = HeaderValue::try_from(*value).expect("a value");
        request.headers_mut().insert(name, value);
    }
    sender.send_request(request).await.expect("an answer")
}

/// A room as server-sent events.
pub struct Events {
    body: Incoming,
    buffer: String,
}

pub struct Event {
    pub id: String,
    pub name: String,
    pub data: Value,
}

impl Events {
    /// Follows a room from the newest, or after the event with this id.
    pub async fn open(address: SocketAddr, room: &str, last: Option<&str>) -> Self {
        let path = format!("/api/v1/rooms/{room}/events");
        let headers: Vec<_> = last.iter().map(|last| ("last-event-id", *last)).collect();
        let response = within(&path, send(address, "GET", &path, &headers, "")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            buffer: String::new(),
        }
    }

    pub async fn next(&mut self) -> Event {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
                };
                // A comment keeps the connection alive and is no event.
                if let (Some(id), Some(name), Some(data)) =
                    (field("id: "), field("event: "), field("data: "))
                {
                    let data = serde_json::from_str(&data).expect("JSON");
                    return Event { id, name, data };
                }
            }
            let frame = within("an event", self.body.frame()).await;
            let data = frame.expect("an open stream").expect("a stream");
            let bytes = data.into_data().expect("data");
            self.buffer
                .push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }
}
