use crate::auth::Access;
use crate::ids::{RoomName, User};
use crate::limits::SESSION_BYTES;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The first byte of session bytes. A hub reads its own version and the previous one.
const VERSION: u8 = 2;

/// What the hub remembers of a connection. It holds no positions: the host has the cursors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// Upgraded; `hello` has not come.
    Opened {
        at: Timestamp,
    },
    Live(Live),
    /// Refused before `hello`; nothing is left to clear.
    Closing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    pub user: User,
    pub access: Access,
    /// In the order joined.
    pub rooms: Vec<RoomName>,
    pub bucket: Bucket,
    /// When the last `typing` passed.
    pub typed_at: Timestamp,
    /// When the last `read` passed.
    pub read_at: Timestamp,
    /// Frames refused since the last good one.
    pub refused: u8,
}

/// A bucket of messages by the generic cell rate algorithm: one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// When the bucket will be full again.
    full_at: Timestamp,
}

impl Bucket {
    /// Takes one message, or says how long to wait for the next.
    pub fn take(
        &mut self,
        now: Timestamp,
        per_second: u32,
        burst: u32,
    ) -> Result<(), std::time::Duration> {
        let interval = std::time::Duration::from_millis(1000 / u64::from(per_second.max(1)));
        let full_at = self.full_at.max(now);
        let used = full_at.since(now);
        let room = interval * burst.saturating_sub(1);
        if used > room {
            return Err(used - room);
        }
        self.full_at = full_at.after(interval);
        Ok(())
    }
}

/// Session bytes of another version: the client has to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session bytes of another version")]
pub struct SessionError;

impl Session {
    pub fn decode(bytes: &[u8]) -> Result<Self, SessionError> {
        match bytes {
            [] => Ok(Self::Opened {
                at: Timestamp::default(),
            }),
            [VERSION, rest @ ..] => postcard::from_bytes(rest).map_err(|_| SessionError),
            _ => Err(SessionError),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Serialising into memory cannot fail; were it to, the next event would close resumably.
        bytes.extend(postcard::to_allocvec(self).unwrap_or_default());
        assert!(
            bytes.len() <= SESSION_BYTES,
            "session of {} bytes",
            bytes.len()
        );
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Proof, Role, RoomRules};
    use crate::ids::UserId;

    #[test]
    fn the_largest_session_fits() {
        let name = |index: usize| format!("{index:064}");
        let session = Session::Live(Live {
            user: User {
                id: UserId::parse("x".repeat(64)).unwrap(),
                name: "x".repeat(64),
            },
            access: Access {
                role: Role::Admin,
                rooms: RoomRules::parse(&format!("{:?}", (0..32).map(name).collect::<Vec<_>>()))
                    .unwrap(),
                proof: Some(Proof {
                    issuer: "x".repeat(256),
                    expires_at: Timestamp::from_millis(u64::MAX),
                }),
            },
            rooms: (0..64)
                .map(|index| RoomName::parse(name(index)).unwrap())
                .collect(),
            bucket: Bucket::default(),
            typed_at: Timestamp::from_millis(u64::MAX),
            read_at: Timestamp::from_millis(u64::MAX),
            refused: u8::MAX,
        });
        let bytes = session.encode();
        assert!(bytes.len() < SESSION_BYTES);
        assert_eq!(Session::decode(&bytes), Ok(session));
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Session::decode(&[VERSION + 1, 0]), Err(SessionError));
        assert_eq!(Session::decode(&[VERSION, 200]), Err(SessionError));
    }

    #[test]
    fn a_bucket_allows_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let now = Timestamp::from_millis(1_000_000);
        let taken = (0..100)
            .take_while(|_| bucket.take(now, 5, 20).is_ok())
            .count();
        assert_eq!(taken, 20);
        let wait = bucket.take(now, 5, 20).unwrap_err();
        assert_eq!(wait.as_millis(), 200);
        assert!(bucket.take(now.after(wait), 5, 20).is_ok());
        assert!(bucket.take(now.after(wait), 5, 20).is_err());
    }
}
