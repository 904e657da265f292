//! Who is there, types and has read what.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    case::{Case, Outcome, case, refused, same},
    context::Context,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(others_come_and_go, "Frames of the server", "a user's first connection came or last one went"),
    case!(second_connection_is_no_news, "Frames of the server", "a user's first connection came or last one went"),
    case!(joined_lists_who_is_there, "A conversation", r#""members_count":2,"members":[{"id":"ada","name":"ada"},{"id":"bob","name":"bob"}]}"#),
    case!(typing_is_told_to_the_others, "Frames of the client", "tells the others, once; more than one in 3 s is dropped in silence"),
    case!(what_is_read_is_told, "Frames of the client", "says how far its user has read"),
    case!(what_is_read_never_goes_back, "Frames of the server", "it never goes back, and never beyond the newest entry"),
    case!(reading_is_told_once_a_second, "Frames of the client", "more than one in a second is dropped in silence"),
];

/// A little more than the pause that `read` has by default.
const A_SECOND: Duration = Duration::from_millis(1100);

fn presence(change: &'static str, user: String) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == "presence" && frame[change]["id"] == user.as_str()
}

async fn others_come_and_go(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let bob = c.user("bob")?;
    let other = c.join(&bob, &room).await?;
    let came = ada
        .find("bob to come", presence("joined", bob.id.clone()))
        .await?;
    same("the room", &came["room"], room.as_str())?;
    same("the count", &came["members_count"], 2)?;
    drop(other);
    let went = ada
        .find("bob to go", presence("left", bob.id.clone()))
        .await?;
    same("the count", &went["members_count"], 1)?;
    let mut again = c.join(&bob, &room).await?;
    ada.find("bob to come again", presence("joined", bob.id.clone()))
        .await?;
    again.send(json!({ "type": "leave", "room": room })).await?;
    ada.find("bob to leave", presence("left", bob.id)).await?;
    Ok(())
}

async fn second_connection_is_no_news(c: Context) -> Outcome {
    let room = c.room().await?;
    let bob = c.user("bob")?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let one = c.join(&bob, &room).await?;
    ada.find("bob to come", presence("joined", bob.id.clone()))
        .await?;
    let mut two = c.join(&bob, &room).await?;
    two.store(&room, "b1", "from the second").await?;
    drop(one);
    two.store(&room, "b2", "from the second").await?;
    ada.find("b2", |frame| frame["id"] == "b2").await?;
    ada.told_no("presence").await?;
    drop(two);
    ada.find("bob to go", presence("left", bob.id)).await?;
    Ok(())
}

async fn joined_lists_who_is_there(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let bob = c.user("bob")?;
    let _ada = c.join(&ada, &room).await?;
    let (_bob, joined) = c.resume(&bob, &room, None).await?;
    same("the count", &joined["members_count"], 2)?;
    let mut members: Vec<&str> = joined["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|member| member["id"].as_str())
        .collect();
    members.sort_unstable();
    ensure!(
        members == [ada.id.as_str(), bob.id.as_str()],
        "members: {members:?}"
    );
    Ok(())
}

async fn typing_is_told_to_the_others(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut speaker = c.join(&ada, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    for _ in 0..3 {
        speaker
            .send(json!({ "type": "typing", "room": room }))
            .await?;
    }
    let typing = bob.take("typing").await?;
    same("the room", &typing["room"], room.as_str())?;
    same("the user", &typing["user"]["id"], ada.id)?;
    // Once: behind it comes what was said after the other two.
    speaker.store(&room, "m1", "done").await?;
    bob.take("message").await?;
    bob.told_no("typing").await?;
    let elsewhere = json!({ "type": "typing", "room": c.unused_room("other") });
    refused(&speaker.ask(elsewhere).await?, "not_joined")
}

async fn what_is_read_is_told(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut reader = c.join(&ada, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    for number in 1..=3 {
        bob.store(&room, &format!("b{number}"), "hello").await?;
    }
    reader
        .send(json!({ "type": "read", "room": room, "seq": 2 }))
        .await?;
    for socket in [&mut reader, &mut bob] {
        let receipt = socket.take("receipt").await?;
        same("the room", &receipt["room"], room.as_str())?;
        same("the user", &receipt["user"]["id"], ada.id.as_str())?;
        same("the number", &receipt["seq"], 2)?;
    }
    // The same on all his connections: one that only asks.
    let mut twin = c.join(&ada, &room).await?;
    twin.send(json!({ "type": "read", "room": room, "seq": 0 }))
        .await?;
    same("the number", &twin.take("receipt").await?["seq"], 2)
}

async fn what_is_read_never_goes_back(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    for number in 1..=3 {
        ada.store(&room, &format!("m{number}"), "hello").await?;
    }
    for (said, expected) in [(2, 2), (1, 2), (99, 3)] {
        // Announcements of her own receipt may come as well.
        ada.told().await?;
        ada.send(json!({ "type": "read", "room": room, "seq": said }))
            .await?;
        let receipt = ada.take("receipt").await?;
        same(
            &format!("the number after reading {said}"),
            &receipt["seq"],
            expected,
        )?;
        sleep(A_SECOND).await;
    }
    Ok(())
}

async fn reading_is_told_once_a_second(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    for number in 1..=3 {
        ada.store(&room, &format!("m{number}"), "hello").await?;
    }
    bob.find("m3", |frame| frame["id"] == "m3").await?;
    for number in 1..=3 {
        ada.send(json!({ "type": "read", "room": room, "seq": number }))
            .await?;
    }
    ada.store(&room, "m4", "after reading").await?;
    bob.find("m4", |frame| frame["id"] == "m4").await?;
    let receipts = bob.kept("receipt");
    let numbers: Vec<&Value> = receipts.iter().map(|receipt| &receipt["seq"]).collect();
    ensure!(numbers == [&json!(1)], "receipts: {receipts:?}");
    Ok(())
}
