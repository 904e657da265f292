//! `clustertalk send`: one message.

use anyhow::{Result, bail};
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};

use super::edge_client::request;
use crate::config::Send;

pub async fn run(send: Send) -> Result<()> {
    let id = send
        .id
        .unwrap_or_else(|| format!("cli-{:016x}", fastrand::u64(..)));
    let body = json!({ "user": send.user, "id": id, "text": send.text }).to_string();
    let path = format!("/api/v1/rooms/{}/messages", send.edge.room);
    let response = request(&send.edge, Method::POST, &path, &[], body).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if !status.is_success() {
        let code = answer["code"].as_str().unwrap_or("internal");
        let message = answer["message"]
            .as_str()
            .unwrap_or("the edge gave no reason");
        bail!("{message} ({code})");
    }
    let position = &answer["position"];
    println!(
        "#{} {}-{} {}",
        send.edge.room,
        position["seq"],
        position["tag"].as_str().unwrap_or_default(),
        answer["action"].as_str().unwrap_or_default(),
    );
    Ok(())
}
