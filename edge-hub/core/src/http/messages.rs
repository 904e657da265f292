//! `GET` and `POST /api/v1/rooms/{room}/messages`.

use super::caller::Caller;
use super::{Answer, Api, Asked, Body, Head, Problem, command};
use crate::api::{self, ReadOn};
use crate::delivery::{Catch, CatchUp, catch_up, frame};
use crate::ids::{Position, RoomName, UserId};
use crate::perform::Io;
use crate::protocol::ErrorCode;
use crate::store::{Range, Read, Stretch};

/// The frames that a `POST` may carry.
const STORED: [&str; 5] = ["send", "edit", "delete", "react", "restore"];

/// What was found for a reader, and where it ends.
#[derive(Debug)]
pub struct Found {
    pub catch: Catch,
    pub head: Position,
    pub more: bool,
}

impl<I: Io> Api<'_, I> {
    /// Reads on from a position: the first unbroken run that has something to tell.
    pub(super) async fn read_on(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Found, Problem> {
        let (mut segments, head, more) = match after {
            Some(position) => {
                // His own entry comes with the answer, so that its tag can be compared.
                let range = Range::After(position.seq);
                let stretch = self.load(room, user, range, limit).await?;
                let (head, more) = (stretch.head, stretch.more);
                match catch_up(position, stretch) {
                    CatchUp::Segments(segments) => (segments, head, more),
                    CatchUp::Diverged => self.recent(room, user, true, limit).await?,
                }
            }
            None => self.recent(room, user, false, limit).await?,
        };
        // An empty run before a hole tells nothing, and would be told again and again.
        let told = usize::from(
            segments.len() > 1 && segments[0].entries.is_empty() && segments[0].reason.is_none(),
        );
        let more = more || segments.len() > told + 1;
        Ok(Found {
            catch: segments.swap_remove(told),
            head,
            more,
        })
    }

    async fn recent(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        diverged: bool,
        limit: usize,
    ) -> Result<(Vec<Catch>, Position, bool), Problem> {
        let stretch = self.load(room, user, Range::Tail, limit).await?;
        let head = stretch.head;
        Ok((CatchUp::recent(diverged, stretch), head, false))
    }

    /// A stretch, for a user who may be there.
    async fn load(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        range: Range,
        limit: usize,
    ) -> Result<Stretch, Problem> {
        match self.performer.read(room, user, range, limit).await? {
            Read::Stretch(stretch) => Ok(stretch),
            Read::Forbidden => Err(Problem::forbidden(room.clone())),
            Read::Banned(term) => Err(Problem::banned(room.clone(), term, self.now)),
        }
    }

    /// `?after=SEQ-TAG` reads on from a position, `?before=SEQ` back from a number and `?from=SEQ` on
    /// from one; without any the newest come.
    pub(super) async fn read_messages(
        &self,
        asked: &Asked,
        caller: &Caller,
    ) -> Result<Answer, Problem> {
        let (room, query) = (asked.room()?, &asked.query);
        self.reading(caller, room)?;
        let user = caller.user(query)?;
        let limits = &self.deployment.hub.limits;
        let limit = query.limit()?.unwrap_or(limits.recent_messages);
        let limit = limit.min(limits.page_messages);
        let after = query.position("after")?;
        let range = match (after, query.number("before")?, query.number("from")?) {
            (after, None, None) => {
                let found = self.read_on(room, user.as_ref(), after, limit).await?;
                return Ok(Answer::json(200, &told(room, &found)));
            }
            (None, Some(before), None) => Range::Before(before),
            (None, None, Some(from)) => Range::From(from),
            _ => return Err(bad("`after`, `before` and `from` exclude each other")),
        };
        let stretch = self.load(room, user.as_ref(), range, limit).await?;
        let entries = stretch.entries.iter();
        Ok(Answer::json(
            200,
            &api::Stretch {
                room: room.clone(),
                messages: entries.map(|entry| frame(room, entry)).collect(),
                head: stretch.head,
                more: stretch.more,
            },
        ))
    }

    /// `{"user":"ada","id":"01JD…","text":"hello"}`, or another frame that is stored, by its `type`; the
    /// answer is the `ack`.
    pub(super) async fn post(
        &self,
        asked: &Asked,
        caller: Caller,
        head: &Head,
        body: &mut impl Body,
    ) -> Result<Answer, Problem> {
        let room = asked.room()?;
        self.writing(&caller, room)?;
        let mut fields = self.fields(head, body).await?;
        let named = command::named(&mut fields)?.or(asked.query.user()?);
        let speaker = caller.speaker(named)?;
        let is_default = self.deployment.hub.default_rooms.contains(room);
        let is_listed = is_default || room.is_private();
        if !is_listed && !self.performer.open_room(room).await? {
            return Err(Problem::new(ErrorCode::TooManyRooms));
        }
        let kind = fields.entry("type").or_insert_with(|| "send".into());
        if !STORED.iter().any(|stored| kind == stored) {
            return Err(Problem::new(ErrorCode::UnknownType));
        }
        fields.insert("room".to_owned(), room.to_string().into());
        let ack = self.run(speaker, room.clone(), fields).await?;
        let mut answer = Answer::json(201, &ack);
        answer.stored_in = Some(room.clone());
        Ok(answer)
    }
}

/// What tells a reader what was found.
pub fn told(room: &RoomName, found: &Found) -> ReadOn {
    let entries = found.catch.entries.iter();
    ReadOn {
        room: room.clone(),
        position: found.catch.position,
        head: found.head,
        recovered: found.catch.recovered,
        reason: found.catch.reason,
        lost: found.catch.lost,
        more: found.more,
        messages: entries.map(|entry| frame(room, entry)).collect(),
    }
}

fn bad(reason: &str) -> Problem {
    Problem::because(ErrorCode::BadFrame, reason)
}
