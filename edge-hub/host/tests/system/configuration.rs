//! Settings, from where they are written to where they hold.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{
    client::Client,
    command_line::{run, sentence},
    harness::{RedisServer, Site, clustertalk, within},
    http_client::request,
};

#[tokio::test]
async fn a_flag_wins_over_a_variable_over_a_file_over_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "limit-burst = 2\nlimit-rooms = 2\nredis = \"redis://:secret@file\"\n";
    std::fs::write(folder.path().join("clustertalk.toml"), file).expect("a file");
    let config = || {
        let mut command = clustertalk("config");
        command
            .current_dir(folder.path())
            .env("CLUSTERTALK_LIMIT_BURST", "3")
            .env("CLUSTERTALK_LIMIT_TEXT_BYTES", "3")
            // As a compose file leaves it that passes on what is not set.
            .env("CLUSTERTALK_LIMIT_ROOMS", "");
        command
    };
    let (code, printed, error) = run(config().args(["--limit-text-bytes", "4"])).await;
    assert_eq!((code, error.as_str()), (0, ""));
    for line in [
        "limit-text-bytes = 4  # --limit-text-bytes",
        "limit-burst = 3  # CLUSTERTALK_LIMIT_BURST",
        "limit-rooms = 2  # clustertalk.toml:2",
        "limit-json-depth = 16  # the default of `limit-json-depth`",
        "redis = \"redis://:***@file\"  # clustertalk.toml:3",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{printed}");
    }

    let told = sentence(config().env("CLUSTERTALK_LIMIT_HELLO", "0s")).await;
    assert!(told.starts_with("CLUSTERTALK_LIMIT_HELLO: "), "{told}");
    std::fs::write(folder.path().join("other.toml"), "\nlimit-bursts = 2").expect("a file");
    let told = sentence(config().args(["--config", "other.toml"])).await;
    let expected = "other.toml:2: unknown key `limit-bursts`; did you mean `limit-burst`?";
    assert_eq!(told, expected);
    let told = sentence(config().args(["--config", "none.toml"])).await;
    assert!(told.starts_with("none.toml: cannot be read"), "{told}");
}

#[tokio::test]
async fn a_limit_holds_in_the_hub_in_the_host_and_in_redis() {
    let redis = RedisServer::start().await;
    let flags = [
        "--limit-text-bytes=40",
        "--limit-frame-bytes=1024",
        "--limit-recent-messages=2",
        "--limit-log-entries=3",
    ];
    let edge = Site::new().edge_with(&redis, &flags).await;
    let mut ada = Client::open(edge.address).await;
    ada.send(json!({ "type": "hello", "user": "ada" })).await;
    let limits = ada.take("welcome").await["limits"].clone();
    let announced = (&limits["text_bytes"], &limits["frame_bytes"]);
    assert_eq!(announced, (&json!(40), &json!(1024)));
    let refused = ada.say("general", "long", &"x".repeat(41)).await;
    assert_eq!(refused["code"], "too_large");
    for id in ["m1", "m2", "m3", "m4", "m5"] {
        ada.store("general", id, &"x".repeat(40)).await;
    }

    // The host answers a `join`, from what it keeps or reads.
    let (_, joined) = Client::resume(edge.address, "bob", "general", None).await;
    assert_eq!(joined["messages"].as_array().map(Vec::len), Some(2));
    let length: u64 =
        super::harness::ask(&mut redis.connection().await, "XLEN ct:{general}:log").await;
    assert_eq!(length, 3);
    ada.send_message(Message::text(" ".repeat(1025))).await;
    assert_eq!(ada.closed().await, 1009);
}

#[tokio::test]
async fn figures_are_for_operators_and_health_is_for_all() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    assert_eq!(edge.get("/metrics").await.status, 404);
    assert!(edge.metrics().await.contains("clustertalk_connections 0\n"));
    for address in [edge.address, edge.admin] {
        let health = request(address, "GET", "/healthz", &[], "").await;
        assert_eq!(
            (health.status, &health.json()["status"]),
            (200, &json!("ok"))
        );
        within("an edge that is ready", async {
            while request(address, "GET", "/readyz", &[], "").await.status != 200 {}
        })
        .await;
    }
    // A page whose name merely points here.
    let rebound = [("host", "evil.example")];
    let answer = request(edge.admin, "GET", "/metrics", &rebound, "").await;
    assert_eq!(answer.refusal(), (403, "bad_origin".to_owned()));
    let chat = request(edge.admin, "GET", "/api/v1/rooms", &[], "").await;
    assert_eq!(chat.refusal(), (404, "not_found".to_owned()));
}
