//! What somebody tries who is not let in, on the whole system: the core's vectors try more of it
//! (`protocol/vectors/tokens`). docs/security.md says which test holds what.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site},
    http_client::request,
    moderators::{SECRET, sign},
};

fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock").as_secs()
}

/// An edge that lets in who has a token of `shop`, and has a closed room.
async fn edge(redis: &RedisServer) -> Edge {
    let identity = json!([{ "issuer": "shop", "audience": "chat", "algorithm": "HS256" }]);
    let secrets = json!({ "shop": SECRET });
    let site = Site::with(&[
        ("identity", &identity.to_string()),
        ("identity_secrets", &secrets.to_string()),
        ("closed_rooms", "board"),
    ]);
    site.edge(redis).await
}

/// The claims of a good token, with some of them replaced.
fn claims(changes: &Value) -> String {
    let mut claims = json!({ "iss": "shop", "aud": "chat", "exp": seconds() + 600, "sub": "ada" });
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims.to_string()
}

fn header(changes: &Value) -> String {
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    for (name, value) in changes.as_object().expect("fields") {
        header[name] = value.clone();
    }
    header.to_string()
}

/// How a token fares in every place that takes one: three answers, `None` for let in.
async fn tried(edge: &Edge, token: &str) -> [Option<String>; 3] {
    let mut client = Client::open(edge.address).await;
    let hello = json!({ "type": "hello", "token": token, "rooms": [{ "room": "general" }] });
    client.send(hello).await;
    let answer = client
        .next_that("an answer to hello", |frame| {
            matches!(frame["type"].as_str(), Some("welcome" | "error"))
        })
        .await;
    let by_socket = answer["code"].as_str().map(str::to_owned);
    if by_socket.is_some() {
        let code = if answer["code"] == "token_expired" {
            4005
        } else {
            4002
        };
        assert_eq!(client.closed().await, code, "{answer}");
    }
    let bearer = format!("Bearer {token}");
    let bearer = [("authorization", bearer.as_str())];
    let body = json!({ "id": "m1", "text": "let me in" }).to_string();
    let path = "/api/v1/rooms/general/messages";
    let mut answers = [by_socket, None, None];
    for (at, (method, path, body)) in [("POST", path, body.as_str()), ("GET", path, "")]
        .into_iter()
        .enumerate()
    {
        let answer = request(edge.address, method, path, &bearer, body).await;
        if answer.status >= 300 {
            assert_eq!(answer.status, 401, "{}", answer.text);
            answers[at + 1] = Some(answer.refusal().1);
        }
    }
    answers
}

#[tokio::test]
async fn each_known_attack_on_a_token_fails_by_socket_and_by_http() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let none = json!({});
    let good = sign(&header(&none), &claims(&none), SECRET);
    assert_eq!(tried(&edge, &good).await, [None, None, None]);
    let (signed, signature) = good.rsplit_once('.').expect("a signature");
    let with = |changes: Value| sign(&header(&changes), &claims(&none), SECRET);
    let claiming = |changes: Value| sign(&header(&none), &claims(&changes), SECRET);
    let forged = |changes: Value| sign(&header(&changes), &claims(&none), "");
    let twice = claims(&none).replacen('{', r#"{"sub":"mallory","#, 1);
    let mut changed = signature.to_owned();
    let last = changed.pop().expect("a letter");
    changed.insert(0, last);
    let key = json!({ "kty": "oct", "k": "AA" });
    let cases = [
        ("alg none", with(json!({ "alg": "none" }))),
        ("alg None", with(json!({ "alg": "None" }))),
        ("no signature", format!("{signed}.")),
        ("alg none without a signature", {
            let token = with(json!({ "alg": "none" }));
            let (signed, _) = token.rsplit_once('.').expect("a signature");
            format!("{signed}.")
        }),
        ("another algorithm", with(json!({ "alg": "RS256" }))),
        ("a changed signature", format!("{signed}.{changed}")),
        (
            "another secret",
            sign(&header(&none), &claims(&none), "guessed"),
        ),
        (
            "kid a path",
            forged(json!({ "kid": "../../../../dev/null" })),
        ),
        ("kid a query", forged(json!({ "kid": "x' UNION SELECT '" }))),
        (
            "kid a URL",
            forged(json!({ "kid": "http://127.0.0.1:1/key" })),
        ),
        ("kid of 6 KB", forged(json!({ "kid": "k".repeat(6_000) }))),
        ("jku", forged(json!({ "jku": "http://127.0.0.1:1/keys" }))),
        ("x5u", forged(json!({ "x5u": "http://127.0.0.1:1/chain" }))),
        ("jwk", forged(json!({ "jwk": key }))),
        ("crit", with(json!({ "crit": ["b64"], "b64": false }))),
        ("another audience", claiming(json!({ "aud": "shop" }))),
        ("another issuer", claiming(json!({ "iss": "shop/" }))),
        ("no expiry", claiming(json!({ "exp": null }))),
        ("not yet valid", claiming(json!({ "nbf": seconds() + 300 }))),
        ("a claim twice", sign(&header(&none), &twice, SECRET)),
        ("too large", claiming(json!({ "name": "x".repeat(9_000) }))),
    ];
    for (what, token) in cases {
        let unauthorized = || Some("unauthorized".to_owned());
        let expected = [unauthorized(), unauthorized(), unauthorized()];
        assert_eq!(tried(&edge, &token).await, expected, "{what}");
    }
    let expired = claiming(json!({ "exp": seconds() - 31 }));
    let expected = || Some("token_expired".to_owned());
    let told = tried(&edge, &expired).await;
    assert_eq!(told, [expected(), expected(), expected()]);

    // Where tokens count, a name that is chosen does not.
    let mut nobody = Client::open(edge.address).await;
    nobody.send(json!({ "type": "hello", "user": "ada" })).await;
    assert_eq!(nobody.closed().await, 4002);
    let chosen = json!({ "user": "ada", "id": "m1", "text": "let me in" });
    assert_eq!(edge.post("general", &chosen).await.status, 401);
}

#[tokio::test]
async fn a_connection_ends_with_its_token_unless_it_was_renewed() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    // Clocks may differ by 30 s, so this one has 3 s to live.
    let short = || {
        let exp = json!({ "exp": seconds() - 27 });
        sign(&header(&json!({})), &claims(&exp), SECRET)
    };
    let mut ada = Client::join_with(edge.address, &short(), "general").await;
    let mut renewed = Client::join_with(edge.address, &short(), "general").await;
    let long = sign(&header(&json!({})), &claims(&json!({})), SECRET);
    renewed
        .send(json!({ "type": "token", "token": long }))
        .await;
    ada.store("general", "m1", "still valid").await;
    assert_eq!(ada.closed().await, 4005);
    let told = ada.kept("error");
    assert_eq!(told[0]["code"], "token_expired", "{told:?}");
    renewed.store("general", "m2", "renewed").await;
}

#[tokio::test]
async fn a_token_in_the_subprotocol_is_used_and_never_sent_back() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let token = sign(&header(&json!({})), &claims(&json!({})), SECRET);
    for (protocols, expected) in [
        (format!("clustertalk.v1, bearer.{token}"), Ok(())),
        // What carries a token is no protocol to speak.
        (format!("bearer.{token}"), Err(400)),
        (format!("bearer.{token}, chat"), Err(400)),
    ] {
        let stream = TcpStream::connect(edge.address).await.expect("an edge");
        let upgrade = format!("ws://{}/ws", edge.address).into_client_request();
        let mut upgrade = upgrade.expect("a request");
        let value = HeaderValue::from_str(&protocols).expect("a header");
        upgrade
            .headers_mut()
            .insert("sec-websocket-protocol", value);
        match client_async(upgrade, stream).await {
            Ok((_, response)) => {
                assert_eq!(expected, Ok(()), "{protocols}");
                let chosen = &response.headers()["sec-websocket-protocol"];
                assert_eq!(chosen, "clustertalk.v1");
                let answer = format!("{response:?}");
                assert!(!answer.contains(&token), "{answer}");
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                assert_eq!(expected, Err(response.status().as_u16()), "{protocols}");
            }
            Err(error) => panic!("{protocols}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_closed_room_is_shut_on_every_way_in() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let named = json!({ "sub": "mia", "rooms": ["general", "board"] });
    let insider = sign(&header(&json!({})), &claims(&named), SECRET);
    let mut mia = Client::join_with(edge.address, &insider, "board").await;
    mia.store("board", "m1", "for the board").await;

    let outsider = sign(
        &header(&json!({})),
        &claims(&json!({ "sub": "eve" })),
        SECRET,
    );
    let mut eve = Client::join_with(edge.address, &outsider, "general").await;
    for mut frame in [
        json!({ "type": "join" }),
        json!({ "type": "join", "since": { "seq": 0, "tag": "0000000000000000" } }),
        json!({ "type": "history" }),
        json!({ "type": "read", "seq": 1 }),
        json!({ "type": "send", "id": "e1", "text": "hello" }),
        json!({ "type": "edit", "id": "e2", "text": "hello", "target": { "user": "mia", "id": "m1" } }),
        json!({ "type": "delete", "id": "e3", "target": { "user": "mia", "id": "m1" } }),
        json!({ "type": "react", "id": "e4", "reaction": "👍", "target": { "user": "mia", "id": "m1" } }),
        json!({ "type": "configure", "topic": "mine" }),
        json!({ "type": "create" }),
        json!({ "type": "delete_room" }),
    ] {
        frame["room"] = json!("board");
        let id = frame["id"].clone();
        let kind = frame["type"].clone();
        frame["ref"] = json!("asked");
        eve.send(frame).await;
        let answer = eve
            .next_that("a refusal", |answer| {
                answer["ref"] == "asked" || (!id.is_null() && answer["ref"] == id)
            })
            .await;
        let code = answer["code"].as_str();
        assert!(
            matches!(code, Some("forbidden" | "not_joined")),
            "{kind}: {answer}"
        );
    }
    let bearer = format!("Bearer {outsider}");
    let bearer = [("authorization", bearer.as_str())];
    let message = json!({ "id": "e5", "text": "hello" }).to_string();
    for (method, path, body) in [
        ("GET", "/messages", ""),
        ("GET", "/events", ""),
        ("GET", "/stats", ""),
        ("POST", "/messages", message.as_str()),
        ("PATCH", "", r#"{"topic":"mine"}"#),
        ("PUT", "", r#"{"topic":"mine"}"#),
        ("DELETE", "", "{}"),
    ] {
        let path = format!("/api/v1/rooms/board{path}");
        let answer = request(edge.address, method, &path, &bearer, body).await;
        assert_eq!(
            answer.refusal(),
            (403, "forbidden".to_owned()),
            "{method} {path}"
        );
    }
    for path in ["/api/v1/rooms", "/api/v1/stats"] {
        let answer = request(edge.address, "GET", path, &bearer, "").await;
        assert!(!answer.text.contains("board"), "{}", answer.text);
    }
    let told: Vec<Value> = eve.told().await;
    assert!(
        !told
            .iter()
            .any(|frame| frame.to_string().contains("for the board"))
    );
}
