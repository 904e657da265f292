//! Whose tokens count: the application's variables `identity` and `identity_secrets`.
//!
//! ```json
//! [{"issuer": "https://id.example.org/", "audience": "chat", "algorithm": "ES256",
//!   "jwks_url": "https://id.example.org/.well-known/jwks.json"}]
//! ```

use super::keys::KeySet;
use crate::ids::UserId;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;

/// An issuer lies in the session bytes and in error sentences.
const ISSUER_BYTES: usize = 256;
/// With it and a digest behind it a user id is still within its 64 bytes.
const PREFIX_BYTES: usize = 12;
/// RFC 7518, section 3.2: a secret as long as the digest at least.
const SECRET_BYTES: usize = 32;

/// How an issuer signs. Exactly one each: what a token says of itself chooses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    HS256,
    EdDSA,
    ES256,
    RS256,
}

impl Algorithm {
    /// As it stands in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
        }
    }
}

/// The issuers of a deployment. By default none, and no token counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuers(Vec<Issuer>);

/// One issuer of the configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    pub name: String,
    pub audience: String,
    pub algorithm: Algorithm,
    pub keys: KeySource,
    /// Stands before the `sub` in the user's id.
    pub user_prefix: String,
    pub claims: ClaimNames,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeySource {
    Secret(Secret),
    Set(KeySet),
    Url(KeysUrl),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimNames {
    pub role: String,
    pub name: String,
    pub rooms: String,
}

/// What both sides of HS256 know.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Vec<u8>);

impl Secret {
    /// The signature by it.
    pub fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        mac.map_or_else(
            |_| Vec::new(),
            |mac| mac.chain_update(signed).finalize().into_bytes().to_vec(),
        )
    }

    /// Whether the signature was made with it, in constant time.
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        mac.is_ok_and(|mac| mac.chain_update(signed).verify_slice(signature).is_ok())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What is wrong with the configuration. No sentence quotes a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("not a list of issuers: {0}")]
    Json(String),
    #[error("the secrets are not an object from issuer to secret")]
    Secrets,
    #[error("`{0}`: {1}")]
    Issuer(String, &'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    audience: String,
    algorithm: Algorithm,
    jwks: Option<KeySet>,
    jwks_url: Option<String>,
    user_prefix: Option<String>,
    #[serde(default = "role")]
    role_claim: String,
    #[serde(default = "name")]
    name_claim: String,
    #[serde(default = "rooms")]
    rooms_claim: String,
}

fn role() -> String {
    "role".to_owned()
}

fn name() -> String {
    "name".to_owned()
}

fn rooms() -> String {
    "rooms".to_owned()
}

impl Issuers {
    /// Reads both variables; an empty text is none.
    ///
    /// # Errors
    /// Whatever could make a token count that should not: an issuer without a key or with two, a
    /// short secret, keys over a connection that anybody may change, users of one issuer that could
    /// be taken for those of another.
    pub fn parse(identity: &str, secrets: &str) -> Result<Self, IssuerError> {
        let written: Vec<Written> = match identity.trim() {
            "" => Vec::new(),
            text => {
                serde_json::from_str(text).map_err(|error| IssuerError::Json(error.to_string()))?
            }
        };
        let mut secrets: BTreeMap<String, String> = match secrets.trim() {
            "" => BTreeMap::new(),
            // Serde's own words might quote what it could not read.
            text => serde_json::from_str(text).map_err(|_| IssuerError::Secrets)?,
        };
        if written.len() > 1
            && let Some(one) = written.iter().find(|one| one.user_prefix.is_none())
        {
            let why = "with several issuers each needs a `user_prefix`";
            return Err(IssuerError::Issuer(one.issuer.clone(), why));
        }
        let mut issuers: Vec<Issuer> = Vec::with_capacity(written.len());
        for one in written {
            let secret = secrets.remove(&one.issuer);
            let refused = |why| IssuerError::Issuer(one.issuer.clone(), why);
            let issuer = one.check(secret).map_err(refused)?;
            if issuers.iter().any(|other| other.name == issuer.name) {
                return Err(refused("it is listed twice"));
            }
            if issuers.iter().any(|other| other.users_overlap(&issuer)) {
                return Err(refused(
                    "its `user_prefix` begins like another's: equal ones share their users, others must differ",
                ));
            }
            issuers.push(issuer);
        }
        match secrets.into_keys().next() {
            Some(unknown) => Err(IssuerError::Issuer(
                unknown,
                "it has a secret and is not listed",
            )),
            None => Ok(Self(issuers)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Issuer> {
        self.0.iter()
    }

    pub(super) fn named(&self, name: &str) -> Option<&Issuer> {
        self.0.iter().find(|issuer| issuer.name == name)
    }
}

impl Written {
    fn check(&self, secret: Option<String>) -> Result<Issuer, &'static str> {
        if self.issuer.is_empty() || self.issuer.len() > ISSUER_BYTES {
            return Err("an `issuer` has 1 to 256 bytes");
        }
        if self.audience.is_empty() {
            return Err("`audience` is empty: every token of the issuer would count");
        }
        let user_prefix = self.user_prefix.clone().unwrap_or_default();
        if user_prefix.len() > PREFIX_BYTES
            || !(user_prefix.is_empty() || UserId::parse(user_prefix.as_str()).is_ok())
        {
            return Err("a `user_prefix` is of the form [A-Za-z0-9._@|:+-]{0,12}");
        }
        Ok(Issuer {
            name: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithm: self.algorithm,
            keys: self.key_source(secret)?,
            user_prefix,
            claims: ClaimNames {
                role: self.role_claim.clone(),
                name: self.name_claim.clone(),
                rooms: self.rooms_claim.clone(),
            },
        })
    }

    fn key_source(&self, secret: Option<String>) -> Result<KeySource, &'static str> {
        let shared = self.algorithm == Algorithm::HS256;
        match (secret, &self.jwks, &self.jwks_url) {
            (Some(secret), None, None) if shared => {
                let secret = secret.into_bytes();
                if secret.len() < SECRET_BYTES {
                    return Err("its secret is shorter than 32 bytes");
                }
                Ok(KeySource::Secret(Secret(secret)))
            }
            (None, Some(keys), None) if !shared => {
                if !keys.serve(self.algorithm) {
                    return Err("no key of `jwks` verifies its `algorithm`");
                }
                Ok(KeySource::Set(keys.clone()))
            }
            (None, None, Some(url)) if !shared => KeysUrl::parse(url)
                .map(KeySource::Url)
                .ok_or("`jwks_url` is no https URL (http is for loopback only)"),
            _ if shared => Err("HS256 needs a secret in `identity_secrets`, and nothing else"),
            _ => Err("it needs either `jwks` or `jwks_url`, and no secret"),
        }
    }
}

impl Issuer {
    /// Whether a user of one could have the id of another's user, and that is not meant so.
    fn users_overlap(&self, other: &Self) -> bool {
        let (one, other) = (&self.user_prefix, &other.user_prefix);
        one != other && (one.starts_with(other) || other.starts_with(one))
    }
}

/// Where an issuer's keys are: over TLS, or on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysUrl {
    secure: bool,
    authority: String,
    path: String,
}

impl KeysUrl {
    /// Reads an `https` URL; an `http` one only if it leads to this machine.
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let good = |byte: u8| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte);
        if text.len() > 512 || !path.bytes().all(good) {
            return None;
        }
        let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
        let host = match authority.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, number)) if !number.ends_with(']') => port(number).then_some(host)?,
            _ => authority,
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_name = !host.is_empty() && host.bytes().all(letter);
        let is_address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| {
                host.bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
            });
        let is_loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        ((is_name || is_address) && (secure || is_loopback)).then(|| Self {
            secure,
            authority: authority.to_owned(),
            path: match path.strip_prefix('?') {
                _ if path.is_empty() => "/".to_owned(),
                Some(_) => format!("/{path}"),
                None => path.to_owned(),
            },
        })
    }

    /// Over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for KeysUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of thirty-two bytes....";

    fn parse(identity: &str, secret: &str) -> Result<Issuers, IssuerError> {
        let secrets = match secret {
            "" => String::new(),
            secret => serde_json::json!({ "me": secret }).to_string(),
        };
        Issuers::parse(identity, &secrets)
    }

    #[test]
    fn an_issuer_has_exactly_one_source_of_keys() {
        let with = |fields: &str| format!(r#"[{{"issuer":"me","audience":"chat",{fields}}}]"#);
        let url = r#""jwks_url":"https://id.example.org/keys""#;
        for (fields, secret, good) in [
            (r#""algorithm":"HS256""#.to_owned(), SECRET, true),
            (r#""algorithm":"HS256""#.to_owned(), "", false),
            (r#""algorithm":"HS256""#.to_owned(), &SECRET[1..], false),
            (format!(r#""algorithm":"HS256",{url}"#), "", false),
            (format!(r#""algorithm":"HS256",{url}"#), SECRET, false),
            (format!(r#""algorithm":"ES256",{url}"#), "", true),
            (format!(r#""algorithm":"ES256",{url}"#), SECRET, false),
            (r#""algorithm":"RS256""#.to_owned(), "", false),
            (
                r#""algorithm":"RS256","jwks":{"keys":[]}"#.to_owned(),
                "",
                false,
            ),
            (format!(r#""algorithm":"RS512",{url}"#), "", false),
            (format!(r#""algorithm":"none",{url}"#), "", false),
            (format!(r#""algorithm":"ES256",{url},"key":1"#), "", false),
        ] {
            let identity = with(&fields);
            assert_eq!(parse(&identity, secret).is_ok(), good, "{identity}");
        }
    }

    #[test]
    fn an_error_names_the_issuer_and_no_secret() {
        let identity = r#"[{"issuer":"me","audience":"chat","algorithm":"HS256"}]"#;
        let error = parse(identity, "short").unwrap_err().to_string();
        assert_eq!(error, "`me`: its secret is shorter than 32 bytes");
        let error = Issuers::parse(identity, r#"{"me":["hidden"]}"#).unwrap_err();
        assert!(!error.to_string().contains("hidden"));
        let issuers = parse(identity, SECRET).unwrap();
        assert!(!format!("{issuers:?}").contains("thirty-two"));
        let error = Issuers::parse("", &format!(r#"{{"me":"{SECRET}"}}"#)).unwrap_err();
        assert_eq!(error.to_string(), "`me`: it has a secret and is not listed");
    }

    #[test]
    fn users_of_one_issuer_are_not_taken_for_those_of_another() {
        let two = |one: &str, other: &str| {
            let issuer = |name: &str, fields: &str| {
                format!(
                    r#"{{"issuer":"{name}","audience":"chat","algorithm":"ES256",
                        "jwks_url":"https://id.example.org/"{fields}}}"#
                )
            };
            Issuers::parse(
                &format!("[{},{}]", issuer("a", one), issuer("b", other)),
                "",
            )
            .is_ok()
        };
        assert!(!two("", ""));
        assert!(!two("", r#","user_prefix":"b:""#));
        assert!(!two(r#","user_prefix":"""#, r#","user_prefix":"b:""#));
        assert!(!two(r#","user_prefix":"a""#, r#","user_prefix":"ab""#));
        assert!(two(r#","user_prefix":"a:""#, r#","user_prefix":"b:""#));
        assert!(two(r#","user_prefix":"""#, r#","user_prefix":"""#));
    }

    #[test]
    fn an_issuer_is_listed_once() {
        let issuer = r#"{"issuer":"a","audience":"chat","algorithm":"ES256","user_prefix":"",
            "jwks_url":"https://id.example.org/"}"#;
        assert!(Issuers::parse(&format!("[{issuer},{issuer}]"), "").is_err());
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (good, whole) in [
            ("https://id.example.org", "https://id.example.org/"),
            (
                "https://id.example.org/a/b?c=d",
                "https://id.example.org/a/b?c=d",
            ),
            (
                "https://id.example.org:8443?c",
                "https://id.example.org:8443/?c",
            ),
            ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
            ("http://localhost:8080/keys", "http://localhost:8080/keys"),
            ("http://127.0.0.1/", "http://127.0.0.1/"),
            ("http://[::1]:9000/", "http://[::1]:9000/"),
        ] {
            assert_eq!(KeysUrl::parse(good).expect(good).to_string(), whole);
        }
        for bad in [
            "",
            "id.example.org",
            "ftp://id.example.org/",
            "https://",
            "https://:443/",
            "https://user@id.example.org/",
            "https://id.example.org:0/",
            "https://id.example.org:port/",
            "https://id.example.org/#a",
            "https://id.example.org/a b",
            "https://id.example.org\\@evil.example/",
            "http://id.example.org/",
            "http://127.0.0.1.evil.example/",
            "http://localhost@evil.example/",
            "http://127.0.0.1:80@evil.example/",
            "http://[::1].evil.example/",
        ] {
            assert_eq!(KeysUrl::parse(bad), None, "{bad}");
        }
    }
}
