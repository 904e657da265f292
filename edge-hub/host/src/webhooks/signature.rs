//! The signatures of Standard Webhooks: by them a receiver knows that a delivery is ours, and when
//! it was sent (<https://www.standardwebhooks.com>, `v1`).

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the specification asks of a secret: 24 to 64 bytes.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret of an endpoint. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret. It does not say which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is `whsec_` and 24 to 64 bytes in Base64; make one with `echo whsec_$(openssl rand -base64 32)`"
)]
pub struct SecretError;

impl Secret {
    /// # Errors
    /// If it has another form.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.strip_prefix("whsec_").ok_or(SecretError)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| SecretError)?;
        match BYTES.contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(SecretError),
        }
    }

    /// `v1,` and the HMAC-SHA256 of `id.timestamp.body` in Base64; the timestamp is in seconds.
    pub fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key");
        hmac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!(
            "v1,{}",
            BASE64_STANDARD.encode(hmac.finalize().into_bytes())
        )
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("whsec_***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specification_is_met() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(
            secret.sign(id, 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_has_another_form_is_refused_and_never_shown() {
        for text in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_not base64, but long enough to be one",
        ] {
            assert_eq!(Secret::parse(text), Err(SecretError), "{text}");
        }
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        assert_eq!(format!("{secret:?}"), "whsec_***");
    }
}
