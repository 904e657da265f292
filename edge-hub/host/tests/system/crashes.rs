//! Edges and Redis servers that die, and logs that lose their end.

use clustertalk_core::{
    ids::{MessageId, RoomName, User, UserId},
    limits::Limits,
    log::{Action, Body, Draft, Moderation},
    redis::{self as contract, Keyspace},
    store::Mode,
};
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use super::{
    client::{Client, Reader, flood},
    harness::{RedisServer, Site, ask, connection, eventually, within},
};

#[tokio::test]
async fn an_edge_killed_and_started_again_has_all_that_it_acknowledged() {
    let site = Site::new();
    let edge = site.edge_alone().await;
    let run = run_id(&edge.redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let mut bob = Client::join(edge.address, "bob").await;
    let speaking = tokio::spawn(async move {
        let mut stored = Vec::new();
        loop {
            let id = format!("b{}", stored.len());
            let sent = bob
                .try_send(json!({ "type": "send", "room": "general", "id": id, "text": id }))
                .await;
            match bob.answer_or_close(&id).await {
                Ok(ack) if sent && ack["type"] == "ack" => stored.push(ack["position"].clone()),
                Ok(error) => assert_eq!(error["code"], "rate_limited", "{error}"),
                Err(_) => return stored,
            }
        }
    });
    for message in ada.take_many("message", 5).await {
        reader.take(&message);
    }
    edge.kill().await;
    let stored = speaking.await.expect("a speaker");

    let edge = site.edge_alone().await;
    assert_ne!(run_id(&edge.redis).await, run, "its Redis outlived it");
    let since = reader.position.clone();
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", Some(&since)).await;
    assert_eq!(joined["recovered"], true, "{joined}");
    reader.take(&joined);
    // What was under way when it died is stored or not; its resend is stored once in any case.
    let mut bob = Client::join(edge.address, "bob").await;
    let unsure = format!("b{}", stored.len());
    let last = bob.persist("general", &unsure, &unsure).await;
    if reader.position != last {
        reader.follow(&mut ada, &last).await;
    }
    assert_eq!(reader.messages.len(), stored.len() + 1);
    for (message, position) in reader.messages.iter().zip(&stored) {
        assert_eq!(&message["position"], position);
    }
}

async fn run_id(redis: &str) -> String {
    let info: String = ask(&mut connection(redis).await, "INFO server").await;
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    id.expect("a run id").to_owned()
}

#[tokio::test]
async fn while_redis_is_away_sends_wait_and_sockets_stay_open() {
    let mut redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let (mut bob, joined) = Client::resume(edge.address, "bob", "general", None).await;
    let mut reader = Reader::new(&joined);
    ada.store("general", "m1", "one").await;
    ada.store("general", "m2", "two").await;

    redis.kill().await;
    let refused = ada.say("general", "m3", "three").await;
    assert_eq!(refused["code"], "unavailable");
    assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
    let refused = edge
        .post(
            "general",
            &json!({ "user": "cleo", "id": "c1", "text": "hello" }),
        )
        .await;
    assert_eq!(refused.refusal(), (503, "unavailable".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));

    redis.restart().await;
    ada.persist("general", "m3", "three").await;
    let last = ada.persist("general", "m4", "four").await;
    reader.follow(&mut bob, &last).await;
    let ids: Vec<&Value> = reader
        .messages
        .iter()
        .map(|message| &message["id"])
        .collect();
    assert_eq!(ids, ["m1", "m2", "m3", "m4"]);
    let told = bob.told().await;
    assert!(
        told.iter().all(|frame| frame["type"] != "joined"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_redis_that_refuses_writes_is_stayed_with() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut to_redis = redis.connection().await;
    let mut ada = Client::join(edge.address, "ada").await;
    let (mut bob, joined) = Client::resume(edge.address, "bob", "general", None).await;
    let mut reader = Reader::new(&joined);
    ada.store("general", "m1", "one").await;
    for (setting, value, code) in [
        ("min-replicas-to-write", "1", "NOREPLICAS"),
        ("maxmemory", "1", "OOM"),
    ] {
        let _: String = ask(&mut to_redis, &format!("CONFIG SET {setting} {value}")).await;
        let refused = ada.say("general", code, "hello").await;
        assert_eq!(refused["code"], "unavailable", "{code}");
        let ready = edge.get("/readyz").await;
        let told = (ready.status, ready.text.contains(code));
        assert_eq!(told, (503, true), "{}", ready.text);

        // For longer than a subscription may be silent, and than one `typing` drops the next.
        let mut heartbeats = redis::Client::open(redis.url())
            .expect("a URL")
            .get_async_pubsub()
            .await
            .expect("a connection");
        let channels = "ct:{_control}:heartbeat:*";
        heartbeats.psubscribe(channels).await.expect("a pattern");
        let heartbeats = heartbeats.on_message().take(8).count();
        assert_eq!(within("heartbeats", heartbeats).await, 8, "{code}");
        ada.send(json!({ "type": "typing", "room": "general" }))
            .await;
        assert_eq!(bob.take("typing").await["user"]["id"], "ada");

        let _: String = ask(&mut to_redis, &format!("CONFIG SET {setting} 0")).await;
        let last = ada.persist("general", code, "hello").await;
        reader.follow(&mut bob, &last).await;
    }
    assert_eq!(edge.metric("clustertalk_resubscriptions_total").await, 0);
    assert!(edge.metric("clustertalk_writeless_heartbeats_total").await >= 8);
}

#[tokio::test]
async fn a_redis_that_was_demoted_is_not_believed() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut to_redis = redis.connection().await;
    let mut ada = Client::join(edge.address, "ada").await;
    // It still passes on whatever is published to it.
    let _: String = ask(&mut to_redis, "REPLICAOF 127.0.0.1 1").await;
    eventually("another subscription", async || {
        let made = edge.metric("clustertalk_resubscriptions_total").await;
        (made > 0).then_some(())
    })
    .await;
    assert_eq!(edge.get("/readyz").await.status, 503);
    let _: String = ask(&mut to_redis, "REPLICAOF NO ONE").await;
    ada.persist("general", "m1", "one").await;
}

#[tokio::test]
async fn a_private_redis_that_ended_is_started_again_beneath_open_sockets() {
    let edge = Site::new().edge_alone().await;
    let run = run_id(&edge.redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "m1", "one").await;
    let mut shutdown = redis::cmd("SHUTDOWN");
    let mut to_redis = connection(&edge.redis).await;
    // It ends in the place of an answer.
    let ended = shutdown
        .arg("NOSAVE")
        .query_async::<()>(&mut to_redis)
        .await;
    assert!(ended.is_err());
    let position = ada.persist("general", "m2", "two").await;
    assert_eq!(position["seq"], 2, "what it had is there");
    assert_ne!(run_id(&edge.redis).await, run);
}

#[tokio::test]
async fn a_message_whose_answer_came_too_late_is_stored_once() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    ada.store("general", "m1", "one").await;

    redis.freeze();
    assert_eq!(ada.say("general", "m2", "two").await["code"], "unavailable");
    redis.thaw();
    let second = ada.persist("general", "m2", "two").await;
    let last = ada.store("general", "m3", "three").await;
    assert_eq!((&second["seq"], &last["seq"]), (&json!(2), &json!(3)));
    reader.follow(&mut ada, &last).await;
}

#[tokio::test]
async fn a_message_that_was_never_published_is_found() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);

    let first = append_unpublished(&mut connection, "m1").await;
    reader.follow(&mut ada, &first).await;

    // One who has it from another edge, and comes to this one before it is found.
    let second = append_unpublished(&mut connection, "m2").await;
    let (mut bob, joined) = Client::resume(edge.address, "bob", "general", Some(&second)).await;
    let told = (&joined["recovered"], &joined["more"], &joined["messages"]);
    assert_eq!(told, (&json!(true), &json!(false), &json!([])));
    let mut read_by_bob = Reader::at(second);
    let last = bob.store("general", "m3", "three").await;
    read_by_bob.follow(&mut bob, &last).await;
    reader.follow(&mut ada, &last).await;
}

/// Stores a message as the hub does, but publishes it where nobody listens.
async fn append_unpublished(connection: &mut MultiplexedConnection, id: &str) -> Value {
    let body = Body {
        id: MessageId::parse(id).expect("an id"),
        user: User {
            id: UserId::parse("cleo").expect("a user"),
            name: "cleo".to_owned(),
        },
        text: "unheard".to_owned(),
        reply_to: None,
        mentions: Vec::new(),
    };
    let moderation = Moderation {
        action: Action::Allow,
        label: None,
        policy: None,
    };
    let mut call = contract::append(
        &Keyspace::new("ct").expect("a prefix"),
        &Limits::default(),
        &RoomName::parse("general").expect("a room"),
        Mode::Append,
        &Draft::message(&body, &moderation, [7; 16]),
        &[],
    );
    call.arguments[1] = b"nowhere".to_vec();
    let reply: Vec<String> = redis::cmd("EVAL")
        .arg(call.eval())
        .query_async(connection)
        .await
        .expect("an append");
    assert_eq!(reply[0], "appended");
    json!({ "seq": reply[1].parse::<u64>().expect("a number"), "tag": reply[2] })
}

#[tokio::test]
async fn a_log_that_lost_its_tail_is_told_to_those_who_listen() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let edge = Site::new().edge(&redis).await;
    for (room, kept) in [("tech", 2), ("random", 0)] {
        let log = format!("ct:{{{room}}}:log");
        let (mut ada, joined) = Client::resume(edge.address, "ada", room, None).await;
        let mut reader = Reader::new(&joined);
        for number in 1..=2 {
            ada.store(room, &format!("m{number}"), "kept").await;
        }
        let mut dump = redis::cmd("DUMP");
        let dump: Vec<u8> = dump
            .arg(&log)
            .query_async(&mut connection)
            .await
            .expect("a dump");
        ada.store(room, "m3", "lost").await;
        let last = ada.store(room, "m4", "lost too").await;
        reader.follow(&mut ada, &last).await;

        if kept == 0 {
            let _: u64 = ask(&mut connection, &format!("DEL {log}")).await;
        } else {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(&log).arg(0).arg(dump).arg("REPLACE");
            let _: String = restore
                .query_async(&mut connection)
                .await
                .expect("restored");
        }
        let told = ada.take("joined").await;
        assert_eq!(
            (&told["recovered"], &told["reason"]),
            (&json!(false), &json!("diverged")),
            "{room}"
        );
        let mut reader = Reader::new(&told);
        assert_eq!(reader.messages.len(), kept, "{room}");

        // A client keeps what is not delivered at its acknowledged place, and sends it again.
        let first = ada.store(room, "m3", "lost").await;
        assert_eq!(first["seq"], kept + 1, "{room}");
        let again = ada.store(room, "m4", "lost too").await;
        reader.follow(&mut ada, &again).await;
        assert_eq!(again["seq"], kept + 2, "{room}");

        let (_, joined) = Client::resume(edge.address, "bob", room, Some(&last)).await;
        assert_eq!(joined["reason"], "diverged", "{room}");
    }
    assert_eq!(edge.metric("clustertalk_diverged_total").await, 2);
}

#[tokio::test]
async fn a_room_whose_log_is_damaged_is_refused_until_it_is_mended() {
    let redis = RedisServer::start().await;
    let mut to_redis = redis.connection().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "m1", "one").await;
    let unreadable = async |rooms: u64| {
        eventually("a look at the logs", async || {
            let found = edge.metric("clustertalk_rooms_unreadable").await;
            (found == rooms).then_some(())
        })
        .await;
    };
    let foreign = "1795459200000-7";
    for room in ["general", "tech"] {
        let add = format!("XADD ct:{{{room}}}:log {foreign} event hello");
        let _: String = ask(&mut to_redis, &add).await;
    }

    // One room is open, and nobody is in the other.
    let mut bob = Client::open(edge.address).await;
    bob.send(json!({ "type": "hello", "user": "bob", "rooms": [{ "room": "tech" }] }))
        .await;
    for _ in 0..2 {
        let refused = bob.take("error").await;
        let told = (&refused["code"], &refused["room"]);
        assert_eq!(told, (&json!("unavailable"), &json!("tech")));
        assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
        bob.send(json!({ "type": "join", "room": "tech" })).await;
    }
    unreadable(2).await;
    assert_eq!(ada.say("general", "m2", "two").await["code"], "unavailable");

    for room in ["general", "tech"] {
        let delete = format!("XDEL ct:{{{room}}}:log {foreign}");
        let _: u64 = ask(&mut to_redis, &delete).await;
    }
    unreadable(0).await;
    bob.send(json!({ "type": "join", "room": "tech" })).await;
    bob.take("joined").await;
    // The log goes on beyond the number that the foreign entry had taken.
    let last = ada.persist("general", "m2", "two").await;
    let told = ada.take("joined").await;
    let told = (&told["reason"], &told["position"]);
    assert_eq!(told, (&json!("damaged"), &last));
}

#[tokio::test]
async fn a_cut_subscription_is_made_anew_and_nothing_is_lost() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let flooding = tokio::spawn(flood(edge.address, "general", "x", 200, "hello"));
    for _ in 0..3 {
        for message in ada.take_many("message", 30).await {
            reader.take(&message);
        }
        let _: u64 = ask(&mut connection, "CLIENT KILL TYPE pubsub").await;
    }
    let stored = flooding.await.expect("a flood");
    let (_, last) = stored.last().expect("messages");
    reader.follow(&mut ada, last).await;
    assert_eq!(reader.messages.len(), stored.len());
    assert!(edge.metric("clustertalk_resubscriptions_total").await >= 1);
}
