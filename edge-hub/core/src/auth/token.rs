//! One token: taken apart, held against its issuer, and read.

use super::issuer::{Issuer, Issuers};
use super::keys::Keys;
use super::rooms::{PatternError, RoomRules};
use super::{Access, Identity, Proof, Role};
use crate::ids::{User, UserId};
use crate::protocol::{ErrorCode, ErrorFrame, ServerFrame, deeper_than};
use crate::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Bytes of a token. It has to fit into a frame and into a header.
pub const TOKEN_BYTES: usize = 8 << 10;
/// By how much the clock of an issuer may differ from ours.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// The last moment that a `Date` of JavaScript can be.
const LATEST_MILLIS: f64 = 8.64e15;
/// Nested arrays and objects in header or claims.
const DEPTH: usize = 16;
/// Names in header or claims.
const NAMES: usize = 128;
/// Bytes of a user's shown name, as with a chosen one.
const NAME_BYTES: usize = 64;
/// What the id of a user begins with whose `sub` is no id.
const HASHED: &str = "sha256:";

/// Why a token does not count. The sentences go to its bearer: they tell what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("no issuer is configured here (the variable `identity`)")]
    NoIssuers,
    #[error("the token is larger than 8 KiB")]
    TooLarge,
    #[error("the token is no JSON Web Token that is signed: {0}")]
    Form(&'static str),
    #[error("the token's issuer is not configured here")]
    Issuer,
    #[error("the token's `alg` is not the one its issuer is configured with")]
    Algorithm,
    #[error("the token's header has a `typ` of another kind of token")]
    Type,
    #[error("the token's header has a `crit`, of which nothing is understood here")]
    Critical,
    #[error("the issuer has no such key as the token names")]
    UnknownKey,
    #[error("the token's signature does not fit")]
    Signature,
    #[error("the token is for another audience")]
    Audience,
    #[error("it is past the token's `exp`")]
    Expired,
    #[error("the token's `nbf` is not reached")]
    NotYet,
    #[error("the token's claim `{0}` is missing or of another form")]
    Claim(String),
    #[error("the token's rooms: {0}")]
    Rooms(#[from] PatternError),
    #[error("the token is not of this connection's user and issuer")]
    AnotherUser,
}

impl TokenError {
    /// The error that answers the token's bearer.
    pub fn frame(&self) -> ErrorFrame {
        match self {
            Self::Expired => ServerFrame::error(ErrorCode::TokenExpired),
            _ => ServerFrame::error(ErrorCode::Unauthorized).because(&self.to_string()),
        }
    }
}

const HEADER: TokenError = TokenError::Form("its header is no object with an `alg`");

/// A token taken apart. Nothing of it is proved.
pub(super) struct Token<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    alg: String,
    kid: Option<String>,
    claims: String,
}

/// What a token is signed by, found out by its own words and the configuration.
pub(super) struct Claimed<'t, 'i> {
    token: Token<'t>,
    pub issuer: &'i Issuer,
}

impl<'t> Token<'t> {
    pub fn parse(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let parts = || {
            let (signed, signature) = text.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            let decoded = |part: &str| String::from_utf8(base64url(part)?).ok();
            let signature = base64url(signature)?;
            // A further dot is no letter of base64url.
            Some((signed, decoded(header)?, decoded(claims)?, signature))
        };
        let (signed, header, claims, signature) =
            parts().ok_or(TokenError::Form("it has not three parts in base64url"))?;
        let header = object(&header).ok_or(HEADER)?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let text = |name| match header.get(name) {
            Some(value) => typed::<String>(value).map(Some).ok_or(HEADER),
            None => Ok(None),
        };
        if text("typ")?.is_some_and(|typ| !is_access_token(&typ)) {
            return Err(TokenError::Type);
        }
        let alg = text("alg")?.ok_or(HEADER)?;
        let kid = text("kid")?;
        Ok(Self {
            signed,
            signature,
            alg,
            kid,
            claims,
        })
    }

    /// Finds the issuer that the token names.
    pub fn of<'i>(self, issuers: &'i Issuers) -> Result<Claimed<'t, 'i>, TokenError> {
        let name: String = Claims::parse(&self.claims)?.needed("iss")?;
        let issuer = issuers.named(&name).ok_or(TokenError::Issuer)?;
        if self.alg != issuer.algorithm.name() {
            return Err(TokenError::Algorithm);
        }
        Ok(Claimed {
            token: self,
            issuer,
        })
    }
}

impl Claimed<'_, '_> {
    /// Verifies the signature with the issuer's keys, then reads the claims.
    pub fn verify(&self, now: Timestamp, keys: Keys<'_>) -> Result<Identity, TokenError> {
        let Token {
            signed,
            signature,
            kid,
            ..
        } = &self.token;
        let (algorithm, kid) = (self.issuer.algorithm, kid.as_deref());
        match keys.verify(algorithm, kid, signed.as_bytes(), signature) {
            None => Err(TokenError::UnknownKey),
            Some(false) => Err(TokenError::Signature),
            Some(true) => self.read(now),
        }
    }

    fn read(&self, now: Timestamp) -> Result<Identity, TokenError> {
        let (claims, issuer) = (Claims::parse(&self.token.claims)?, self.issuer);
        let audiences: OneOrMany = claims.needed("aud")?;
        if !audiences.contains(&issuer.audience) {
            return Err(TokenError::Audience);
        }
        let expires_at = claims
            .time("exp")?
            .ok_or_else(|| claim("exp"))?
            .after(LEEWAY);
        if expires_at <= now {
            return Err(TokenError::Expired);
        }
        if claims
            .time("nbf")?
            .is_some_and(|from| from > now.after(LEEWAY))
        {
            return Err(TokenError::NotYet);
        }
        let sub: String = claims.needed("sub")?;
        let id = user_id(&issuer.user_prefix, &sub).ok_or_else(|| claim("sub"))?;
        let names = &issuer.claims;
        // Some issuers write `null` for what they do not know. For rooms it would open too much.
        let name = claims.optional::<Option<String>>(&names.name)?.flatten();
        let role = claims
            .optional::<Option<OneOrMany>>(&names.role)?
            .flatten()
            .map(|roles| roles.role());
        let rooms = claims
            .raw(&names.rooms)
            .map(|json| RoomRules::parse(json.get()))
            .transpose()?;
        Ok(Identity {
            user: User {
                name: name
                    .and_then(|name| shown_name(&name))
                    .or_else(|| shown_name(&sub))
                    .unwrap_or_else(|| id.to_string()),
                id,
            },
            access: Access {
                role: role.unwrap_or_default(),
                rooms: rooms.unwrap_or_default(),
                proof: Some(Proof {
                    issuer: issuer.name.clone(),
                    expires_at,
                }),
            },
        })
    }
}

fn claim(name: &str) -> TokenError {
    TokenError::Claim(name.to_owned())
}

/// RFC 8725, section 3.11: a token made for something else may have the same signer and audience.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    ["jwt", "at+jwt"].contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

/// The `sub` where it is an id, else its digest. A `sub` that looks like a digest is hashed as
/// well: it could be that of somebody else.
fn user_id(prefix: &str, sub: &str) -> Option<UserId> {
    if sub.is_empty() {
        return None;
    }
    let plain = (!sub.starts_with(HASHED)).then(|| UserId::parse(format!("{prefix}{sub}")));
    if let Some(Ok(id)) = plain {
        return Some(id);
    }
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(sub));
    UserId::parse(format!("{prefix}{HASHED}{digest}")).ok()
}

/// A name as it may be shown beside others: one line, no controls, nothing that turns the direction
/// of what stands around it.
fn shown_name(name: &str) -> Option<String> {
    let is_stray = |letter: char| {
        let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || letter == '\u{feff}'
    };
    let mut shown = String::new();
    for word in name.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let word: String = word.chars().filter(|&letter| !is_stray(letter)).collect();
        if word.is_empty() {
            continue;
        }
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(&word);
    }
    let end = shown.floor_char_boundary(NAME_BYTES);
    shown.truncate(end);
    let shown = shown.trim_end();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// Base64url as RFC 7515 has it: no padding, no other letter, no bit beyond the last byte.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A value that may stand alone or in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(list) => list,
        }
    }

    fn contains(&self, text: &str) -> bool {
        self.all().iter().any(|one| one == text)
    }

    /// The highest role of ours. Issuers have roles of their own, which mean nothing here.
    fn role(&self) -> Role {
        let known = self.all().iter().filter_map(|name| match name.as_str() {
            "moderator" => Some(Role::Moderator),
            "admin" => Some(Role::Admin),
            _ => None,
        });
        known.max().unwrap_or_default()
    }
}

struct Claims<'c>(BTreeMap<String, &'c RawValue>);

impl<'c> Claims<'c> {
    fn parse(json: &'c str) -> Result<Self, TokenError> {
        let claims = object(json).map(Self);
        claims.ok_or(TokenError::Form(
            "its claims are no object that is well-formed",
        ))
    }

    fn raw(&self, name: &str) -> Option<&'c RawValue> {
        self.0.get(name).copied()
    }

    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TokenError> {
        self.raw(name)
            .map(|value| typed(value).ok_or_else(|| claim(name)))
            .transpose()
    }

    fn needed<T: DeserializeOwned>(&self, name: &str) -> Result<T, TokenError> {
        self.optional(name)?.ok_or_else(|| claim(name))
    }

    /// Seconds since the Unix epoch, which may have a fraction (RFC 7519, section 2).
    fn time(&self, name: &str) -> Result<Option<Timestamp>, TokenError> {
        let seconds = self.optional::<f64>(name)?;
        // What is before the epoch becomes the epoch.
        let millis = |seconds: f64| (seconds * 1000.0).min(LATEST_MILLIS) as u64;
        Ok(seconds.map(|seconds| Timestamp::from_millis(millis(seconds))))
    }
}

fn typed<T: DeserializeOwned>(value: &RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

/// A JSON object that names nothing twice: of two values each reader could take another.
fn object(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    if deeper_than(json, DEPTH) {
        return None;
    }
    serde_json::from_str(json).ok().map(|Unique(map)| map)
}

struct Unique<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Unique<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Unique<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose names are unique")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Self::Value, M::Error> {
                let mut map = BTreeMap::new();
                while let Some((name, value)) = fields.next_entry::<String, &RawValue>()? {
                    if map.insert(name, value).is_some() || map.len() > NAMES {
                        return Err(M::Error::custom("a name twice, or too many"));
                    }
                }
                Ok(Unique(map))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_of_another_form_becomes_a_digest_and_no_sub_can_forge_it() {
        let id = |prefix, sub| user_id(prefix, sub).map(|id| id.to_string());
        assert_eq!(id("", "auth0|5f7c"), Some("auth0|5f7c".into()));
        assert_eq!(id("g:", "ada"), Some("g:ada".into()));
        let hashed = "sha256:dnQCFhcVkZA829GPvHcN9EfFsWcQBcoAIJIqRlu6AXI";
        assert_eq!(id("", "Ada Lovelace").as_deref(), Some(hashed));
        assert_ne!(id("", hashed).as_deref(), Some(hashed));
        assert_eq!(id("", ""), None);
        let long = "x".repeat(2000);
        assert_eq!(id("twelve-bytes", &long).unwrap().len(), 62);
    }

    #[test]
    fn a_name_is_one_line_of_at_most_64_bytes_and_turns_nothing_around() {
        for (name, shown) in [
            ("Ada Lovelace", Some("Ada Lovelace")),
            ("  Ada\n\tLovelace\u{0} ", Some("Ada Lovelace")),
            ("\u{202e}ada\u{202c}", Some("ada")),
            ("a\u{2028}b", Some("a b")),
            ("\u{1b}[31mred", Some("[31mred")),
            ("👩\u{200d}🔬", Some("👩\u{200d}🔬")),
            (" \u{2066} \n", None),
            ("", None),
        ] {
            assert_eq!(shown_name(name).as_deref(), shown, "{name:?}");
        }
        let long = shown_name(&"é".repeat(100)).unwrap();
        assert_eq!(long, "é".repeat(32));
        assert_eq!(
            shown_name(&format!("{} b", "a".repeat(63))).unwrap().len(),
            63
        );
    }

    #[test]
    fn an_object_that_names_something_twice_is_none() {
        assert!(object(r#"{"a":1,"b":{"a":2}}"#).is_some());
        assert!(object(r#"{"a":1,"a":1}"#).is_none());
        assert!(object(r#"{"a":1,"\u0061":1}"#).is_none());
        assert!(object(r#"[1]"#).is_none());
        assert!(object(r#"{"a":1} x"#).is_none());
        assert!(object(&format!(r#"{{"a":{}{}}}"#, "[".repeat(16), "]".repeat(16))).is_none());
    }
}
