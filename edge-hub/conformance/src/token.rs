//! Tokens as an identity provider makes them, and as attackers do.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// An issuer that the edge is configured with, for HS256.
#[derive(Clone)]
pub struct Issuer {
    pub name: String,
    pub audience: String,
    pub secret: String,
}

impl Issuer {
    /// A token of a user that counts for ten minutes, with more claims or others.
    pub fn token(&self, user: &str, claims: &Value) -> Result<String> {
        self.sign(
            &json!({ "alg": "HS256", "typ": "JWT" }),
            &self.claims(user, claims)?,
        )
    }

    /// The claims of such a token. A claim that is null is left out.
    pub fn claims(&self, user: &str, others: &Value) -> Result<Value> {
        let mut claims = json!({
            "iss": self.name, "aud": self.audience, "exp": now_seconds()? + 600, "sub": user,
        });
        for (name, value) in others.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        Ok(claims)
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String> {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same for header and claims that no JSON library writes.
    pub fn sign_text(&self, header: &str, claims: &str) -> Result<String> {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        let signature = mac.chain_update(&signed).finalize().into_bytes();
        Ok(format!("{signed}.{}", encode(signature)))
    }
}

/// A part of a token.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn now_seconds() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.context("a clock after 1970")?.as_secs())
}
