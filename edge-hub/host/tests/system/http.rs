//! The HTTP API.

use serde_json::{Value, json};

use super::{
    client::{Client, Reader},
    harness::{Edge, RedisServer, Site, ask, eventually},
    http_client::{Events, request},
};

async fn post(edge: &Edge, room: &str, user: &str, id: &str, text: &str) -> Value {
    let body = json!({ "user": user, "id": id, "text": text });
    let answer = edge.post(room, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

fn ids(answer: &Value) -> Vec<&str> {
    let messages = answer["messages"].as_array().expect("messages");
    messages
        .iter()
        .map(|message| message["id"].as_str().expect("an id"))
        .collect()
}

fn event_id(position: &Value) -> String {
    let tag = position["tag"].as_str().expect("a tag");
    format!("{}-{tag}", position["seq"])
}

#[tokio::test]
async fn a_page_learns_where_to_connect_and_which_rooms_there_are() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let config = edge.get("/api/v1/config").await.json();
    assert_eq!(config["websocket_url"], format!("ws://{}/ws", edge.address));
    assert_eq!(config["protocol"], "clustertalk.v1");
    assert_eq!(
        config["default_rooms"],
        json!(["general", "tech", "random"])
    );
    assert_eq!(config["limits"]["text_bytes"], 4096);

    let (_ada, _) = Client::resume(edge.address, "ada", "cats", None).await;
    let mut rooms = edge.get("/api/v1/rooms").await.json()["rooms"].clone();
    let rooms = rooms.as_array_mut().expect("rooms");
    rooms.sort_by_key(|room| room["room"].to_string());
    let expected = json!([
        { "room": "cats", "members": 1 }, { "room": "general", "members": 0 },
        { "room": "random", "members": 0 }, { "room": "tech", "members": 0 },
    ]);
    assert_eq!(json!(rooms), expected);
}

#[tokio::test]
async fn what_is_posted_is_read_back_by_any_range_and_heard_by_sockets() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let mut acks = Vec::new();
    for number in 1..=5 {
        acks.push(post(&edge, "general", "bob", &format!("m{number}"), "hello").await);
    }
    assert_eq!(acks[0]["type"], "ack");
    reader.follow(&mut ada, &acks[4]["position"]).await;
    assert_eq!(post(&edge, "general", "bob", "m2", "again").await, acks[1]);

    let path = "/api/v1/rooms/general/messages";
    let second = event_id(&acks[1]["position"]);
    let forged = "2-00000000deadbeef";
    #[rustfmt::skip]
    let cases = [
        (String::new(),                      vec!["m1", "m2", "m3", "m4", "m5"], false),
        ("?limit=2".to_owned(),              vec!["m4", "m5"],                   false),
        ("?before=3".to_owned(),             vec!["m1", "m2"],                   false),
        ("?before=5&limit=2".to_owned(),     vec!["m3", "m4"],                   true),
        (format!("?after={second}"),         vec!["m3", "m4", "m5"],             false),
        (format!("?after={second}&limit=1"), vec!["m3"],                         true),
        (format!("?after={forged}"),         vec!["m1", "m2", "m3", "m4", "m5"], false),
    ];
    for (query, expected, more) in cases {
        let answer = edge.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(ids(&answer.json()), expected, "{query}");
        assert_eq!(answer.json()["head"], acks[4]["position"], "{query}");
        if !query.contains("limit=2") || query.contains("before") {
            assert_eq!(answer.json()["more"], more, "{query}");
        }
    }
    let resumed = edge.get(&format!("{path}?after={second}")).await.json();
    assert_eq!(
        (&resumed["recovered"], &resumed["reason"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(resumed["messages"][0], reader.messages[2]);
    let diverged = edge.get(&format!("{path}?after={forged}")).await.json();
    assert_eq!(
        (&diverged["recovered"], &diverged["reason"]),
        (&json!(false), &json!("diverged"))
    );
}

#[tokio::test]
async fn bad_requests_get_their_documented_errors() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let room = "/api/v1/rooms/general/messages";
    let text =
        |bytes: usize| json!({ "user": "ada", "id": "m1", "text": "x".repeat(bytes) }).to_string();
    #[rustfmt::skip]
    let cases: [(&str, &str, String, u16, &str); 20] = [
        ("GET",    "/nowhere",                                  String::new(), 404, "not_found"),
        ("GET",    "/api/v1/nothing",                           String::new(), 404, "not_found"),
        ("GET",    "/ws",                                       String::new(), 404, "not_found"),
        ("GET",    "/api/v1/rooms/No!/messages",                String::new(), 400, "bad_room"),
        ("GET",    "/api/v1/rooms/general/messages?limit=x",    String::new(), 400, "bad_frame"),
        ("GET",    "/api/v1/rooms/general/messages?before=x",   String::new(), 400, "bad_frame"),
        ("GET",    "/api/v1/rooms/general/messages?after=5",    String::new(), 400, "bad_frame"),
        ("GET",    "/api/v1/rooms/general/events?after=5",      String::new(), 400, "bad_frame"),
        ("GET",    "/api/v1/rooms/general/messages?before=2&after=1-0000000000000000", String::new(), 400, "bad_frame"),
        ("DELETE", room,                                        String::new(), 405, "method_not_allowed"),
        ("POST",   "/api/v1/config",                            String::new(), 405, "method_not_allowed"),
        ("POST",   room, "nonsense".to_owned(),                                400, "bad_json"),
        ("POST",   room, "[]".to_owned(),                                      400, "bad_frame"),
        ("POST",   room, json!({ "id": "m1", "text": "hello" }).to_string(),   400, "bad_user"),
        ("POST",   room, json!({ "user": "a b", "id": "m1", "text": "hello" }).to_string(), 400, "bad_user"),
        ("POST",   room, json!({ "user": "ada", "id": "a b", "text": "hello" }).to_string(), 400, "bad_id"),
        ("POST",   room, json!({ "user": "ada", "id": "m1" }).to_string(),     400, "bad_frame"),
        ("POST",   room, text(0),                                              400, "bad_frame"),
        ("POST",   room, text(4097),                                           413, "too_large"),
        ("POST",   room, text(17_000),                                         413, "too_large"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = request(edge.address, method, path, &[], &body).await;
        assert_eq!(
            answer.refusal(),
            (status, code.to_owned()),
            "{method} {path} {body:.60}"
        );
        assert!(answer.json()["message"].is_string(), "{method} {path}");
        assert_eq!(
            answer.headers.contains_key("allow"),
            status == 405,
            "{method} {path}"
        );
    }
    // A body that does not declare its length.
    let chunked = [("transfer-encoding", "chunked")];
    let answer = request(edge.address, "POST", room, &chunked, &text(17_000)).await;
    assert_eq!(answer.refusal(), (413, "too_large".to_owned()));
    let head = edge.get(room).await.json()["head"]["seq"].clone();
    assert_eq!(head, 0, "something was stored");
}

#[tokio::test]
async fn an_event_stream_is_live_and_resumes_without_loss() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    post(&edge, "general", "ada", "m1", "before").await;
    let mut events = Events::open(edge.address, "general", None).await;
    let joined = events.next().await;
    assert_eq!(
        (joined.name.as_str(), ids(&joined.data)),
        ("joined", vec!["m1"])
    );
    let ack = post(&edge, "general", "ada", "m2", "live").await;
    let live = events.next().await;
    assert_eq!(
        (live.name.as_str(), &live.data["id"]),
        ("message", &json!("m2"))
    );
    assert_eq!(live.id, event_id(&ack["position"]));
    drop(events);

    let mut expected = Vec::new();
    for number in 3..=6 {
        expected.push(post(&edge, "general", "ada", &format!("m{number}"), "missed").await);
    }
    let mut events = Events::open(edge.address, "general", Some(&live.id)).await;
    for ack in expected {
        let event = events.next().await;
        assert_eq!(
            (event.name.as_str(), &event.data["id"]),
            ("message", &ack["id"])
        );
        assert_eq!(event.id, event_id(&ack["position"]));
    }
    post(&edge, "general", "ada", "m7", "live again").await;
    assert_eq!(events.next().await.data["id"], "m7");

    let mut diverged = Events::open(edge.address, "general", Some("3-00000000deadbeef")).await;
    let told = diverged.next().await;
    assert_eq!(
        (told.name.as_str(), &told.data["reason"]),
        ("joined", &json!("diverged"))
    );
}

#[tokio::test]
async fn the_figures_are_what_was_sent() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "a1", "hello").await;
    ada.store("general", "a2", "This is spam").await;
    ada.store("general", "a3", &"long ".repeat(20)).await;
    post(&edge, "general", "bob", "b1", "hi").await;
    ada.send(json!({ "type": "join", "room": "tech" })).await;
    ada.store("tech", "a4", "hello tech").await;
    // A resend counts once.
    ada.store("tech", "a4", "hello tech").await;

    let room = edge.get("/api/v1/rooms/general/stats").await.json();
    let bytes = "hello".len() + "[CENSORED BY AI]".len() + 100 + "hi".len();
    assert_eq!(
        (&room["messages"], &room["bytes"], &room["users"]),
        (&json!(4), &json!(bytes), &json!(2))
    );
    assert_eq!(room["actions"], json!({ "allow": 3, "mask": 1 }));
    assert_eq!(room["labels"], json!({ "spam": 1 }));
    assert_eq!(room["lengths"], json!({ "0": 2, "16": 1, "64": 1 }));
    assert_eq!(
        room["top_users"],
        json!([{ "user": "ada", "messages": 3 }, { "user": "bob", "messages": 1 }])
    );
    assert_eq!(minutes(&room), 4);

    let overall = eventually("the overall figures", async || {
        let overall = edge.get("/api/v1/stats").await.json();
        (overall["messages"] == 5).then_some(overall)
    })
    .await;
    assert_eq!(
        (&overall["bytes"], &overall["users"]),
        (&json!(bytes + 10), &json!(2))
    );
    assert_eq!(overall["actions"], json!({ "allow": 4, "mask": 1 }));
    assert_eq!(
        overall["top_users"][0],
        json!({ "user": "ada", "messages": 4 })
    );
    assert_eq!(minutes(&overall), 5);
}

/// All messages of the last hour.
fn minutes(stats: &Value) -> u64 {
    let minutes = stats["minutes"].as_array().expect("minutes");
    assert_eq!(minutes.len(), 60);
    minutes
        .iter()
        .filter_map(|minute| minute["messages"].as_u64())
        .sum()
}

#[tokio::test]
async fn readiness_follows_redis_and_health_does_not() {
    let mut redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let ready = async |status: u16| {
        eventually("another readiness", async || {
            let answer = edge.get("/readyz").await;
            (answer.status == status).then_some(answer.json())
        })
        .await
    };
    assert_eq!(ready(200).await["status"], "ready");
    let _ada = Client::join(edge.address, "ada").await;
    assert_eq!(edge.metric("clustertalk_connections").await, 1);

    // Whoever must not lose rooms must not run on a Redis that drops them.
    let mut to_redis = redis.connection().await;
    for (policy, status) in [("allkeys-lru", 503), ("noeviction", 200)] {
        let _: String = ask(
            &mut to_redis,
            &format!("CONFIG SET maxmemory-policy {policy}"),
        )
        .await;
        let told = edge.get("/readyz").await;
        assert_eq!(told.status, status, "{}", told.text);
        assert_eq!(told.text.contains(policy), status == 503);
    }

    redis.kill().await;
    assert!(ready(503).await["reason"].is_string());
    assert_eq!(edge.get("/healthz").await.status, 200);
    let stats = edge.get("/api/v1/stats").await;
    assert_eq!(stats.refusal(), (503, "unavailable".to_owned()));

    redis.restart().await;
    ready(200).await;
}

#[tokio::test]
async fn what_a_websocket_can_do_is_possible_over_http() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut bob, _) = Client::resume(edge.address, "bob", "plans", None).await;
    for number in 1..=4 {
        post(&edge, "plans", "ada", &format!("m{number}"), "hello").await;
    }
    let room = "/api/v1/rooms/plans";
    let presence = edge.get(&format!("{room}/presence")).await.json();
    let members = json!([{ "id": "bob", "name": "bob" }]);
    assert_eq!(
        presence,
        json!({ "room": "plans", "members_count": 1, "members": members })
    );

    let read = format!("{room}/read?user=ada");
    let receipt = |seq: u64| {
        let user = json!({ "id": "ada", "name": "ada" });
        json!({ "type": "receipt", "room": "plans", "user": user, "seq": seq })
    };
    assert_eq!(edge.get(&read).await.json(), receipt(0));
    let told = edge.send("PUT", &read, &json!({ "seq": 3 })).await;
    assert_eq!((told.status, told.json()), (200, receipt(3)));
    assert_eq!(edge.get(&read).await.json(), receipt(3));
    assert_eq!(bob.take("receipt").await, receipt(3));
    let nowhere = "/api/v1/rooms/private-x-0123456789abcdef/read?user=ada";
    assert_eq!(
        edge.get(nowhere).await.refusal(),
        (403, "forbidden".to_owned())
    );

    for (query, expected, more) in [
        ("from=3", vec!["m3", "m4"], false),
        ("from=2&limit=2", vec!["m2", "m3"], true),
        ("from=9", vec![], false),
    ] {
        let answer = edge.get(&format!("{room}/messages?{query}")).await.json();
        assert_eq!(
            (ids(&answer), &answer["more"]),
            (expected, &json!(more)),
            "{query}"
        );
    }
    let body = json!({ "user": "ada", "id": "m5", "text": "bob?", "mentions": ["bob"],
        "reply_to": { "user": "ada", "id": "m1" } });
    edge.post("plans", &body).await;
    let heard = bob
        .next_that("the answer", |frame| frame["id"] == "m5")
        .await;
    assert_eq!(
        (&heard["mentions"], &heard["reply_to"]),
        (&body["mentions"], &body["reply_to"])
    );
}

#[tokio::test]
async fn moderators_read_who_is_in_the_lists_of_their_room() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let created = edge
        .send(
            "PUT",
            "/api/v1/rooms/plans?user=ada",
            &json!({ "private": true }),
        )
        .await;
    let name = created.json()["room"].as_str().expect("a name").to_owned();
    let room = format!("/api/v1/rooms/{name}");
    for (list, user, body) in [
        ("members", "bob", json!({ "role": "moderator" })),
        ("members", "cyd", json!({ "role": "member" })),
        ("bans", "eve", json!({})),
        ("mutes", "cyd", json!({ "for_ms": 600_000 })),
    ] {
        let answer = edge
            .send("PUT", &format!("{room}/{list}/{user}?user=ada"), &body)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let bobs = async |list: &str| edge.get(&format!("{room}/{list}user=bob")).await.json();
    let member = |user: &str, role: &str| json!({ "user": user, "role": role });
    let first = bobs("members?limit=2&").await;
    let page = json!([member("ada", "owner"), member("bob", "moderator")]);
    assert_eq!((&first["members"], &first["next"]), (&page, &json!("bob")));
    let last = bobs("members?after=bob&").await;
    let page = json!([member("cyd", "member")]);
    assert_eq!((&last["members"], &last["next"]), (&page, &Value::Null));
    assert_eq!(bobs("bans?").await["bans"], json!([{ "user": "eve" }]));
    let mutes = bobs("mutes?").await["mutes"].clone();
    assert_eq!(mutes[0]["user"], "cyd");
    assert!(mutes[0]["until"].is_u64(), "{mutes}");
    for list in ["members", "bans", "mutes"] {
        for user in ["cyd", "eve", "nobody"] {
            let answer = edge.get(&format!("{room}/{list}?user={user}")).await;
            let forbidden = (403, "forbidden".to_owned());
            assert_eq!(answer.refusal(), forbidden, "{list} for {user}");
        }
        let bad = edge.get(&format!("{room}/{list}?user=bob&after=%00")).await;
        assert_eq!(bad.refusal(), (400, "bad_frame".to_owned()), "{list}");
    }
}

#[tokio::test]
async fn an_edge_serves_its_own_description() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let served = edge.get("/api/v1/openapi.json").await;
    let checked_in: Value =
        serde_json::from_str(include_str!("../../../protocol/openapi.json")).expect("JSON");
    assert_eq!(served.json(), checked_in);
    assert!(!served.text.contains('\n'));
    // What it describes is there; only GET, which changes nothing.
    for (path, methods) in checked_in["paths"].as_object().expect("paths") {
        if methods["get"].is_null() || path.ends_with("/events") || path.ends_with("z") {
            continue;
        }
        let path = path.replace("{room}", "general").replace("{user}", "bob");
        let answer = edge.get(&format!("{path}?user=ada")).await;
        assert!(
            !matches!(answer.status, 404 | 405 | 500..),
            "{path}: {}",
            answer.text
        );
    }
    let site = Site::with(&[
        (
            "identity",
            r#"[{"issuer":"a","audience":"b","algorithm":"HS256"}]"#,
        ),
        (
            "identity_secrets",
            r#"{"a":"a secret of thirty-two bytes at least"}"#,
        ),
    ]);
    let edge = site.edge(&redis).await;
    let served = edge.get("/api/v1/openapi.json").await.json();
    assert_eq!(
        served["security"],
        json!([{ "token": [] }, { "serverKey": [] }])
    );
}
