//! Statuses and bodies over HTTP, and what is managed there.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, same},
    context::Context,
    socket::SUBPROTOCOL,
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(config_tells_where_to_connect, "HTTP", "| `GET /api/v1/config` | `{protocol, websocket_url, anonymous, default_rooms, limits}` |"),
    case!(rooms_are_listed_with_members, "HTTP", "| `GET /api/v1/rooms` | `{rooms:[{room, members, with?}]}` |"),
    case!(rooms_are_managed, "HTTP", "`create` (201), `configure`, `delete_room`, each with the fields of the frame and its answer"),
    case!(people_are_managed, "HTTP", "`ban` and `mute` with `{for_ms?}`, `unban`"),
    case!(paths_that_are_not_there, "HTTP", "404, 405 with `Allow`"),
    case!(methods_that_are_not_taken, "HTTP", "404, 405 with `Allow`"),
    case!(bad_requests_are_400, "HTTP", "Statuses: 400 malformed"),
    case!(too_large_is_413, "HTTP", "413, 422 blocked, 429 (`rate_limited`, `slow_mode`), 431, 500, 503"),
    case!(blocked_is_422, "HTTP", "413, 422 blocked, 429 (`rate_limited`, `slow_mode`), 431, 500, 503"),
    case!(slow_mode_is_429, "HTTP", "408, 429, 500 and 503 with `Retry-After`"),
    case!(conflicts_are_409, "HTTP", "409 too many or an `archived` room, one that exists, or another message"),
    case!(head_is_get_without_a_body, "HTTP", "An error's body is the `error` frame"),
    case!(statistics_count, "HTTP", "what analytics counted"),
    case!(health_is_answered, "HTTP", "`GET /healthz`, `GET /readyz`"),
];

async fn get(c: &Context, path: &str) -> anyhow::Result<Value> {
    c.http(&c.user("ada")?, "GET", path, None).await?.with(200)
}

async fn config_tells_where_to_connect(c: Context) -> Outcome {
    let answer = c
        .request("GET", "/api/v1/config", Vec::new(), String::new())
        .await?;
    let config = answer.with(200)?;
    same("`protocol`", &config["protocol"], SUBPROTOCOL)?;
    let url = config["websocket_url"].as_str().unwrap_or_default();
    ensure!(
        url.starts_with("ws://") || url.starts_with("wss://"),
        "`websocket_url` is `{url}`"
    );
    ensure!(url.ends_with("/ws"), "`websocket_url` is `{url}`");
    ensure!(
        config["anonymous"].is_boolean(),
        "`anonymous` is {}",
        config["anonymous"]
    );
    ensure!(
        config["default_rooms"]
            .as_array()
            .is_some_and(|rooms| rooms.iter().all(Value::is_string)),
        "`default_rooms` is {}",
        config["default_rooms"]
    );
    ensure!(
        config["limits"]["text_bytes"].is_u64(),
        "no limits: {config}"
    );
    let kind = answer
        .headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    ensure!(
        kind.is_some_and(|kind| kind.starts_with("application/json")),
        "the content type is {kind:?}"
    );
    Ok(())
}

async fn rooms_are_listed_with_members(c: Context) -> Outcome {
    let room = c.room().await?;
    let _ada = c.join(&c.user("ada")?, &room).await?;
    let _bob = c.join(&c.user("bob")?, &room).await?;
    let rooms = get(&c, "/api/v1/rooms").await?["rooms"].clone();
    let listed = rooms.as_array().into_iter().flatten();
    let found = listed
        .clone()
        .find(|listed| listed["room"] == room.as_str());
    // A list has so many rooms at most, and a shared deployment may have more.
    if let Some(found) = found {
        same("its members", &found["members"], 2)?;
    } else {
        ensure!(listed.count() >= 1_000, "not listed: {room}");
    }
    Ok(())
}

async fn rooms_are_managed(c: Context) -> Outcome {
    let (ada, bob) = (c.user("ada")?, c.user("bob")?);
    let path = &format!("/api/v1/rooms/{}", c.unused_room("plans"));
    c.will_delete(&ada, &c.unused_room("plans"));
    let topic = json!({ "topic": "News" });
    let made = c
        .http(&ada, "PUT", path, Some(topic.clone()))
        .await?
        .with(201)?;
    same("the answer", &made["type"], "room")?;
    same("the role", &made["you"]["role"], "owner")?;
    c.http(&ada, "PUT", path, Some(json!({})))
        .await?
        .refuses(409, "room_exists")?;
    let found = c.http(&bob, "GET", path, None).await?.with(200)?;
    same("the topic", &found["topic"], "News")?;
    c.http(&bob, "PATCH", path, Some(topic))
        .await?
        .refuses(403, "forbidden")?;
    let wrong = json!({ "topic": 7 });
    c.http(&ada, "PATCH", path, Some(wrong))
        .await?
        .refuses(400, "bad_frame")?;
    let set = c
        .http(&ada, "PATCH", path, Some(json!({ "read_only": true })))
        .await?
        .with(200)?;
    same("`read_only`", &set["read_only"], true)?;
    c.http(&bob, "DELETE", path, None)
        .await?
        .refuses(403, "forbidden")?;
    let done = c.http(&ada, "DELETE", path, None).await?.with(200)?;
    same("the answer", &done["type"], "done")?;
    let gone = c.http(&ada, "GET", path, None).await?.with(200)?;
    same("the topic after it", &gone["topic"], Value::Null)
}

async fn people_are_managed(c: Context) -> Outcome {
    let keeper = c.user("keeper")?;
    let bob = c.user("bob")?;
    let path = format!("/api/v1/rooms/{}", c.room().await?);
    let of = |what: &str| format!("{path}/{what}/{}", bob.id);
    let requests = [
        ("PUT", of("members"), Some(json!({ "role": "member" }))),
        ("PUT", of("mutes"), Some(json!({ "for_ms": 60_000 }))),
        ("DELETE", of("mutes"), None),
        ("PUT", of("bans"), Some(json!({}))),
        ("DELETE", of("bans"), None),
        ("POST", format!("{}/kick", of("members")), Some(json!({}))),
        ("DELETE", of("members"), None),
    ];
    for (method, path, body) in requests {
        // His own role is his to give back.
        if (method, &path) != ("DELETE", &of("members")) {
            let other = c.http(&bob, method, &path, body.clone()).await?;
            other.refuses(403, "forbidden")?;
        }
        let done = c.http(&keeper, method, &path, body).await?.with(200)?;
        same(
            &format!("the answer to {method} {path}"),
            &done["type"],
            "done",
        )?;
    }
    let role = Some(json!({ "role": "king" }));
    c.http(&keeper, "PUT", &of("members"), role)
        .await?
        .refuses(400, "bad_frame")?;
    let bad = format!("{path}/bans/a%20b");
    c.http(&keeper, "PUT", &bad, Some(json!({})))
        .await?
        .refuses(400, "bad_user")?;
    // An id may have letters that a path has to encode.
    let encoded = format!("{path}/bans/a%7Cb%40c");
    c.http(&keeper, "PUT", &encoded, Some(json!({})))
        .await?
        .with(200)?;
    Ok(())
}

async fn paths_that_are_not_there(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    for path in [
        "/api/v1/nothing",
        "/api/v1/rooms/general/nothing",
        "/api/v2/rooms",
    ] {
        c.http(&ada, "GET", path, None)
            .await?
            .refuses(404, "not_found")?;
    }
    Ok(())
}

async fn methods_that_are_not_taken(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let requests = [
        ("POST", "/api/v1/config"),
        ("DELETE", "/api/v1/rooms"),
        ("DELETE", "/api/v1/rooms/general/messages"),
        ("POST", "/api/v1/rooms/general/events"),
        ("POST", "/api/v1/rooms/general"),
        ("POST", "/api/v1/rooms/general/bans/eve"),
        ("GET", "/api/v1/direct/eve"),
    ];
    for (method, path) in requests {
        let body = (method == "POST").then(|| json!({}));
        let answer = c.http(&ada, method, path, body).await?;
        answer.refuses(405, "method_not_allowed")?;
        ensure!(
            answer.headers.contains_key("allow"),
            "{method} {path}: no `Allow`"
        );
    }
    Ok(())
}

async fn bad_requests_are_400(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let room = c.room().await?;
    let path = format!("/api/v1/rooms/{room}");
    let queries = [
        ("/api/v1/rooms/No!/messages".to_owned(), "bad_room"),
        (format!("{path}/messages?limit=x"), "bad_frame"),
        (format!("{path}/messages?before=x"), "bad_frame"),
        (format!("{path}/messages?after=5"), "bad_frame"),
        (
            format!("{path}/messages?before=2&after=1-0000000000000000"),
            "bad_frame",
        ),
        (format!("{path}/events?after=5"), "bad_frame"),
    ];
    for (path, code) in queries {
        c.http(&ada, "GET", &path, None).await?.refuses(400, code)?;
    }
    let bodies = [
        (json!({ "id": "a b", "text": "hello" }), "bad_id"),
        (json!({ "id": "m1" }), "bad_frame"),
        (json!({ "id": "m1", "text": "" }), "bad_frame"),
        (
            json!({ "id": "m1", "text": "x", "type": "dance" }),
            "unknown_type",
        ),
        (
            json!({ "type": "edit", "id": "e1", "text": "x" }),
            "bad_frame",
        ),
    ];
    let messages = format!("{path}/messages");
    for (body, code) in bodies {
        let answer = c.http(&ada, "POST", &messages, Some(body)).await?;
        answer.refuses(400, code)?;
    }
    let headers = || {
        ada.bearer()
            .map(|bearer| ("authorization", bearer))
            .into_iter()
            .collect()
    };
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for (text, code) in [("nonsense", "bad_json"), ("[]", "bad_frame")] {
        let answer = c
            .request("POST", &messages, headers(), text.to_owned())
            .await?;
        answer.refuses(400, code)?;
    }
    // A body needs somebody who speaks before it is judged, where names are chosen.
    let deep = deep.replacen('{', &format!("{{\"user\":\"{}\",", ada.id), 1);
    let answer = c.request("POST", &messages, headers(), deep).await?;
    answer.refuses(400, "too_deep")?;
    let head = c.messages(&ada, &room, "").await?["head"]["seq"].clone();
    same("what was stored", &head, 0)
}

async fn too_large_is_413(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let path = format!("/api/v1/rooms/{}/messages", c.room().await?);
    for bytes in [c.limits().text_bytes + 1, c.limits().frame_bytes + 1] {
        let body = json!({ "id": "m1", "text": "x".repeat(bytes) });
        let answer = c.http(&ada, "POST", &path, Some(body)).await?;
        answer.refuses(413, "too_large")?;
    }
    Ok(())
}

async fn blocked_is_422(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let room = c.room().await?;
    c.post(&ada, &room, "m1", "hello").await?;
    let body = json!({ "type": "react", "id": "r1", "reaction": "arschloch",
        "target": { "user": ada.id, "id": "m1" } });
    let path = format!("/api/v1/rooms/{room}/messages");
    c.http(&ada, "POST", &path, Some(body))
        .await?
        .refuses(422, "blocked")?;
    Ok(())
}

async fn slow_mode_is_429(c: Context) -> Outcome {
    let keeper = c.user("keeper")?;
    let room = c.unused_room("slow");
    c.create(&keeper, json!({ "room": room, "slow_mode_ms": 60_000 }))
        .await?;
    let ada = c.user("ada")?;
    c.post(&ada, &room, "m1", "hello").await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({ "id": "m2", "text": "hello" });
    let answer = c.http(&ada, "POST", &path, Some(body)).await?;
    let error = answer.refuses(429, "slow_mode")?;
    let after = answer.headers.get("retry-after");
    let after = after.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let millis = error["retry_after_ms"].as_u64().unwrap_or_default();
    ensure!(
        after.is_some_and(|seconds| seconds * 1000 >= millis && seconds <= 60),
        "`Retry-After` is {after:?} for {millis} ms"
    );
    Ok(())
}

async fn conflicts_are_409(c: Context) -> Outcome {
    let (keeper, ada) = (c.user("keeper")?, c.user("ada")?);
    let room = c.room().await?;
    c.post(&ada, &room, "m1", "hello").await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let stale = json!({ "type": "edit", "id": "e1", "text": "x",
        "target": { "seq": 1, "tag": "00000000deadbeef" } });
    c.http(&ada, "POST", &path, Some(stale))
        .await?
        .refuses(409, "stale_target")?;
    let missing = json!({ "type": "edit", "id": "e1", "text": "x",
        "target": { "user": ada.id, "id": "never" } });
    c.http(&ada, "POST", &path, Some(missing))
        .await?
        .refuses(404, "target_missing")?;
    let archive = Some(json!({ "archived": true }));
    c.http(&keeper, "PATCH", &format!("/api/v1/rooms/{room}"), archive)
        .await?
        .with(200)?;
    let body = json!({ "id": "m2", "text": "hello" });
    c.http(&ada, "POST", &path, Some(body))
        .await?
        .refuses(409, "archived")?;
    Ok(())
}

async fn head_is_get_without_a_body(c: Context) -> Outcome {
    let answer = c
        .request("HEAD", "/api/v1/config", Vec::new(), String::new())
        .await?;
    ensure!(
        answer.status == 200 && answer.text.is_empty(),
        "{}: {}",
        answer.status,
        answer.text
    );
    Ok(())
}

async fn statistics_count(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let room = c.room().await?;
    c.post(&ada, &room, "m1", "hello").await?;
    c.post(&ada, &room, "m2", "This is spam").await?;
    // The same again is counted once.
    c.post(&ada, &room, "m2", "This is spam").await?;
    c.post(&c.user("bob")?, &room, "m1", "hello").await?;
    let stats = get(&c, &format!("/api/v1/rooms/{room}/stats")).await?;
    same("`room`", &stats["room"], room.as_str())?;
    same("`messages`", &stats["messages"], 3)?;
    same("`users`", &stats["users"], 2)?;
    same(
        "`actions`",
        &stats["actions"],
        json!({ "allow": 2, "mask": 1 }),
    )?;
    same("`labels`", &stats["labels"], json!({ "spam": 1 }))?;
    let overall = get(&c, "/api/v1/stats").await?;
    ensure!(
        overall["messages"].is_u64() && overall["rooms"].is_array(),
        "{overall}"
    );
    Ok(())
}

async fn health_is_answered(c: Context) -> Outcome {
    for path in ["/healthz", "/readyz"] {
        let answer = c.request("GET", path, Vec::new(), String::new()).await?;
        ensure!(
            answer.status == 200,
            "{path} is answered with {}: {}",
            answer.status,
            answer.text
        );
    }
    Ok(())
}
