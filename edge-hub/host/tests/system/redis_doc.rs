//! docs/redis.md is true: its transcript, what it says is published, and the rights it names.

use futures_util::StreamExt;

use super::{
    client::Client,
    harness::{RedisServer, Site, eventually, free_port, within},
    transcript::{self, Programs, Values, blocks},
};

const DOCUMENT: &str = include_str!("../../../../docs/redis.md");

#[tokio::test]
async fn the_transcript_is_true() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut published = client.get_async_pubsub().await.expect("a subscription");
    published.psubscribe("ct:*").await.expect("a subscription");
    let _ada = Client::join(edge.address, "ada").await;
    let programs = Programs::new(&redis, &edge);
    let mut values = Values::default();
    let commands = transcript::run(DOCUMENT, &programs, &mut values).await;
    let inspections = commands.iter().filter(|line| line.starts_with("redis-cli"));
    assert!(inspections.count() >= 5);

    // Whatever was published until now is on its way; what is awaited has been published.
    let mut published = published.on_message();
    for expected in blocks(DOCUMENT, "published") {
        // Heartbeats never end, so the deadline is for all that comes until the right one.
        within(expected, async {
            loop {
                let message = published.next().await.expect("a message");
                let payload: String = message.get_payload().expect("text");
                let line = format!("{} {payload}", message.get_channel_name());
                if values.fit(expected, &line) {
                    break;
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn an_edge_needs_no_other_rights_than_those_it_names() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let words = blocks(DOCUMENT, "acl").join(" ");
    let mut words = words.split_whitespace();
    let mut grant = redis::cmd(words.next().expect("ACL"));
    words.for_each(|word| {
        grant.arg(word);
    });
    let _: () = grant
        .query_async(&mut connection)
        .await
        .expect("the rights");
    let url = format!("redis://clustertalk:PASSWORD@127.0.0.1:{}", redis.port);

    let site = Site::new();
    let mut command = site.up_on(&url);
    command.arg(format!("--webhook-url=http://127.0.0.1:{}", free_port()));
    command.arg("--webhook-secret=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    command.env(
        "SPIN_VARIABLE_QUARANTINE_KEY",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    let edge = site.start(&mut command).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "m1", "hello").await;
    assert_eq!(ada.take("message").await["id"], "m1");
    ada.send(serde_json::json!({ "type": "join", "room": "cats" }))
        .await;
    ada.take("joined").await;
    for path in [
        "/api/v1/rooms",
        "/api/v1/stats",
        "/api/v1/rooms/general/stats",
        "/api/v1/rooms/general/messages",
    ] {
        assert_eq!(edge.get(path).await.status, 200, "{path}");
    }
    // What moderation writes, and what moderators do.
    let room = serde_json::json!({ "user": "mod" });
    let made = edge.send("PUT", "/api/v1/rooms/club", &room).await;
    assert_eq!(made.status, 201);
    for (id, text) in [("c1", "shut up"), ("c2", "This is spam")] {
        let message = serde_json::json!({ "user": "ada", "id": id, "text": text });
        assert_eq!(edge.post("club", &message).await.status, 201, "{text}");
    }
    let target = |user: &str, id: &str| {
        let target = serde_json::json!({ "user": "ada", "id": id });
        serde_json::json!({
            "user": user, "target": target, "reason": "spam", "type": "restore", "id": format!("{user}-{id}"),
        })
    };
    let at = |path: &str| format!("/api/v1/rooms/club/{path}");
    for (method, path, body, status) in [
        ("POST", "reports", target("bob", "c1"), 200),
        (
            "GET",
            "moderation/queue?user=mod",
            serde_json::Value::Null,
            200,
        ),
        (
            "GET",
            "moderation/log?user=mod",
            serde_json::Value::Null,
            200,
        ),
        ("POST", "moderation/dismiss", target("mod", "c1"), 200),
        ("POST", "messages", target("mod", "c2"), 201),
        ("PUT", "mutes/ada", room.clone(), 200),
    ] {
        let answer = edge.send(method, &at(path), &body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    let mut events = super::http_client::Events::open(edge.address, "general", None).await;
    events.next().await;
    ada.store("general", "m2", "live").await;
    assert_eq!(events.next().await.data["id"], "m2");
    drop(ada);
    let failed = "clustertalk_webhooks_failed_total{endpoint=\"default\"}";
    eventually("a webhook that fails", async || {
        (edge.metric(failed).await > 1).then_some(())
    })
    .await;
    let denied: Vec<redis::Value> = redis::cmd("ACL")
        .arg("LOG")
        .query_async(&mut connection)
        .await
        .expect("a log");
    // From Redis 7.2 on the driver tells its name, and does without if it may not.
    let missed = |entry: &&redis::Value| !format!("{entry:?}").contains("setinfo");
    let missed: Vec<_> = denied.iter().filter(missed).collect();
    assert!(missed.is_empty(), "{missed:?}");

    let mut revoke = redis::cmd("ACL");
    revoke.arg(&["SETUSER", "clustertalk", "-publish"]);
    let _: () = revoke
        .query_async(&mut connection)
        .await
        .expect("fewer rights");
    let mut bob = Client::open(edge.address).await;
    bob.send(serde_json::json!({ "type": "hello", "user": "bob", "rooms": [] }))
        .await;
    bob.take("welcome").await;
    let refused = edge
        .post(
            "general",
            &serde_json::json!({ "user": "bob", "id": "b1", "text": "hello" }),
        )
        .await;
    assert_eq!(refused.refusal(), (503, "unavailable".to_owned()));
    let length: u64 = super::harness::ask(&mut connection, "XLEN ct:{general}:log").await;
    assert_eq!(length, 2, "stored, but never published");
}
