//! Names and positions as types that cannot hold nonsense.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// A name that does not have the form its type demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a room name must be of the form [a-z0-9][a-z0-9_-]{{0,63}}")]
    Room,
    #[error("an id must be of the form [A-Za-z0-9._@|:+-]{{1,64}}")]
    Id,
    #[error("a tag must be 16 lower-case hexadecimal digits")]
    Tag,
    #[error("a sequence number must be at most 2^53")]
    Seq,
    #[error("a reaction must have 1 to 32 bytes without white space or control characters")]
    Reaction,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident, $error:ident, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("pattern" = $pattern)))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err(NameError::$error) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A room, without the `#` that people see: `[a-z0-9][a-z0-9_-]{0,63}`.
    RoomName,
    is_room_name,
    Room,
    "^[a-z0-9][a-z0-9_-]{0,63}$"
);
name!(
    /// A user, the same on every connection and edge: `[A-Za-z0-9._@|:+-]{1,64}`.
    UserId,
    is_id,
    Id,
    "^[A-Za-z0-9._@|:+-]{1,64}$"
);
name!(
    /// The sender's own id of a message or change; (user, id) is unique in a room.
    MessageId,
    is_id,
    Id,
    "^[A-Za-z0-9._@|:+-]{1,64}$"
);
name!(
    /// An emoji or a short token: 1 to 32 bytes without white space or control characters.
    Reaction,
    is_reaction,
    Reaction,
    r"^[^\s\p{Cc}]+$"
);

fn is_room_name(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    matches!(text.as_bytes(), [first, rest @ ..]
        if alphanumeric(*first)
            && rest.len() <= 63
            && rest.iter().all(|&byte| alphanumeric(byte) || byte == b'_' || byte == b'-'))
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._@|:+-".contains(&byte))
}

fn is_reaction(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && !text
            .chars()
            .any(|char| char.is_whitespace() || char.is_control())
}

/// What the name of a private room begins with, and of a direct one.
const PRIVATE: &str = "private-";
const DIRECT: &str = "direct-";

impl RoomName {
    /// Whether only who was let in may be here. The name says so, and for ever: whoever sees a name
    /// knows without a look whom it may be told, and one that was never given out is answered like
    /// one that is.
    pub fn is_private(&self) -> bool {
        self.0.starts_with(PRIVATE) || self.0.starts_with(DIRECT)
    }

    /// The private room that a user calls `base`: `private-BASE-HASH`, with the first 16
    /// hexadecimal digits of SHA-256(`USER BASE`). So nobody finds out by asking for a name whether
    /// it is taken by another. `None` if the base has more than 39 bytes.
    pub fn private(creator: &UserId, base: &Self) -> Option<Self> {
        let hash = hexadecimal(&format!("{creator} {base}"), 16);
        Self::parse(format!("{PRIVATE}{base}-{hash}")).ok()
    }

    /// The direct room of two users, the same whoever asks: `direct-HASH`, with the first 32
    /// hexadecimal digits of SHA-256(`A B`), A being the one that comes first in the order of bytes.
    pub fn direct(users: &Pair) -> Self {
        Self(format!("{DIRECT}{}", hexadecimal(&users.to_string(), 32)))
    }
}

fn hexadecimal(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text);
    let mut hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hexadecimal.truncate(digits);
    hexadecimal
}

/// Two users, in the order of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pair([UserId; 2]);

impl Pair {
    /// `None` if both are the same.
    pub fn of(one: UserId, other: UserId) -> Option<Self> {
        match one.cmp(&other) {
            std::cmp::Ordering::Less => Some(Self([one, other])),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self([other, one])),
        }
    }

    /// Reads what is printed.
    pub fn parse(text: &str) -> Option<Self> {
        let (one, other) = text.split_once(' ')?;
        Self::of(UserId::parse(one).ok()?, UserId::parse(other).ok()?)
    }

    pub const fn users(&self) -> &[UserId; 2] {
        &self.0
    }

    /// The one who is not `user`.
    pub fn other(&self, user: &UserId) -> &UserId {
        let [one, other] = &self.0;
        if one == user { other } else { one }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0[0], self.0[1])
    }
}

/// The fingerprint of a room's log up to and including one entry: 64 bits, 16 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag of position 0, before the first entry.
    pub const ORIGIN: Self = Self(0);

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(hexadecimal) {
            return Err(NameError::Tag);
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| NameError::Tag)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Tag {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tag".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

/// The number of an entry in its room's log, from 1; 0 is before the first entry.
/// At most 2^53, so that JavaScript can hold it.
pub type Seq = u64;

/// The largest sequence number on the wire.
pub const MAX_SEQ: Seq = 1 << 53;

/// A place in a room's log: which entry, and the fingerprint of the log up to it.
///
/// The number alone would not do: a failover may lose `[…, 43, 44]` and then store another 43 and
/// 44. A reader at 44 who compares numbers only would take the new ones for duplicates and drop
/// real messages in silence. The tag tells him that his 44 is no part of this log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    #[serde(deserialize_with = "bounded_seq")]
    #[cfg_attr(feature = "schema", schemars(extend("maximum" = MAX_SEQ)))]
    pub seq: Seq,
    pub tag: Tag,
}

impl Position {
    /// Before the first entry.
    pub const ORIGIN: Self = Self {
        seq: 0,
        tag: Tag::ORIGIN,
    };

    pub const fn new(seq: Seq, tag: Tag) -> Self {
        Self { seq, tag }
    }
}

impl fmt::Display for Position {
    /// `SEQ-TAG`, as in `Last-Event-ID` and `?after=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.tag)
    }
}

impl std::str::FromStr for Position {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (seq, tag) = text.split_once('-').ok_or(NameError::Tag)?;
        Ok(Self {
            seq: parse_seq(seq)?,
            tag: Tag::parse(tag)?,
        })
    }
}

/// Reads a sequence number as queries have it: digits and nothing else.
pub fn parse_seq(text: &str) -> Result<Seq, NameError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NameError::Seq);
    }
    let seq = text.parse().ok().filter(|&seq| seq <= MAX_SEQ);
    seq.ok_or(NameError::Seq)
}

fn bounded_seq<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seq, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    seq_of(&number).ok_or_else(|| serde::de::Error::custom(NameError::Seq))
}

/// A number that JSON has, if it is whole and from 0 to 2^53: 5.0 is the same number as 5, and not
/// every language writes it in one way.
pub fn seq_of(number: &serde_json::Number) -> Option<Seq> {
    let whole = number.as_u64().or_else(|| {
        let float = number.as_f64()?;
        let is_whole = float.fract() == 0.0 && (0.0..=MAX_SEQ as f64).contains(&float);
        is_whole.then_some(float as Seq)
    });
    whole.filter(|&seq| seq <= MAX_SEQ)
}

/// Who speaks: the id that counts and the name that people see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    pub id: UserId,
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_name_is_lower_case_and_short() {
        for good in ["general", "a", "0", "team_1-b", &"x".repeat(64)] {
            assert!(RoomName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "#general",
            "General",
            "-a",
            "_a",
            "a b",
            "é",
            "a{b}",
            &"x".repeat(65),
        ] {
            assert!(RoomName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_private_room_is_its_creators() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let room = |name: &str| RoomName::parse(name).unwrap();
        let plans = RoomName::private(&user("ada"), &room("plans")).unwrap();
        assert_eq!(plans.as_str(), "private-plans-b24fbca793b0f0d7");
        assert!(plans.is_private());
        assert_ne!(RoomName::private(&user("bob"), &room("plans")), Some(plans));
        let longest = room(&"x".repeat(39));
        let name = RoomName::private(&user("ada"), &longest).unwrap();
        assert_eq!(name.as_str().len(), 64);
        assert_eq!(
            RoomName::private(&user("ada"), &room(&"x".repeat(40))),
            None
        );
        assert!(!room("private").is_private());
    }

    #[test]
    fn a_direct_room_is_the_same_for_both() {
        let pair = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|id| UserId::parse(id).unwrap());
            Pair::of(one, other)
        };
        let [room, same] = [("ada", "bob"), ("bob", "ada")]
            .map(|(one, other)| RoomName::direct(&pair(one, other).unwrap()));
        assert_eq!(room, same);
        assert_eq!(room.as_str(), "direct-75354ef904af3c8609e76c6a493a7fc3");
        assert!(room.is_private());
        assert_eq!(pair("ada", "ada"), None);
        // Where one id ends and the next begins is part of what is hashed.
        let [one, other] = [("a", "bc"), ("ab", "c")]
            .map(|(one, other)| RoomName::direct(&pair(one, other).unwrap()));
        assert_ne!(one, other);
    }

    #[test]
    fn a_reaction_is_one_short_word() {
        for good in [
            "\u{1f44d}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            ":+1:",
            &"x".repeat(32),
        ] {
            assert!(Reaction::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "\n",
            "\u{7f}",
            &"x".repeat(33),
            &"\u{1f44d}".repeat(9),
        ] {
            assert!(Reaction::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_position_is_printed_and_read_the_same() {
        let position = Position::new(41, Tag::parse("9f2c01ab33d0e1f2").unwrap());
        assert_eq!(position.to_string(), "41-9f2c01ab33d0e1f2");
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn a_position_beyond_what_javascript_can_hold_is_refused() {
        let text = r#"{"seq":9007199254740993,"tag":"0000000000000000"}"#;
        assert!(serde_json::from_str::<Position>(text).is_err());
    }
}
