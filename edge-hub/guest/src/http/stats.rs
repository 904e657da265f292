//! `GET /api/v1/stats` and `GET /api/v1/rooms/{room}/stats`: what analytics counted.

use super::answer::{Answer, Problem};
use super::caller::Caller;
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::api::{RoomFigures, TotalFigures};
use clustertalk_core::event::NoAnswer;
use clustertalk_core::ids::RoomName;
use clustertalk_core::protocol::RoomSummary;
use clustertalk_core::redis::Value as Reply;
use clustertalk_core::statistics::{Scope, bring_up, commands, figures, room_commands};
use clustertalk_core::time::Timestamp;

pub fn stats(
    performer: &Performer<'_>,
    settings: &Settings,
    scope: Scope<'_>,
    caller: &Caller,
    now: Timestamp,
) -> Result<Answer, Problem> {
    let replies = replies(performer, &commands(&settings.keyspace, scope, now))?;
    let figures = figures(&replies, now);
    Ok(match scope {
        Scope::Room(room) => {
            let room = room.clone();
            Answer::json(200, &RoomFigures { room, figures })
        }
        Scope::Overall => {
            let rooms = performer
                .list_rooms(None, super::rooms::LISTED_ROOMS)?
                .into_iter()
                .map(RoomSummary::from)
                .filter(|summary| caller.reading(settings, &summary.room).is_ok())
                .collect();
            Answer::json(200, &TotalFigures { rooms, figures })
        }
    })
}

/// Brings the overall figures up to date with a room's. If it fails, the next message does it.
pub fn bring_overall_up(
    performer: &Performer<'_>,
    settings: &Settings,
    room: &RoomName,
    now: Timestamp,
) {
    if let Ok(replies) = replies(performer, &room_commands(&settings.keyspace, room, now))
        && let Some(call) = bring_up(&settings.keyspace, room, now, &replies)
    {
        let _ = performer.call(&call);
    }
}

fn replies(
    performer: &Performer<'_>,
    commands: &[Vec<String>; 5],
) -> Result<[Vec<Reply>; 5], NoAnswer> {
    let [a, b, c, d, e] = commands;
    Ok([
        performer.command(a)?,
        performer.command(b)?,
        performer.command(c)?,
        performer.command(d)?,
        performer.command(e)?,
    ])
}
