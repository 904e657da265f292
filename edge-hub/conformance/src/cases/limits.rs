//! What a connection may do, as `welcome` announces it.

use anyhow::{Result, ensure};
use futures_util::future::{try_join_all, try_join3};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    case::{Case, Outcome, case, refused, refused_for_a_while, same},
    cases::delivery::burst,
    context::{Context, Edge},
    socket::{Handshake, Socket},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(limits_are_announced, "Limits", "What a client can act on is announced in `welcome`."),
    case!(text_is_limited_in_bytes, "Limits", "text 4 KiB (UTF-8 bytes)"),
    case!(nesting_is_limited, "Limits", "JSON depth 16"),
    case!(rooms_of_a_connection_are_limited, "Limits", "64 rooms a connection"),
    case!(burst_then_rate, "Limits", "5 messages, changes or commands about rooms a second with a burst of 20"),
    case!(rate_holds_over_connections, "Limits", "for each connection, and for each user and room over all edges"),
    case!(rate_holds_over_http, "Limits", "for each connection, and for each user and room over all edges"),
    case!(commands_count_as_messages, "Limits", "5 messages, changes or commands about rooms a second with a burst of 20"),
    case!(refused_frames_in_a_row_close, "Error codes", "More than 20 refused frames in a row close the connection."),
    case!(good_frame_ends_the_row, "Error codes", "More than 20 refused frames in a row close the connection."),
    case!(slow_reader_is_closed_alone, "Close codes", "the client read too slowly"),
];

async fn limits_are_announced(c: Context) -> Outcome {
    let (_, welcome) = c.hello(&c.user("ada")?, json!([])).await?;
    let names = [
        "text_bytes",
        "frame_bytes",
        "messages_per_second",
        "burst",
        "rooms",
        "ping_ms",
        "typing_ms",
    ];
    for name in names {
        let value = &welcome["limits"][name];
        ensure!(
            value.as_u64().is_some_and(|value| value > 0),
            "`{name}` is {value}"
        );
    }
    let config = c
        .request("GET", "/api/v1/config", Vec::new(), String::new())
        .await?;
    same(
        "`limits` of config",
        &config.with(200)?["limits"],
        welcome["limits"].clone(),
    )
}

async fn text_is_limited_in_bytes(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let most = c.limits().text_bytes;
    ada.store(&room, "m1", &"x".repeat(most)).await?;
    refused(
        &ada.say(&room, "m2", &"x".repeat(most + 1)).await?,
        "too_large",
    )?;
    // Two bytes each.
    refused(
        &ada.say(&room, "m3", &"é".repeat(most / 2 + 1)).await?,
        "too_large",
    )?;
    let target = json!({ "user": c.id("ada"), "id": "m1" });
    let edit = json!({ "type": "edit", "room": room, "id": "e1", "target": target,
        "text": "x".repeat(most + 1) });
    refused(&ada.change(edit).await?, "too_large")
}

async fn nesting_is_limited(c: Context) -> Outcome {
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    // An operator may allow 64 at most.
    let deep = format!(
        r#"{{"type":"ping","x":{}{}}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    ada.send_text(deep).await?;
    refused(&ada.take("error").await?, "too_deep")
}

async fn rooms_of_a_connection_are_limited(c: Context) -> Outcome {
    let most = c.limits().rooms;
    let names: Vec<String> = (0..most)
        .map(|number| c.unused_room(&number.to_string()))
        .collect();
    let rooms: Vec<_> = names.iter().map(|room| json!({ "room": room })).collect();
    let (mut ada, _) = c.hello(&c.user("ada")?, json!(rooms)).await?;
    for _ in 0..most {
        ada.take("joined").await?;
    }
    let one_more = c.unused_room("one-more");
    refused(&ada.join(&one_more, None).await?, "too_many_rooms")?;
    ada.send(json!({ "type": "leave", "room": names[0] }))
        .await?;
    ada.take("left").await?;
    ada.enter(&one_more).await?;
    Ok(())
}

async fn burst_then_rate(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    let burst = c.limits().burst;
    let count = burst * 2 + 10;
    for number in 0..count {
        let id = format!("m{number}");
        ada.send(json!({ "type": "send", "room": room, "id": id, "text": "hello" }))
            .await?;
    }
    let mut refusals = Vec::new();
    for number in 0..count {
        let id = format!("m{number}");
        let answer = ada.answer(&id).await?;
        if answer["type"] == "ack" {
            continue;
        }
        refused_for_a_while(&answer, "rate_limited")?;
        ensure!(
            number + 1 >= burst,
            "refused after {number}, and {burst} is announced"
        );
        refusals.push(id);
    }
    ensure!(
        !refusals.is_empty(),
        "{count} at once were taken, and {burst} is announced"
    );
    // Nothing is lost by trying again, and the connection is not closed for it.
    ada.persist(&room, &refusals[0], "hello").await?;
    Ok(())
}

/// Says so much at once, which comes faster than anybody may speak for long; how many were refused for
/// the rate.
async fn refused_at_once(
    socket: &mut Socket,
    room: &str,
    name: &str,
    count: usize,
) -> Result<usize> {
    for number in 0..count {
        let id = format!("{name}{number}");
        socket
            .send(json!({ "type": "send", "room": room, "id": id, "text": "hello" }))
            .await?;
    }
    let mut refusals = 0;
    for number in 0..count {
        let answer = socket.answer(&format!("{name}{number}")).await?;
        if answer["type"] == "error" {
            refused_for_a_while(&answer, "rate_limited")?;
            refusals += 1;
        }
    }
    Ok(refusals)
}

/// Uses up what a user may say at once in a room.
async fn use_up(c: &Context, room: &str, user: &str) -> Outcome {
    let mut socket = c.join(&c.user(user)?, room).await?;
    let refusals = refused_at_once(&mut socket, room, "use", c.limits().burst * 2).await?;
    ensure!(refusals > 0, "twice the burst was taken");
    Ok(())
}

async fn rate_holds_over_connections(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut twin = c.join(&c.user("ada")?, &room).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    use_up(&c, &room, "ada").await?;
    let refusals = refused_at_once(&mut twin, &room, "twin", c.limits().burst).await?;
    ensure!(
        refusals > 0,
        "another connection of the user has a rate of its own"
    );
    // It is hers alone.
    bob.store(&room, "b1", "hello").await?;
    Ok(())
}

async fn rate_holds_over_http(c: Context) -> Outcome {
    let room = c.room().await?;
    use_up(&c, &room, "ada").await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let ada = c.user("ada")?;
    let posts = (0..c.limits().burst).map(|number| {
        let body = json!({ "id": format!("h{number}"), "text": "hello" });
        c.http(&ada, "POST", &path, Some(body))
    });
    let answers = try_join_all(posts).await?;
    let refusal = answers.into_iter().find(|answer| answer.status == 429);
    let Some(answer) = refusal else {
        anyhow::bail!("the user has a rate of its own over HTTP");
    };
    let after = answer.headers.get("retry-after").cloned();
    answer.refuses(429, "rate_limited")?;
    let after = after.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    ensure!(after.is_some_and(|seconds| seconds > 0), "no `Retry-After`");
    Ok(())
}

async fn commands_count_as_messages(c: Context) -> Outcome {
    let room = c.room().await?;
    let (mut keeper, _) = c.hello(&c.user("keeper")?, json!([])).await?;
    let count = c.limits().burst * 2;
    for number in 0..count {
        let topic = format!("topic {number}");
        let reference = format!("c{number}");
        keeper
            .send(json!({ "type": "configure", "room": room, "topic": topic, "ref": reference }))
            .await?;
    }
    for number in 0..count {
        let reference = format!("c{number}");
        let is_answer = |frame: &Value| frame["ref"] == reference.as_str();
        let answer = keeper.find("an answer", is_answer).await?;
        if answer["type"] == "error" {
            refused_for_a_while(&answer, "rate_limited")?;
            return Ok(());
        }
    }
    anyhow::bail!("twice the burst was taken")
}

async fn refused_frames_in_a_row_close(c: Context) -> Outcome {
    let (mut bad, _) = c.hello(&c.user("bad")?, json!([])).await?;
    for _ in 0..20 {
        bad.send_text("nonsense".into()).await?;
        refused(&bad.take("error").await?, "bad_json")?;
    }
    bad.send_text("nonsense".into()).await?;
    bad.closed_with(4004).await?;
    ensure!(
        bad.kept("error").len() == 1,
        "the last one is answered, too"
    );
    Ok(())
}

async fn good_frame_ends_the_row(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut bad = c.join(&c.user("bad")?, &room).await?;
    for round in 0..2 {
        for _ in 0..15 {
            bad.send_text("nonsense".into()).await?;
            refused(&bad.take("error").await?, "bad_json")?;
        }
        bad.store(&room, &format!("m{round}"), "a good one").await?;
    }
    Ok(())
}

/// More than an edge keeps for one client, and the systems of both between them.
const UNREAD_BYTES: usize = 1_310_720;
/// Clients that begin to read at different times. An edge sends what is on its way before the close,
/// but does not wait for ever until it is taken: who begins long after the close finds the connection
/// reset, and who begins before it is not slow.
const SLOW: usize = 8;

async fn slow_reader_is_closed_alone(c: Context) -> Outcome {
    let room = c.room().await?;
    let (mut quick, _) = c.resume(&c.user("quick")?, &room, None).await?;
    let text = "All work and no play. ".repeat(c.limits().text_bytes / 22);
    let each = burst(&c);
    let users = UNREAD_BYTES.div_ceil(text.len() * each);
    let count = users * each;

    let (progress, _) = watch::channel(0);
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let socket = slow_reader(&c, &room, number).await?;
        let begin = count * (number + 1) / SLOW;
        slow.push(read_late(socket, progress.subscribe(), begin, count));
    }
    let reading = async {
        for number in 1..=count {
            quick.take("message").await?;
            progress.send_replace(number);
        }
        Ok(())
    };
    let path = format!("/api/v1/rooms/{room}/messages");
    let speaking = try_join_all((0..users).map(|speaker| {
        let (c, path, text) = (&c, &path, &text);
        async move {
            let user = c.user(&format!("s{speaker}"))?;
            for number in 0..each {
                let body = json!({ "id": format!("s{speaker}-{number}"), "text": text });
                c.http(&user, "POST", path, Some(body)).await?.with(201)?;
            }
            anyhow::Ok(())
        }
    }));
    let (closes, ..) = try_join3(try_join_all(slow), reading, speaking).await?;
    ensure!(
        closes.contains(&Some(4501)),
        "of readers that begin later and later, none was closed with 4501: {closes:?}"
    );
    let others: Vec<_> = closes
        .iter()
        .flatten()
        .filter(|code| ![4501, 1006].contains(*code))
        .collect();
    ensure!(
        others.is_empty(),
        "slow readers were closed with {others:?}"
    );
    quick.store(&room, "q1", "undisturbed").await?;
    Ok(())
}

/// A client in the room for which the system keeps little.
async fn slow_reader(c: &Context, room: &str, number: usize) -> Result<Socket> {
    let handshake = Handshake {
        receive_bytes: Some(4096),
        ..Handshake::default()
    };
    let name = format!("slow{number}");
    let (mut slow, _) = c.dial(Edge::First, &name, &handshake).await?;
    let rooms = json!([{ "room": room }]);
    crate::context::greet(&mut slow, &c.user(&name)?, rooms).await?;
    slow.take("joined").await?;
    Ok(slow)
}

/// Reads `count` messages once somebody else has `begin` of them; gives the code of the close that
/// came in their place.
async fn read_late(
    mut slow: Socket,
    mut progress: watch::Receiver<usize>,
    begin: usize,
    count: usize,
) -> Result<Option<u16>> {
    progress.wait_for(|read| *read >= begin).await?;
    let mut last = 0;
    for _ in 0..count {
        let is_message = |frame: &Value| frame["type"] == "message";
        let message = match slow.find_or_close("a message", is_message).await? {
            Ok(message) => message,
            Err(code) => return Ok(Some(code)),
        };
        let number = message["position"]["seq"].as_u64().unwrap_or_default();
        ensure!(number > last, "a message in the wrong place: {message}");
        last = number;
    }
    Ok(None)
}
