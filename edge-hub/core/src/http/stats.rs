//! `GET /api/v1/stats` and `GET /api/v1/rooms/{room}/stats`: what analytics counted.

use super::caller::Caller;
use super::{Answer, Api, Problem};
use crate::api::{RoomFigures, TotalFigures};
use crate::event::NoAnswer;
use crate::ids::RoomName;
use crate::perform::Io;
use crate::protocol::RoomSummary;
use crate::redis::Value as Reply;
use crate::statistics::{Scope, bring_up, commands, figures, room_commands};

impl<I: Io> Api<'_, I> {
    pub(super) async fn figures(
        &self,
        scope: Scope<'_>,
        caller: &Caller,
    ) -> Result<Answer, Problem> {
        let commands = commands(&self.deployment.keyspace, scope, self.now);
        let figures = figures(&self.replies(&commands).await?, self.now);
        Ok(match scope {
            Scope::Room(room) => {
                let room = room.clone();
                Answer::json(200, &RoomFigures { room, figures })
            }
            Scope::Overall => {
                let rooms = self.performer.list_rooms(None, super::rooms::LISTED_ROOMS);
                let rooms = rooms.await?.into_iter().map(RoomSummary::from);
                let rooms = rooms
                    .filter(|summary| self.reading(caller, &summary.room).is_ok())
                    .collect();
                Answer::json(200, &TotalFigures { rooms, figures })
            }
        })
    }

    /// Brings the overall figures up to date with a room's, which nobody else may do for one that no
    /// socket follows. If it fails, the next message does it.
    pub async fn bring_overall_up(&self, room: &RoomName) {
        let keyspace = &self.deployment.keyspace;
        let commands = room_commands(keyspace, room, self.now);
        if let Ok(replies) = self.replies(&commands).await
            && let Some(call) = bring_up(keyspace, room, self.now, &replies)
        {
            let _ = self.performer.call(&call).await;
        }
    }

    async fn replies(&self, commands: &[Vec<String>; 5]) -> Result<[Vec<Reply>; 5], NoAnswer> {
        let [a, b, c, d, e] = commands;
        Ok([
            self.performer.command(a).await?,
            self.performer.command(b).await?,
            self.performer.command(c).await?,
            self.performer.command(d).await?,
            self.performer.command(e).await?,
        ])
    }
}
