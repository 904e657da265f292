//! From `hello` to the close.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    case::{Case, Outcome, case, is_hex, letters, refused, same},
    context::{Context, greet},
    reader::origin,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(hello_is_answered_by_welcome_then_joined, "Frames of the client", "`welcome`, then `joined` for each room"),
    case!(hello_without_rooms_joins_the_first_default_room, "Frames of the client", "without `rooms` the first default room that is open, `general`"),
    case!(hello_may_name_no_rooms, "Frames of the client", "says who speaks and joins rooms"),
    case!(first_frame_is_hello, "States of a connection", "`hello` only; anything else is refused and closes with 4003"),
    case!(hello_needs_a_good_name, "Close codes", "the first frame was refused", Names),
    case!(hello_names_too_many_rooms, "Error codes", "for this connection, this user or the deployment"),
    case!(silence_is_closed, "States of a connection", "5 s → close 4001"),
    case!(second_hello_is_refused, "States of a connection", "everything but `hello`"),
    case!(frames_are_answered_in_order, "States of a connection", "One frame is handled at a time; the next is read when its effects are stored."),
    case!(unknown_fields_are_ignored, "Protocol, version 1", "Fields and frame types may be added: ignore what you do not know."),
    case!(errors_carry_the_ref, "Words", "any frame of a client may carry a `ref` (a string of at most 64 bytes); an error to it carries the same"),
    case!(leave_is_answered_and_ends_delivery, "Frames of the client", "stops following it"),
    case!(pong_tells_the_positions, "Frames of the server", "where the edge stands in your rooms"),
    case!(client_may_close, "States of a connection", "a close from either side"),
    case!(binary_is_closed, "Close codes", "the WebSocket itself was misused; do not reconnect"),
    case!(bad_utf8_is_closed, "Close codes", "the WebSocket itself was misused; do not reconnect"),
    case!(broken_websocket_is_closed, "Close codes", "the WebSocket itself was misused; do not reconnect"),
    case!(large_frame_is_closed, "Close codes", "the WebSocket itself was misused; do not reconnect"),
    case!(unanswered_pings_are_closed, "Close codes", "two pings went unanswered", FrequentPings),
];

async fn hello_is_answered_by_welcome_then_joined(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let rooms = [c.unused_room("a"), c.unused_room("b")];
    let mut socket = c.open("ada").await?;
    let joins = json!([{ "room": rooms[0] }, { "room": rooms[1], "since": null }]);
    let welcome = greet(&mut socket, &ada, joins).await?;
    same(
        "the user",
        &welcome["user"],
        json!({ "id": ada.id, "name": ada.id }),
    )?;
    ensure!(
        welcome["session"].is_string() && welcome["edge"].is_string(),
        "{welcome}"
    );
    ensure!(welcome["rooms"].is_array(), "no list of rooms: {welcome}");
    // The rooms may be answered in any order, but nothing comes before them.
    let mut left: Vec<&String> = rooms.iter().collect();
    while !left.is_empty() {
        let joined = socket
            .find("`joined`", |frame| frame["type"] != "presence")
            .await?;
        same("the next frame", &joined["type"], "joined")?;
        let at = left.iter().position(|room| joined["room"] == room.as_str());
        let at = at.with_context(|| format!("another room, or one twice: {joined}"))?;
        let room = left.remove(at);
        // Nobody spoke there, ever.
        let user = json!({ "id": ada.id, "name": ada.id });
        let expected = json!({
            "type": "joined", "room": room, "position": origin(), "head": origin(),
            "recovered": false, "reason": null, "lost": null, "more": false, "messages": [],
            "members_count": 1, "members": [user],
        });
        for (name, value) in expected.as_object().into_iter().flatten() {
            same(
                &format!("`{name}` of `joined`"),
                &joined[name],
                value.clone(),
            )?;
        }
    }
    Ok(())
}

async fn hello_without_rooms_joins_the_first_default_room(c: Context) -> Outcome {
    let config = c
        .request("GET", "/api/v1/config", Vec::new(), String::new())
        .await?;
    let first = config.with(200)?["default_rooms"][0].clone();
    let mut socket = c.open("ada").await?;
    greet(&mut socket, &c.user("ada")?, json!(null)).await?;
    same("the room", &socket.take("joined").await?["room"], first)
}

async fn hello_may_name_no_rooms(c: Context) -> Outcome {
    let (mut socket, _) = c.hello(&c.user("ada")?, json!([])).await?;
    socket.told_no("joined").await
}

async fn first_frame_is_hello(c: Context) -> Outcome {
    let cases = [
        ("nonsense".to_owned(), "bad_json"),
        (
            json!({ "type": "join", "room": "general" }).to_string(),
            "hello_first",
        ),
        (json!({ "type": "ping" }).to_string(), "hello_first"),
        (
            json!({ "type": "hello", "rooms": 7, "user": "ada" }).to_string(),
            "bad_frame",
        ),
    ];
    for (text, code) in cases {
        let mut socket = c.open("ada").await?;
        socket.send_text(text).await?;
        refused(&socket.take("error").await?, code)?;
        socket.closed_with(4003).await?;
    }
    Ok(())
}

async fn hello_needs_a_good_name(c: Context) -> Outcome {
    let long = "x".repeat(65);
    for user in [
        json!(null),
        json!("a b"),
        json!(""),
        json!(long),
        json!("ä"),
    ] {
        let mut socket = c.open("ada").await?;
        socket
            .send(json!({ "type": "hello", "user": user }))
            .await?;
        refused(&socket.take("error").await?, "bad_user")?;
        socket.closed_with(4003).await?;
    }
    Ok(())
}

async fn hello_names_too_many_rooms(c: Context) -> Outcome {
    let rooms: Vec<_> = (0..=c.limits().rooms)
        .map(|number| json!({ "room": c.unused_room(&number.to_string()) }))
        .collect();
    let mut socket = c.open("ada").await?;
    let answer = greet(&mut socket, &c.user("ada")?, json!(rooms)).await;
    ensure!(answer.is_err(), "welcomed with {} rooms", rooms.len());
    ensure!(
        c.transcript.codes().contains("too_many_rooms"),
        "another error"
    );
    socket.closed_with(4003).await
}

async fn silence_is_closed(c: Context) -> Outcome {
    let mut socket = c.open("silent").await?;
    // 5 s unless the operator sets others; at most a minute.
    socket.be_patient_for(c.target.patience + Duration::from_secs(5));
    socket.closed_with(4001).await
}

async fn second_hello_is_refused(c: Context) -> Outcome {
    let (mut socket, _) = c.hello(&c.user("ada")?, json!([])).await?;
    let answer = socket
        .ask(json!({ "type": "hello", "user": c.id("ada") }))
        .await?;
    refused(&answer, "already_hello")?;
    socket.told_no("welcome").await
}

async fn frames_are_answered_in_order(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    for number in 0..10 {
        let id = format!("m{number}");
        ada.send(json!({ "type": "send", "room": room, "id": id, "text": "hello" }))
            .await?;
        ada.send(json!({ "type": "history", "room": room, "ref": id }))
            .await?;
    }
    for number in 0..10 {
        let id = format!("m{number}");
        let is_answer = |frame: &serde_json::Value| {
            ["ack", "history", "error"]
                .iter()
                .any(|kind| frame["type"] == *kind)
        };
        let ack = ada.find("an answer", is_answer).await?;
        same("the answer", &ack["id"], id.as_str())?;
        let history = ada.find("an answer", is_answer).await?;
        same("the answer", &history["ref"], id.as_str())?;
        let count = history["messages"].as_array().map_or(0, Vec::len);
        ensure!(
            count == number + 1,
            "{count} messages after the {}th was stored",
            number + 1
        );
    }
    Ok(())
}

async fn unknown_fields_are_ignored(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let frame = json!({
        "type": "send", "room": room, "id": "m1", "text": "hello", "x_new": { "deep": [1, null] },
    });
    let ack = ada.change(frame).await?;
    same("the answer", &ack["type"], "ack")
}

async fn errors_carry_the_ref(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    for reference in ["r", &"r".repeat(64), "ä \"\\ \u{1F600}"] {
        ada.send(json!({ "type": "dance", "ref": reference }))
            .await?;
        let error = ada.take("error").await?;
        refused(&error, "unknown_type")?;
        same("its `ref`", &error["ref"], reference)?;
    }
    ada.send(json!({ "type": "dance" })).await?;
    let error = ada.take("error").await?;
    ensure!(error["ref"].is_null(), "a `ref` that nobody sent: {error}");
    Ok(())
}

async fn leave_is_answered_and_ends_delivery(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    bob.send(json!({ "type": "leave", "room": room })).await?;
    let left = bob.take("left").await?;
    same("the room", &left["room"], room.as_str())?;
    ensure!(left["reason"].is_null(), "he left by himself: {left}");
    ada.store(&room, "a1", "bob is gone").await?;
    ada.take("message").await?;
    bob.told_no("message").await?;
    let refusal = bob.say(&room, "b1", "hello").await?;
    refused(&refusal, "not_joined")
}

async fn pong_tells_the_positions(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let position = ada.store(&room, "m1", "hello").await?;
    ada.take("message").await?;
    let pong = ada.ask(json!({ "type": "ping" })).await?;
    same("the answer", &pong["type"], "pong")?;
    letters("the tag", &pong["rooms"][0]["position"]["tag"], 16, is_hex)?;
    same(
        "`rooms`",
        &pong["rooms"],
        json!([{ "room": room, "position": position }]),
    )
}

async fn client_may_close(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    ada.send_message(Message::Close(None)).await?;
    // Answered by a close without a code, or by the end of the connection.
    let code = ada.closed().await?;
    ensure!(
        code == 1006 || code == 1000 || code == 1005,
        "answered with {code}"
    );
    Ok(())
}

async fn binary_is_closed(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    ada.send_message(Message::binary(vec![1, 2, 3])).await?;
    ada.closed_with(1003).await
}

/// A frame with a mask of zeros: the payload stands as it is.
fn raw_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(125) | 0x80;
    [&[first, length, 0, 0, 0, 0], payload].concat()
}

async fn bad_utf8_is_closed(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    ada.write_raw(&raw_frame(0x81, &[0xc3, 0x28])).await?;
    ada.closed_with(1007).await
}

async fn broken_websocket_is_closed(c: Context) -> Outcome {
    let broken = [
        raw_frame(0xc1, b"{}"),    // a reserved bit
        raw_frame(0x83, b"{}"),    // an opcode that is not defined
        vec![0x81, 2, b'{', b'}'], // not masked
    ];
    for bytes in broken {
        let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
        ada.write_raw(&bytes).await?;
        ada.closed_with(1002).await?;
    }
    Ok(())
}

async fn large_frame_is_closed(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    ada.send_text("x".repeat(c.limits().frame_bytes + 1))
        .await?;
    ada.closed_with(1009).await
}

async fn unanswered_pings_are_closed(c: Context) -> Outcome {
    let (ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    let mut ada = ada.silenced().await;
    // One ping after each, and the close after the second went unanswered.
    ada.be_patient_for(c.target.patience + 3 * Duration::from_millis(c.limits().ping_ms));
    ada.closed_with(4505).await
}
