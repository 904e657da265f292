//! Originals of masked texts, kept for a while so that a moderator can restore them: encrypted, under a
//! key that only edges have. Without a key they are not kept anywhere.

use crate::ids::{MessageId, RoomName, UserId};
use crate::log::Salt;
use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

const NONCE_BYTES: usize = 24;

/// How originals are sealed, and for how long they are kept.
#[derive(Clone)]
pub struct Quarantine {
    cipher: XChaCha20Poly1305,
    pub keep: Duration,
}

/// It holds a key.
impl fmt::Debug for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantine")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// Whose text it is: sealed for one place, it opens at no other.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub room: &'a RoomName,
    pub user: &'a UserId,
    pub id: &'a MessageId,
}

impl Owner<'_> {
    /// No name has a space in it.
    fn associated(&self) -> String {
        format!("{} {} {}", self.room, self.user, self.id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give 32 random bytes in base64, as `openssl rand -base64 32` prints them")]
pub struct KeyError;

impl Quarantine {
    /// `key` is 32 bytes in base64.
    pub fn new(key: &str, keep: Duration) -> Result<Self, KeyError> {
        let key = STANDARD.decode(key.trim()).map_err(|_| KeyError)?;
        let key = Key::try_from(key.as_slice()).map_err(|_| KeyError)?;
        Ok(Self {
            cipher: XChaCha20Poly1305::new(&key),
            keep,
        })
    }

    /// Seals a text: base64 of the nonce and what follows it. `seed` is that of the call, so the nonce,
    /// which is made of it, is of this text alone.
    pub fn seal(&self, seed: Salt, owner: Owner<'_>, text: &str) -> Option<String> {
        let digest = Sha256::new()
            .chain_update("quarantine")
            .chain_update(seed)
            .finalize();
        let nonce = XNonce::try_from(&digest[..NONCE_BYTES]).ok()?;
        let associated = owner.associated();
        let payload = Payload {
            msg: text.as_bytes(),
            aad: associated.as_bytes(),
        };
        let mut sealed = nonce.to_vec();
        sealed.extend(self.cipher.encrypt(&nonce, payload).ok()?);
        Some(STANDARD.encode(sealed))
    }

    /// The text; `None` if it was sealed under another key, for another place, or changed since.
    pub fn open(&self, owner: Owner<'_>, sealed: &str) -> Option<String> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let associated = owner.associated();
        let payload = Payload {
            msg: sealed,
            aad: associated.as_bytes(),
        };
        String::from_utf8(self.cipher.decrypt(&nonce, payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn what_was_sealed_opens_at_its_place_under_its_key_and_nowhere_else() {
        let quarantine = Quarantine::new(KEY, Duration::from_secs(1)).unwrap();
        let room = RoomName::parse("general").unwrap();
        let ada = UserId::parse("ada").unwrap();
        let (m1, m2) = ("m1", "m2");
        let (m1, m2) = (MessageId::parse(m1).unwrap(), MessageId::parse(m2).unwrap());
        let owner = |id| Owner {
            room: &room,
            user: &ada,
            id,
        };
        let sealed = quarantine
            .seal([7; 16], owner(&m1), "say \u{1f600}")
            .unwrap();
        assert!(!sealed.contains("say"));
        let opened = quarantine.open(owner(&m1), &sealed);
        assert_eq!(opened.as_deref(), Some("say \u{1f600}"));
        assert_eq!(quarantine.open(owner(&m2), &sealed), None);
        let other = KEY.replace("AAEC", "AAED");
        let other = Quarantine::new(&other, Duration::from_secs(1)).unwrap();
        assert_eq!(other.open(owner(&m1), &sealed), None);
        let another = quarantine.seal([8; 16], owner(&m1), "say \u{1f600}");
        assert_ne!(another.as_deref(), Some(sealed.as_str()));
        for broken in ["", "AAAA", "?", &sealed[4..]] {
            assert_eq!(quarantine.open(owner(&m1), broken), None, "{broken}");
        }
    }

    #[test]
    fn a_key_has_32_bytes() {
        for key in ["", "AAAA", "not base64 !", &KEY[4..]] {
            assert_eq!(
                Quarantine::new(key, Duration::ZERO).err(),
                Some(KeyError),
                "{key}"
            );
        }
    }
}
