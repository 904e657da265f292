//! What waits for a room's moderators, and what was decided there.

use super::caller::Caller;
use super::{Answer, Api, Asked, Problem};
use crate::api::{ModerationLog, ModerationQueue, Waiting};
use crate::delivery::frame;
use crate::ids::Seq;
use crate::perform::Io;
use crate::store::{Queue, Records};

/// Messages of one page of the queue, and the most; entries of one of the log.
const MESSAGES: usize = 20;
const MOST_MESSAGES: usize = 50;
const ENTRIES: usize = 100;

impl<I: Io> Api<'_, I> {
    /// A page of what was flagged or reported, the oldest message first.
    pub(super) async fn moderation_queue(
        &self,
        asked: &Asked,
        caller: Caller,
    ) -> Result<Answer, Problem> {
        let room = asked.room()?.clone();
        self.reading(&caller, &room)?;
        let after = asked.query.number("after")?;
        let most = asked.query.limit()?.unwrap_or(MESSAGES).min(MOST_MESSAGES);
        let speaker = caller.speaker(asked.query.user()?)?;
        let by = (&speaker.user.id, speaker.access.role);
        match self.performer.queue(&room, by, after, most).await? {
            Queue::Page(queued, next) => {
                let waiting = queued.into_iter().map(|queued| Waiting {
                    message: frame(&room, &queued.message),
                    edit: queued.edit.map(|edit| frame(&room, &edit)),
                    reports: queued.reports,
                    records: queued.records,
                });
                let queue = waiting.collect();
                let next = page(next);
                Ok(Answer::json(200, &ModerationQueue { room, queue, next }))
            }
            Queue::Forbidden => Err(Problem::forbidden(room)),
            Queue::Banned(term) => Err(Problem::banned(room, term, self.now)),
        }
    }

    /// A page of the log, the newest entry first.
    pub(super) async fn moderation_log(
        &self,
        asked: &Asked,
        caller: Caller,
    ) -> Result<Answer, Problem> {
        let room = asked.room()?.clone();
        self.reading(&caller, &room)?;
        let after = asked.query.number("after")?;
        let most = asked.query.limit()?.unwrap_or(ENTRIES);
        let speaker = caller.speaker(asked.query.user()?)?;
        let by = (&speaker.user.id, speaker.access.role);
        match self.performer.records(&room, by, after, most).await? {
            Records::Page(entries, next) => {
                let next = page(next);
                Ok(Answer::json(
                    200,
                    &ModerationLog {
                        room,
                        entries,
                        next,
                    },
                ))
            }
            Records::Forbidden => Err(Problem::forbidden(room)),
            Records::Banned(term) => Err(Problem::banned(room, term, self.now)),
        }
    }
}

fn page(next: Option<Seq>) -> Option<String> {
    next.map(|seq| seq.to_string())
}
