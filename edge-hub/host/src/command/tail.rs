//! `clustertalk tail`: a room, line by line, through losses of the connection.

use std::{io::Write, time::Duration};

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    edge_client::{EdgeClient, refusal, whole},
    entries::{gap, line},
    output,
};
use crate::config::Tail;

/// Before the connection is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// An edge says something every 3 s; a connection that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(15);

pub async fn run(tail: Tail) -> Result<()> {
    let client = EdgeClient::new(&tail.edge)?;
    let mut last = tail.after.clone();
    let mut connected_before = false;
    loop {
        match follow(&client, &tail, &mut last, &mut connected_before).await {
            Ok(()) => {}
            // Someone reads our output no more.
            Err(Stopped::Output) => return Ok(()),
            Err(Stopped::Refused(error)) => return Err(error),
            Err(Stopped::Lost(error)) if !connected_before => return Err(error),
            Err(Stopped::Lost(error)) => {
                eprintln!("{}; trying again", output::plain(&format!("{error:#}")))
            }
        }
        sleep(PAUSE).await;
    }
}

enum Stopped {
    Output,
    Refused(anyhow::Error),
    Lost(anyhow::Error),
}

async fn follow(
    client: &EdgeClient<'_>,
    tail: &Tail,
    last: &mut Option<String>,
    connected: &mut bool,
) -> Result<(), Stopped> {
    let path = client.path(&format!("rooms/{}/events", tail.room), &[]);
    let headers: Vec<(&str, &str)> = last
        .iter()
        .map(|last| ("last-event-id", last.as_str()))
        .collect();
    let response = client
        .request(Method::GET, &path, &headers, String::new())
        .await
        .map_err(Stopped::Lost)?;
    let status = response.status();
    let mut body = response.into_body();
    if !status.is_success() {
        let body = whole(body).await.map_err(Stopped::Lost)?;
        let error = anyhow::anyhow!(refusal(status, &body));
        return Err(if status.is_client_error() {
            Stopped::Refused(error)
        } else {
            Stopped::Lost(error)
        });
    }
    *connected = true;
    // Bytes: a character may lie in two frames.
    let mut buffer = Vec::new();
    loop {
        let frame = timeout(SILENCE, body.frame())
            .await
            .map_err(|_| Stopped::Lost(anyhow::anyhow!("the edge fell silent")))?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| Stopped::Lost(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            show(tail, &String::from_utf8_lossy(&event), last).map_err(|_| Stopped::Output)?;
        }
    }
}

fn show(tail: &Tail, event: &str, last: &mut Option<String>) -> std::io::Result<()> {
    let field = |name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    if let Some(id) = field("id") {
        *last = Some(id.to_owned());
    }
    let Some(Ok(data)) = field("data").map(serde_json::from_str::<Value>) else {
        return Ok(());
    };
    let mut out = anstream::stdout().lock();
    if tail.json {
        writeln!(out, "{}", output::json(&data))?;
        return out.flush();
    }
    if let Some(gap) = gap(&data) {
        writeln!(out, "{gap}")?;
    }
    let messages = data["messages"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![data.clone()]);
    for line in messages.iter().filter_map(line) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
