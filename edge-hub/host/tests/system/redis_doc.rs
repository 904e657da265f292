//! docs/redis.md is true: its transcript, what it says is published, and the rights it names.

use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt, path::Path};

use clustertalk_host::config::search_path;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site, within},
};

const DOCUMENT: &str = include_str!("../../../../docs/redis.md");

/// The lines of all fenced blocks of a kind, in order.
fn blocks(kind: &str) -> Vec<&'static str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in DOCUMENT.lines() {
        match line.strip_prefix("```") {
            Some(fence) => inside = fence == kind,
            None if inside => lines.push(line),
            None => {}
        }
    }
    assert!(!lines.is_empty(), "no block `{kind}` in docs/redis.md");
    lines
}

#[tokio::test]
async fn the_transcript_is_true() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut published = client.get_async_pubsub().await.expect("a subscription");
    published.psubscribe("ct:*").await.expect("a subscription");
    let _ada = Client::join(edge.address, "ada").await;
    let programs = programs(&redis, &edge);

    let mut values = Values::default();
    let mut inspections = 0;
    let mut lines = blocks("console").into_iter().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").expect("a command");
        inspections += usize::from(command.starts_with("redis-cli"));
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            expected.push(line);
        }
        let printed = shell(programs.path(), &values.fill(command)).await;
        let printed: Vec<&str> = printed.lines().collect();
        let same = printed.len() == expected.len()
            && printed
                .iter()
                .zip(&expected)
                .all(|(printed, expected)| values.fit(expected, printed));
        assert!(
            same,
            "{command}\nprints   {printed:#?}\nand not  {expected:#?}"
        );
    }
    assert!(inspections >= 5);

    // Whatever was published until now is on its way; what is awaited has been published.
    let mut published = published.on_message();
    for expected in blocks("published") {
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

/// `redis-cli` and `clustertalk` with the addresses of this test.
fn programs(redis: &RedisServer, edge: &Edge) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let redis_cli = search_path()
        .into_iter()
        .map(|directory| directory.join("redis-cli"))
        .find(|path| path.is_file())
        .expect("redis-cli is not installed; `cargo xtask build` says how to get it");
    let (redis_cli, clustertalk) = (redis_cli.display(), env!("CARGO_BIN_EXE_clustertalk"));
    for (name, line) in [
        // What a person sees on a terminal, where it is none.
        (
            "redis-cli",
            format!("{redis_cli} -p {} --no-raw \"$@\"", redis.port),
        ),
        (
            "clustertalk",
            format!("{clustertalk} \"$@\" --url {}", edge.url()),
        ),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nexec {line}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a program");
    }
    folder
}

async fn shell(programs: &Path, line: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{line} 2>&1")])
        .env("PATH", format!("{}:{path}", programs.display()));
    let output = within(line, command.output()).await.expect("a shell");
    String::from_utf8(output.stdout).expect("text")
}

/// What placeholders with a suffix stood for.
#[derive(Default)]
struct Values(HashMap<String, String>);

impl Values {
    /// Puts known values into a command.
    fn fill(&self, command: &str) -> String {
        self.0
            .iter()
            .fold(command.to_owned(), |line, (name, value)| {
                line.replace(&format!("<{name}>"), value)
            })
    }

    /// Whether a line is what was expected of it. New values are kept if it is.
    fn fit(&mut self, expected: &str, line: &str) -> bool {
        let mut found = self.0.clone();
        let mut rest = line;
        let mut parts = expected.split('<');
        let Some(after) = rest.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        rest = after;
        for part in parts {
            let (name, literal) = part.split_once('>').expect("a placeholder ends with `>`");
            let Some(length) = length(name, rest) else {
                return false;
            };
            let (value, after) = rest.split_at(length);
            let Some(after) = after.strip_prefix(literal) else {
                return false;
            };
            rest = after;
            if name.contains('-') {
                let known = found.entry(name.to_owned()).or_insert(value.to_owned());
                if known != value {
                    return false;
                }
            }
        }
        let fits = rest.is_empty();
        if fits {
            self.0 = found;
        }
        fits
    }
}

/// How much of `text` a placeholder stands for.
fn length(name: &str, text: &str) -> Option<usize> {
    let run = |text: &str, of: fn(&u8) -> bool| text.bytes().take_while(of).count();
    let digits =
        |text: &str, count: usize| (run(text, u8::is_ascii_hexdigit) == count).then_some(count);
    match name.split('-').next()? {
        "tag" | "edge" => digits(text, 16),
        "salt" => digits(text, 32),
        "hash" => digits(text, 64),
        "digest" => Some(7 + digits(text.strip_prefix("sha256:")?, 64)?),
        "time" => Some(13).filter(|&length| run(text, u8::is_ascii_digit) == length),
        "connection" => Some(run(text, |byte| byte.is_ascii_hexdigit() || *byte == b'-')),
        other => panic!("docs/redis.md has an unknown placeholder <{other}>"),
    }
}

#[tokio::test]
async fn an_edge_needs_no_other_rights_than_those_it_names() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let words = blocks("acl").join(" ");
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

    let edge = Site::new().edge_on(&url).await;
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
    let mut events = super::http_client::Events::open(edge.address, "general", None).await;
    events.next().await;
    ada.store("general", "m2", "live").await;
    assert_eq!(events.next().await.data["id"], "m2");
    drop(ada);
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
