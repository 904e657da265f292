//! What becomes of a text before anybody sees it.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, is_hex, letters, refused, same},
    context::{Context, User},
    reader::{entries, ids},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(spam_is_masked_for_everyone, "Frames of the server", "the text is replaced before anyone sees it (`[CENSORED BY AI]`); the original is stored nowhere"),
    case!(each_message_names_its_policy, "A conversation", r#""policy":"sha256:…""#),
    case!(masked_over_http_alike, "Frames of the server", "the text is replaced before anyone sees it (`[CENSORED BY AI]`); the original is stored nowhere"),
    case!(edits_are_reviewed, "Frames of the server", "Edits and reactions are reviewed alike"),
    case!(what_is_reported_waits_once_for_each_user, "Moderators", "A user's second report of the same message is answered `done` and is nothing."),
    case!(reports_are_refused_that_say_nothing, "Moderators", "`reason` is `spam`, `harassment`, `hate`, `sexual`, `violence`, `self_harm`, `illegal` or `other`"),
    case!(what_moderators_do_leaves_the_queue_and_is_noted, "Moderators", "A message leaves it by `dismiss`, by being restored or deleted, by whomever, or with the log."),
    case!(what_is_not_masked_is_not_restored, "Moderators", "`original_gone`: there is no quarantine"),
    case!(only_moderators_see_what_was_decided, "Rooms", "| delete what others wrote; see the moderation log and queue, dismiss, restore | | yes | yes |"),
    case!(a_decision_is_noted_once_and_without_text, "Moderators", "No text stands there."),
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

/// A room of one who keeps it, with a message of ada's.
async fn kept_room(c: &Context) -> anyhow::Result<(User, User, String)> {
    let (keeper, ada) = (c.user("keeper")?, c.user("ada")?);
    let room = c.room().await?;
    c.post(&ada, &room, "m1", "hello").await?;
    Ok((keeper, ada, room))
}

/// A list of the room, as its keeper sees it.
async fn list(c: &Context, keeper: &User, room: &str, name: &str) -> anyhow::Result<Vec<Value>> {
    let path = format!("/api/v1/rooms/{room}/moderation/{name}");
    let page = c.http(keeper, "GET", &path, None).await?.with(200)?;
    let field = if name == "queue" { "queue" } else { "entries" };
    let found = page[field].as_array().cloned();
    found.ok_or_else(|| anyhow::anyhow!("no `{field}`: {page}"))
}

fn reported(user: &User) -> Value {
    json!({ "target": { "user": user.id, "id": "m1" }, "reason": "spam", "note": "again" })
}

async fn what_is_reported_waits_once_for_each_user(c: Context) -> Outcome {
    let (keeper, ada, room) = kept_room(&c).await?;
    let bob = c.user("bob")?;
    let path = format!("/api/v1/rooms/{room}/reports");
    for _ in 0..2 {
        let answer = c.http(&bob, "POST", &path, Some(reported(&ada))).await?;
        same("the answer", &answer.with(200)?["type"], "done")?;
    }
    let mut frame = reported(&ada);
    frame["type"] = "report".into();
    frame["room"] = room.as_str().into();
    let mut cyd = c.join(&c.user("cyd")?, &room).await?;
    same("the answer", &cyd.ask(frame).await?["type"], "done")?;
    let queue = list(&c, &keeper, &room, "queue").await?;
    ensure!(queue.len() == 1, "one message waits: {queue:?}");
    same("its text", &queue[0]["message"]["text"], "hello")?;
    ensure!(queue[0]["reports"] == 2, "two reports: {}", queue[0]);
    same("the note", &queue[0]["records"][0]["body"]["note"], "again")
}

async fn reports_are_refused_that_say_nothing(c: Context) -> Outcome {
    let (_, ada, room) = kept_room(&c).await?;
    let path = format!("/api/v1/rooms/{room}/reports");
    let mut ugly = reported(&ada);
    ugly["reason"] = "ugly".into();
    let answer = c.http(&ada, "POST", &path, Some(ugly)).await?;
    answer.refuses(400, "bad_frame")?;
    let mut long = reported(&ada);
    long["note"] = "x".repeat(257).into();
    let answer = c.http(&ada, "POST", &path, Some(long)).await?;
    answer.refuses(413, "too_large")?;
    let mut nowhere = reported(&ada);
    nowhere["target"]["id"] = "m9".into();
    let answer = c.http(&ada, "POST", &path, Some(nowhere)).await?;
    answer.refuses(404, "target_missing")?;
    Ok(())
}

async fn what_moderators_do_leaves_the_queue_and_is_noted(c: Context) -> Outcome {
    let (keeper, ada, room) = kept_room(&c).await?;
    let bob = c.user("bob")?;
    c.post(&ada, &room, "m2", "hello again").await?;
    let reports = format!("/api/v1/rooms/{room}/reports");
    for id in ["m1", "m2"] {
        let mut report = reported(&ada);
        report["target"]["id"] = id.into();
        let answer = c.http(&bob, "POST", &reports, Some(report)).await?;
        answer.with(200)?;
    }
    let dismiss = format!("/api/v1/rooms/{room}/moderation/dismiss");
    let target = json!({ "user": ada.id, "id": "m1" });
    let body = json!({ "target": target });
    let answer = c.http(&bob, "POST", &dismiss, Some(body.clone())).await?;
    answer.refuses(403, "forbidden")?;
    let answer = c.http(&keeper, "POST", &dismiss, Some(body)).await?;
    same("the answer", &answer.with(200)?["type"], "done")?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let delete =
        json!({ "type": "delete", "id": c.id("d2"), "target": { "user": ada.id, "id": "m2" } });
    c.http(&keeper, "POST", &path, Some(delete))
        .await?
        .with(201)?;
    let queue = list(&c, &keeper, &room, "queue").await?;
    ensure!(queue.is_empty(), "something waits: {queue:?}");
    let log = list(&c, &keeper, &room, "log").await?;
    let done: Vec<_> = log.iter().take(2).map(|entry| &entry["body"]).collect();
    for (body, action) in done.iter().zip(["delete", "dismiss"]) {
        same("what was done", &body["action"], action)?;
        same("who did it", &body["by"], keeper.id.as_str())?;
    }
    Ok(())
}

async fn what_is_not_masked_is_not_restored(c: Context) -> Outcome {
    let (keeper, ada, room) = kept_room(&c).await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let target = json!({ "user": ada.id, "id": "m1" });
    let restore = json!({ "type": "restore", "id": "r1", "target": target });
    let answer = c.http(&ada, "POST", &path, Some(restore.clone())).await?;
    answer.refuses(403, "forbidden")?;
    let answer = c.http(&keeper, "POST", &path, Some(restore)).await?;
    answer.refuses(404, "original_gone")?;
    Ok(())
}

async fn only_moderators_see_what_was_decided(c: Context) -> Outcome {
    let (keeper, ada, room) = kept_room(&c).await?;
    for name in ["queue", "log"] {
        let path = format!("/api/v1/rooms/{room}/moderation/{name}");
        let answer = c.http(&ada, "GET", &path, None).await?;
        answer.refuses(403, "forbidden")?;
        list(&c, &keeper, &room, name).await?;
    }
    Ok(())
}

async fn a_decision_is_noted_once_and_without_text(c: Context) -> Outcome {
    let (keeper, ada, room) = kept_room(&c).await?;
    for _ in 0..2 {
        c.post(&ada, &room, "m2", SPAM).await?;
    }
    let log = list(&c, &keeper, &room, "log").await?;
    ensure!(log.len() == 1, "one decision: {log:?}");
    same("the action", &log[0]["body"]["action"], "mask")?;
    same("whose it is", &log[0]["body"]["user"], ada.id.as_str())?;
    is_digest(&log[0]["body"]["policy"])?;
    ensure!(!log[0].to_string().contains(SPAM), "a text: {}", log[0]);
    Ok(())
}
