//! Who speaks, and what he may do: JSON Web Tokens of configured issuers, and the keys of servers.
//!
//! Nothing here reads a clock or opens a connection. An issuer whose keys lie behind a URL is
//! proved in two steps: [`Verification`] asks for the keys, whoever performs its wish answers.
//!
//! # What a token must be
//! - three parts of base64url without padding, at most [`TOKEN_BYTES`]; header and claims are JSON
//!   objects that name nothing twice;
//! - of an issuer of the configuration (`iss`), signed with exactly the algorithm that stands there:
//!   the header's `alg` is compared and never chooses;
//! - signed by one of that issuer's keys. `kid` is compared and nothing else; `jwk`, `jku`, `x5u` and
//!   `x5c` are ignored, `crit` is refused;
//! - for the configured audience (`aud`), not expired (`exp` is needed), valid already (`nbf`), each
//!   with a leeway of [`LEEWAY`] for clocks that differ.

mod cache;
mod issuer;
mod keys;
mod mint;
mod publish_key;
mod rooms;
mod token;
mod verification;

pub use cache::{Cached, FLOOR, FLOOR_AFTER_FAILURE, Lookup, USABLE};
pub use issuer::{Algorithm, IssuerError, Issuers, KeysUrl};
pub use keys::{KeySet, KeysError, SET_BYTES};
pub use mint::{MintError, TokenWish};
pub use publish_key::{PublishKeyError, PublishKeys};
pub use rooms::{ClosedRooms, PatternError, RoomRules};
pub use token::{LEEWAY, TOKEN_BYTES, TokenError};
pub use verification::{Step, Verification};

use crate::ids::{RoomName, User};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a proved token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: User,
    pub access: Access,
}

/// What somebody may do. It lies in the session bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub role: Role,
    pub rooms: RoomRules,
    /// `None`: a name that was chosen, or one that a server vouches for.
    pub proof: Option<Proof>,
}

/// The token that stands behind an access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub issuer: String,
    /// From then on the token counts for nothing, the leeway included.
    pub expires_at: Timestamp,
}

/// What somebody may do to others and what they wrote. Each role may all that those before it may.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Member,
    Moderator,
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }
}

impl Access {
    pub fn may_read(&self, room: &RoomName, closed: &ClosedRooms) -> bool {
        self.rooms.may_read(room, closed)
    }

    pub fn may_write(&self, room: &RoomName, closed: &ClosedRooms) -> bool {
        self.rooms.may_write(room, closed)
    }

    /// When this ends; `None` for ever.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.proof.as_ref().map(|proof| proof.expires_at)
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }
}
