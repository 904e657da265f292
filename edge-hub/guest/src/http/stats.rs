//! `GET /api/v1/stats` and `GET /api/v1/rooms/{room}/stats`: what analytics counted.

use super::answer::{Answer, Problem};
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::statistics::{Scope, commands, figures};
use clustertalk_core::time::Timestamp;
use serde_json::{Value, json};

pub fn stats(
    performer: &Performer<'_>,
    settings: &Settings,
    scope: Scope<'_>,
    now: Timestamp,
) -> Result<Answer, Problem> {
    let [counters, users, top, minutes, minutes_before] = commands(&settings.keyspace, scope, now);
    let replies = [
        performer.command(&counters)?,
        performer.command(&users)?,
        performer.command(&top)?,
        performer.command(&minutes)?,
        performer.command(&minutes_before)?,
    ];
    let mut body = json!(figures(&replies, now));
    match scope {
        Scope::Room(room) => body["room"] = json!(room),
        Scope::Overall => {
            let rooms: Vec<Value> = performer
                .list_rooms(super::LISTED_ROOMS)?
                .iter()
                .map(|count| json!({ "room": count.room, "members": count.members }))
                .collect();
            body["rooms"] = Value::Array(rooms);
        }
    }
    Ok(Answer::json(200, &body))
}
