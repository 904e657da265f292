//! The codes that one frame provokes. Others stand with what they are about.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, refused},
    context::Context,
    reader::{entries, ids},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(bad_json, "Error codes", "| `bad_json` | the frame is not JSON | never |"),
    case!(bad_frame, "Error codes", "| `bad_frame` | a field is missing or of the wrong type, the text is empty | never |"),
    case!(unknown_type, "Error codes", "| `unknown_type` | the frame's `type` is not known | never |"),
    case!(bad_names, "Error codes", "| `bad_room`, `bad_id`, `bad_user` | a name is not of its form | never |"),
    case!(not_joined, "Error codes", "| `not_joined` | the room has to be joined first | never |"),
    case!(refused_frame_does_nothing, "Frames of the server", "a frame was refused"),
];

async fn each_is_refused(c: &Context, frames: Vec<String>, code: &str) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    for frames in frames.chunks(15) {
        for text in frames {
            ada.send_text(text.clone()).await?;
            let error = ada.take("error").await?;
            refused(&error, code).map_err(|error| error.context(text.clone()))?;
        }
        // Ends the row of refused frames.
        ada.enter(&c.unused_room("row")).await?;
    }
    Ok(())
}

fn frames(frames: &[Value]) -> Vec<String> {
    frames.iter().map(Value::to_string).collect()
}

async fn bad_json(c: Context) -> Outcome {
    let texts = [
        "nonsense",
        "",
        "{",
        r#"{"type":"ping"}}"#,
        "\u{feff}{}",
        "{'type':'ping'}",
    ];
    each_is_refused(&c, texts.map(str::to_owned).to_vec(), "bad_json").await
}

async fn bad_frame(c: Context) -> Outcome {
    let room = "general";
    let target = json!({ "user": "ada", "id": "m1" });
    let bad = frames(&[
        json!([1, 2]),
        json!("ping"),
        json!(null),
        json!({ "room": room }),
        json!({ "type": 5 }),
        json!({ "type": "join" }),
        json!({ "type": "join", "room": 5 }),
        json!({ "type": "join", "room": room, "since": 5 }),
        json!({ "type": "send", "room": room, "text": "hello" }),
        json!({ "type": "send", "room": room, "id": "m1" }),
        json!({ "type": "send", "room": room, "id": "m1", "text": "" }),
        json!({ "type": "send", "room": room, "id": "m1", "text": " \n\t" }),
        json!({ "type": "send", "room": room, "id": "m1", "text": 5 }),
        json!({ "type": "send", "room": room, "id": "m1", "text": "x", "mentions": "ada" }),
        json!({ "type": "send", "room": room, "id": "m1", "text": "x", "reply_to": 5 }),
        json!({ "type": "edit", "room": room, "id": "e1", "target": target }),
        json!({ "type": "edit", "room": room, "id": "e1", "text": "x" }),
        json!({ "type": "delete", "room": room, "id": "d1" }),
        json!({ "type": "delete", "room": room, "id": "d1", "target": { "user": "ada" } }),
        json!({ "type": "react", "room": room, "id": "r1", "target": target }),
        json!({ "type": "read", "room": room }),
        json!({ "type": "read", "room": room, "seq": -1 }),
        json!({ "type": "read", "room": room, "seq": "1" }),
        json!({ "type": "history", "room": room, "limit": "x" }),
        json!({ "type": "token" }),
        json!({ "type": "create" }),
        json!({ "type": "grant", "room": room, "user": "ada" }),
        json!({ "type": "grant", "room": room, "user": "ada", "role": "king" }),
        json!({ "type": "ban", "room": room }),
        json!({ "type": "ban", "room": room, "user": "ada", "for_ms": -1 }),
        json!({ "type": "direct" }),
    ]);
    each_is_refused(&c, bad, "bad_frame").await
}

async fn unknown_type(c: Context) -> Outcome {
    let bad = frames(&[
        json!({ "type": "dance" }),
        json!({ "type": "" }),
        json!({ "type": "Join", "room": "general" }),
        json!({ "type": "welcome" }),
    ]);
    each_is_refused(&c, bad, "unknown_type").await
}

async fn bad_names(c: Context) -> Outcome {
    let long = "x".repeat(65);
    let rooms = ["", "No!", "-x", "_x", "ä", "a b", "#general", &long];
    let rooms: Vec<Value> = rooms
        .iter()
        .map(|room| json!({ "type": "join", "room": room }))
        .collect();
    each_is_refused(&c, frames(&rooms), "bad_room").await?;
    let ids = ["", "a b", "ä", "a/b", "<x>", &long];
    let sends: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "type": "send", "room": "general", "id": id, "text": "x" }))
        .collect();
    each_is_refused(&c, frames(&sends), "bad_id").await?;
    let users: Vec<Value> = ids
        .iter()
        .map(|user| json!({ "type": "direct", "user": user }))
        .collect();
    each_is_refused(&c, frames(&users), "bad_user").await
}

async fn not_joined(c: Context) -> Outcome {
    let room = c.unused_room("elsewhere");
    let target = json!({ "user": "ada", "id": "m1" });
    let there = frames(&[
        json!({ "type": "send", "room": room, "id": "m1", "text": "hello" }),
        json!({ "type": "edit", "room": room, "id": "e1", "target": target, "text": "x" }),
        json!({ "type": "delete", "room": room, "id": "d1", "target": target }),
        json!({ "type": "react", "room": room, "id": "r1", "target": target, "reaction": "+1" }),
        json!({ "type": "typing", "room": room }),
        json!({ "type": "read", "room": room, "seq": 1 }),
        json!({ "type": "history", "room": room }),
    ]);
    each_is_refused(&c, there, "not_joined").await
}

async fn refused_frame_does_nothing(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    ada.say(&room, "a b", "a bad id").await?;
    ada.say(&room, "m1", " ").await?;
    let odd = json!({ "type": "send", "room": room, "id": "m2", "text": "x", "mentions": [5] });
    ada.change(odd).await?;
    ada.store(&room, "m3", "a good one").await?;
    bob.take("message").await?;
    let history = bob.ask(json!({ "type": "history", "room": room })).await?;
    ensure!(
        ids(entries(&history)?) == ["m3"],
        "something was stored: {history}"
    );
    Ok(())
}
