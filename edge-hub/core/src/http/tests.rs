//! What needs no Redis; the rest is held by `clustertalk-conformance` and by schemathesis.

use super::*;
use crate::auth::KeysUrl;
use crate::effect::{ForRecord, ForReview};
use crate::event::{NoAnswer, Verdict};
use crate::perform::Failure;
use crate::redis::Value;
use crate::store::Update;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Redis is gone, and nobody knows anything.
struct Alone;

impl Io for Alone {
    async fn redis(&self, _: &str, _: Vec<Vec<u8>>) -> Result<Vec<Value>, Failure> {
        Err(Failure::NoAnswer { at_once: false })
    }

    fn review(&self, _: ForReview) -> Result<Verdict, NoAnswer> {
        Err(NoAnswer)
    }

    fn record(&self, _: ForRecord) -> Vec<Update> {
        Vec::new()
    }

    async fn fetch(&self, _: &KeysUrl) -> Result<String, String> {
        Err("there is nobody".to_owned())
    }

    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("moderation".to_owned(), "sha256:00".to_owned())])
    }

    fn note(&self, _: &str) {}
}

/// As long as it is asked for, and it is asked for pieces that were counted.
struct Endless {
    piece: Vec<u8>,
    asked: usize,
}

impl Body for Endless {
    async fn piece(&mut self) -> Option<Result<Vec<u8>, BrokenBody>> {
        self.asked += 1;
        Some(Ok(self.piece.clone()))
    }
}

struct Empty;

impl Body for Empty {
    async fn piece(&mut self) -> Option<Result<Vec<u8>, BrokenBody>> {
        None
    }
}

fn deployment(anonymous: bool) -> Deployment {
    let variable = |name: &str| {
        let value = match name {
            "redis_prefix" => "ct",
            "rooms" => "general",
            "limits" => "{}",
            "anonymous" if anonymous => "true",
            _ => "",
        };
        Ok(value.to_owned())
    };
    Deployment::read(variable).unwrap()
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let headers = headers.iter();
    Head {
        method: method.to_owned(),
        target: target.to_owned(),
        is_secure: true,
        authority: "chat.example".to_owned(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    }
}

fn ask(deployment: &Deployment, head: &Head, body: &mut impl Body) -> Answer {
    let api = Api::new(&Alone, deployment, Timestamp::from_millis(0), [0; 16]);
    let answered = pin!(api.answer(head, body)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Reply::Answer(answer)) = answered else {
        panic!("no answer at once to {head:?}");
    };
    answer
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let (_, value) = headers.find(|(known, _)| *known == name)?;
    Some(value)
}

fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn health_names_the_components_and_a_client_learns_where_to_connect() {
    let deployment = deployment(true);
    let answer = ask(&deployment, &request("GET", "/healthz", &[]), &mut Empty);
    let expected = serde_json::json!({
        "status": "ok", "components": { "moderation": "sha256:00" },
    });
    assert_eq!((answer.status, json(&answer)), (200, expected));
    let head = request("GET", "/api/v1/config", &[]);
    let answer = ask(&deployment, &head, &mut Empty);
    assert_eq!(json(&answer)["websocket_url"], "wss://chat.example/ws");
}

#[test]
fn refusals_say_by_their_headers_what_to_do() {
    let open = deployment(true);
    let answer = ask(&open, &request("PUT", "/api/v1/config", &[]), &mut Empty);
    assert_eq!(answer.status, 405);
    assert_eq!(header(&answer, "allow"), Some("GET, HEAD"));
    let answer = ask(&open, &request("GET", "/readyz", &[]), &mut Empty);
    assert_eq!(answer.status, 503);
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    assert_eq!(json(&answer)["code"], "unavailable");

    let closed = deployment(false);
    for headers in [
        &[][..],
        &[("authorization", "Basic YWRhOng=")],
        &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        &[("authorization", "Bearer ctk_not-a-key-that-anybody-has")],
    ] {
        let head = request("GET", "/api/v1/rooms", headers);
        let answer = ask(&closed, &head, &mut Empty);
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(header(&answer, "www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let deployment = deployment(true);
    let most = deployment.hub.limits.frame_bytes;
    let target = "/api/v1/rooms/general/messages";
    let mut body = Endless {
        piece: vec![b' '; 1 << 10],
        asked: 0,
    };
    let answer = ask(&deployment, &request("POST", target, &[]), &mut body);
    assert_eq!(answer.status, 413);
    assert_eq!(body.asked, most / (1 << 10) + 1);

    let length = (most + 1).to_string();
    let head = request("POST", target, &[("content-length", &length)]);
    body.asked = 0;
    assert_eq!(ask(&deployment, &head, &mut body).status, 413);
    assert_eq!(body.asked, 0);
}
