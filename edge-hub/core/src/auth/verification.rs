//! From a token to who brings it, over the keys that have to be loaded for it.

use super::Identity;
use super::issuer::{Issuers, KeySource, KeysUrl};
use super::keys::{KeySet, Keys};
use super::token::{Token, TokenError};
use crate::time::Timestamp;
use std::fmt;

/// A token on its way to be proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Verification {
    token: String,
    /// The keys were asked for anew because none was the one that the token names.
    refreshed: bool,
}

/// How far a verification came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Proved(Box<Identity>),
    Refused(TokenError),
    /// Load the keys behind this URL, and go on with [`Verification::keys_loaded`].
    LoadKeys {
        url: KeysUrl,
        /// A set of the last minute is needed: the token names a key that is not in the one known.
        refresh: bool,
    },
}

impl Verification {
    pub fn new(token: String) -> Self {
        Self {
            token,
            refreshed: false,
        }
    }

    pub fn begin(&mut self, now: Timestamp, issuers: &Issuers) -> Step {
        self.step(now, issuers, None)
    }

    pub fn keys_loaded(&mut self, now: Timestamp, issuers: &Issuers, keys: &KeySet) -> Step {
        self.step(now, issuers, Some(keys))
    }

    fn step(&mut self, now: Timestamp, issuers: &Issuers, loaded: Option<&KeySet>) -> Step {
        if issuers.is_empty() {
            return Step::Refused(TokenError::NoIssuers);
        }
        let token = match Token::parse(&self.token).and_then(|token| token.of(issuers)) {
            Ok(token) => token,
            Err(error) => return Step::Refused(error),
        };
        let (keys, url) = match (&token.issuer.keys, loaded) {
            (KeySource::Secret(secret), _) => (Keys::Secret(secret), None),
            (KeySource::Set(keys), _) => (Keys::Set(keys), None),
            (KeySource::Url(url), Some(keys)) => (Keys::Set(keys), Some(url)),
            (KeySource::Url(url), None) => {
                let url = url.clone();
                return Step::LoadKeys {
                    url,
                    refresh: false,
                };
            }
        };
        match (token.verify(now, keys), url) {
            (Ok(identity), _) => Step::Proved(Box::new(identity)),
            (Err(TokenError::UnknownKey), Some(url)) if !self.refreshed => {
                let url = url.clone();
                self.refreshed = true;
                Step::LoadKeys { url, refresh: true }
            }
            (Err(error), _) => Step::Refused(error),
        }
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token is a password for as long as it lasts.
        f.write_str("Verification")
    }
}
