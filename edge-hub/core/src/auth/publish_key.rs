//! Keys by which other servers publish and read over HTTP (the application's variable
//! `publish_keys`).
//!
//! Only their digests are configured: whoever reads the configuration cannot speak.

use super::rooms::RoomRules;
use super::{Access, Role};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a key begins with; it tells it from a token, and tells scanners what leaked.
const PREFIX: &str = "ctk_";
/// Letters behind it: 32 hexadecimal digits are 128 bits.
const LETTERS: std::ops::RangeInclusive<usize> = 32..=128;

/// The keys of a deployment. By default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishKeys(Vec<PublishKey>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct PublishKey {
    name: String,
    digest: [u8; 32],
    rooms: RoomRules,
}

/// What is wrong with the configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishKeyError {
    #[error("not a list of keys: {0}")]
    Json(String),
    #[error("`{0}`: {1}")]
    Key(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'w> {
    name: String,
    sha256: String,
    #[serde(borrow)]
    rooms: Option<&'w RawValue>,
}

impl PublishKeys {
    /// Reads `[{"name":"billing","sha256":"…","rooms":["*"]}]`; an empty text is none.
    pub fn parse(text: &str) -> Result<Self, PublishKeyError> {
        let written: Vec<Written<'_>> = match text.trim() {
            "" => Vec::new(),
            text => serde_json::from_str(text)
                .map_err(|error| PublishKeyError::Json(error.to_string()))?,
        };
        let mut keys: Vec<PublishKey> = Vec::with_capacity(written.len());
        for Written {
            name,
            sha256,
            rooms,
        } in written
        {
            let refused = |why: &str| PublishKeyError::Key(name.clone(), why.to_owned());
            let digest =
                digest(&sha256).ok_or_else(|| refused("`sha256` is not 64 hexadecimal digits"))?;
            if keys
                .iter()
                .any(|key| key.name == name || key.digest == digest)
            {
                return Err(refused("the name or the key is listed twice"));
            }
            let rooms = rooms.map(|rooms| RoomRules::parse(rooms.get()));
            let rooms = rooms
                .transpose()
                .map_err(|error| refused(&error.to_string()))?;
            keys.push(PublishKey {
                digest,
                rooms: rooms.unwrap_or_default(),
                name,
            });
        }
        Ok(Self(keys))
    }

    /// Whether this is meant as a server's key.
    pub fn is_key(credential: &str) -> bool {
        credential.starts_with(PREFIX)
    }

    /// What the key opens; `None` if it is none of ours. Takes as long for each wrong one.
    pub fn access(&self, key: &str) -> Option<Access> {
        let letters = key.strip_prefix(PREFIX)?;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !LETTERS.contains(&letters.len()) || !letters.bytes().all(good) {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(key).into();
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.digest.ct_eq(&digest)) {
                found = Some(known);
            }
        }
        found.map(|key| Access {
            role: Role::Member,
            rooms: key.rooms.clone(),
            proof: None,
        })
    }
}

fn digest(hexadecimal: &str) -> Option<[u8; 32]> {
    if hexadecimal.len() != 64 || !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hexadecimal[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ClosedRooms;
    use crate::ids::RoomName;

    /// For tests only.
    const KEY: &str = "ctk_0123456789abcdef0123456789abcdef";

    fn keys(rooms: &str) -> PublishKeys {
        let digest: String = Sha256::digest(KEY)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        PublishKeys::parse(&format!(
            r#"[{{"name":"billing","sha256":"{digest}"{rooms}}}]"#
        ))
        .unwrap()
    }

    #[test]
    fn a_key_opens_its_rooms_only() {
        let board = RoomName::parse("board").unwrap();
        let closed = ClosedRooms::parse("board").unwrap();
        let opens = |rooms| {
            let access = keys(rooms).access(KEY).unwrap();
            access.may_write(&board, &closed)
        };
        assert!(!opens(""));
        assert!(opens(r#","rooms":["*"]"#));
        assert!(!opens(r#","rooms":{"read":["board"]}"#));
    }

    #[test]
    fn what_is_no_key_of_ours_opens_nothing() {
        let keys = keys("");
        let short = &KEY[..35];
        for wrong in [
            "",
            "ctk_",
            short,
            &format!("{KEY}0"),
            &KEY.to_uppercase(),
            &format!("{} ", &KEY[..35]),
            &format!("ctk_{}", "a".repeat(129)),
        ] {
            assert_eq!(keys.access(wrong), None, "{wrong}");
        }
        assert_eq!(PublishKeys::default().access(KEY), None);
    }

    #[test]
    fn a_list_of_another_form_is_refused() {
        for list in [
            "{}",
            r#"[{"name":"a"}]"#,
            r#"[{"name":"a","sha256":"3c3f"}]"#,
            &format!(r#"[{{"name":"a","sha256":"{KEY}"}}]"#),
            &format!(
                r#"[{{"name":"a","sha256":"{0}","rooms":"x"}}]"#,
                "0".repeat(64)
            ),
            &format!(
                r#"[{{"name":"a","sha256":"{0}"}},{{"name":"b","sha256":"{0}"}}]"#,
                "0".repeat(64)
            ),
        ] {
            assert!(PublishKeys::parse(list).is_err(), "{list}");
        }
        assert_eq!(PublishKeys::parse(" "), Ok(PublishKeys::default()));
    }
}
