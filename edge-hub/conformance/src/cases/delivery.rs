//! Order, exactly once, and one truth however it is read.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, is_hex, letters, refused, same},
    context::{Context, Edge},
    reader::{Reader, entries, ids, origin, seq, written},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(message_has_every_field, "A conversation", r#"< {"type":"message","room":"general","position":{"seq":44"#),
    case!(sender_gets_ack_and_message, "Frames of the client", "`ack` or `error`; and the `message` itself, before or after"),
    case!(numbers_begin_with_one, "Words", "`seq` is the number of an entry, from 1."),
    case!(concurrent_senders_are_seen_in_one_order, "What is promised", "each message and change appears exactly once and in order at the client's output"),
    case!(each_way_of_reading_tells_the_same, "HTTP", "`{room, position, head, recovered, reason, lost, more, messages}` as in `joined`"),
    case!(same_id_is_stored_once, "Words", "(user, id) is unique in a room: the same id sent twice is stored once."),
    case!(same_id_with_another_text_is_the_first, "Words", "(user, id) is unique in a room: the same id sent twice is stored once."),
    case!(same_id_of_another_user_is_another_message, "Words", "(user, id) is unique in a room"),
    case!(resend_on_another_connection_is_stored_once, "Outbox", "It is sent again under the same id"),
    case!(resend_over_http_is_stored_once, "Words", "the same id sent twice is stored once."),
    case!(rooms_do_not_hear_each_other, "Words", "a named log of messages and those who follow it"),
    case!(history_reads_either_way, "Frames of the client", "`before` and `after` are numbers, neither of which is included"),
    case!(history_pages_through_everything, "Frames of the server", "the answer to `history`, oldest first"),
    case!(replies_and_mentions_are_delivered, "Frames of the client", "`reply_to` is a reference, `mentions` at most 16 user ids"),
];

async fn message_has_every_field(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut socket = c.join(&ada, &room).await?;
    let before = crate::token::now_seconds()? * 1000;
    let text = "Grüße, 世界 \u{1F600} \"\\\n\t</script>";
    let ack = socket.say(&room, "01JD.a@b|c:d+e-f_g", text).await?;
    same("the answer", &ack["type"], "ack")?;
    same("its room", &ack["room"], room.as_str())?;
    same("its action", &ack["action"], "allow")?;
    letters("its tag", &ack["position"]["tag"], 16, is_hex)?;
    let message = socket.take("message").await?;
    same("the room", &message["room"], room.as_str())?;
    same(
        "the position",
        &message["position"],
        ack["position"].clone(),
    )?;
    same("`prev`", &message["prev"], origin()["tag"].clone())?;
    same("the id", &message["id"], "01JD.a@b|c:d+e-f_g")?;
    same(
        "the user",
        &message["user"],
        json!({ "id": ada.id, "name": ada.id }),
    )?;
    same("the text", &message["text"], text)?;
    let at = message["at"].as_u64().unwrap_or_default();
    // Clocks differ, but not by days.
    ensure!(
        at.abs_diff(before) < 86_400_000,
        "`at` is {}",
        message["at"]
    );
    same(
        "moderation's action",
        &message["moderation"]["action"],
        "allow",
    )
}

async fn sender_gets_ack_and_message(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    for number in 0..5 {
        let id = format!("m{number}");
        let position = ada.store(&room, &id, "hello").await?;
        let message = ada.take("message").await?;
        same("the message's position", &message["position"], position)?;
    }
    ada.told_no("message").await
}

async fn numbers_begin_with_one(c: Context) -> Outcome {
    let room = c.room().await?;
    let (mut ada, joined) = c.resume(&c.user("ada")?, &room, None).await?;
    same(
        "the position of an empty room",
        &joined["position"],
        origin(),
    )?;
    for number in 1..=3 {
        let position = ada.store(&room, &format!("m{number}"), "hello").await?;
        same("the number", &position["seq"], number)?;
    }
    Ok(())
}

/// Has users send messages at once; gives what was acknowledged, by position.
pub async fn flood(
    c: &Context,
    edge: Edge,
    room: &str,
    prefix: &str,
    (users, each): (usize, usize),
    text: &str,
) -> Result<Vec<(String, Value)>> {
    let speakers = (0..users).map(|speaker| async move {
        let user = c.user(&format!("{prefix}{speaker}"))?;
        let mut socket = c.join_on(edge, &user, room).await?;
        let ids: Vec<String> = (0..each)
            .map(|number| format!("{prefix}{speaker}-{number}"))
            .collect();
        for id in &ids {
            socket
                .send(json!({ "type": "send", "room": room, "id": id, "text": text }))
                .await?;
        }
        let mut stored: Vec<(String, Value)> = Vec::new();
        for id in ids {
            let ack = socket.answer(&id).await?;
            ensure!(ack["type"] == "ack", "not stored: {ack}");
            let before = stored.last().map_or(0, |(_, position)| number(position));
            ensure!(
                number(&ack["position"]) > before,
                "a sender's order is kept: {ack}"
            );
            stored.push((id, ack["position"].clone()));
        }
        anyhow::Ok(stored)
    });
    let mut stored = try_join_all(speakers).await?.concat();
    stored.sort_by_key(|(_, position)| number(position));
    Ok(stored)
}

fn number(position: &Value) -> u64 {
    position["seq"].as_u64().unwrap_or_default()
}

/// Messages that a user may surely send at once.
pub fn burst(c: &Context) -> usize {
    c.limits().burst.saturating_sub(2).clamp(1, 15)
}

async fn concurrent_senders_are_seen_in_one_order(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut readers = Vec::new();
    for name in ["ada", "bob", "cyd"] {
        let (socket, joined) = c.resume(&c.user(name)?, &room, None).await?;
        readers.push((socket, Reader::new(&joined)?));
    }
    let stored = flood(&c, Edge::First, &room, "s", (5, burst(&c)), "all at once").await?;
    let Some((_, last)) = stored.last() else {
        anyhow::bail!("nothing was stored");
    };
    for (socket, reader) in &mut readers {
        reader.follow(socket, &room, last).await?;
    }
    for (socket, reader) in &mut readers {
        // And nothing again afterwards.
        socket.told_no("message").await?;
        let seen: Vec<(String, Value)> = reader
            .entries
            .iter()
            .map(|entry| {
                let id = entry["id"].as_str().unwrap_or_default();
                (id.to_owned(), entry["position"].clone())
            })
            .collect();
        ensure!(seen == stored, "seen: {seen:?}, acknowledged: {stored:?}");
    }
    let (first, others) = readers.split_at(1);
    for (_, reader) in others {
        ensure!(
            reader.entries == first[0].1.entries,
            "two readers were told differently"
        );
    }
    Ok(())
}

async fn each_way_of_reading_tells_the_same(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut events = c.events(&ada, &room, None).await?;
    let begin = events.next_named("joined").await?;
    let (mut live, joined) = c.resume(&ada, &room, None).await?;
    let mut reader = Reader::new(&joined)?;
    for number in 0..4 {
        live.store(&room, &format!("m{number}"), "hello").await?;
    }
    live.change(
        json!({ "type": "edit", "room": room, "id": "e1", "text": "hi",
        "target": { "user": ada.id, "id": "m0" } }),
    )
    .await?;
    live.change(
        json!({ "type": "react", "room": room, "id": "r1", "reaction": "+1",
        "target": { "user": ada.id, "id": "m1" } }),
    )
    .await?;
    let last = live.store(&room, "m9", "the last").await?;
    reader.follow(&mut live, &room, &last).await?;
    let told = &reader.entries;

    let mut streamed = Reader::at(begin.data["position"].clone());
    while streamed.position != last {
        let event = events.next_named("message").await?;
        streamed.take(&event.data)?;
        same(
            "the event's id",
            &json!(event.id),
            written(&streamed.position),
        )?;
    }
    ensure!(
        &streamed.entries == told,
        "events tell another log than the WebSocket"
    );
    let page = c.messages(&ada, &room, "").await?;
    ensure!(
        entries(&page)? == told,
        "`GET messages` tells another log: {page}"
    );
    let from = format!("?after={}", written(&origin()));
    let page = c.messages(&ada, &room, &from).await?;
    ensure!(
        entries(&page)? == told,
        "`?after=` tells another log: {page}"
    );
    let history = live.ask(json!({ "type": "history", "room": room })).await?;
    ensure!(
        entries(&history)? == told,
        "`history` tells another log: {history}"
    );
    let (_, joined) = c.resume(&c.user("bob")?, &room, None).await?;
    ensure!(
        entries(&joined)? == told,
        "`joined` tells another log: {joined}"
    );
    Ok(())
}

async fn same_id_is_stored_once(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let first = ada.say(&room, "m1", "hello").await?;
    let again = ada.say(&room, "m1", "hello").await?;
    same("the second answer", &again, first.clone())?;
    let next = ada.store(&room, "m2", "next").await?;
    same("the next number", &next["seq"], 2)?;
    bob.find("m2", |frame| frame["id"] == "m2").await?;
    let told = bob.kept("message");
    ensure!(ids(&told) == ["m1"], "told before m2: {told:?}");
    Ok(())
}

async fn same_id_with_another_text_is_the_first(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let first = ada.store(&room, "m1", "the first").await?;
    let again = ada.store(&room, "m1", "another").await?;
    same("the second position", &again, first)?;
    let history = ada.ask(json!({ "type": "history", "room": room })).await?;
    let told = entries(&history)?;
    ensure!(told.len() == 1, "stored: {history}");
    same("its text", &told[0]["text"], "the first")
}

async fn same_id_of_another_user_is_another_message(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    same(
        "ada's number",
        &ada.store(&room, "m1", "ada's").await?["seq"],
        1,
    )?;
    same(
        "bob's number",
        &bob.store(&room, "m1", "bob's").await?["seq"],
        2,
    )
}

async fn resend_on_another_connection_is_stored_once(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut before = c.join(&ada, &room).await?;
    let first = before.store(&room, "m1", "hello").await?;
    drop(before);
    let mut after = c.join(&ada, &room).await?;
    same(
        "the position",
        &after.store(&room, "m1", "hello").await?,
        first,
    )?;
    let history = after
        .ask(json!({ "type": "history", "room": room }))
        .await?;
    ensure!(entries(&history)?.len() == 1, "stored twice: {history}");
    Ok(())
}

async fn resend_over_http_is_stored_once(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let posted = c.post(&ada, &room, "m1", "hello").await?;
    same(
        "the second position",
        &c.post(&ada, &room, "m1", "other").await?,
        posted.clone(),
    )?;
    let mut socket = c.join(&ada, &room).await?;
    same(
        "the third position",
        &socket.store(&room, "m1", "hello").await?,
        posted,
    )?;
    let sent = socket.store(&room, "m2", "hello").await?;
    same(
        "the position over HTTP",
        &c.post(&ada, &room, "m2", "hello").await?,
        sent,
    )
}

async fn rooms_do_not_hear_each_other(c: Context) -> Outcome {
    let keeper = c.user("keeper")?;
    let (one, two) = (c.unused_room("one"), c.unused_room("two"));
    c.create(&keeper, json!({ "room": one })).await?;
    c.create(&keeper, json!({ "room": two })).await?;
    let mut ada = c.join(&c.user("ada")?, &one).await?;
    let mut bob = c.join(&c.user("bob")?, &two).await?;
    refused(&ada.say(&two, "a0", "not there").await?, "not_joined")?;
    ada.enter(&two).await?;
    ada.store(&one, "a1", "for one").await?;
    ada.send(json!({ "type": "typing", "room": one })).await?;
    ada.store(&two, "a2", "for two").await?;
    let message = bob.take("message").await?;
    same("what bob hears first", &message["id"], "a2")?;
    for frame in bob.told().await? {
        ensure!(
            frame["room"] != one.as_str(),
            "told of a room that he is not in: {frame}"
        );
    }
    let history = ada.ask(json!({ "type": "history", "room": one })).await?;
    ensure!(ids(entries(&history)?) == ["a1"], "{history}");
    Ok(())
}

async fn history_reads_either_way(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    for number in 1..=6 {
        ada.store(&room, &format!("m{number}"), "hello").await?;
    }
    #[rustfmt::skip]
    let cases: [(Value, &[&str], bool); 7] = [
        (json!({}),                         &["m1", "m2", "m3", "m4", "m5", "m6"], false),
        (json!({ "limit": 2 }),             &["m5", "m6"],                         true),
        (json!({ "before": 4 }),            &["m1", "m2", "m3"],                   false),
        (json!({ "before": 5, "limit": 2 }), &["m3", "m4"],                        true),
        (json!({ "after": 4 }),             &["m5", "m6"],                         false),
        (json!({ "after": 1, "limit": 2 }), &["m2", "m3"],                         true),
        (json!({ "after": 6 }),             &[],                                   false),
    ];
    for (query, expected, more) in cases {
        let mut frame = json!({ "type": "history", "room": room });
        for (name, value) in query.as_object().into_iter().flatten() {
            frame[name] = value.clone();
        }
        let history = ada.ask(frame).await?;
        same("the answer", &history["type"], "history")?;
        ensure!(
            ids(entries(&history)?) == expected,
            "{query} gives {history}"
        );
        same(&format!("`more` for {query}"), &history["more"], more)?;
    }
    let both = json!({ "type": "history", "room": room, "before": 1, "after": 1 });
    refused(&ada.ask(both).await?, "bad_frame")
}

async fn history_pages_through_everything(c: Context) -> Outcome {
    let room = c.room().await?;
    let stored = flood(&c, Edge::First, &room, "s", (3, burst(&c)), "one of many").await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut pages: Vec<Vec<Value>> = Vec::new();
    let mut before = Value::Null;
    loop {
        let page = ada
            .ask(json!({ "type": "history", "room": room, "before": before, "limit": 7 }))
            .await?;
        let messages = entries(&page)?.clone();
        ensure!(
            messages.len() <= 7,
            "more than asked for: {}",
            messages.len()
        );
        before = messages
            .first()
            .map_or(Value::Null, |first| json!(seq(first)));
        pages.push(messages);
        if page["more"] == false {
            break;
        }
        ensure!(pages.len() < 100, "history does not end");
    }
    pages.reverse();
    let mut reader = Reader::at(origin());
    for entry in pages.concat() {
        reader.take(&entry)?;
    }
    let seen: BTreeSet<&str> = ids(&reader.entries).into_iter().collect();
    let sent: BTreeSet<&str> = stored.iter().map(|(id, _)| id.as_str()).collect();
    ensure!(seen == sent, "seen {seen:?}, sent {sent:?}");
    Ok(())
}

async fn replies_and_mentions_are_delivered(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut socket = c.join(&ada, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let position = socket.store(&room, "m1", "a question").await?;
    bob.take("message").await?;
    let by_name = json!({ "user": ada.id, "id": "m1" });
    for (id, reference) in [("m2", by_name), ("m3", position)] {
        let frame = json!({
            "type": "send", "room": room, "id": id, "text": "an answer",
            "reply_to": reference, "mentions": [ada.id, "somebody"],
        });
        same("the answer", &socket.change(frame).await?["type"], "ack")?;
        let message = bob.take("message").await?;
        same("`reply_to`", &message["reply_to"], reference)?;
        same(
            "`mentions`",
            &message["mentions"],
            json!([ada.id, "somebody"]),
        )?;
    }
    let many: Vec<String> = (0..17).map(|number| format!("user{number}")).collect();
    let frame = json!({
        "type": "send", "room": room, "id": "m4", "text": "all of you", "mentions": many,
    });
    refused(&socket.change(frame).await?, "bad_frame")
}
