//! Who asks over HTTP, and what he may do: `Authorization: Bearer` with a token or a server's key.

use super::answer::Problem;
use super::query::Query;
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::auth::{Access, Identity, PublishKeys, Step, Verification};
use clustertalk_core::ids::{RoomName, User, UserId};
use clustertalk_core::protocol::ErrorCode;
use clustertalk_core::time::Timestamp;
use spin_sdk::http::IncomingRequest;

pub enum Caller {
    /// The bearer of a token.
    User(Identity),
    /// Says itself for whom it speaks: a server with a key, or anybody in development.
    Spokesman(Access),
}

impl Caller {
    /// # Errors
    /// Whoever brings something that does not count is never taken for one who brings nothing.
    pub fn of(
        request: &IncomingRequest,
        settings: &Settings,
        performer: &Performer<'_>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let headers = request.headers().get("authorization");
        let credential = match &headers[..] {
            [] if settings.anonymous => return Ok(Self::Spokesman(Access::default())),
            [] => return Err(Problem::new(ErrorCode::Unauthorized)),
            [header] => bearer(header).ok_or_else(|| unauthorized("not a bearer's"))?,
            _ => return Err(unauthorized("several of them")),
        };
        if PublishKeys::is_key(credential) {
            let access = settings.publish_keys.access(credential);
            let access = access.ok_or_else(|| unauthorized("the key is not known here"))?;
            return Ok(Self::Spokesman(access));
        }
        let issuers = &settings.hub.issuers;
        let mut verification = Verification::new(credential.to_owned());
        let mut step = verification.begin(now, issuers);
        loop {
            step = match step {
                Step::LoadKeys { url, refresh } => {
                    let keys = performer.load_keys(now, &url, refresh)?;
                    verification.keys_loaded(now, issuers, &keys)
                }
                Step::Proved(identity) => return Ok(Self::User(*identity)),
                Step::Refused(error) => return Err(error.frame().into()),
            }
        }
    }

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

    pub fn reading(&self, settings: &Settings, room: &RoomName) -> Result<(), Problem> {
        forbidden_unless(
            self.access().may_read(room, &settings.hub.closed_rooms),
            room,
        )
    }

    pub fn writing(&self, settings: &Settings, room: &RoomName) -> Result<(), Problem> {
        forbidden_unless(
            self.access().may_write(room, &settings.hub.closed_rooms),
            room,
        )
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
