//! Which rooms somebody may read and write.

use crate::ids::{NameError, RoomName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Patterns in one rule set. With a name in each they still fit into the session bytes.
const PATTERNS: usize = 32;
/// Every room that is not closed; no room can have this name.
const PUBLIC: &str = "@public";

/// Some rooms: `general`, `team-*`, `*`, or `@public`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RoomPattern {
    Public,
    Exactly(RoomName),
    /// Whatever begins like this; with the empty one every room, closed ones too.
    Prefix(String),
}

/// A pattern of another form, or too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("`{0}` is no room, no beginning of one with a `*` after it, and not `@public`")]
    Form(String),
    #[error("more than {PATTERNS} rooms and patterns")]
    TooMany,
    #[error("neither a list of rooms nor an object with `read` and `write`")]
    Shape,
}

impl RoomPattern {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let form = |_: NameError| PatternError::Form(text.chars().take(65).collect());
        match text.strip_suffix('*') {
            _ if text == PUBLIC => Ok(Self::Public),
            Some("") => Ok(Self::Prefix(String::new())),
            Some(prefix) => RoomName::parse(prefix)
                .map(|prefix| Self::Prefix(prefix.to_string()))
                .map_err(form),
            None => RoomName::parse(text).map(Self::Exactly).map_err(form),
        }
    }

    fn covers(&self, room: &RoomName, closed: &ClosedRooms) -> bool {
        match self {
            Self::Public => !closed.contains(room),
            Self::Exactly(name) => name == room,
            Self::Prefix(prefix) => room.as_str().starts_with(prefix),
        }
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str(PUBLIC),
            Self::Exactly(name) => f.write_str(name.as_str()),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Serialize for RoomPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoomPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// What a token or a server's key opens. By default every room that is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRules {
    /// Beside those of `write`.
    read: Vec<RoomPattern>,
    write: Vec<RoomPattern>,
}

impl Default for RoomRules {
    fn default() -> Self {
        Self {
            read: Vec::new(),
            write: vec![RoomPattern::Public],
        }
    }
}

/// As the claim writes it: a list, or an object that tells reading from writing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    All(Vec<String>),
    Apart(Apart),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apart {
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
}

impl RoomRules {
    /// Reads `["general","team-*"]` or `{"read":["news"],"write":["general"]}`.
    pub fn parse(json: &str) -> Result<Self, PatternError> {
        let written = serde_json::from_str(json).map_err(|_| PatternError::Shape)?;
        let (read, write) = match written {
            Written::All(rooms) => (Vec::new(), rooms),
            Written::Apart(Apart { read, write }) => (read, write),
        };
        if read.len() + write.len() > PATTERNS {
            return Err(PatternError::TooMany);
        }
        let patterns = |list: Vec<String>| -> Result<Vec<_>, _> {
            list.iter().map(|text| RoomPattern::parse(text)).collect()
        };
        Ok(Self {
            read: patterns(read)?,
            write: patterns(write)?,
        })
    }

    pub(super) fn may_read(&self, room: &RoomName, closed: &ClosedRooms) -> bool {
        self.may_write(room, closed) || any(&self.read, room, closed)
    }

    pub(super) fn may_write(&self, room: &RoomName, closed: &ClosedRooms) -> bool {
        any(&self.write, room, closed)
    }
}

fn any(patterns: &[RoomPattern], room: &RoomName, closed: &ClosedRooms) -> bool {
    patterns.iter().any(|pattern| pattern.covers(room, closed))
}

/// The rooms that are open only to who is given them by name or pattern. By default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedRooms(Vec<RoomPattern>);

impl ClosedRooms {
    /// Reads `board,team-*`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let listed = text.split(',').map(str::trim);
        let patterns = listed.filter(|pattern| !pattern.is_empty()).map(|pattern| {
            match RoomPattern::parse(pattern)? {
                RoomPattern::Public => Err(PatternError::Form(pattern.to_owned())),
                pattern => Ok(pattern),
            }
        });
        patterns.collect::<Result<_, _>>().map(Self)
    }

    pub fn contains(&self, room: &RoomName) -> bool {
        // No pattern of this list asks what is closed.
        any(&self.0, room, &Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    /// May it be read, may it be written?
    fn may(rules: &RoomRules, name: &str, closed: &str) -> (bool, bool) {
        let closed = ClosedRooms::parse(closed).unwrap();
        let room = room(name);
        (
            rules.may_read(&room, &closed),
            rules.may_write(&room, &closed),
        )
    }

    #[test]
    fn without_rules_every_room_is_open_that_is_not_closed() {
        let rules = RoomRules::default();
        assert_eq!(may(&rules, "general", "board, team-*"), (true, true));
        assert_eq!(may(&rules, "board", "board, team-*"), (false, false));
        assert_eq!(may(&rules, "team-a", "board, team-*"), (false, false));
    }

    #[test]
    fn a_list_opens_what_it_names_and_nothing_else() {
        let rules = RoomRules::parse(r#"["general","team-*"]"#).unwrap();
        for (name, open) in [
            ("general", true),
            ("team-a", true),
            ("team", false),
            ("tech", false),
        ] {
            assert_eq!(may(&rules, name, "team-*"), (open, open), "{name}");
        }
        let none = RoomRules::parse("[]").unwrap();
        assert_eq!(may(&none, "general", ""), (false, false));
        let every = RoomRules::parse(r#"["*"]"#).unwrap();
        assert_eq!(may(&every, "board", "board"), (true, true));
    }

    #[test]
    fn who_may_write_may_read_and_not_the_other_way_round() {
        let rules = RoomRules::parse(r#"{"read":["@public"],"write":["team-a"]}"#).unwrap();
        assert_eq!(may(&rules, "general", "team-*"), (true, false));
        assert_eq!(may(&rules, "team-a", "team-*"), (true, true));
        assert_eq!(may(&rules, "team-b", "team-*"), (false, false));
    }

    #[test]
    fn rules_of_another_form_are_refused() {
        for (json, error) in [
            ("\"general\"", PatternError::Shape),
            (r#"{"read":["a"],"reed":["b"]}"#, PatternError::Shape),
            (r#"{"read":["a"],"read":["b"]}"#, PatternError::Shape),
            (r#"["General"]"#, PatternError::Form("General".into())),
            (r#"["te*am"]"#, PatternError::Form("te*am".into())),
            (r#"["**"]"#, PatternError::Form("**".into())),
        ] {
            assert_eq!(RoomRules::parse(json), Err(error), "{json}");
        }
        let many = format!("[{}]", vec![r#""a""#; PATTERNS + 1].join(","));
        assert_eq!(RoomRules::parse(&many), Err(PatternError::TooMany));
        assert!(ClosedRooms::parse("@public").is_err());
    }

    #[test]
    fn a_pattern_is_printed_and_read_the_same() {
        for text in ["@public", "*", "team-*", "general"] {
            assert_eq!(RoomPattern::parse(text).unwrap().to_string(), text);
        }
    }
}
