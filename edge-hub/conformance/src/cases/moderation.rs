//! What becomes of a text before anybody sees it.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, is_hex, letters, refused, same},
    context::Context,
    reader::{entries, ids},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(spam_is_masked_for_everyone, "Frames of the server", "the text is replaced before anyone sees it (`[CENSORED BY AI]`) and the original is not kept"),
    case!(each_message_names_its_policy, "A conversation", r#""policy":"sha256:…""#),
    case!(masked_over_http_alike, "Frames of the server", "the text is replaced before anyone sees it (`[CENSORED BY AI]`) and the original is not kept"),
    case!(edits_are_reviewed, "Frames of the server", "Edits and reactions are reviewed alike"),
    case!(reaction_that_would_be_masked_is_blocked, "Frames of the server", "a reaction that would be masked is `blocked`"),
];

const SPAM: &str = "This is spam";
const CENSORED: &str = "[CENSORED BY AI]";

async fn spam_is_masked_for_everyone(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut speaker = c.join(&ada, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let ack = speaker.say(&room, "m1", SPAM).await?;
    same("the answer", &ack["type"], "ack")?;
    same("its action", &ack["action"], "mask")?;
    let told = [speaker.take("message").await?, bob.take("message").await?];
    let page = c.messages(&ada, &room, "").await?;
    let (_, joined) = c.resume(&c.user("cyd")?, &room, None).await?;
    let read = [&entries(&page)?[0], &entries(&joined)?[0]];
    for message in told.iter().chain(read) {
        same("the text", &message["text"], CENSORED)?;
        same("the action", &message["moderation"]["action"], "mask")?;
        same("the label", &message["moderation"]["label"], "spam")?;
        ensure!(
            !message.to_string().contains(SPAM),
            "the original is told: {message}"
        );
    }
    Ok(())
}

/// `sha256:` and 64 digits.
fn is_digest(policy: &Value) -> Outcome {
    let digest = policy
        .as_str()
        .and_then(|policy| policy.strip_prefix("sha256:"));
    letters("the policy", &json!(digest), 64, is_hex)
}

async fn each_message_names_its_policy(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut policies = Vec::new();
    for (id, text) in [("m1", SPAM), ("m2", "hello")] {
        ada.store(&room, id, text).await?;
        let policy = ada.take("message").await?["moderation"]["policy"].clone();
        is_digest(&policy)?;
        policies.push(policy);
    }
    ensure!(policies[0] == policies[1], "two policies: {policies:?}");
    Ok(())
}

async fn masked_over_http_alike(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({ "id": "m1", "text": SPAM });
    let ack = c.http(&ada, "POST", &path, Some(body)).await?.with(201)?;
    same("the action", &ack["action"], "mask")?;
    let page = c.messages(&ada, &room, "").await?;
    same("the text", &entries(&page)?[0]["text"], CENSORED)
}

async fn edits_are_reviewed(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut speaker = c.join(&ada, &room).await?;
    speaker.store(&room, "m1", "hello").await?;
    let frame = json!({ "type": "edit", "room": room, "id": "e1", "text": SPAM,
        "target": { "user": ada.id, "id": "m1" } });
    let ack = speaker.change(frame).await?;
    same("the action", &ack["action"], "mask")?;
    let changed = speaker.take("changed").await?;
    same("the text", &changed["text"], CENSORED)?;
    same("the action", &changed["moderation"]["action"], "mask")
}

async fn reaction_that_would_be_masked_is_blocked(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut speaker = c.join(&ada, &room).await?;
    speaker.store(&room, "m1", "hello").await?;
    let frame = json!({ "type": "react", "room": room, "id": "r1", "reaction": "arschloch",
        "target": { "user": ada.id, "id": "m1" } });
    refused(&speaker.change(frame).await?, "blocked")?;
    let history = speaker
        .ask(json!({ "type": "history", "room": room }))
        .await?;
    ensure!(
        ids(entries(&history)?) == ["m1"],
        "it was stored: {history}"
    );
    Ok(())
}
