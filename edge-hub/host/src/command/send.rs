//! `clustertalk send`: one message.

use anyhow::Result;
use hyper::Method;
use serde_json::json;

use super::{
    edge_client::EdgeClient,
    output::{plain, print, print_json},
};
use crate::config::Send;

/// Who speaks if nobody says so.
const SPEAKER: &str = "cli";

pub async fn run(send: Send) -> Result<()> {
    let id = send
        .id
        .unwrap_or_else(|| format!("cli-{:016x}", fastrand::u64(..)));
    let user = send.edge.user.as_deref().unwrap_or(SPEAKER);
    let body = json!({ "user": user, "id": id, "text": send.text }).to_string();
    let client = EdgeClient::new(&send.edge)?;
    let path = format!("/api/v1/rooms/{}/messages", send.room);
    let ack = client.ask(Method::POST, &path, body).await?;
    if send.json {
        return print_json(&ack);
    }
    let position = &ack["position"];
    print(&format!(
        "#{} {}-{} {}\n",
        send.room,
        position["seq"],
        plain(position["tag"].as_str().unwrap_or_default()),
        plain(ack["action"].as_str().unwrap_or_default()),
    ))
}
