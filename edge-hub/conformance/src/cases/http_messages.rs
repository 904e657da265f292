//! Messages and events over HTTP.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, same},
    cases::delivery::{burst, flood},
    context::{Context, Edge, User},
    reader::{Reader, entries, ids, origin, written},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(post_is_answered_with_the_ack, "HTTP", "201 and the `ack`; with a `type` it is an `edit`, `delete`, `react` or `restore` with its fields"),
    case!(post_is_heard_over_websockets, "Protocol, version 1", "JSON text frames over a WebSocket at `/ws` with the subprotocol `clustertalk.v1`, and the same over HTTP."),
    case!(changes_are_posted, "HTTP", "with a `type` it is an `edit`, `delete`, `react` or `restore` with its fields"),
    case!(read_on_from_a_position, "HTTP", "reads on from a position: `{room, position, head, recovered, reason, lost, more, messages}` as in `joined`; without `after` the newest"),
    case!(read_on_from_a_forged_position, "HTTP", "reads on from a position"),
    case!(read_back_from_a_number, "HTTP", "reads back from a number"),
    case!(pages_reach_the_head, "HTTP", "reads on from a position"),
    case!(events_begin_with_joined, "HTTP", "server-sent events: `joined` (a new truth), then `message` with each entry's frame; each `id` is `SEQ-TAG`"),
    case!(events_resume, "HTTP", "`Last-Event-ID` (or `?after=`) resumes"),
    case!(events_with_a_forged_id_begin_anew, "HTTP", "`Last-Event-ID` (or `?after=`) resumes"),
    case!(events_catch_up_over_many_pages, "HTTP", "`Last-Event-ID` (or `?after=`) resumes"),
];

async fn post_is_answered_with_the_ack(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let room = c.room().await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({ "id": "m1", "text": "hello" });
    let ack = c.http(&ada, "POST", &path, Some(body)).await?.with(201)?;
    for (name, value) in [
        ("type", json!("ack")),
        ("room", json!(room)),
        ("id", json!("m1")),
        ("action", json!("allow")),
    ] {
        same(&format!("`{name}`"), &ack[name], value)?;
    }
    same("the number", &ack["position"]["seq"], 1)
}

async fn post_is_heard_over_websockets(c: Context) -> Outcome {
    let room = c.room().await?;
    let (mut bob, joined) = c.resume(&c.user("bob")?, &room, None).await?;
    let mut reader = Reader::new(&joined)?;
    let ada = c.user("ada")?;
    let mut last = Value::Null;
    for number in 0..3 {
        last = c.post(&ada, &room, &format!("m{number}"), "hello").await?;
    }
    reader.follow(&mut bob, &room, &last).await?;
    same("who spoke", &reader.entries[0]["user"]["id"], ada.id)
}

async fn changes_are_posted(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let room = c.room().await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    c.post(&ada, &room, "m1", "hello").await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let target = json!({ "user": ada.id, "id": "m1" });
    let changes = [
        (
            "edit",
            json!({ "type": "edit", "id": "e1", "target": target, "text": "hi" }),
        ),
        (
            "react",
            json!({ "type": "react", "id": "r1", "target": target, "reaction": "+1" }),
        ),
        (
            "delete",
            json!({ "type": "delete", "id": "d1", "target": target }),
        ),
    ];
    for (kind, body) in changes {
        let ack = c.http(&ada, "POST", &path, Some(body)).await?.with(201)?;
        same("the answer", &ack["type"], "ack")?;
        let changed = bob.take("changed").await?;
        same("the change", &changed["change"], kind)?;
        same(
            "its position",
            &changed["position"],
            ack["position"].clone(),
        )?;
    }
    Ok(())
}

/// A room with messages `m1` to `m5`, and their positions.
async fn five(c: &Context) -> Result<(String, User, Vec<Value>)> {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut positions = Vec::new();
    for number in 1..=5 {
        positions.push(c.post(&ada, &room, &format!("m{number}"), "hello").await?);
    }
    Ok((room, ada, positions))
}

async fn read_on_from_a_position(c: Context) -> Outcome {
    let (room, ada, positions) = five(&c).await?;
    let second = written(&positions[1]);
    #[rustfmt::skip]
    let cases: [(String, &[&str], bool); 4] = [
        (format!("?after={second}"),                &["m3", "m4", "m5"],             true),
        (format!("?after={second}&limit=1"),        &["m3"],                         true),
        (format!("?after={}", written(&origin())),  &["m1", "m2", "m3", "m4", "m5"], true),
        (format!("?after={}", written(&positions[4])), &[],                          true),
    ];
    for (query, expected, recovered) in cases {
        let page = c.messages(&ada, &room, &query).await?;
        ensure!(ids(entries(&page)?) == expected, "{query} gives {page}");
        same("`recovered`", &page["recovered"], recovered)?;
        same("`reason`", &page["reason"], Value::Null)?;
        same("`head`", &page["head"], positions[4].clone())?;
        same("`more`", &page["more"], query.contains("limit"))?;
        same("`room`", &page["room"], room.as_str())?;
    }
    for (query, expected) in [
        ("", &["m1", "m2", "m3", "m4", "m5"][..]),
        ("?limit=2", &["m4", "m5"]),
    ] {
        let page = c.messages(&ada, &room, query).await?;
        ensure!(ids(entries(&page)?) == expected, "`{query}` gives {page}");
        same("`recovered`", &page["recovered"], false)?;
        same("`position`", &page["position"], positions[4].clone())?;
    }
    Ok(())
}

async fn read_on_from_a_forged_position(c: Context) -> Outcome {
    let (room, ada, _) = five(&c).await?;
    for after in ["2-00000000deadbeef", "9-00000000deadbeef"] {
        let page = c.messages(&ada, &room, &format!("?after={after}")).await?;
        same("`recovered`", &page["recovered"], false)?;
        same("`reason`", &page["reason"], "diverged")?;
        ensure!(
            ids(entries(&page)?) == ["m1", "m2", "m3", "m4", "m5"],
            "{page}"
        );
    }
    Ok(())
}

async fn read_back_from_a_number(c: Context) -> Outcome {
    let (room, ada, positions) = five(&c).await?;
    #[rustfmt::skip]
    let cases: [(&str, &[&str], bool); 4] = [
        ("?before=3",         &["m1", "m2"],                   false),
        ("?before=5&limit=2", &["m3", "m4"],                   true),
        ("?before=1",         &[],                             false),
        ("?before=99",        &["m1", "m2", "m3", "m4", "m5"], false),
    ];
    for (query, expected, more) in cases {
        let page = c.messages(&ada, &room, query).await?;
        ensure!(ids(entries(&page)?) == expected, "{query} gives {page}");
        same(&format!("`more` for {query}"), &page["more"], more)?;
        same("`head`", &page["head"], positions[4].clone())?;
    }
    Ok(())
}

/// Fills a room over WebSockets; gives how many entries it has.
async fn many(c: &Context, room: &str) -> Result<usize> {
    let each = burst(c);
    let users = 130_usize.div_ceil(each);
    Ok(
        flood(c, Edge::First, room, "s", (users, each), "one of many")
            .await?
            .len(),
    )
}

async fn pages_reach_the_head(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let stored = many(&c, &room).await?;
    let mut reader = Reader::at(origin());
    for _ in 0..stored {
        let query = format!("?after={}&limit=100", written(&reader.position));
        let page = c.messages(&ada, &room, &query).await?;
        ensure!(entries(&page)?.len() <= 100, "more than asked for");
        reader.take(&page)?;
        if page["more"] == false {
            break;
        }
    }
    ensure!(
        reader.entries.len() == stored,
        "{} of {stored}",
        reader.entries.len()
    );
    Ok(())
}

async fn events_begin_with_joined(c: Context) -> Outcome {
    let (room, ada, positions) = five(&c).await?;
    let mut events = c.events(&ada, &room, None).await?;
    let joined = events.next_named("joined").await?;
    same("its id", &json!(joined.id), written(&positions[4]))?;
    ensure!(
        ids(entries(&joined.data)?) == ["m1", "m2", "m3", "m4", "m5"],
        "{}",
        joined.data
    );
    let position = c.post(&ada, &room, "m6", "live").await?;
    let message = events.next_named("message").await?;
    same("its id", &json!(message.id), written(&position))?;
    same("its frame", &message.data["type"], "message")?;
    same("its message", &message.data["id"], "m6")
}

async fn events_resume(c: Context) -> Outcome {
    let (room, ada, positions) = five(&c).await?;
    let last = written(&positions[2]);
    let mut by_header = c.events(&ada, &room, Some(&last)).await?;
    let path = format!("/api/v1/rooms/{room}/events?after={last}");
    let path = match ada.bearer() {
        Some(_) => path,
        None => format!("{path}&user={}", ada.id),
    };
    let headers = ada.bearer().map(|bearer| ("authorization", bearer));
    let mut by_query = c.stream(&path, headers.into_iter().collect()).await?;
    for events in [&mut by_header, &mut by_query] {
        let mut reader = Reader::at(positions[2].clone());
        for _ in 0..2 {
            let event = events.next_named("message").await?;
            reader.take(&event.data)?;
        }
        same("the position", &reader.position, positions[4].clone())?;
    }
    Ok(())
}

async fn events_with_a_forged_id_begin_anew(c: Context) -> Outcome {
    let (room, ada, positions) = five(&c).await?;
    let mut events = c.events(&ada, &room, Some("3-00000000deadbeef")).await?;
    let joined = events.next_named("joined").await?;
    same("`reason`", &joined.data["reason"], "diverged")?;
    same("`recovered`", &joined.data["recovered"], false)?;
    same("`position`", &joined.data["position"], positions[4].clone())
}

async fn events_catch_up_over_many_pages(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let stored = many(&c, &room).await?;
    let first = written(&origin());
    let mut events = c.events(&ada, &room, Some(&first)).await?;
    let mut reader = Reader::at(origin());
    while reader.entries.len() < stored {
        reader.take(&events.next_named("message").await?.data)?;
    }
    let live = c.post(&ada, &room, "live", "hello").await?;
    reader.take(&events.next_named("message").await?.data)?;
    same("the position", &reader.position, live)
}
