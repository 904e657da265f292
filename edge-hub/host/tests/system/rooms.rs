//! Rooms with settings, and what is done to those in them, over two edges.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site, ask, eventually},
};

/// How soon every edge has to know.
const SOON: Duration = Duration::from_secs(1);

/// `ada`'s room `plans`, in which she is on the first edge and `bob` on both.
async fn plans(one: &Edge, two: &Edge) -> (Client, Client, Client) {
    let mut ada = Client::join(one.address, "ada").await;
    ada.get_done(json!({ "type": "create", "room": "plans", "topic": "What next?" }))
        .await;
    let mut bob = Client::join(one.address, "bob").await;
    let mut twin = Client::join(two.address, "bob").await;
    for client in [&mut ada, &mut bob, &mut twin] {
        assert_eq!(client.enter("plans").await["type"], "joined");
        let told = client.take("room").await;
        assert_eq!(told["topic"], "What next?", "before `joined`");
    }
    (ada, bob, twin)
}

/// That both are told in time that they are out.
async fn both_leave(since: Instant, bob: &mut Client, twin: &mut Client, reason: &str) {
    for client in [bob, twin] {
        let left = client.take("left").await;
        let took = since.elapsed();
        assert!(took < SOON, "{reason} after {took:?}");
        assert_eq!(
            (&left["room"], &left["reason"]),
            (&json!("plans"), &json!(reason))
        );
    }
}

#[tokio::test]
async fn a_ban_holds_on_every_edge_within_a_second() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let (mut ada, mut bob, mut twin) = plans(&one, &two).await;

    let since = Instant::now();
    ada.get_done(json!({ "type": "ban", "room": "plans", "user": "bob", "for_ms": 600_000 }))
        .await;
    both_leave(since, &mut bob, &mut twin, "banned").await;
    ada.store("plans", "a1", "without bob").await;
    for client in [&mut bob, &mut twin] {
        assert_eq!(
            client.say("plans", "b1", "hello").await["code"],
            "not_joined"
        );
        let refused = client.enter("plans").await;
        assert_eq!(refused["code"], "banned");
        assert!(
            refused["retry_after_ms"].as_u64() > Some(500_000),
            "{refused}"
        );
        let told = client.told().await;
        assert!(!told.iter().any(|frame| frame["id"] == "a1"), "{told:?}");
    }
    let posted = json!({ "user": "bob", "id": "b1", "text": "hello" });
    assert_eq!(
        two.post("plans", &posted).await.refusal(),
        (403, "banned".into())
    );
    let read = two.get("/api/v1/rooms/plans/messages?user=bob").await;
    assert_eq!(read.refusal(), (403, "banned".into()));

    ada.get_done(json!({ "type": "unban", "room": "plans", "user": "bob" }))
        .await;
    assert_eq!(twin.enter("plans").await["type"], "joined");
    twin.store("plans", "b1", "hello").await;
}

#[tokio::test]
async fn a_kick_and_a_mute_reach_every_connection_within_a_second() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let (mut ada, mut bob, mut twin) = plans(&one, &two).await;

    let since = Instant::now();
    ada.get_done(json!({ "type": "mute", "room": "plans", "user": "bob" }))
        .await;
    for client in [&mut bob, &mut twin] {
        let told = client.take("room").await;
        assert!(since.elapsed() < SOON);
        assert_eq!(told["you"], json!({ "muted": true }), "{told}");
        assert_eq!(client.say("plans", "b1", "hello").await["code"], "muted");
    }
    ada.store("plans", "a1", "listen").await;
    assert_eq!(twin.take("message").await["id"], "a1");

    let since = Instant::now();
    let kick = json!({ "user": "ada" });
    let kicked = one.send("POST", "/api/v1/rooms/plans/members/bob/kick", &kick);
    assert_eq!(kicked.await.json(), json!({ "type": "done" }));
    both_leave(since, &mut bob, &mut twin, "kicked").await;
    assert_eq!(
        bob.enter("plans").await["type"],
        "joined",
        "he may come back"
    );
}

#[tokio::test]
async fn a_ban_that_nobody_was_told_of_is_found_out() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let (mut ada, mut bob, mut twin) = plans(&one, &two).await;
    let mut to_redis = redis.connection().await;
    let _: u64 = ask(&mut to_redis, "ZADD ct:{plans}:ban inf bob").await;
    for client in [&mut bob, &mut twin] {
        let left = client.take("left").await;
        assert_eq!(left["reason"], "banned", "{left}");
    }
    ada.store("plans", "a1", "without bob").await;
    let told = twin.told().await;
    assert!(!told.iter().any(|frame| frame["id"] == "a1"), "{told:?}");
}

#[tokio::test]
async fn settings_are_told_to_everyone_and_hold_for_the_next_message() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let (mut ada, mut bob, mut twin) = plans(&one, &two).await;

    let slow = json!({ "type": "configure", "room": "plans", "slow_mode_ms": 2_000 });
    let answer = ada.get_done(slow).await;
    assert_eq!(answer["you"]["role"], "owner", "{answer}");
    for client in [&mut bob, &mut twin] {
        let told = client.take("room").await;
        assert_eq!(
            (&told["slow_mode_ms"], &told["you"]),
            (&json!(2_000), &Value::Null)
        );
    }
    bob.store("plans", "b1", "one").await;
    let refused = twin.say("plans", "b2", "two").await;
    assert_eq!(refused["code"], "slow_mode");
    assert!(
        refused["retry_after_ms"].as_u64() <= Some(2_000),
        "{refused}"
    );
    twin.persist("plans", "b2", "two").await;
    let posted = json!({ "user": "bob", "id": "b3", "text": "three" });
    assert_eq!(
        one.post("plans", &posted).await.refusal(),
        (429, "slow_mode".into())
    );
    for id in ["a1", "a2"] {
        ada.store("plans", id, "her own").await;
    }

    let read_only = json!({ "user": "ada", "read_only": true, "slow_mode_ms": 0 });
    let configured = one.send("PATCH", "/api/v1/rooms/plans", &read_only).await;
    assert_eq!(configured.json()["read_only"], true, "{}", configured.text);
    assert_eq!(twin.take("room").await["read_only"], true);
    assert_eq!(twin.say("plans", "b3", "three").await["code"], "forbidden");
    ada.store("plans", "a3", "listen").await;

    ada.get_done(json!({ "type": "configure", "room": "plans", "archived": true }))
        .await;
    assert_eq!(ada.say("plans", "a4", "more").await["code"], "archived");
    assert_eq!(twin.take("room").await["archived"], true);
    let delete = json!({ "type": "delete", "room": "plans", "id": "d1",
        "target": { "user": "ada", "id": "a3" } });
    ada.send(delete).await;
    assert_eq!(ada.answer("d1").await["type"], "ack");
}

#[tokio::test]
async fn a_deleted_room_is_left_by_everyone_and_the_next_of_its_name_is_new() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let (mut ada, mut bob, mut twin) = plans(&one, &two).await;
    let last = bob.store("plans", "b1", "the end").await;
    let refused = bob
        .ask(json!({ "type": "delete_room", "room": "plans" }))
        .await;
    assert_eq!(refused["code"], "forbidden");

    let since = Instant::now();
    ada.get_done(json!({ "type": "delete_room", "room": "plans" }))
        .await;
    both_leave(since, &mut bob, &mut twin, "deleted").await;
    let listed = two.get("/api/v1/rooms").await.text;
    assert!(!listed.contains("plans"), "{listed}");
    let mut to_redis = redis.connection().await;
    eventually("the end of every key of the room", async || {
        let keys: Vec<String> = ask(&mut to_redis, "KEYS *plans*").await;
        keys.is_empty().then_some(())
    })
    .await;

    // The edges still remember the room that it was.
    let joined = twin.enter("plans").await;
    let origin = json!({ "seq": 0, "tag": "0000000000000000" });
    assert_eq!(
        (&joined["position"], &joined["messages"]),
        (&origin, &json!([]))
    );
    twin.store("plans", "t1", "a beginning").await;
    let (_again, joined) = Client::resume(one.address, "bob", "plans", Some(&last)).await;
    assert_eq!(joined["reason"], "diverged", "{joined}");
    assert_eq!(joined["messages"][0]["id"], "t1");
}

#[tokio::test]
async fn rooms_are_managed_over_http() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let ada = json!({ "user": "ada" });
    let owner = json!({ "user": "ada", "role": "owner" });
    #[rustfmt::skip]
    let cases = [
        ("PUT",    "/rooms/plans",                      json!({ "user": "ada", "topic": "News" }), 201, "room"),
        ("PUT",    "/rooms/plans",                      ada.clone(),                               409, "room_exists"),
        ("PUT",    "/rooms/general",                    ada.clone(),                               409, "room_exists"),
        ("PUT",    "/rooms/No!",                        ada.clone(),                               400, "bad_room"),
        ("PUT",    "/rooms/nobodys",                    json!({}),                                 400, "bad_user"),
        ("GET",    "/rooms/plans?user=ada",             Value::Null,                               200, "room"),
        ("PATCH",  "/rooms/plans",                      json!({ "user": "bob", "topic": "mine" }), 403, "forbidden"),
        ("PATCH",  "/rooms/plans",                      json!({ "user": "ada", "topic": 7 }),      400, "bad_frame"),
        ("PUT",    "/rooms/plans/members/b%7Cob",       owner,                                     200, "done"),
        ("PUT",    "/rooms/plans/members/b%20ob",       ada.clone(),                               400, "bad_user"),
        ("PUT",    "/rooms/plans/members/bob",          ada.clone(),                               400, "bad_frame"),
        ("PATCH",  "/rooms/plans",                      json!({ "user": "b|ob", "topic": "ours" }), 200, "room"),
        ("DELETE", "/rooms/plans/members/b%7Cob?user=ada", Value::Null,                            200, "done"),
        ("PUT",    "/rooms/plans/bans/eve",             json!({ "user": "ada", "for_ms": 1000 }),  200, "done"),
        ("PUT",    "/rooms/plans/mutes/eve",            ada.clone(),                               200, "done"),
        ("DELETE", "/rooms/plans/mutes/eve?user=ada",   Value::Null,                               200, "done"),
        ("POST",   "/rooms/plans/bans/eve",             ada.clone(),                               405, "method_not_allowed"),
        ("POST",   "/rooms/plans/members/ada/kick",     ada.clone(),                               403, "forbidden"),
        ("POST",   "/users/eve/kick",                   ada.clone(),                               403, "forbidden"),
        ("PUT",    "/direct/ada",                       ada.clone(),                               403, "forbidden"),
        ("DELETE", "/rooms/plans?user=eve",             Value::Null,                               403, "forbidden"),
        ("DELETE", "/rooms/plans?user=ada",             Value::Null,                               200, "done"),
        ("GET",    "/rooms/plans?user=ada",             Value::Null,                               200, "room"),
    ];
    for (method, path, body, status, kind) in cases {
        let sent = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("/api/v1{path}");
        let answer = super::http_client::request(edge.address, method, &path, &[], &sent).await;
        let told = answer.json();
        let found = if answer.status < 300 {
            &told["type"]
        } else {
            &told["code"]
        };
        assert_eq!(
            (answer.status, found),
            (status, &json!(kind)),
            "{method} {path}"
        );
    }
    let room = edge.get("/api/v1/rooms/plans?user=ada").await.json();
    let you = json!({ "muted": false });
    assert_eq!(
        (&room["topic"], &room["you"]),
        (&Value::Null, &you),
        "it is gone"
    );
}
