//! What there is of a private room for those outside: nothing.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    case::{Case, Outcome, case, refused, same},
    context::{Context, User},
    reader::{entries, ids},
    socket::Socket,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(private_name_is_made_of_its_maker, "Rooms", "HASH is the first 16 hexadecimal digits of SHA-256(`USER BASE`) and BASE has at most 39 bytes"),
    case!(direct_name_is_made_of_both, "Rooms", "`direct` makes `direct-HASH`, the first 32 digits of SHA-256(`A B`) of the two user ids in the order of bytes, whoever asks."),
    case!(member_is_told_and_let_in, "Rooms", "Who is let in is told by a `room`, wherever he is connected, and finds the room in `welcome` later"),
    case!(outside_it_does_not_exist, "Rooms", "So one that you may not enter and one that there is not are answered alike, with `forbidden`: by `join`, `history` and all commands, and over HTTP."),
    case!(outside_it_does_not_exist_over_http, "Rooms", "So one that you may not enter and one that there is not are answered alike, with `forbidden`"),
    case!(it_is_in_no_list, "Rooms", "It is in no list, count or figure but those of who is in it."),
    case!(joining_never_makes_one, "Rooms", "No such room is made by joining it."),
    case!(who_lost_his_role_hears_nothing, "Rooms", "A kick, ban, mute or lost role is told to every edge, and acted on over live connections within a second."),
    case!(direct_room_is_of_two, "Rooms", "Nobody is let into a direct room, and nobody but an admin deletes it; nothing else can be done to it."),
];

/// A name that nobody was ever given.
const NOWHERE: &str = "private-plans-0000000000000000";

fn digest(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..digits].to_owned()
}

/// `ada`'s private room.
async fn private(c: &Context) -> Result<(String, User)> {
    let ada = c.user("ada")?;
    let frame = json!({ "room": "plans", "private": true, "topic": "What next?" });
    let made = c.create(&ada, frame).await?;
    let room = made["room"].as_str().unwrap_or_default().to_owned();
    Ok((room, ada))
}

async fn private_name_is_made_of_its_maker(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    let expected = format!("private-plans-{}", digest(&format!("{} plans", ada.id), 16));
    ensure!(room == expected, "`{room}` is not `{expected}`");
    let longest = "x".repeat(39);
    c.create(&ada, json!({ "room": longest, "private": true }))
        .await?;
    let (mut socket, _) = c.hello(&ada, json!([])).await?;
    let frame = json!({ "type": "create", "room": "x".repeat(40), "private": true });
    refused(&socket.ask(frame).await?, "bad_room")
}

async fn direct_name_is_made_of_both(c: Context) -> Outcome {
    let (ada, bob) = (c.user("ada")?, c.user("bob")?);
    let expected = format!("direct-{}", digest(&format!("{} {}", ada.id, bob.id), 32));
    let (mut a, _) = c.hello(&ada, json!([])).await?;
    let (mut b, _) = c.hello(&bob, json!([])).await?;
    let made = a.done(json!({ "type": "direct", "user": bob.id })).await?;
    same("the name", &made["room"], expected.as_str())?;
    same("`direct`", &made["direct"], json!([ada.id, bob.id]))?;
    same("`private`", &made["private"], true)?;
    let found = b.done(json!({ "type": "direct", "user": ada.id })).await?;
    same("the name for the other", &found["room"], expected.as_str())?;
    let path = format!("/api/v1/direct/{}", bob.id);
    let found = c
        .http(&ada, "PUT", &path, Some(json!({})))
        .await?
        .with(200)?;
    same("the name over HTTP", &found["room"], expected)?;
    let himself = a.ask(json!({ "type": "direct", "user": ada.id })).await?;
    refused(&himself, "forbidden")
}

async fn member_is_told_and_let_in(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    let bob = c.user("bob")?;
    let (mut told, _) = c.hello(&bob, json!([])).await?;
    let (mut owner, _) = c.hello(&ada, json!([])).await?;
    owner.done(let_in(&room, &bob.id)).await?;
    let frame = told.take("room").await?;
    same("the room", &frame["room"], room.as_str())?;
    same("his role", &frame["you"]["role"], "member")?;
    told.enter(&room).await?;
    told.store(&room, "b1", "here").await?;
    let (_, welcome) = c.hello(&bob, json!([])).await?;
    ensure!(lists(&welcome, &room), "not in `welcome`: {welcome}");
    let page = c.messages(&bob, &room, "").await?;
    ensure!(ids(entries(&page)?) == ["b1"], "{page}");
    Ok(())
}

fn let_in(room: &str, user: &str) -> Value {
    json!({ "type": "grant", "room": room, "user": user, "role": "member" })
}

fn lists(answer: &Value, room: &str) -> bool {
    let rooms = answer["rooms"].as_array();
    rooms.is_some_and(|rooms| rooms.iter().any(|listed| listed["room"] == room))
}

/// An answer without what differs between any two rooms.
fn without(room: &str, text: &str) -> String {
    text.replace(room, "ROOM")
}

async fn outside_it_does_not_exist(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    let mut inside = c.join(&ada, &room).await?;
    inside.store(&room, "a1", "for few").await?;
    let (mut eve, _) = c.hello(&c.user("eve")?, json!([])).await?;
    let row = c.unused_room("row");
    let frames = [
        json!({ "type": "join" }),
        json!({ "type": "leave" }),
        json!({ "type": "history" }),
        json!({ "type": "read", "seq": 1 }),
        json!({ "type": "configure", "topic": "mine" }),
        json!({ "type": "delete_room" }),
        json!({ "type": "grant", "user": c.id("eve"), "role": "member" }),
        json!({ "type": "revoke", "user": ada.id }),
        json!({ "type": "kick", "user": ada.id }),
        json!({ "type": "mute", "user": ada.id }),
        json!({ "type": "ban", "user": ada.id }),
        json!({ "type": "unban", "user": ada.id }),
    ];
    for frame in frames {
        let kind = frame["type"].clone();
        let mut answers = Vec::new();
        for name in [room.as_str(), NOWHERE] {
            let mut frame = frame.clone();
            frame["room"] = json!(name);
            frame["ref"] = json!("asked");
            eve.send(frame).await?;
            // `left` has no `ref`.
            let answer = eve
                .find("an answer", |answer| {
                    answer["ref"] == "asked" || answer["type"] == "left"
                })
                .await?;
            answers.push(without(name, &answer.to_string()));
        }
        ensure!(
            answers[0] == answers[1],
            "`{kind}` of a private room and of none: {answers:?}"
        );
        // Ends the row of refused frames.
        eve.enter(&row).await?;
    }
    let answer = eve.join(&room, None).await?;
    refused(&answer, "forbidden")?;
    inside.store(&room, "a2", "still for few").await?;
    let told = eve.told().await?;
    ensure!(
        !format!("{told:?}").contains("for few"),
        "she was told: {told:?}"
    );
    Ok(())
}

async fn outside_it_does_not_exist_over_http(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    c.post(&ada, &room, "a1", "for few").await?;
    let eve = c.user("eve")?;
    let message = json!({ "id": "e1", "text": "This is spam" });
    let requests = [
        ("GET", "", None),
        ("GET", "/messages", None),
        ("GET", "/messages?before=9", None),
        ("GET", "/events", None),
        ("GET", "/stats", None),
        ("POST", "/messages", Some(message)),
        ("PATCH", "", Some(json!({ "topic": "mine" }))),
        ("DELETE", "", None),
        ("PUT", "/members/eve", Some(json!({ "role": "member" }))),
        ("PUT", "/bans/ada", Some(json!({}))),
        ("DELETE", "/mutes/ada", None),
        ("POST", "/members/ada/kick", Some(json!({}))),
    ];
    for (method, path, body) in requests {
        let mut answers = Vec::new();
        for name in [room.as_str(), NOWHERE] {
            let path = format!("/api/v1/rooms/{name}{path}");
            let answer = c.http(&eve, method, &path, body.clone()).await?;
            answer.refuses(403, "forbidden")?;
            answers.push(without(name, &answer.text));
        }
        ensure!(
            answers[0] == answers[1],
            "{method} {path} of a private room and of none: {answers:?}"
        );
    }
    Ok(())
}

async fn it_is_in_no_list(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    let _there = c.join(&ada, &room).await?;
    let eve = c.user("eve")?;
    let (_, welcome) = c.hello(&eve, json!([])).await?;
    ensure!(!lists(&welcome, &room), "in another's `welcome`: {welcome}");
    for path in ["/api/v1/rooms", "/api/v1/stats"] {
        let answer = c.http(&eve, "GET", path, None).await?;
        answer.with(200)?;
        ensure!(!answer.text.contains(&room), "{path} tells of it");
    }
    let listed = c
        .http(&ada, "GET", "/api/v1/rooms", None)
        .await?
        .with(200)?;
    ensure!(lists(&listed, &room), "not in her own list: {listed}");
    Ok(())
}

async fn joining_never_makes_one(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    for name in [NOWHERE, "private-", "private-x", "direct-x"] {
        refused(&ada.join(name, None).await?, "forbidden")?;
        let answer = ada.ask(json!({ "type": "create", "room": name })).await?;
        refused(&answer, "forbidden")?;
    }
    Ok(())
}

async fn who_lost_his_role_hears_nothing(c: Context) -> Outcome {
    let (room, ada) = private(&c).await?;
    let bob = c.user("bob")?;
    let mut owner = c.join(&ada, &room).await?;
    owner.done(let_in(&room, &bob.id)).await?;
    let mut member = c.join(&bob, &room).await?;
    let mut events = c.events(&bob, &room, None).await?;
    events.next_named("joined").await?;
    owner
        .done(json!({ "type": "revoke", "room": room, "user": bob.id }))
        .await?;
    let left = member.take("left").await?;
    same("the reason", &left["reason"], "forbidden")?;
    owner.store(&room, "a1", "for one").await?;
    if let Some(event) = events.next_or_end().await? {
        anyhow::bail!("his stream of events goes on: {}", event.data);
    }
    refused(&member.join(&room, None).await?, "forbidden")?;
    let told = member.told().await?;
    ensure!(
        !format!("{told:?}").contains("for one"),
        "he was told: {told:?}"
    );
    let path = format!("/api/v1/rooms/{room}/messages");
    c.http(&bob, "GET", &path, None)
        .await?
        .refuses(403, "forbidden")?;
    Ok(())
}

async fn direct_room_is_of_two(c: Context) -> Outcome {
    let (ada, bob, eve) = (c.user("ada")?, c.user("bob")?, c.user("eve")?);
    let (mut a, _) = c.hello(&ada, json!([])).await?;
    let (mut b, _) = c.hello(&bob, json!([])).await?;
    let made = a.done(json!({ "type": "direct", "user": bob.id })).await?;
    let room = made["room"].as_str().unwrap_or_default().to_owned();
    same(
        "what the other is told",
        &b.take("room").await?["room"],
        room.as_str(),
    )?;
    a.enter(&room).await?;
    b.enter(&room).await?;
    a.store(&room, "a1", "just us").await?;
    same(
        "what the other hears",
        &b.take("message").await?["text"],
        "just us",
    )?;
    let (_, welcome) = c.hello(&bob, json!([])).await?;
    let rooms = welcome["rooms"].as_array();
    ensure!(
        rooms.is_some_and(|rooms| {
            rooms
                .iter()
                .any(|listed| listed["room"] == room && listed["with"] == ada.id)
        }),
        "not in `welcome` with the other: {welcome}"
    );
    let (mut outside, _) = c.hello(&eve, json!([])).await?;
    refused(&outside.join(&room, None).await?, "forbidden")?;
    cannot(&mut a, let_in(&room, &eve.id)).await?;
    cannot(
        &mut a,
        json!({ "type": "ban", "room": room, "user": bob.id }),
    )
    .await?;
    cannot(
        &mut a,
        json!({ "type": "configure", "room": room, "topic": "ours" }),
    )
    .await?;
    cannot(&mut a, json!({ "type": "delete_room", "room": room })).await
}

async fn cannot(socket: &mut Socket, frame: Value) -> Outcome {
    refused(&socket.ask(frame).await?, "forbidden")
}
