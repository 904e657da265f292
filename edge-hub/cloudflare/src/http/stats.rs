//! `GET /api/v1/stats` and `GET /api/v1/rooms/{room}/stats`: what analytics counted.

use super::{Caller, Problem, json_response, performer, rooms::LISTED_ROOMS};
use crate::{clock, edge::Edge};
use clustertalk_core::statistics::{Scope, commands, figures};
use serde_json::{Value, json};
use worker::Response;

pub async fn stats(edge: &Edge, scope: Scope<'_>, caller: &Caller) -> Result<Response, Problem> {
    let (performer, now) = (performer(edge), clock::now());
    let [a, b, c, d, e] = commands(&edge.settings.deployment.keyspace, scope, now);
    let replies = [
        performer.command(&a).await?,
        performer.command(&b).await?,
        performer.command(&c).await?,
        performer.command(&d).await?,
        performer.command(&e).await?,
    ];
    let mut body = json!(figures(&replies, now));
    match scope {
        Scope::Room(room) => body["room"] = json!(room),
        Scope::Overall => {
            let rooms: Vec<Value> = performer
                .list_rooms(None, LISTED_ROOMS)
                .await?
                .iter()
                .filter(|count| caller.reading(edge, &count.room).is_ok())
                .map(|count| json!({ "room": count.room, "members": count.members }))
                .collect();
            body["rooms"] = Value::Array(rooms);
        }
    }
    json_response(200, &body)
}
