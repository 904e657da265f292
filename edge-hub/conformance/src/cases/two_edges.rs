//! Two edges of one deployment.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, refused, same},
    cases::delivery::{burst, flood},
    context::{Context, Edge},
    reader::{Reader, entries, ids, origin},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(readers_of_both_see_one_order, "What is promised", "each message and change appears exactly once and in order at the client's output", SecondEdge),
    case!(resume_on_the_other_edge_is_whole, "Resume", "c is an entry (or tombstone) with the same tag", SecondEdge),
    case!(resend_to_the_other_edge_is_stored_once, "Words", "the same id sent twice is stored once.", SecondEdge),
    case!(changes_cross, "Frames of the server", "A change is an entry of the room's log like a message", SecondEdge),
    case!(presence_crosses, "Frames of the server", "a user's first connection came or last one went", SecondEdge),
    case!(user_on_both_is_counted_once, "Frames of the server", "a user's first connection came or last one went", SecondEdge),
    case!(typing_and_reading_cross, "Frames of the client", "tells the others, once", SecondEdge),
    case!(ban_holds_on_both, "Rooms", "A kick, ban, mute or lost role is told to every edge, and acted on over live connections within a second.", SecondEdge),
    case!(settings_hold_on_both, "Frames of the client", "the others in the room are told it as well", SecondEdge),
    case!(rate_holds_over_both, "Limits", "for each user and room over all edges", SecondEdge),
    case!(who_is_let_in_is_told_on_the_other, "Rooms", "Who is let in is told by a `room`, wherever he is connected", SecondEdge),
    case!(http_reads_what_the_other_stored, "Protocol, version 1", "and the same over HTTP", SecondEdge),
];

const EDGES: [Edge; 2] = [Edge::First, Edge::Second];

async fn readers_of_both_see_one_order(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut readers = Vec::new();
    for (edge, name) in [
        (Edge::First, "ada"),
        (Edge::Second, "bob"),
        (Edge::Second, "cyd"),
    ] {
        let (socket, joined) = c.resume_on(edge, &c.user(name)?, &room, None).await?;
        readers.push((socket, Reader::new(&joined)?));
    }
    let size = (3, burst(&c));
    let (one, two) = tokio::try_join!(
        flood(&c, Edge::First, &room, "a", size, "from the one"),
        flood(&c, Edge::Second, &room, "b", size, "from the other"),
    )?;
    let mut stored = [one, two].concat();
    stored.sort_by_key(|(_, position)| position["seq"].as_u64());
    let Some((_, last)) = stored.last() else {
        anyhow::bail!("nothing was stored");
    };
    for (socket, reader) in &mut readers {
        reader.follow(socket, &room, last).await?;
    }
    let expected = readers[0].1.entries.clone();
    let sent: Vec<&str> = stored.iter().map(|(id, _)| id.as_str()).collect();
    ensure!(
        ids(&expected) == sent,
        "another order than was acknowledged"
    );
    for (_, reader) in &readers {
        ensure!(reader.entries == expected, "two edges tell it differently");
    }
    Ok(())
}

async fn resume_on_the_other_edge_is_whole(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let (mut socket, joined) = c.resume(&ada, &room, None).await?;
    let mut reader = Reader::new(&joined)?;
    let position = socket.store(&room, "m1", "before").await?;
    reader.follow(&mut socket, &room, &position).await?;
    drop(socket);
    c.post(&c.user("bob")?, &room, "b1", "meanwhile").await?;
    let (mut socket, joined) = c
        .resume_on(Edge::Second, &ada, &room, Some(&position))
        .await?;
    same("`recovered`", &joined["recovered"], true)?;
    reader.take(&joined)?;
    let position = socket.store(&room, "m2", "after").await?;
    reader.follow(&mut socket, &room, &position).await?;
    ensure!(
        ids(&reader.entries) == ["m1", "b1", "m2"],
        "{:?}",
        reader.entries
    );
    Ok(())
}

async fn resend_to_the_other_edge_is_stored_once(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut one = c.join(&ada, &room).await?;
    let mut two = c.join_on(Edge::Second, &ada, &room).await?;
    let first = one.store(&room, "m1", "hello").await?;
    same(
        "the position",
        &two.store(&room, "m1", "hello").await?,
        first,
    )?;
    // And at the same time.
    let send = json!({ "type": "send", "room": room, "id": "m2", "text": "hello" });
    let (a, b) = tokio::try_join!(one.change(send.clone()), two.change(send))?;
    same("the position", &a["position"], b["position"].clone())?;
    same("its number", &a["position"]["seq"], 2)
}

async fn changes_cross(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut one = c.join(&ada, &room).await?;
    let (mut two, joined) = c
        .resume_on(Edge::Second, &c.user("bob")?, &room, None)
        .await?;
    let mut reader = Reader::new(&joined)?;
    one.store(&room, "m1", "hello").await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    one.change(json!({ "type": "edit", "room": room, "id": "e1", "target": target, "text": "hi" }))
        .await?;
    let react = json!({ "type": "react", "room": room, "id": "r1", "target": target,
        "reaction": "+1" });
    let ack = two.change(react).await?;
    same("the answer", &ack["type"], "ack")?;
    reader.follow(&mut two, &room, &ack["position"]).await?;
    ensure!(
        ids(&reader.entries) == ["m1", "e1", "r1"],
        "{:?}",
        reader.entries
    );
    Ok(())
}

async fn presence_crosses(c: Context) -> Outcome {
    let room = c.room().await?;
    let bob = c.user("bob")?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let (other, joined) = c.resume_on(Edge::Second, &bob, &room, None).await?;
    same("the count", &joined["members_count"], 2)?;
    let told = ada
        .find("bob to come", |frame| {
            frame["joined"]["id"] == bob.id.as_str()
        })
        .await?;
    same("the count", &told["members_count"], 2)?;
    drop(other);
    let told = ada
        .find("bob to go", |frame| {
            frame["type"] == "presence" && frame["left"]["id"] == bob.id.as_str()
        })
        .await?;
    same("the count", &told["members_count"], 1)
}

async fn user_on_both_is_counted_once(c: Context) -> Outcome {
    let room = c.room().await?;
    let bob = c.user("bob")?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let one = c.join(&bob, &room).await?;
    ada.find("bob", |frame| frame["joined"]["id"] == bob.id.as_str())
        .await?;
    let (mut two, joined) = c.resume_on(Edge::Second, &bob, &room, None).await?;
    same("the count", &joined["members_count"], 2)?;
    drop(one);
    two.store(&room, "b1", "still here").await?;
    ada.take("message").await?;
    ada.told_no("presence").await
}

async fn typing_and_reading_cross(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut one = c.join(&ada, &room).await?;
    let mut two = c.join_on(Edge::Second, &c.user("bob")?, &room).await?;
    one.send(json!({ "type": "typing", "room": room })).await?;
    same(
        "who types",
        &two.take("typing").await?["user"]["id"],
        ada.id.as_str(),
    )?;
    one.store(&room, "m1", "hello").await?;
    one.send(json!({ "type": "read", "room": room, "seq": 1 }))
        .await?;
    let receipt = two.take("receipt").await?;
    same("who has read", &receipt["user"]["id"], ada.id)?;
    same("how far", &receipt["seq"], 1)
}

async fn ban_holds_on_both(c: Context) -> Outcome {
    let room = c.room().await?;
    let bob = c.user("bob")?;
    let mut owner = c.join(&c.user("keeper")?, &room).await?;
    let mut sockets = Vec::new();
    for edge in EDGES {
        sockets.push(c.join_on(edge, &bob, &room).await?);
    }
    owner
        .done(json!({ "type": "ban", "room": room, "user": bob.id }))
        .await?;
    for socket in &mut sockets {
        let left = socket.take("left").await?;
        same("the reason", &left["reason"], "banned")?;
        refused(&socket.say(&room, "b1", "hello").await?, "not_joined")?;
        refused(&socket.join(&room, None).await?, "banned")?;
    }
    let path = format!("/api/v1/rooms/{room}/messages");
    for edge in EDGES {
        let body = json!({ "id": "b1", "text": "hello" });
        let answer = c.http_on(edge, &bob, "POST", &path, Some(body)).await?;
        answer.refuses(403, "banned")?;
    }
    owner.store(&room, "o1", "without bob").await?;
    for socket in &mut sockets {
        socket.told_no("message").await?;
    }
    Ok(())
}

async fn settings_hold_on_both(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut owner = c.join(&c.user("keeper")?, &room).await?;
    let mut bob = c.join_on(Edge::Second, &c.user("bob")?, &room).await?;
    owner
        .done(json!({ "type": "configure", "room": room, "read_only": true }))
        .await?;
    bob.find("read-only", |frame| {
        frame["type"] == "room" && frame["read_only"] == true
    })
    .await?;
    refused(&bob.say(&room, "b1", "hello").await?, "forbidden")
}

async fn rate_holds_over_both(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut one = c.join(&ada, &room).await?;
    let mut two = c.join_on(Edge::Second, &ada, &room).await?;
    let count = c.limits().burst + 5;
    for number in 0..count {
        let frame = |side: &str| json!({ "type": "send", "room": room, "id": format!("{side}{number}"), "text": "x" });
        one.send(frame("a")).await?;
        two.send(frame("b")).await?;
    }
    let mut taken = 0;
    for number in 0..count {
        for (socket, side) in [(&mut one, "a"), (&mut two, "b")] {
            let answer = socket.answer(&format!("{side}{number}")).await?;
            match answer["type"] == "ack" {
                true => taken += 1,
                false => refused(&answer, "rate_limited")?,
            }
        }
    }
    // Twice as many were sent, and the rate goes on while they are.
    ensure!(taken < count * 2 - 2, "{taken} of {} were taken", count * 2);
    Ok(())
}

async fn who_is_let_in_is_told_on_the_other(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let bob = c.user("bob")?;
    let (mut there, _) = c.hello_on(Edge::Second, &bob, json!([])).await?;
    let made = c
        .create(&ada, json!({ "room": "plans", "private": true }))
        .await?;
    let room = made["room"].as_str().unwrap_or_default().to_owned();
    let (mut owner, _) = c.hello(&ada, json!([])).await?;
    owner
        .done(json!({ "type": "grant", "room": room, "user": bob.id, "role": "member" }))
        .await?;
    let told: Value = there.take("room").await?;
    same("the room", &told["room"], room.as_str())?;
    there.enter(&room).await?;
    Ok(())
}

async fn http_reads_what_the_other_stored(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let path = format!("/api/v1/rooms/{room}/messages");
    for (edge, id) in [
        (Edge::First, "m1"),
        (Edge::Second, "m2"),
        (Edge::First, "m3"),
    ] {
        let body = json!({ "id": id, "text": "hello" });
        c.http_on(edge, &ada, "POST", &path, Some(body))
            .await?
            .with(201)?;
    }
    let mut told = Vec::new();
    for edge in EDGES {
        let page = c.http_on(edge, &ada, "GET", &path, None).await?.with(200)?;
        let mut reader = Reader::at(origin());
        for entry in entries(&page)? {
            reader.take(entry)?;
        }
        ensure!(ids(&reader.entries) == ["m1", "m2", "m3"], "{page}");
        told.push(page);
    }
    same("what the other tells", &told[1], told[0].clone())
}
