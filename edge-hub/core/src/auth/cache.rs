//! When the keys behind a URL are asked for: rarely, whatever tokens come, and by one edge for all.
//!
//! What was loaded lies in Redis. Anybody can bring a token that names a key nobody has, so such a
//! token must not cost the issuer a request: between two requests of all edges together lies
//! [`FLOOR`], and whoever comes in between is answered from what is there.

use super::keys::{KeySet, KeysError, SET_BYTES};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;

/// A set of this age is not asked for again without a reason.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// A set of this age still counts when the issuer does not answer; then Redis forgets it.
pub const USABLE: Duration = Duration::from_secs(24 * 3600);
/// The least time between two requests for one set, over all edges.
pub const FLOOR: Duration = Duration::from_secs(60);
/// The same after a request that brought no set.
pub const FLOOR_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// A set as it lies in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    loaded_at: Timestamp,
    keys: KeySet,
}

#[derive(Serialize, Deserialize)]
struct Stored<'s> {
    loaded_at: Timestamp,
    #[serde(borrow)]
    jwks: &'s RawValue,
}

/// What to do with what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Use(KeySet),
    /// Ask the issuer if the floor allows it, else answer by [`Cached::otherwise`].
    Ask,
}

impl Cached {
    /// Takes what an issuer answered; with it comes the text to store.
    ///
    /// # Errors
    /// If it is no set of keys.
    pub fn loaded(now: Timestamp, body: &str) -> Result<(KeySet, String), KeysError> {
        if body.len() > SET_BYTES {
            return Err(KeysError);
        }
        let jwks = serde_json::from_str(body).map_err(|_| KeysError)?;
        let stored = Stored {
            loaded_at: now,
            jwks,
        };
        let text = serde_json::to_string(&stored).map_err(|_| KeysError)?;
        Ok((KeySet::parse(body)?, text))
    }

    /// Reads what was stored; nothing if it is of another form.
    pub fn parse(text: &str) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_str(text).ok()?;
        Some(Self {
            loaded_at: stored.loaded_at,
            keys: KeySet::parse(stored.jwks.get()).ok()?,
        })
    }

    /// `refresh`: the token names a key that is not in this set.
    pub fn look(cached: Option<&Self>, now: Timestamp, refresh: bool) -> Lookup {
        let enough = if refresh { FLOOR } else { FRESH };
        match cached {
            Some(cached) if cached.age(now) < enough => Lookup::Use(cached.keys.clone()),
            _ => Lookup::Ask,
        }
    }

    /// The answer where the issuer was not asked or gave none: what is there, unless it is known
    /// not to be enough.
    pub fn otherwise(cached: Option<Self>, now: Timestamp, refresh: bool) -> Option<KeySet> {
        cached
            .filter(|cached| !refresh && cached.age(now) < USABLE)
            .map(|cached| cached.keys)
    }

    fn age(&self, now: Timestamp) -> Duration {
        now.since(self.loaded_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"keys":[{"kty":"EC","kid":"a"}]}"#;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn cached() -> Cached {
        let (keys, text) = Cached::loaded(at(1000), BODY).unwrap();
        let cached = Cached::parse(&text).unwrap();
        assert_eq!(cached.keys, keys);
        cached
    }

    #[test]
    fn a_set_is_asked_for_again_after_ten_minutes_and_counts_for_a_day() {
        let cached = cached();
        let look = |seconds| Cached::look(Some(&cached), at(seconds), false);
        assert_eq!(look(1599), Lookup::Use(cached.keys.clone()));
        assert_eq!(look(1600), Lookup::Ask);
        let otherwise =
            |seconds| Cached::otherwise(Some(cached.clone()), at(seconds), false).is_some();
        assert!(otherwise(1000 + 86_399));
        assert!(!otherwise(1000 + 86_400));
        assert_eq!(Cached::look(None, at(0), false), Lookup::Ask);
        assert_eq!(Cached::otherwise(None, at(0), false), None);
    }

    #[test]
    fn an_unknown_key_is_believed_unknown_for_a_minute() {
        let cached = cached();
        let look = |seconds| Cached::look(Some(&cached), at(seconds), true);
        assert_eq!(look(1059), Lookup::Use(cached.keys.clone()));
        assert_eq!(look(1060), Lookup::Ask);
        // Whether the key is unknown cannot be told from an old set.
        assert_eq!(
            Cached::otherwise(Some(cached.clone()), at(1060), true),
            None
        );
    }

    #[test]
    fn what_is_no_set_of_keys_is_not_stored() {
        for body in [
            "",
            "not found",
            "[]",
            r#"{"keys":{}}"#,
            r#"{"error":"down"}"#,
        ] {
            assert!(Cached::loaded(at(0), body).is_err(), "{body}");
        }
        let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(SET_BYTES));
        assert!(Cached::loaded(at(0), &large).is_err());
        for text in ["", "{}", r#"{"loaded_at":1,"jwks":[]}"#] {
            assert_eq!(Cached::parse(text), None, "{text}");
        }
    }
}
