//! `clustertalk tail`: a room, line by line, through losses of the connection.

use std::{io::Write, time::Duration};

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::{Method, body::Incoming};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::edge_client::request;
use crate::config::Tail;

/// Before the connection is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// An edge says something every 3 s; a connection that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(15);

pub async fn run(tail: Tail) -> Result<()> {
    let mut last = tail.after.clone();
    let mut connected_before = false;
    loop {
        match follow(&tail, &mut last, &mut connected_before).await {
            Ok(()) => {}
            // Someone reads our output no more.
            Err(Stopped::Output) => return Ok(()),
            Err(Stopped::Refused(error)) => return Err(error),
            Err(Stopped::Lost(error)) if !connected_before => return Err(error),
            Err(Stopped::Lost(error)) => eprintln!("{error:#}; trying again"),
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
    tail: &Tail,
    last: &mut Option<String>,
    connected: &mut bool,
) -> Result<(), Stopped> {
    let path = format!("/api/v1/rooms/{}/events", tail.edge.room);
    let headers: Vec<(&str, &str)> = last
        .iter()
        .map(|last| ("last-event-id", last.as_str()))
        .collect();
    let response = request(&tail.edge, Method::GET, &path, &headers, String::new())
        .await
        .map_err(Stopped::Lost)?;
    let status = response.status();
    let mut body = response.into_body();
    if !status.is_success() {
        let text = whole(&mut body).await;
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|answer| answer["message"].as_str().map(str::to_owned));
        let error = anyhow::anyhow!("the edge answered {status}: {}", message.unwrap_or(text));
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

async fn whole(body: &mut Incoming) -> String {
    let bytes = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
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
    let mut out = std::io::stdout().lock();
    if tail.json {
        return writeln!(out, "{data}");
    }
    if let Some(reason) = data["reason"].as_str() {
        writeln!(out, "-- {reason}: lost {}", data["lost"])?;
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

/// An entry as it is printed; `None` for one without content.
fn line(entry: &Value) -> Option<String> {
    let text = |name: &str| plain(entry[name].as_str().unwrap_or_default());
    let seq = &entry["position"]["seq"];
    let name = plain(entry["user"]["name"].as_str().unwrap_or_default());
    let target = &entry["target"]["position"]["seq"];
    match (entry["type"].as_str()?, entry["change"].as_str()) {
        ("message", _) => Some(format!("{seq} {name}: {}", text("text"))),
        ("changed", Some("edit")) => Some(format!("{seq} {name} edits {target}: {}", text("text"))),
        ("changed", Some("delete")) => Some(format!("{seq} {name} deletes {target}")),
        ("changed", Some("react")) => {
            let takes_back = if entry["remove"] == true {
                "no more "
            } else {
                ""
            };
            let reaction = text("reaction");
            Some(format!(
                "{seq} {name} reacts to {target}: {takes_back}{reaction}"
            ))
        }
        _ => None,
    }
}

/// Control characters in a message must not reach the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
