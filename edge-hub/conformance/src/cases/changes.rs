//! Edits, deletions and reactions.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, refused, same},
    context::{Context, User},
    reader::{Reader, entries, ids, origin},
    socket::Socket,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(edit_is_delivered_in_its_place, "Frames of the client", "gives one's own message another text; `target` is a reference"),
    case!(change_is_resent_and_stored_once, "Frames of the server", "is acknowledged, resent, paged and resumed alike"),
    case!(target_may_be_a_position, "Words", "another message, as `{\"user\",\"id\"}` or as a full position"),
    case!(position_of_another_log_is_stale, "Words", "A position says which log is meant, so it is refused after a failover that gave its number to another message"),
    case!(message_of_another_is_not_changed, "Error codes", "or the message to change is another user's"),
    case!(missing_target_is_told, "Error codes", "what is to be changed is not in the kept log, was deleted, or is no message"),
    case!(only_messages_are_targets, "Frames of the server", "Only messages are targets, but for one case"),
    case!(deletion_leaves_skipped, "Frames of the server", "A deletion removes message and edits: to whoever reads later they are `skipped`."),
    case!(moderator_of_the_room_deletes, "Frames of the client", "removes one's own message (a moderator: anyone's) with its edits"),
    case!(reaction_comes_and_goes, "Frames of the client", "adds a reaction to a message, or takes it back"),
    case!(reaction_has_a_form, "Frames of the client", "it has 1 to 32 bytes without white space"),
    case!(message_is_edited_so_often, "Frames of the server", "A message may be edited 64 times."),
];

/// A room in which `ada` has said `m1`, heard by `bob`.
async fn said(c: &Context) -> Result<(String, User, Socket, Socket, Value)> {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut speaker = c.join(&ada, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let position = speaker.store(&room, "m1", "the first text").await?;
    bob.take("message").await?;
    Ok((room, ada, speaker, bob, position))
}

fn edit(room: &str, id: &str, target: Value, text: &str) -> Value {
    json!({ "type": "edit", "room": room, "id": id, "target": target, "text": text })
}

async fn edit_is_delivered_in_its_place(c: Context) -> Outcome {
    let (room, ada, mut speaker, mut bob, position) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let ack = speaker
        .change(edit(&room, "e1", target, "the second text"))
        .await?;
    same("the answer", &ack["type"], "ack")?;
    same("its action", &ack["action"], "allow")?;
    let changed = bob.take("changed").await?;
    same(
        "the position",
        &changed["position"],
        ack["position"].clone(),
    )?;
    same("`prev`", &changed["prev"], position["tag"].clone())?;
    same("the id", &changed["id"], "e1")?;
    same("the user", &changed["user"]["id"], ada.id.as_str())?;
    same("`change`", &changed["change"], "edit")?;
    same("the text", &changed["text"], "the second text")?;
    let target = json!({ "position": position, "user": ada.id, "id": "m1" });
    same("`target`", &changed["target"], target)?;
    ensure!(changed["at"].is_u64(), "no time: {changed}");
    Ok(())
}

async fn change_is_resent_and_stored_once(c: Context) -> Outcome {
    let (room, ada, mut speaker, _, _) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    for frame in [
        edit(&room, "e1", target.clone(), "the second text"),
        json!({ "type": "react", "room": room, "id": "r1", "target": target, "reaction": "+1" }),
        json!({ "type": "delete", "room": room, "id": "d1", "target": target }),
    ] {
        let first = speaker.change(frame.clone()).await?;
        same("the answer", &first["type"], "ack")?;
        let again = speaker.change(frame).await?;
        same(
            "the second position",
            &again["position"],
            first["position"].clone(),
        )?;
    }
    Ok(())
}

async fn target_may_be_a_position(c: Context) -> Outcome {
    let (room, _, mut speaker, mut bob, position) = said(&c).await?;
    let ack = speaker
        .change(edit(&room, "e1", position.clone(), "again"))
        .await?;
    same("the answer", &ack["type"], "ack")?;
    let changed = bob.take("changed").await?;
    same("the target", &changed["target"]["position"], position)?;
    same("the target", &changed["target"]["id"], "m1")
}

async fn position_of_another_log_is_stale(c: Context) -> Outcome {
    let (room, _, mut speaker, _, _) = said(&c).await?;
    let stale = json!({ "seq": 1, "tag": "00000000deadbeef" });
    let answer = speaker.change(edit(&room, "e1", stale, "again")).await?;
    refused(&answer, "stale_target")
}

async fn message_of_another_is_not_changed(c: Context) -> Outcome {
    let (room, ada, _, mut bob, _) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let answer = bob
        .change(edit(&room, "e1", target.clone(), "not mine"))
        .await?;
    refused(&answer, "forbidden")?;
    let delete = json!({ "type": "delete", "room": room, "id": "d1", "target": target });
    refused(&bob.change(delete).await?, "forbidden")?;
    let history = bob.ask(json!({ "type": "history", "room": room })).await?;
    ensure!(
        ids(entries(&history)?) == ["m1"],
        "something was stored: {history}"
    );
    Ok(())
}

async fn missing_target_is_told(c: Context) -> Outcome {
    let (room, ada, mut speaker, _, _) = said(&c).await?;
    let missing = json!({ "user": ada.id, "id": "never" });
    let gone = json!({ "user": ada.id, "id": "m1" });
    let delete = json!({ "type": "delete", "room": room, "id": "d1", "target": gone });
    same("the answer", &speaker.change(delete).await?["type"], "ack")?;
    for (number, target) in [missing, gone].into_iter().enumerate() {
        let frames = [
            edit(&room, &format!("e{number}"), target.clone(), "again"),
            json!({ "type": "react", "room": room, "id": format!("r{number}"), "target": target,
                "reaction": "+1" }),
            json!({ "type": "delete", "room": room, "id": format!("x{number}"), "target": target }),
        ];
        for frame in frames {
            refused(&speaker.change(frame).await?, "target_missing")?;
        }
    }
    Ok(())
}

async fn only_messages_are_targets(c: Context) -> Outcome {
    let (room, ada, mut speaker, _, _) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let ack = speaker.change(edit(&room, "e1", target, "again")).await?;
    for target in [
        json!({ "user": ada.id, "id": "e1" }),
        ack["position"].clone(),
    ] {
        let frame = json!({ "type": "delete", "room": room, "id": "d1", "target": target });
        refused(&speaker.change(frame).await?, "target_missing")?;
    }
    Ok(())
}

async fn deletion_leaves_skipped(c: Context) -> Outcome {
    let (room, ada, mut speaker, mut bob, position) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    speaker
        .change(edit(&room, "e1", target.clone(), "an edited text"))
        .await?;
    speaker.store(&room, "m2", "what stays").await?;
    let delete = json!({ "type": "delete", "room": room, "id": "d1", "target": target });
    let ack = speaker.change(delete).await?;
    same("the answer", &ack["type"], "ack")?;
    let changed = bob
        .find("the deletion", |frame| frame["change"] == "delete")
        .await?;
    same("the target", &changed["target"]["position"], position)?;

    let ada = c.user("ada")?;
    let page = c.messages(&ada, &room, "").await?;
    let history = bob.ask(json!({ "type": "history", "room": room })).await?;
    let (_, joined) = c.resume(&c.user("cyd")?, &room, Some(&origin())).await?;
    for answer in [&page, &history, &joined] {
        let mut reader = Reader::at(origin());
        for entry in entries(answer)? {
            reader.take(entry)?;
        }
        let kinds: Vec<&Value> = reader.entries.iter().map(|entry| &entry["type"]).collect();
        // A run of them may be told as one.
        ensure!(
            kinds.first().is_some_and(|kind| *kind == "skipped")
                && ids(&reader.entries) == ["m2", "d1"],
            "after a deletion: {answer}"
        );
        same("the end", &reader.position, ack["position"].clone())?;
        for text in ["the first text", "an edited text"] {
            ensure!(
                !answer.to_string().contains(text),
                "`{text}` is still told: {answer}"
            );
        }
    }
    Ok(())
}

async fn moderator_of_the_room_deletes(c: Context) -> Outcome {
    let (room, ada, _, mut bob, _) = said(&c).await?;
    let keeper = c.user("keeper")?;
    let mut owner = c.join(&keeper, &room).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let delete = json!({ "type": "delete", "room": room, "id": "d1", "target": target });
    same("the answer", &owner.change(delete).await?["type"], "ack")?;
    let changed = bob.take("changed").await?;
    same("who deleted", &changed["user"]["id"], keeper.id)
}

async fn reaction_comes_and_goes(c: Context) -> Outcome {
    let (room, ada, _, mut bob, position) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    for (id, remove) in [("r1", None), ("r2", Some(true))] {
        let frame = json!({ "type": "react", "room": room, "id": id, "target": target,
            "reaction": "👍", "remove": remove });
        let ack = bob.change(frame).await?;
        same("the answer", &ack["type"], "ack")?;
        let changed = bob.take("changed").await?;
        same(
            "the position",
            &changed["position"],
            ack["position"].clone(),
        )?;
        same("`change`", &changed["change"], "react")?;
        same("`reaction`", &changed["reaction"], "👍")?;
        same(
            "the target",
            &changed["target"]["position"],
            position.clone(),
        )?;
        let told = changed["remove"].as_bool().unwrap_or(false);
        ensure!(told == remove.unwrap_or(false), "`remove` is {changed}");
    }
    Ok(())
}

async fn reaction_has_a_form(c: Context) -> Outcome {
    let (room, ada, _, mut bob, _) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let long = "x".repeat(33);
    for (number, reaction) in ["", "a b", "\t", &long].into_iter().enumerate() {
        let frame = json!({ "type": "react", "room": room, "id": format!("r{number}"),
            "target": target, "reaction": reaction });
        refused(&bob.change(frame).await?, "bad_frame")?;
    }
    let longest = "x".repeat(32);
    let frame = json!({ "type": "react", "room": room, "id": "r9", "target": target,
        "reaction": longest });
    same("the answer", &bob.change(frame).await?["type"], "ack")
}

async fn message_is_edited_so_often(c: Context) -> Outcome {
    let (room, ada, mut speaker, _, _) = said(&c).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    for number in 1..=64 {
        let frame = edit(
            &room,
            &format!("e{number}"),
            target.clone(),
            &format!("text {number}"),
        );
        let answer = speaker.persist_change(frame).await?;
        ensure!(
            answer["type"] == "ack",
            "edit {number} is answered with {answer}"
        );
    }
    let answer = speaker
        .persist_change(edit(&room, "e65", target, "once more"))
        .await?;
    refused(&answer, "too_many_changes")
}
