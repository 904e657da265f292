//! Rooms with settings and roles.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    case::{Case, Outcome, case, refused, refused_for_a_while, same},
    context::Context,
    reader::ids,
    socket::Socket,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(create_makes_a_room_with_an_owner, "Rooms", "`create` makes one that has an owner and stays until it is deleted."),
    case!(used_name_cannot_be_created, "Rooms", "A room where somebody is or spoke cannot be created (`room_exists`); nor can the default rooms."),
    case!(joining_makes_a_room_that_nobody_owns, "Rooms", "it is open to everybody who may speak, nobody owns it"),
    case!(settings_come_before_the_first_joined, "Rooms", "A `room` frame comes right before the `joined` that answers the first `join` of a connection"),
    case!(configure_is_told_to_the_others, "Frames of the client", "`room`; the others in the room are told it as well"),
    case!(configure_leaves_the_rest, "Frames of the client", "sets what is there and leaves the rest; an empty text, `false` or 0 takes it away"),
    case!(settings_have_their_forms, "Rooms", "`topic` is one line of at most 256 bytes."),
    case!(read_only_is_for_moderators, "Rooms", "In a `read_only` room only its moderators and owners write."),
    case!(archived_takes_nothing, "Rooms", "An `archived` one takes nothing any more."),
    case!(deleting_stays_possible, "Rooms", "What was said may be deleted whatever is set."),
    case!(slow_mode_holds_all_but_moderators, "Rooms", "In slow mode a user sends one message each `slow_mode_ms` (at most six hours), edits and reactions aside; moderators and owners are free."),
    case!(roles_do_what_the_table_says, "Rooms", "| make moderators and owners, and take that away | | | yes |"),
    case!(those_above_are_not_touched, "Rooms", "kick, mute, ban (those below him); let members in and out"),
    case!(role_can_be_given_back, "Frames of the client", "takes that away; one's own, too"),
    case!(mute_lets_only_read, "Frames of the client", "lets a user only read; without `for_ms` for ever"),
    case!(mute_ends_by_itself, "Frames of the client", "lets a user only read; without `for_ms` for ever"),
    case!(kick_lets_come_back, "Frames of the client", "has a user leave a room who may come back"),
    case!(ban_keeps_out, "Frames of the client", "keeps a user out"),
    case!(ban_holds_over_http, "HTTP", "403 `forbidden`, `banned`, `muted`"),
    case!(deleted_room_is_left, "Rooms", "Everybody in the room is told `left` with `deleted`."),
];

/// A room of `keeper` in which he, `ada` and `bob` are; the sockets in this order.
async fn three(c: &Context, settings: Value) -> Result<(String, Socket, Socket, Socket)> {
    let keeper = c.user("keeper")?;
    let room = c.unused_room("room");
    let mut frame = settings;
    frame["room"] = json!(room);
    c.create(&keeper, frame).await?;
    let owner = c.join(&keeper, &room).await?;
    let ada = c.join(&c.user("ada")?, &room).await?;
    let bob = c.join(&c.user("bob")?, &room).await?;
    Ok((room, owner, ada, bob))
}

fn about(kind: &str, room: &str, user: &str) -> Value {
    json!({ "type": kind, "room": room, "user": user })
}

fn grant(room: &str, user: &str, role: &str) -> Value {
    json!({ "type": "grant", "room": room, "user": user, "role": role })
}

async fn create_makes_a_room_with_an_owner(c: Context) -> Outcome {
    let keeper = c.user("keeper")?;
    let room = c.unused_room("plans");
    let made = c
        .create(&keeper, json!({ "room": room, "topic": "What next?" }))
        .await?;
    same("the room", &made["room"], room.as_str())?;
    same("the topic", &made["topic"], "What next?")?;
    same("`created_by`", &made["created_by"], keeper.id.as_str())?;
    ensure!(made["created_at"].is_u64(), "no `created_at`: {made}");
    same(
        "`you`",
        &made["you"],
        json!({ "role": "owner", "muted": false }),
    )?;
    for (name, value) in [
        ("private", json!(false)),
        ("read_only", json!(false)),
        ("archived", json!(false)),
        ("slow_mode_ms", json!(0)),
    ] {
        same(&format!("`{name}`"), &made[name], value)?;
    }
    let path = format!("/api/v1/rooms/{room}");
    let found = c
        .http(&c.user("bob")?, "GET", &path, None)
        .await?
        .with(200)?;
    same("the topic for another", &found["topic"], "What next?")
}

async fn used_name_cannot_be_created(c: Context) -> Outcome {
    let room = c.unused_room("taken");
    let _there = c.join(&c.user("ada")?, &room).await?;
    let (mut bob, _) = c.hello(&c.user("bob")?, json!([])).await?;
    let config = c
        .request("GET", "/api/v1/config", Vec::new(), String::new())
        .await?;
    let default = config.with(200)?["default_rooms"][0].clone();
    let made = c.room().await?;
    for name in [json!(room), default, json!(made)] {
        let answer = bob.ask(json!({ "type": "create", "room": name })).await?;
        refused(&answer, "room_exists")?;
    }
    Ok(())
}

async fn joining_makes_a_room_that_nobody_owns(c: Context) -> Outcome {
    let room = c.unused_room("free");
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let answer = ada
        .ask(json!({ "type": "configure", "room": room, "topic": "mine" }))
        .await?;
    refused(&answer, "forbidden")?;
    let answer = ada
        .ask(json!({ "type": "delete_room", "room": room }))
        .await?;
    refused(&answer, "forbidden")
}

async fn settings_come_before_the_first_joined(c: Context) -> Outcome {
    let room = c.unused_room("room");
    let keeper = c.user("keeper")?;
    c.create(&keeper, json!({ "room": room, "topic": "Be kind" }))
        .await?;
    let (mut bob, _) = c.hello(&c.user("bob")?, json!([])).await?;
    bob.send(json!({ "type": "join", "room": room })).await?;
    let frame = bob.next().await?;
    same("the first frame", &frame["type"], "room")?;
    same("the topic", &frame["topic"], "Be kind")?;
    same("the next frame", &bob.next().await?["type"], "joined")?;
    // A resync is not a first join.
    bob.enter(&room).await?;
    bob.told_no("room").await
}

async fn configure_is_told_to_the_others(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    let answer = owner
        .done(json!({ "type": "configure", "room": room, "topic": "Be kind" }))
        .await?;
    same("the answer", &answer["type"], "room")?;
    same("his role", &answer["you"]["role"], "owner")?;
    let told = bob
        .find("the topic", |frame| {
            frame["type"] == "room" && frame["topic"] == "Be kind"
        })
        .await?;
    same(
        "`you` where everybody is told the same",
        &told["you"],
        Value::Null,
    )
}

async fn configure_leaves_the_rest(c: Context) -> Outcome {
    let (room, mut owner, ..) = three(&c, json!({ "topic": "Be kind" })).await?;
    let mut set = async |settings: Value| {
        let mut frame = settings;
        frame["type"] = json!("configure");
        frame["room"] = json!(room);
        owner.done(frame).await
    };
    let told = set(json!({ "slow_mode_ms": 5000, "read_only": true })).await?;
    same("the topic", &told["topic"], "Be kind")?;
    same("slow mode", &told["slow_mode_ms"], 5000)?;
    let told = set(json!({ "topic": "", "read_only": false })).await?;
    same("the topic", &told["topic"], Value::Null)?;
    same("read-only", &told["read_only"], false)?;
    same("slow mode", &told["slow_mode_ms"], 5000)?;
    let told = set(json!({ "slow_mode_ms": 0, "log_entries": 10, "log_age_ms": 60_000 })).await?;
    same("slow mode", &told["slow_mode_ms"], 0)?;
    same("`log_entries`", &told["log_entries"], 10)?;
    same("`log_age_ms`", &told["log_age_ms"], 60_000)
}

async fn settings_have_their_forms(c: Context) -> Outcome {
    let (room, mut owner, ..) = three(&c, json!({})).await?;
    let bad = [
        (json!({ "topic": "x".repeat(257) }), "too_large"),
        (json!({ "topic": "two\nlines" }), "bad_frame"),
        (json!({ "topic": 7 }), "bad_frame"),
        (json!({ "read_only": "yes" }), "bad_frame"),
        (json!({ "slow_mode_ms": 6 * 3_600_000 + 1 }), "bad_frame"),
    ];
    for (settings, code) in bad {
        let mut frame = settings;
        frame["type"] = json!("configure");
        frame["room"] = json!(room);
        refused(&owner.ask(frame).await?, code)?;
    }
    let longest = json!({ "type": "configure", "room": room, "topic": "x".repeat(256) });
    owner.done(longest).await?;
    Ok(())
}

async fn read_only_is_for_moderators(c: Context) -> Outcome {
    let (room, mut owner, mut ada, mut bob) = three(&c, json!({ "read_only": true })).await?;
    owner.done(grant(&room, &c.id("ada"), "moderator")).await?;
    refused(&bob.say(&room, "b1", "hello").await?, "forbidden")?;
    ada.store(&room, "a1", "hello").await?;
    owner.store(&room, "o1", "hello").await?;
    for _ in 0..2 {
        bob.take("message").await?;
    }
    Ok(())
}

async fn archived_takes_nothing(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    owner.store(&room, "o1", "hello").await?;
    owner
        .done(json!({ "type": "configure", "room": room, "archived": true }))
        .await?;
    refused(&owner.say(&room, "o2", "more").await?, "archived")?;
    refused(&bob.say(&room, "b1", "more").await?, "archived")?;
    let history = bob.ask(json!({ "type": "history", "room": room })).await?;
    same("what was said", &history["messages"][0]["id"], "o1")
}

async fn deleting_stays_possible(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    bob.store(&room, "b1", "something to regret").await?;
    owner
        .done(json!({ "type": "configure", "room": room, "archived": true, "read_only": true }))
        .await?;
    let target = json!({ "user": c.id("bob"), "id": "b1" });
    let delete = json!({ "type": "delete", "room": room, "id": "d1", "target": target });
    same("the answer", &bob.change(delete).await?["type"], "ack")
}

async fn slow_mode_holds_all_but_moderators(c: Context) -> Outcome {
    let slow = 3_000;
    let (room, mut owner, _, mut bob) = three(&c, json!({ "slow_mode_ms": slow })).await?;
    bob.store(&room, "b1", "one").await?;
    let answer = bob.say(&room, "b2", "two").await?;
    let pause = refused_for_a_while(&answer, "slow_mode")?;
    ensure!(pause <= slow, "{pause} ms are more than {slow}");
    let edit = json!({ "type": "edit", "room": room, "id": "e1", "text": "edited",
        "target": { "user": c.id("bob"), "id": "b1" } });
    same("an edit", &bob.change(edit).await?["type"], "ack")?;
    for id in ["o1", "o2", "o3"] {
        owner.store(&room, id, "the owner is free").await?;
    }
    bob.persist(&room, "b2", "two").await?;
    Ok(())
}

async fn roles_do_what_the_table_says(c: Context) -> Outcome {
    let (room, mut owner, mut ada, mut bob) = three(&c, json!({})).await?;
    let (ada_id, bob_id, eve) = (c.id("ada"), c.id("bob"), c.id("eve"));
    owner.done(grant(&room, &ada_id, "moderator")).await?;
    owner.done(grant(&room, &bob_id, "member")).await?;
    let configure = |settings: Value| {
        let mut frame = settings;
        frame["type"] = json!("configure");
        frame["room"] = json!(room);
        frame
    };
    // What is asked, and whether a member, a moderator and an owner may.
    let table = [
        (configure(json!({ "topic": "new" })), [false, true, true]),
        (
            configure(json!({ "read_only": false })),
            [false, true, true],
        ),
        (configure(json!({ "slow_mode_ms": 0 })), [false, true, true]),
        (about("mute", &room, &eve), [false, true, true]),
        (about("ban", &room, &eve), [false, true, true]),
        (about("unban", &room, &eve), [false, true, true]),
        (grant(&room, &eve, "member"), [false, true, true]),
        (about("revoke", &room, &eve), [false, true, true]),
        (grant(&room, &eve, "moderator"), [false, false, true]),
        (about("revoke", &room, &eve), [false, false, true]),
        (
            configure(json!({ "archived": false })),
            [false, false, true],
        ),
        (
            configure(json!({ "log_entries": 100 })),
            [false, false, true],
        ),
        (
            configure(json!({ "log_age_ms": 3_600_000 })),
            [false, false, true],
        ),
    ];
    for (frame, may) in table {
        for (socket, may) in [&mut bob, &mut ada, &mut owner].into_iter().zip(may) {
            let answer = socket.ask(frame.clone()).await?;
            match may {
                true => ensure!(answer["type"] != "error", "{frame} is refused: {answer}"),
                false => refused(&answer, "forbidden")?,
            }
        }
    }
    let delete = json!({ "type": "delete_room", "room": room });
    for socket in [&mut bob, &mut ada] {
        refused(&socket.ask(delete.clone()).await?, "forbidden")?;
    }
    Ok(())
}

async fn those_above_are_not_touched(c: Context) -> Outcome {
    let (room, mut owner, mut ada, mut bob) = three(&c, json!({})).await?;
    for user in ["ada", "bob"] {
        owner.done(grant(&room, &c.id(user), "moderator")).await?;
    }
    for kind in ["kick", "mute", "ban"] {
        for user in ["keeper", "bob"] {
            let answer = ada.ask(about(kind, &room, &c.id(user))).await?;
            refused(&answer, "forbidden")?;
        }
    }
    bob.store(&room, "b1", "still here").await?;
    owner.store(&room, "o1", "still here").await?;
    Ok(())
}

async fn role_can_be_given_back(c: Context) -> Outcome {
    let (room, mut owner, mut ada, _) = three(&c, json!({ "read_only": true })).await?;
    owner.done(grant(&room, &c.id("ada"), "moderator")).await?;
    ada.store(&room, "a1", "as a moderator").await?;
    ada.done(about("revoke", &room, &c.id("ada"))).await?;
    refused(&ada.say(&room, "a2", "as anybody").await?, "forbidden")
}

async fn mute_lets_only_read(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    owner.done(about("mute", &room, &c.id("bob"))).await?;
    let told = bob
        .find("his mute", |frame| {
            frame["type"] == "room" && frame["you"]["muted"] == true
        })
        .await?;
    ensure!(told["you"]["muted_until"].is_null(), "for ever: {told}");
    refused(&bob.say(&room, "b1", "hello").await?, "muted")?;
    owner.store(&room, "o1", "listen").await?;
    same("what he hears", &bob.take("message").await?["id"], "o1")?;
    owner.done(about("unban", &room, &c.id("bob"))).await?;
    bob.store(&room, "b2", "hello").await?;
    Ok(())
}

async fn mute_ends_by_itself(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    let mut mute = about("mute", &room, &c.id("bob"));
    mute["for_ms"] = json!(2_000);
    owner.done(mute).await?;
    let answer = bob.say(&room, "b1", "hello").await?;
    refused(&answer, "muted")?;
    let rest = answer["retry_after_ms"].as_u64();
    let rest = rest.filter(|rest| *rest <= 2_000);
    let rest = rest.ok_or_else(|| anyhow::anyhow!("not until when: {answer}"))?;
    sleep(Duration::from_millis(rest + 50)).await;
    bob.store(&room, "b1", "hello").await?;
    Ok(())
}

async fn kick_lets_come_back(c: Context) -> Outcome {
    let (room, mut owner, _, mut bob) = three(&c, json!({})).await?;
    let mut twin = c.join(&c.user("bob")?, &room).await?;
    owner.done(about("kick", &room, &c.id("bob"))).await?;
    for socket in [&mut bob, &mut twin] {
        let left = socket.take("left").await?;
        same("the room", &left["room"], room.as_str())?;
        same("the reason", &left["reason"], "kicked")?;
    }
    refused(&bob.say(&room, "b1", "hello").await?, "not_joined")?;
    bob.enter(&room).await?;
    bob.store(&room, "b1", "hello").await?;
    Ok(())
}

async fn ban_keeps_out(c: Context) -> Outcome {
    let (room, mut owner, mut ada, mut bob) = three(&c, json!({})).await?;
    let mut ban = about("ban", &room, &c.id("bob"));
    ban["for_ms"] = json!(600_000);
    owner.done(ban).await?;
    same("the reason", &bob.take("left").await?["reason"], "banned")?;
    bob.told().await?;
    owner.store(&room, "o1", "without bob").await?;
    ada.take("message").await?;
    ensure!(!ids(&bob.told().await?).contains(&"o1"), "he still hears");
    refused(&bob.say(&room, "b1", "hello").await?, "not_joined")?;
    let answer = bob.join(&room, None).await?;
    refused(&answer, "banned")?;
    let rest = answer["retry_after_ms"].as_u64().unwrap_or_default();
    ensure!(
        (500_000..=600_000).contains(&rest),
        "until {rest} ms: {answer}"
    );
    owner.done(about("unban", &room, &c.id("bob"))).await?;
    bob.enter(&room).await?;
    // For ever, now.
    owner.done(about("ban", &room, &c.id("bob"))).await?;
    same("the reason", &bob.take("left").await?["reason"], "banned")?;
    let answer = bob.join(&room, None).await?;
    refused(&answer, "banned")?;
    ensure!(
        answer["retry_after_ms"].is_null(),
        "it does not end: {answer}"
    );
    Ok(())
}

async fn ban_holds_over_http(c: Context) -> Outcome {
    let (room, mut owner, ..) = three(&c, json!({})).await?;
    let bob = c.user("bob")?;
    owner.done(about("ban", &room, &bob.id)).await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({ "id": "b1", "text": "hello" });
    c.http(&bob, "POST", &path, Some(body.clone()))
        .await?
        .refuses(403, "banned")?;
    c.http(&bob, "GET", &path, None)
        .await?
        .refuses(403, "banned")?;
    owner.done(about("unban", &room, &bob.id)).await?;
    owner.done(about("mute", &room, &bob.id)).await?;
    c.http(&bob, "POST", &path, Some(body))
        .await?
        .refuses(403, "muted")?;
    c.http(&bob, "GET", &path, None).await?.with(200)?;
    Ok(())
}

async fn deleted_room_is_left(c: Context) -> Outcome {
    let (room, mut owner, mut ada, mut bob) = three(&c, json!({})).await?;
    bob.store(&room, "b1", "the end").await?;
    let answer = owner
        .ask(json!({ "type": "delete_room", "room": room }))
        .await?;
    ensure!(answer["type"] == "done", "answered with {answer}");
    for socket in [&mut ada, &mut bob] {
        let left = socket.take("left").await?;
        same("the reason", &left["reason"], "deleted")?;
    }
    refused(&bob.say(&room, "b2", "hello").await?, "not_joined")?;
    let page = c.messages(&c.user("bob")?, &room, "").await?;
    same("what is left of it", &page["messages"], json!([]))?;
    let listed = c
        .request("GET", "/api/v1/rooms", bearer(&c)?, String::new())
        .await?;
    ensure!(!listed.text.contains(&room), "it is still listed");
    Ok(())
}

fn bearer(c: &Context) -> Result<Vec<(&'static str, String)>> {
    let bearer = c.user("bob")?.bearer();
    Ok(bearer
        .map(|bearer| ("authorization", bearer))
        .into_iter()
        .collect())
}
