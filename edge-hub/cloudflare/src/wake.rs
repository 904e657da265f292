//! Waking edges that hold no subscription: whoever appended elsewhere says so by a signed
//! `POST /api/v1/wake`, and objects say so among themselves.

use crate::{
    body::{self, BodyError, Pieces},
    edge::Edge,
    signature::is_signed,
};
use clustertalk_core::{
    http::{Answer, Problem},
    ids::RoomName,
    protocol::ErrorCode,
    redis::Value,
};
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;
use worker::{Method, Request, RequestInit, console_warn, wasm_bindgen_futures::spawn_local};

const SIGNATURE: &str = "x-hub-signature-256";
pub const PATH: &str = "/api/v1/wake";
/// Bytes of a body.
const BODY_BYTES: usize = 1 << 10;
/// By which objects wake each other. The Worker passes nothing of the kind on from outside.
pub const INTERNAL: &str = "/internal/wake/";

#[derive(Deserialize)]
struct Wake {
    room: RoomName,
}

/// Wakes all objects that have somebody in the room which the body names. Whoever repeats a request
/// has them look once more.
pub async fn answer(edge: &Rc<Edge>, mut request: Request) -> Result<Answer, Problem> {
    let secret = edge.settings.wake_secret.as_bytes();
    if secret.is_empty() {
        return Err(Problem::new(ErrorCode::NotFound));
    }
    if request.method() != Method::Post {
        return Err(Problem::method("POST".to_owned()));
    }
    let signature = request.headers().get(SIGNATURE).ok().flatten();
    let body = body::read(Pieces::from(request.stream()), BODY_BYTES).await;
    let body = body.map_err(|error| {
        Problem::new(match error {
            BodyError::TooLarge => ErrorCode::TooLarge,
            BodyError::Broken => ErrorCode::BadJson,
        })
    })?;
    if !signature.is_some_and(|signature| is_signed(secret, &signature, &body)) {
        let reason = "the body is not signed with WAKE_SECRET";
        return Err(Problem::because(ErrorCode::Unauthorized, reason));
    }
    let Wake { room } = serde_json::from_slice(&body)
        .map_err(|error| Problem::because(ErrorCode::BadJson, &error.to_string()))?;
    edge.look(&room);
    let woken = others(edge, &room).await;
    Ok(Answer::json(200, &json!({ "woken": woken })))
}

/// Tells all other objects that have somebody in a room to look.
pub fn wake_others(edge: &Rc<Edge>, room: &RoomName) {
    let (edge, room) = (Rc::clone(edge), room.clone());
    spawn_local(async move {
        others(&edge, &room).await;
    });
}

async fn others(edge: &Edge, room: &RoomName) -> usize {
    let key = edge.settings.deployment.keyspace.room(room, "edges");
    let edges = ["ZRANGE".to_owned(), key, "0".to_owned(), "-1".to_owned()];
    let Ok(edges) = edge.imports.pool.command(&edges).await else {
        return 0;
    };
    let mut woken = 0;
    for other in &edges {
        let Value::Bytes(id) = other else { continue };
        let id = String::from_utf8_lossy(id);
        if *id == *edge.id {
            continue;
        }
        // Edges of other platforms have no such name, and are not woken from here.
        let Some(object) = Edge::object_of(&id) else {
            continue;
        };
        match call(edge, object, room).await {
            Ok(()) => woken += 1,
            Err(error) => console_warn!("{object} was not woken: {error}"),
        }
    }
    woken
}

async fn call(edge: &Edge, object: &str, room: &RoomName) -> worker::Result<()> {
    let object = edge.objects()?.get_by_name(object)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post);
    let url = format!("https://edge.invalid{INTERNAL}{room}");
    object
        .fetch_with_request(Request::new_with_init(&url, &init)?)
        .await?;
    Ok(())
}
