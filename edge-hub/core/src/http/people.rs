//! Who is in a room, who may be, who may not, and how far one has read.

use super::caller::Caller;
use super::{Answer, Api, Asked, Problem};
use crate::api::{Bans, Granted, Kept, Members, Mutes, Present};
use crate::ids::UserId;
use crate::perform::Io;
use crate::protocol::{ErrorCode, ServerFrame};
use crate::store::{Listed, RoomList, Term};

/// Users in one page, if nobody says how many.
const PAGE: usize = 100;

impl<I: Io> Api<'_, I> {
    /// Who is in the room now.
    pub(super) async fn present(&self, asked: &Asked, caller: &Caller) -> Result<Answer, Problem> {
        let room = asked.room()?.clone();
        self.reading(caller, &room)?;
        self.admitted(asked, caller).await?;
        let members = self.performer.present(&room).await?;
        Ok(Answer::json(
            200,
            &Present {
                room,
                members_count: members.count,
                members: members.listed,
            },
        ))
    }

    /// How far the one who asks has read.
    pub(super) async fn look_read(&self, asked: &Asked, caller: Caller) -> Result<Answer, Problem> {
        let room = asked.room()?.clone();
        self.reading(&caller, &room)?;
        let user = caller.speaker(asked.query.user()?)?.user;
        self.find(&room, &user.id).await?;
        let seq = self.performer.mark(&room, &user.id, 0).await?.seq;
        Ok(Answer::json(200, &ServerFrame::Receipt { room, user, seq }))
    }

    /// A page of one of the room's lists.
    pub(super) async fn list_users(
        &self,
        asked: &Asked,
        caller: Caller,
        list: RoomList,
    ) -> Result<Answer, Problem> {
        let room = asked.room()?.clone();
        self.reading(&caller, &room)?;
        let after = asked.query.text("after");
        if after.is_some_and(|after| !is_place(list, after)) {
            let reason = "`after` is not the `next` of a page";
            return Err(Problem::because(ErrorCode::BadFrame, reason));
        }
        let limit = asked.query.limit()?.unwrap_or(PAGE);
        let speaker = caller.speaker(asked.query.user()?)?;
        let by = (&speaker.user.id, speaker.access.role);
        let listed = self.performer.list_users(&room, by, list, after, limit);
        let (kept, next) = match listed.await? {
            Listed::Granted(granted, next) => {
                let granted = granted.into_iter();
                let members = granted.map(|(user, role)| Granted { user, role });
                let members = members.collect();
                let page = Members {
                    room,
                    members,
                    next,
                };
                return Ok(Answer::json(200, &page));
            }
            Listed::Kept(kept, next) => (kept, next),
            Listed::Forbidden => return Err(Problem::forbidden(room)),
            Listed::Banned(term) => return Err(Problem::banned(room, term, self.now)),
        };
        let kept = kept
            .into_iter()
            .map(|(user, Term { until })| Kept { user, until });
        let kept = kept.collect();
        Ok(match list {
            RoomList::Mutes => {
                let mutes = kept;
                Answer::json(200, &Mutes { room, mutes, next })
            }
            RoomList::Granted | RoomList::Bans => {
                let bans = kept;
                Answer::json(200, &Bans { room, bans, next })
            }
        })
    }
}

/// Whether a page of the list could have ended so.
fn is_place(list: RoomList, after: &str) -> bool {
    let is_user = |user: &str| UserId::parse(user).is_ok();
    let is_until = |until: &str| {
        until == "inf"
            || (1..=16).contains(&until.len()) && until.bytes().all(|byte| byte.is_ascii_digit())
    };
    match list {
        RoomList::Granted => is_user(after),
        RoomList::Bans | RoomList::Mutes => after
            .split_once(':')
            .is_some_and(|(until, user)| is_until(until) && is_user(user)),
    }
}
