//! What there is of a private room for those outside: nothing.

use serde_json::{Value, json};

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site, eventually},
    http_client::Events,
};

/// A name that nobody was ever given.
const NOWHERE: &str = "private-plans-0000000000000000";

/// `ada`'s private room with `bob` in it; she is joined.
async fn private_room(ada: &mut Client) -> String {
    let create =
        json!({ "type": "create", "room": "plans", "private": true, "topic": "What next?" });
    let room = ada.get_done(create).await["room"].clone();
    let grant = json!({ "type": "grant", "room": room, "user": "bob", "role": "member" });
    ada.get_done(grant).await;
    let room = room.as_str().expect("a name").to_owned();
    assert_eq!(ada.enter(&room).await["type"], "joined");
    room
}

/// Whatever somebody outside can ask of a room over HTTP, with what is answered.
async fn asked_over_http(edge: &Edge, room: &str) -> Vec<(String, u16, String)> {
    let at = format!("/api/v1/rooms/{room}");
    let eve = json!({ "user": "eve" });
    let message = json!({ "user": "eve", "id": "m1", "text": "hello" });
    let spam = json!({ "user": "eve", "id": "m2", "text": "This is spam" });
    let edit = json!({ "user": "eve", "type": "edit", "id": "e1", "text": "x",
        "target": { "user": "ada", "id": "a1" } });
    let grant = json!({ "user": "eve", "role": "member" });
    let topic = json!({ "user": "eve", "topic": "mine" });
    let read = json!({ "user": "eve", "seq": 1 });
    let report =
        json!({ "user": "eve", "target": { "user": "ada", "id": "a1" }, "reason": "spam" });
    let restore = json!({ "user": "eve", "type": "restore", "id": "r1",
        "target": { "user": "ada", "id": "a1" } });
    let requests = [
        ("GET", String::new(), &Value::Null),
        ("GET", "?user=eve".to_owned(), &Value::Null),
        ("GET", "/messages".to_owned(), &Value::Null),
        ("GET", "/messages?user=eve".to_owned(), &Value::Null),
        (
            "GET",
            "/messages?user=eve&before=9".to_owned(),
            &Value::Null,
        ),
        ("GET", "/events".to_owned(), &Value::Null),
        ("GET", "/events?user=eve".to_owned(), &Value::Null),
        ("GET", "/stats".to_owned(), &Value::Null),
        ("GET", "/stats?user=eve".to_owned(), &Value::Null),
        ("GET", "/members?user=eve".to_owned(), &Value::Null),
        ("GET", "/bans?user=eve".to_owned(), &Value::Null),
        ("GET", "/mutes?user=eve".to_owned(), &Value::Null),
        ("GET", "/presence".to_owned(), &Value::Null),
        ("GET", "/presence?user=eve".to_owned(), &Value::Null),
        ("GET", "/read?user=eve".to_owned(), &Value::Null),
        ("PUT", "/read".to_owned(), &read),
        ("POST", "/messages".to_owned(), &message),
        ("POST", "/messages".to_owned(), &spam),
        ("POST", "/messages".to_owned(), &edit),
        ("PUT", String::new(), &topic),
        ("PATCH", String::new(), &topic),
        ("DELETE", String::new(), &eve),
        ("PUT", "/members/eve".to_owned(), &grant),
        ("DELETE", "/members/eve".to_owned(), &eve),
        ("DELETE", "/members/ada".to_owned(), &eve),
        ("PUT", "/bans/ada".to_owned(), &eve),
        ("PUT", "/mutes/ada".to_owned(), &eve),
        ("DELETE", "/bans/eve".to_owned(), &eve),
        ("POST", "/members/ada/kick".to_owned(), &eve),
        ("POST", "/reports".to_owned(), &report),
        ("GET", "/moderation/queue?user=eve".to_owned(), &Value::Null),
        ("GET", "/moderation/log?user=eve".to_owned(), &Value::Null),
        ("POST", "/moderation/dismiss".to_owned(), &report),
        ("POST", "/messages".to_owned(), &restore),
    ];
    let mut answers = Vec::new();
    for (method, path, body) in requests {
        let answer = edge.send(method, &format!("{at}{path}"), body).await;
        let text = answer.text.replace(room, "ROOM");
        answers.push((format!("{method} {path} {body}"), answer.status, text));
    }
    answers
}

/// Whatever somebody outside can ask of a room over a WebSocket, with what is answered.
async fn asked_over_a_socket(edge: &Edge, room: &str) -> Vec<String> {
    let mut eve = Client::join(edge.address, "eve").await;
    let about = [
        json!({ "type": "join" }),
        json!({ "type": "join", "since": { "seq": 1, "tag": "0000000000000001" } }),
        json!({ "type": "history" }),
        json!({ "type": "send", "id": "asked", "text": "hello" }),
        json!({ "type": "read", "seq": 1 }),
        json!({ "type": "typing" }),
        json!({ "type": "configure", "topic": "mine" }),
        json!({ "type": "grant", "user": "eve", "role": "member" }),
        json!({ "type": "revoke", "user": "eve" }),
        json!({ "type": "kick", "user": "ada" }),
        json!({ "type": "mute", "user": "ada" }),
        json!({ "type": "ban", "user": "ada" }),
        json!({ "type": "unban", "user": "eve" }),
        json!({ "type": "delete_room" }),
        json!({ "type": "create" }),
    ];
    let mut answers = Vec::new();
    for mut frame in about {
        frame["room"] = json!(room);
        let answer = eve.ask(frame).await;
        answers.push(answer.to_string().replace(room, "ROOM"));
    }
    answers
}

#[tokio::test]
async fn from_outside_it_is_as_if_there_was_none() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    // She asks for more at once than others may.
    let eager = ["--limit-burst=1000"];
    let edge = || site.edge_with(&redis, &eager);
    let (one, two) = tokio::join!(edge(), edge());
    let mut ada = Client::join(one.address, "ada").await;
    let mut eve = Client::join(two.address, "eve").await;
    let room = private_room(&mut ada).await;
    ada.store(&room, "a1", "for two").await;
    ada.store("general", "a2", "for all").await;

    for edge in [&one, &two] {
        let asked = asked_over_http(edge, &room).await;
        for (what, status, text) in &asked {
            // Who does not say who he is is told so first, whatever he asks for.
            let unnamed = what.starts_with("GET  ");
            let (expected, code) = if unnamed {
                (400, "bad_user")
            } else {
                (403, "forbidden")
            };
            assert_eq!(*status, expected, "{what}: {text}");
            assert!(text.contains(code), "{what}: {text}");
        }
        assert_eq!(asked, asked_over_http(edge, NOWHERE).await);
    }
    let asked = asked_over_a_socket(&two, &room).await;
    assert_eq!(asked, asked_over_a_socket(&two, NOWHERE).await);

    // No list, count or figure has it.
    let mut late = Client::open(two.address).await;
    late.send(json!({ "type": "hello", "user": "eve" })).await;
    let welcome = late.take("welcome").await;
    assert!(!welcome.to_string().contains("private-"), "{welcome}");
    for path in [
        "/api/v1/rooms",
        "/api/v1/rooms?user=eve",
        "/api/v1/stats",
        "/metrics",
    ] {
        let answer = two.get(path).await;
        assert!(!answer.text.contains("private-"), "{path}: {}", answer.text);
    }
    let figures = eventually("the figures", async || {
        let figures = one.get("/api/v1/stats").await.json();
        (figures["messages"] != 0).then_some(figures)
    })
    .await;
    assert_eq!(figures["messages"], 1, "{figures}");
    assert_eq!(
        figures["top_users"],
        json!([{ "user": "ada", "messages": 1 }])
    );
    // Nothing of it came to her meanwhile.
    for frame in eve.told().await.iter().chain(&late.told().await) {
        assert!(!frame.to_string().contains("for two"), "{frame}");
        assert_ne!(frame["room"], *room, "{frame}");
    }
}

#[tokio::test]
async fn who_is_let_in_is_told_wherever_he_is_and_reads_until_he_is_let_out() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let mut ada = Client::join(one.address, "ada").await;
    let mut bob = Client::join(two.address, "bob").await;
    let room = private_room(&mut ada).await;
    let told = bob.take("room").await;
    assert_eq!(
        (&told["room"], &told["topic"], &told["you"]["role"]),
        (&json!(room), &json!("What next?"), &json!("member"))
    );

    let joined = bob.enter(&room).await;
    assert_eq!(joined["members_count"], 2, "{joined}");
    ada.store(&room, "a1", "for two").await;
    assert_eq!(bob.take("message").await["text"], "for two");
    let mut again = Client::open(one.address).await;
    again.send(json!({ "type": "hello", "user": "bob" })).await;
    let listed = json!({ "room": room, "members": 2 });
    let rooms = again.take("welcome").await["rooms"].clone();
    assert!(
        rooms.as_array().expect("rooms").contains(&listed),
        "{rooms}"
    );
    let rooms = one.get("/api/v1/rooms?user=bob").await.json()["rooms"].clone();
    assert!(
        rooms.as_array().expect("rooms").contains(&listed),
        "{rooms}"
    );
    let messages = format!("/api/v1/rooms/{room}/messages?user=bob");
    assert_eq!(one.get(&messages).await.json()["messages"][0]["id"], "a1");
    let stats = format!("/api/v1/rooms/{room}/stats?user=bob");
    assert_eq!(one.get(&stats).await.json()["messages"], 1);
    let mut events = Events::open_as(two.address, &room, "bob").await;
    assert_eq!(events.next().await.name, "joined");

    ada.get_done(json!({ "type": "revoke", "room": room, "user": "bob" }))
        .await;
    let left = bob.take("left").await;
    assert_eq!(
        (&left["room"], &left["reason"]),
        (&json!(room), &json!("forbidden"))
    );
    ada.store(&room, "a2", "for one").await;
    assert!(events.next_or_end().await.is_none(), "his stream ends");
    assert_eq!(one.get(&messages).await.status, 403);
    assert_eq!(bob.enter(&room).await["code"], "forbidden");
    let frames = bob.told().await;
    assert!(
        !frames
            .iter()
            .any(|frame| frame.to_string().contains("for one")),
        "{frames:?}"
    );
    let rooms = one.get("/api/v1/rooms?user=bob").await.text;
    assert!(!rooms.contains("private-"), "{rooms}");
}

#[tokio::test]
async fn a_direct_room_is_found_by_both_and_by_nobody_else() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let mut bob = Client::join(edge.address, "bob").await;
    let direct = ada
        .get_done(json!({ "type": "direct", "user": "bob" }))
        .await;
    assert_eq!(direct["direct"], json!(["ada", "bob"]));
    let room = direct["room"].as_str().expect("a name").to_owned();
    assert_eq!(bob.take("room").await["room"], *room);
    let found = bob
        .get_done(json!({ "type": "direct", "user": "ada" }))
        .await;
    assert_eq!(found["room"], *room);
    let path = "/api/v1/direct/bob";
    let over_http = edge.send("PUT", path, &json!({ "user": "ada" })).await;
    assert_eq!(over_http.json()["room"], *room);

    assert_eq!(ada.enter(&room).await["type"], "joined");
    assert_eq!(bob.enter(&room).await["type"], "joined");
    ada.store(&room, "a1", "just us").await;
    assert_eq!(bob.take("message").await["text"], "just us");
    let mut later = Client::open(edge.address).await;
    later.send(json!({ "type": "hello", "user": "bob" })).await;
    let rooms = later.take("welcome").await["rooms"].clone();
    let listed = json!({ "room": room, "members": 2, "with": "ada" });
    assert!(
        rooms.as_array().expect("rooms").contains(&listed),
        "{rooms}"
    );

    let mut eve = Client::join(edge.address, "eve").await;
    assert_eq!(eve.enter(&room).await["code"], "forbidden");
    let let_in = json!({ "type": "grant", "room": room, "user": "eve", "role": "member" });
    assert_eq!(ada.ask(let_in).await["code"], "forbidden");
}
