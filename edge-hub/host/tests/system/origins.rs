//! Pages of other origins.

use serde_json::json;

use super::{
    client::{Client, Handshake},
    harness::{Edge, RedisServer, Site},
    http_client::{Answer, request},
};

/// An edge that pages of `https://app.example` may use, and one for pages of this machine only.
const ORIGIN: &str = "https://app.example";

async fn ask(edge: &Edge, method: &str, origin: &str, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("origin", origin)], more].concat();
    let body = json!({ "user": "ada", "id": "m1", "text": "hello" }).to_string();
    let path = "/api/v1/rooms/general/messages";
    request(edge.address, method, path, &headers, &body).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let value = answer.headers.get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn pages_of_listed_origins_use_the_api_and_others_get_nothing() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge_with(&redis, &["--origin", ORIGIN]).await;
    let wants = [
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    let allowed = ask(&edge, "OPTIONS", ORIGIN, &wants).await;
    assert_eq!((allowed.status, allowed.text.as_str()), (204, ""));
    assert_eq!(header(&allowed, "access-control-allow-origin"), ORIGIN);
    assert!(header(&allowed, "access-control-allow-methods").contains("POST"));
    for name in ["authorization", "content-type"] {
        assert!(header(&allowed, "access-control-allow-headers").contains(name));
    }
    for (method, status) in [("POST", 201), ("GET", 200), ("DELETE", 405)] {
        let answer = ask(&edge, method, ORIGIN, &[]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(header(&answer, "access-control-allow-origin"), ORIGIN);
        assert_eq!(
            header(&answer, "access-control-expose-headers"),
            "retry-after"
        );
        assert_eq!(header(&answer, "vary"), "origin");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
    }
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.evil.example",
    ] {
        let preflight = ask(&edge, "OPTIONS", origin, &wants).await;
        let posted = ask(&edge, "POST", origin, &[]).await;
        let read = ask(&edge, "GET", origin, &[]).await;
        for refused in [&preflight, &posted] {
            assert_eq!(
                refused.refusal(),
                (403, "bad_origin".to_owned()),
                "{origin}"
            );
        }
        // Its page may not look at it.
        assert_eq!(read.status, 200);
        for answer in [preflight, posted, read] {
            let names = answer.headers.keys();
            let told: Vec<_> = names
                .filter(|name| name.as_str().starts_with("access-control"))
                .collect();
            assert!(told.is_empty(), "{origin}: {told:?}");
            assert_eq!(header(&answer, "vary"), "origin");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_pointed_to_this_machine_reaches_nothing() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    // The browser takes it for a page of the same origin, so it sends no Origin with what only reads.
    let host = format!("evil.example:{}", edge.address.port());
    let rebound = [("host", host.as_str())];
    for path in ["/api/v1/rooms", "/api/v1/config", "/healthz", "/"] {
        let answer = request(edge.address, "GET", path, &rebound, "").await;
        assert_eq!(answer.refusal(), (403, "bad_origin".to_owned()), "{path}");
    }
    let origin = format!("http://{host}");
    let written = ask(&edge, "POST", &origin, &rebound).await;
    assert_eq!(written.refusal(), (403, "bad_origin".to_owned()));
    let own = format!("http://{}", edge.address);
    assert_eq!(ask(&edge, "POST", &own, &[]).await.status, 201);
}

#[tokio::test]
async fn an_upgrade_needs_the_subprotocol_and_an_origin_of_ours() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let local = format!("http://localhost:{}", edge.address.port()).leak();
    #[rustfmt::skip]
    let cases = [
        // (subprotocol, origin, status)
        (None,                           None,                         400),
        (Some("graphql-ws"),             None,                         400),
        (Some("clustertalk.v1"),         Some("https://evil.example"), 403),
        (Some("clustertalk.v1"),         Some("null"),                 403),
        (Some("clustertalk.v1"),         Some(&*local),                101),
        (Some("clustertalk.v1"),         None,                         101),
    ];
    for (protocol, origin, status) in cases {
        let handshake = Handshake {
            protocol,
            origin,
            receive_buffer: None,
        };
        let answered = Client::dial(edge.address, &handshake).await;
        assert_eq!(
            answered.err().unwrap_or(101),
            status,
            "{protocol:?} {origin:?}"
        );
    }
}
