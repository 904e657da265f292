//! An edge that is broken in one way: a proxy that changes what the server says.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    accept_hdr_async, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        protocol::CloseFrame,
    },
};

/// What becomes of the frames of one connection.
pub trait Fault: Send + Sync + 'static {
    /// The frames to send in the place of this one. `count` says the how many-th of its type it is
    /// on this connection, from 1.
    fn frame(&self, frame: Value, count: usize, held: &mut Vec<Value>) -> Vec<Value>;

    /// The code to close with in the place of this one.
    fn close(&self, code: u16) -> u16 {
        code
    }
}

/// Starts a proxy to an edge; gives its URL.
pub async fn start(edge: &str, fault: impl Fault) -> String {
    let edge: SocketAddr = edge
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .expect("an address");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let fault = std::sync::Arc::new(fault);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let fault = std::sync::Arc::clone(&fault);
            // A connection that ends in an error is one that ends.
            tokio::spawn(async move { serve(stream, edge, &*fault).await });
        }
    });
    format!("http://{address}")
}

async fn serve(mut client: TcpStream, edge: SocketAddr, fault: &impl Fault) -> Option<()> {
    let mut begin = [0; 8];
    client.peek(&mut begin).await.ok()?;
    let mut server = TcpStream::connect(edge).await.ok()?;
    if !begin.starts_with(b"GET /ws") {
        copy_bidirectional(&mut client, &mut server).await.ok()?;
        return Some(());
    }
    // The error is as large as tungstenite makes it.
    #[allow(clippy::result_large_err)]
    let answer = |_: &Request, mut response: Response| {
        let protocol = "clustertalk.v1".parse().expect("a value");
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let client = accept_hdr_async(client, answer).await.ok()?;
    let mut request = format!("ws://{edge}/ws").into_client_request().ok()?;
    let protocol = "clustertalk.v1".parse().ok()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (server, _) = client_async(request, server).await.ok()?;
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    let up = async {
        while let Some(Ok(message)) = from_client.next().await {
            to_server.send(message).await.ok()?;
        }
        Some(())
    };
    let down = async {
        let mut counts = std::collections::HashMap::<String, usize>::new();
        let mut held = Vec::new();
        while let Some(Ok(message)) = from_server.next().await {
            match message {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).ok()?;
                    let kind = frame["type"].as_str().unwrap_or_default().to_owned();
                    let count = counts.entry(kind).or_default();
                    *count += 1;
                    for frame in fault.frame(frame, *count, &mut held) {
                        to_client
                            .send(Message::text(frame.to_string()))
                            .await
                            .ok()?;
                    }
                }
                Message::Close(Some(frame)) => {
                    let code = fault.close(frame.code.into()).into();
                    let reason = frame.reason;
                    to_client
                        .send(Message::Close(Some(CloseFrame { code, reason })))
                        .await
                        .ok()?;
                }
                other => to_client.send(other).await.ok()?,
            }
        }
        Some(())
    };
    tokio::select! { _ = up => {} , _ = down => {} }
    Some(())
}
