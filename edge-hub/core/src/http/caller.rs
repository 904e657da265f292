//! Who asks over HTTP, and what he may do: `Authorization: Bearer` with a token or a server's key.

use super::query::Query;
use super::{Api, Head, Problem};
use crate::auth::{Access, Identity, PublishKeys, Step, Verification};
use crate::ids::{RoomName, User, UserId};
use crate::perform::Io;
use crate::protocol::ErrorCode;

pub enum Caller {
    /// The bearer of a token.
    User(Identity),
    /// Says itself for whom it speaks: a server with a key, or anybody in development.
    Spokesman(Access),
}

impl<I: Io> Api<'_, I> {
    /// # Errors
    /// Whoever brings something that does not count is never taken for one who brings nothing.
    pub(super) async fn caller(&self, head: &Head) -> Result<Caller, Problem> {
        let headers: Vec<&[u8]> = head.values("authorization").collect();
        let credential = match &headers[..] {
            [] if self.deployment.anonymous => return Ok(Caller::Spokesman(Access::default())),
            [] => return Err(Problem::new(ErrorCode::Unauthorized)),
            [header] => bearer(header).ok_or_else(|| unauthorized("not a bearer's"))?,
            _ => return Err(unauthorized("several of them")),
        };
        if PublishKeys::is_key(credential) {
            let access = self.deployment.publish_keys.access(credential);
            let access = access.ok_or_else(|| unauthorized("the key is not known here"))?;
            return Ok(Caller::Spokesman(access));
        }
        let (issuers, now) = (&self.deployment.hub.issuers, self.now);
        let mut verification = Verification::new(credential.to_owned());
        let mut step = verification.begin(now, issuers);
        loop {
            step = match step {
                Step::LoadKeys { url, refresh } => {
                    let keys = self.performer.load_keys(now, &url, refresh).await?;
                    verification.keys_loaded(now, issuers, &keys)
                }
                Step::Proved(identity) => return Ok(Caller::User(*identity)),
                Step::Refused(error) => return Err(error.frame().into()),
            }
        }
    }

    pub(super) fn reading(&self, caller: &Caller, room: &RoomName) -> Result<(), Problem> {
        let closed = &self.deployment.hub.closed_rooms;
        forbidden_unless(caller.access().may_read(room, closed), room)
    }

    pub(super) fn writing(&self, caller: &Caller, room: &RoomName) -> Result<(), Problem> {
        let closed = &self.deployment.hub.closed_rooms;
        forbidden_unless(caller.access().may_write(room, closed), room)
    }
}

impl Caller {
    pub fn access(&self) -> &Access {
        match self {
            Self::User(identity) => &identity.access,
            Self::Spokesman(access) => access,
        }
    }

    /// Who asks: the bearer of a token, or whom a server or, in development, anybody names by `?user=`;
    /// `None` if he does not.
    pub fn user(&self, query: &Query) -> Result<Option<UserId>, Problem> {
        let named = query.user()?;
        Ok(match self {
            Self::User(identity) => Some(identity.user.id.clone()),
            Self::Spokesman(_) => named,
        })
    }

    /// Who speaks: the bearer of a token, or whom another names who speaks for him.
    pub fn speaker(self, named: Option<UserId>) -> Result<Identity, Problem> {
        match self {
            Self::User(identity) => Ok(identity),
            Self::Spokesman(access) => {
                let unnamed = || Problem::because(ErrorCode::BadUser, "`user` says who asks");
                let id = named.ok_or_else(unnamed)?;
                let name = id.to_string();
                let user = User { id, name };
                Ok(Identity { user, access })
            }
        }
    }
}

fn bearer(header: &[u8]) -> Option<&str> {
    let (scheme, credential) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer")).then(|| credential.trim_start())
}

fn unauthorized(reason: &str) -> Problem {
    Problem::because(ErrorCode::Unauthorized, reason)
}

fn forbidden_unless(allowed: bool, room: &RoomName) -> Result<(), Problem> {
    if allowed {
        Ok(())
    } else {
        Err(Problem::forbidden(room.clone()))
    }
}
