//! Loads the keys of an issuer: from Redis, where some edge has put them, or over HTTP.

use super::{Io, Performer};
use crate::auth::{Cached, KeySet, KeysUrl, Lookup};
use crate::event::NoAnswer;
use crate::redis::{Value, issuer_keys};
use crate::time::Timestamp;

impl<I: Io> Performer<'_, I> {
    pub async fn load_keys(
        &self,
        now: Timestamp,
        url: &KeysUrl,
        refresh: bool,
    ) -> Result<KeySet, NoAnswer> {
        let keyspace = self.keyspace;
        let stored = self.command(&issuer_keys::read(keyspace, url)).await?;
        let cached = match &stored[..] {
            [Value::Bytes(text)] => std::str::from_utf8(text).ok().and_then(Cached::parse),
            _ => None,
        };
        if let Lookup::Use(keys) = Cached::look(cached.as_ref(), now, refresh) {
            return Ok(keys);
        }
        let ask = issuer_keys::ask(keyspace, url, self.edge);
        if let [Value::Bytes(_)] = self.command(&ask).await?[..] {
            let body = self.io.fetch(url).await;
            let loaded =
                body.and_then(|body| Cached::loaded(now, &body).map_err(|error| error.to_string()));
            match loaded {
                Ok((keys, text)) => {
                    // If this fails the next edge asks again, a minute later.
                    let store = issuer_keys::store(keyspace, url, text);
                    let _ = self.command(&store).await;
                    return Ok(keys);
                }
                Err(error) => {
                    self.io.note(&format!("no keys from {url}: {error}"));
                    let asked = issuer_keys::asked_in_vain(keyspace, url);
                    let _ = self.command(&asked).await;
                }
            }
        }
        Cached::otherwise(cached, now, refresh).ok_or(NoAnswer)
    }
}
