//! Peers that do not keep to the protocol, while others chat on: PROTOCOL.md's table "Bad input", row by
//! row, over both ways in.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    client::{Client, Reader},
    harness::{Edge, RedisServer, Site},
    raw::{Heard, Raw, frame, handshake},
};

const PROTOCOL: &str = include_str!("../../../protocol/PROTOCOL.md");

/// What cannot be done over one of the ways in.
const IMPOSSIBLE: &str = "–";
/// The connection ends without a word.
const END: &str = "the end";

/// Where the bad ones are.
const ROOM: &str = "pit";
const MESSAGES: &str = "/api/v1/rooms/pit/messages";

/// For a bystander to be heard; nothing takes so long unless he is disturbed.
const UNDISTURBED: Duration = Duration::from_secs(10);

/// What comes, and what becomes of it over a WebSocket and over HTTP.
struct Row {
    what: &'static str,
    websocket: &'static str,
    http: &'static str,
}

fn table() -> Vec<Row> {
    let (_, section) = PROTOCOL.split_once("\n## Bad input\n").expect("a section");
    let section = section.split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [what, websocket, http] = cells[..] else {
                panic!("three cells in {line}");
            };
            Row {
                what,
                websocket,
                http,
            }
        })
        .collect()
}

/// An edge that is less patient than others are.
async fn edge(redis: &RedisServer) -> Edge {
    let limits = [
        "--limit-hello=2s",
        "--limit-ping=2s",
        "--limit-rooms-per-connection=4",
        "--limit-rooms=40",
        "--limit-connections-per-address=1000",
    ];
    Site::new().edge_with(redis, &limits).await
}

#[tokio::test]
async fn each_bad_input_gets_what_the_table_says_and_others_chat_on() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let rows = table();
    assert!(rows.len() > 20, "the table is not read");
    let provoked = rows.iter().enumerate().map(|(number, row)| {
        let edge = &edge;
        async move {
            let user = |way: &str| format!("{way}{number}");
            let websocket = over_websocket(row.what, edge, &user("w")).await;
            let http = over_http(row.what, edge, &user("h")).await;
            (row, websocket, http)
        }
    });
    let outcomes = beside_bystanders(&edge, join_all(provoked)).await;
    let mut wrong = Vec::new();
    for (row, websocket, http) in outcomes {
        for (way, told, expected) in [
            ("a WebSocket", websocket, row.websocket),
            ("HTTP", http, row.http),
        ] {
            if told != expected {
                wrong.push(format!("{} over {way}: {told}, not {expected}", row.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_never_ends_takes_bounded_memory() {
    const EACH: usize = 100;
    /// Ten times what those connections sent.
    const BYTES: u64 = 48 << 20;
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let Some(before) = edge.resident_bytes() else {
        return;
    };
    let held = async {
        let kinds = (0..EACH).map(|number| {
            let edge = &edge;
            async move {
                let silent = Raw::connect(edge.address).await;
                let mut head = Raw::connect(edge.address).await;
                head.say(format!(
                    "GET / HTTP/1.1\r\nhost: a\r\nx: {}",
                    "x".repeat(30_000)
                ))
                .await;
                let mut body = Raw::connect(edge.address).await;
                let begun = request(edge, "POST", MESSAGES, "content-length: 16000\r\n", "");
                body.say(begun + &"x".repeat(15_000)).await;
                let mut websocket = Raw::joined(edge.address, &format!("user{number}"), ROOM).await;
                let whole = frame(0x81, "x".repeat(16_000).as_bytes());
                websocket.say(&whole[..15_000]).await;
                [silent, head, body, websocket]
            }
        });
        let held = join_all(kinds).await;
        sleep(Duration::from_millis(500)).await;
        let peak = edge.resident_bytes().expect("as before");
        drop(held);
        sleep(Duration::from_millis(500)).await;
        peak
    };
    let peak = beside_bystanders(&edge, held).await;
    let after = edge.resident_bytes().expect("as before");
    println!("resident: {before} before, {peak} with them, {after} after");
    for (when, bytes) in [("with them", peak), ("after them", after)] {
        let more = bytes.saturating_sub(before);
        assert!(more < BYTES, "{more} bytes more {when}");
    }
}

/// Does something while two chat, who must hear each other all the time.
async fn beside_bystanders<T>(edge: &Edge, work: impl Future<Output = T>) -> T {
    let done = AtomicBool::new(false);
    let work = async {
        let outcome = work.await;
        done.store(true, Ordering::Relaxed);
        outcome
    };
    let chat = async {
        let mut ada = Client::join(edge.address, "ada").await;
        let (mut bob, joined) = Client::resume(edge.address, "bob", "general", None).await;
        let mut reader = Reader::new(&joined);
        let mut said = 0;
        while !done.load(Ordering::Relaxed) {
            let began = Instant::now();
            let position = ada
                .store("general", &format!("m{said}"), "undisturbed")
                .await;
            reader.follow(&mut bob, &position).await;
            said += 1;
            assert_eq!(reader.messages.len(), said);
            assert!(began.elapsed() < UNDISTURBED, "{:?}", began.elapsed());
            sleep(Duration::from_millis(300)).await;
        }
    };
    let (outcome, ()) = tokio::join!(work, chat);
    outcome
}

async fn over_websocket(what: &str, edge: &Edge, user: &str) -> String {
    let text = match what {
        "not JSON" => "nonsense".to_owned(),
        "JSON that is no object" => "[1, 2]".to_owned(),
        "a field of a wrong type" => json!({ "type": "join", "room": 5 }).to_string(),
        "an unknown type" => json!({ "type": "dance" }).to_string(),
        "a text over the limit" => message("m1", &"x".repeat(4097)),
        "a frame or body over the limit" => message("m1", &"x".repeat(17_000)),
        "JSON nested too deeply" => deep(),
        "a bad name of a room" => json!({ "type": "join", "room": "No!" }).to_string(),
        "a bad id" => message("a b", "hello"),
        "a second `hello`" => json!({ "type": "hello", "user": "bad" }).to_string(),
        "a position beyond 2^53" => since(9_007_199_254_740_993),
        _ => String::new(),
    };
    if !text.is_empty() {
        let mut raw = Raw::joined(edge.address, user, ROOM).await;
        raw.text(&text).await;
        return outcome(&mut raw).await;
    }
    match what {
        "bytes that are not UTF-8" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            raw.say(frame(0x81, b"\"\xff\"")).await;
            outcome(&mut raw).await
        }
        "binary" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            raw.say(frame(0x82, b"{}")).await;
            outcome(&mut raw).await
        }
        "a command before `hello`" => {
            let mut raw = Raw::websocket(edge.address).await;
            raw.text(&json!({ "type": "join", "room": ROOM }).to_string())
                .await;
            outcome(&mut raw).await
        }
        "an id that was used" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            let mut acks = Vec::new();
            for text in ["first", "second"] {
                raw.text(&message("m1", text)).await;
                acks.push(raw.hear_that("ack").await);
            }
            assert_eq!(acks[0], acks[1]);
            "the first `ack` again".to_owned()
        }
        "messages too fast" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            for number in 0..40 {
                raw.text(&message(&format!("m{number}"), "hello")).await;
            }
            let error = raw.hear_that("error").await;
            assert!(error["retry_after_ms"].as_u64() > Some(0), "{error}");
            told(&error)
        }
        "too many rooms" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            for room in ["tech", "random", "general", "one-more"] {
                raw.text(&json!({ "type": "join", "room": room }).to_string())
                    .await;
            }
            told(&raw.hear_that("error").await)
        }
        "a position of another log" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            raw.text(&since(9_007_199_254_740_992)).await;
            let joined = raw.hear_that("joined").await;
            format!(
                "`joined` with `{}`",
                joined["reason"].as_str().expect("a reason")
            )
        }
        "21 refused frames in a row" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            for _ in 0..21 {
                raw.text("nonsense").await;
            }
            for _ in 0..20 {
                assert_eq!(raw.hear_that("error").await["code"], "bad_json");
            }
            outcome(&mut raw).await
        }
        "no `hello`" => outcome(&mut Raw::websocket(edge.address).await).await,
        "silence after `hello`" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            hear_close(&mut raw).await
        }
        "half a frame, then silence" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            raw.say(&frame(0x81, b"hello")[..7]).await;
            hear_close(&mut raw).await
        }
        "half a frame or body, then FIN" => {
            let mut raw = Raw::joined(edge.address, user, ROOM).await;
            raw.say(&frame(0x81, b"hello")[..7]).await;
            raw.end().await;
            hear_close(&mut raw).await
        }
        "a body that does not come" => IMPOSSIBLE.to_owned(),
        // The handshake is a request.
        _ => {
            let mut raw = Raw::connect(edge.address).await;
            let good = |more: &str| handshake(edge.address, more);
            match what {
                "too many headers" => raw.say(good(&many_headers())).await,
                "a head over the limit" => raw.say(good(&long_header())).await,
                "a page of another origin" => {
                    raw.say(good("origin: https://evil.example\r\n")).await;
                }
                "a path that there is not" => {
                    raw.say(good("connection: close\r\n").replace("/ws", "/nowhere"))
                        .await;
                }
                "a head that does not end" => {
                    raw.say(good("").trim_end()).await;
                }
                _ => connect_badly(what, &mut raw).await,
            }
            answered(&mut raw).await
        }
    }
}

async fn over_http(what: &str, edge: &Edge, user: &str) -> String {
    let mut raw = Raw::connect(edge.address).await;
    let post = |body: &str| {
        let length = format!("content-length: {}\r\n", body.len());
        request(edge, "POST", MESSAGES, &length, body)
    };
    let say =
        |id: &str, text: &str| post(&json!({ "user": user, "id": id, "text": text }).to_string());
    let get = |path: &str| request(edge, "GET", path, "", "");
    let asked = match what {
        "not JSON" => post("nonsense"),
        "JSON that is no object" => post("[1, 2]"),
        "a field of a wrong type" => {
            post(&json!({ "user": user, "id": 5, "text": "a" }).to_string())
        }
        "an unknown type" => post(&json!({ "user": user, "type": "dance" }).to_string()),
        "a text over the limit" => say("m1", &"x".repeat(4097)),
        "a frame or body over the limit" => say("m1", &"x".repeat(17_000)),
        "JSON nested too deeply" => post(&deep()),
        "a bad name of a room" => get("/api/v1/rooms/No!/messages"),
        "a bad id" => say("a b", "hello"),
        "a position beyond 2^53" => get(&format!(
            "{MESSAGES}?after=9007199254740993-0000000000000000"
        )),
        "too many headers" => request(edge, "GET", MESSAGES, &many_headers(), ""),
        "a head over the limit" => request(edge, "GET", MESSAGES, &long_header(), ""),
        "a page of another origin" => {
            let more = "origin: https://evil.example\r\ncontent-length: 0\r\n";
            request(edge, "POST", MESSAGES, more, "")
        }
        "a path that there is not" => get("/nowhere"),
        "a head that does not end" => get(MESSAGES).trim_end().to_owned(),
        "a body that does not come" => {
            request(edge, "POST", MESSAGES, "content-length: 9\r\n", "{")
        }
        _ => String::new(),
    };
    if !asked.is_empty() {
        raw.say(asked).await;
        return answered(&mut raw).await;
    }
    match what {
        "bytes that are not UTF-8" => {
            raw.say(request(edge, "POST", MESSAGES, "content-length: 3\r\n", ""))
                .await;
            raw.say(b"\"\xff\"").await;
            answered(&mut raw).await
        }
        "an id that was used" => {
            let mut acks = Vec::new();
            for text in ["first", "second"] {
                let mut raw = Raw::connect(edge.address).await;
                raw.say(say("m1", text)).await;
                acks.push(raw.answer().await.expect("an answer"));
            }
            assert_eq!(acks[0], acks[1]);
            format!("{}, the first `ack` again", acks[0].0)
        }
        "messages too fast" => {
            let posts = (0..40).map(|number| {
                let asked = say(&format!("m{number}"), "hello");
                async move {
                    let mut raw = Raw::connect(edge.address).await;
                    raw.say(asked).await;
                    answered(&mut raw).await
                }
            });
            first_that_is_not("201", join_all(posts).await)
        }
        "too many rooms" => {
            let mut answers = Vec::new();
            for number in 0..45 {
                let mut raw = Raw::connect(edge.address).await;
                let body =
                    json!({ "user": format!("{user}-{number}"), "id": "m1", "text": "hello" });
                let asked = post(&body.to_string()).replace("/pit/", &format!("/pit{number}/"));
                raw.say(asked).await;
                answers.push(answered(&mut raw).await);
            }
            first_that_is_not("201", answers)
        }
        "a position of another log" => {
            raw.say(get(&format!(
                "{MESSAGES}?after=9007199254740992-0000000000000000"
            )))
            .await;
            let (status, body) = raw.answer().await.expect("an answer");
            format!(
                "{status} with `{}`",
                body["reason"].as_str().expect("a reason")
            )
        }
        "half a frame or body, then FIN" => {
            raw.say(request(
                edge,
                "POST",
                MESSAGES,
                "content-length: 9\r\n",
                "{",
            ))
            .await;
            raw.end().await;
            answered(&mut raw).await
        }
        "no HTTP" | "a connection, then silence" => {
            connect_badly(what, &mut raw).await;
            answered(&mut raw).await
        }
        "binary"
        | "a command before `hello`"
        | "a second `hello`"
        | "21 refused frames in a row"
        | "no `hello`"
        | "silence after `hello`"
        | "half a frame, then silence" => IMPOSSIBLE.to_owned(),
        _ => panic!("nothing is known of `{what}`"),
    }
}

/// What is the same whatever was to become of the connection.
async fn connect_badly(what: &str, raw: &mut Raw) {
    match what {
        "no HTTP" => raw.say("EHLO example.org\r\n\r\n").await,
        "a connection, then silence" => {}
        _ => panic!("nothing is known of `{what}`"),
    }
}

fn message(id: &str, text: &str) -> String {
    json!({ "type": "send", "room": ROOM, "id": id, "text": text }).to_string()
}

fn since(seq: u64) -> String {
    let since = json!({ "seq": seq, "tag": "0000000000000000" });
    json!({ "type": "join", "room": ROOM, "since": since }).to_string()
}

fn deep() -> String {
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    format!("{{\"type\":\"ping\",\"x\":{nested}}}")
}

fn many_headers() -> String {
    (0..200)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect()
}

fn long_header() -> String {
    format!("x: {}\r\n", "x".repeat(60_000))
}

/// The only request of a connection.
fn request(edge: &Edge, method: &str, path: &str, headers: &str, body: &str) -> String {
    let host = edge.address;
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n{body}")
}

/// What a bad frame was answered with, and whether the connection lives.
async fn outcome(raw: &mut Raw) -> String {
    match raw
        .hear_but(&["welcome", "joined", "message", "presence"])
        .await
    {
        Heard::Frame(error) => {
            raw.text(r#"{"type":"ping"}"#).await;
            match raw.hear_but(&["message", "presence"]).await {
                Heard::Frame(frame) if frame["type"] == "pong" => told(&error),
                Heard::Closed(code) => format!("{}, then {code}", told(&error)),
                other => panic!("{other:?} after {error}"),
            }
        }
        Heard::Closed(code) => code.to_string(),
        Heard::Ended => END.to_owned(),
    }
}

async fn hear_close(raw: &mut Raw) -> String {
    match raw.hear_but(&["message", "presence"]).await {
        Heard::Closed(code) => code.to_string(),
        Heard::Ended => END.to_owned(),
        Heard::Frame(frame) => frame.to_string(),
    }
}

fn told(error: &Value) -> String {
    format!("`{}`", error["code"].as_str().expect("a code"))
}

/// Status and code of an answer.
async fn answered(raw: &mut Raw) -> String {
    match raw.answer().await {
        None => END.to_owned(),
        Some((status, body)) if body["code"].is_string() => {
            assert_eq!(body["type"], "error", "{body}");
            assert!(body["message"].is_string(), "{body}");
            format!("{status} {}", told(&body))
        }
        Some((status, _)) => status.to_string(),
    }
}

fn first_that_is_not(usual: &str, answers: Vec<String>) -> String {
    let mut others = answers.into_iter().filter(|answer| answer != usual);
    others.next().expect("one that was refused")
}
