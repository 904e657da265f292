//! Making a token, for development: by the secret that the configuration has for an issuer with HS256.

use super::issuer::{Algorithm, Issuer, Issuers, KeySource};
use super::{Role, Step, TokenError, Verification};
use crate::time::{Timestamp, millis};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::time::Duration;

/// What a token is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenWish {
    /// Who speaks; the issuer's prefix comes before it in user ids.
    pub sub: String,
    pub name: Option<String>,
    pub role: Role,
    /// Patterns of the rooms that it opens; empty for all that are not closed.
    pub rooms: Vec<String>,
    /// For how long it counts from now on.
    pub lifetime: Duration,
}

/// Why no token is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error(
        "no issuer has a secret (HS256): set the variables `identity` and `identity_secrets` (docs/identity.md), \
         or give a secret of your own"
    )]
    NoSecret,
    #[error("several issuers have a secret: name one of {}", .0.join(", "))]
    Several(Vec<String>),
    #[error("there is no issuer `{0}`")]
    Unknown(String),
    #[error("the tokens of `{0}` are signed by a key that only that issuer has")]
    NotShared(String),
    #[error(transparent)]
    Refused(#[from] TokenError),
}

impl Issuers {
    /// Makes a token in the name of an issuer, by default the only one with a secret.
    ///
    /// # Errors
    /// Whatever would make an edge refuse it.
    pub fn mint(
        &self,
        issuer: Option<&str>,
        wish: &TokenWish,
        now: Timestamp,
    ) -> Result<String, MintError> {
        let issuer = self.with_secret(issuer)?;
        let KeySource::Secret(secret) = &issuer.keys else {
            return Err(MintError::NotShared(issuer.name.clone()));
        };
        let header = serde_json::json!({ "alg": Algorithm::HS256.name(), "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims(issuer, wish, now)));
        let signature = URL_SAFE_NO_PAD.encode(secret.sign(signed.as_bytes()));
        let token = format!("{signed}.{signature}");
        match Verification::new(token.clone()).begin(now, self) {
            Step::Refused(error) => Err(error.into()),
            Step::Proved(_) | Step::LoadKeys { .. } => Ok(token),
        }
    }

    fn with_secret(&self, name: Option<&str>) -> Result<&Issuer, MintError> {
        if let Some(name) = name {
            let named = self.named(name);
            return named.ok_or_else(|| MintError::Unknown(name.to_owned()));
        }
        let with_secret: Vec<&Issuer> = self
            .all()
            .filter(|issuer| matches!(issuer.keys, KeySource::Secret(_)))
            .collect();
        match with_secret[..] {
            [] => Err(MintError::NoSecret),
            [issuer] => Ok(issuer),
            _ => Err(MintError::Several(
                with_secret
                    .iter()
                    .map(|issuer| issuer.name.clone())
                    .collect(),
            )),
        }
    }
}

fn claims(issuer: &Issuer, wish: &TokenWish, now: Timestamp) -> Value {
    let seconds = |at: Timestamp| at.as_millis() / 1000;
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), issuer.name.clone().into());
    claims.insert("aud".to_owned(), issuer.audience.clone().into());
    claims.insert("sub".to_owned(), wish.sub.clone().into());
    claims.insert("iat".to_owned(), seconds(now).into());
    let expires_at = now.as_millis().saturating_add(millis(wish.lifetime));
    let expires_at = Timestamp::from_millis(expires_at);
    claims.insert("exp".to_owned(), seconds(expires_at).into());
    let names = &issuer.claims;
    if let Some(name) = &wish.name {
        claims.insert(names.name.clone(), name.clone().into());
    }
    let role = match wish.role {
        Role::Member => None,
        Role::Moderator => Some("moderator"),
        Role::Admin => Some("admin"),
    };
    if let Some(role) = role {
        claims.insert(names.role.clone(), role.into());
    }
    if !wish.rooms.is_empty() {
        claims.insert(names.rooms.clone(), wish.rooms.clone().into());
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_459_200_000);

    fn issuers(identity: &str, secrets: &str) -> Issuers {
        Issuers::parse(identity, secrets).unwrap()
    }

    fn shop() -> Issuers {
        issuers(
            r#"[{"issuer":"shop","audience":"chat","algorithm":"HS256","user_prefix":"s:","role_claim":"chat_role"}]"#,
            r#"{"shop":"0123456789abcdef0123456789abcdef"}"#,
        )
    }

    fn wish() -> TokenWish {
        TokenWish {
            sub: "ada".to_owned(),
            name: Some("Ada".to_owned()),
            role: Role::Moderator,
            rooms: vec!["general".to_owned(), "team-*".to_owned()],
            lifetime: Duration::from_secs(60),
        }
    }

    #[test]
    fn what_is_made_counts_and_says_what_was_wished() {
        let issuers = shop();
        let token = issuers.mint(None, &wish(), NOW).unwrap();
        let Step::Proved(identity) = Verification::new(token.clone()).begin(NOW, &issuers) else {
            panic!("it counts");
        };
        assert_eq!(identity.user.id.as_str(), "s:ada");
        assert_eq!(identity.user.name, "Ada");
        assert_eq!(identity.access.role, Role::Moderator);
        let expires_at = identity.access.expires_at().unwrap();
        assert_eq!(
            expires_at,
            NOW.after(Duration::from_secs(60) + super::super::LEEWAY)
        );
        let later = Verification::new(token).begin(expires_at, &issuers);
        assert_eq!(later, Step::Refused(TokenError::Expired));
    }

    #[test]
    fn what_would_not_count_is_not_made() {
        let issuers = shop();
        let refused = |change: fn(&mut TokenWish)| {
            let mut wish = wish();
            change(&mut wish);
            issuers.mint(None, &wish, NOW).unwrap_err()
        };
        let claim = |name: &str| MintError::Refused(TokenError::Claim(name.to_owned()));
        assert_eq!(refused(|wish| wish.sub.clear()), claim("sub"));
        assert!(matches!(
            refused(|wish| wish.rooms = vec!["No!".to_owned()]),
            MintError::Refused(TokenError::Rooms(_))
        ));
        assert_eq!(
            refused(|wish| wish.name = Some("x".repeat(9000))),
            MintError::Refused(TokenError::TooLarge)
        );
    }

    #[test]
    fn it_is_made_in_the_name_of_one_that_has_a_secret() {
        let none = Issuers::default().mint(None, &wish(), NOW);
        assert_eq!(none, Err(MintError::NoSecret));
        let unknown = shop().mint(Some("bank"), &wish(), NOW);
        assert_eq!(unknown, Err(MintError::Unknown("bank".to_owned())));
        let several = issuers(
            r#"[{"issuer":"a","audience":"c","algorithm":"HS256","user_prefix":"a:"},
                {"issuer":"b","audience":"c","algorithm":"HS256","user_prefix":"b:"},
                {"issuer":"k","audience":"c","algorithm":"ES256","user_prefix":"k:","jwks_url":"https://id.example.org/keys"}]"#,
            r#"{"a":"0123456789abcdef0123456789abcdef","b":"0123456789abcdef0123456789abcdef"}"#,
        );
        let names = vec!["a".to_owned(), "b".to_owned()];
        let undecided = several.mint(None, &wish(), NOW);
        assert_eq!(undecided, Err(MintError::Several(names)));
        assert!(several.mint(Some("b"), &wish(), NOW).is_ok());
        let foreign = several.mint(Some("k"), &wish(), NOW);
        assert_eq!(foreign, Err(MintError::NotShared("k".to_owned())));
    }
}
