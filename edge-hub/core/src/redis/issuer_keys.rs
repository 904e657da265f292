//! The keys of issuers in Redis: loaded by one edge for all. When, [`Cached`](crate::auth::Cached)
//! says.

use super::Keyspace;
use crate::auth::{FLOOR, FLOOR_AFTER_FAILURE, KeysUrl, USABLE};
use crate::time::millis;

fn key(keyspace: &Keyspace, what: &str, url: &KeysUrl) -> String {
    keyspace.control(&format!("{what}:{url}"))
}

/// The command that reads what [`store`] wrote.
pub fn read(keyspace: &Keyspace, url: &KeysUrl) -> Vec<String> {
    vec!["GET".into(), key(keyspace, "keys", url)]
}

/// The command that keeps a set for as long as it may count.
pub fn store(keyspace: &Keyspace, url: &KeysUrl, text: String) -> Vec<String> {
    let life = millis(USABLE).to_string();
    vec![
        "SET".into(),
        key(keyspace, "keys", url),
        text,
        "PX".into(),
        life,
    ]
}

/// The command that takes the right to ask the issuer; its answer is empty for whoever comes too
/// soon after another.
pub fn ask(keyspace: &Keyspace, url: &KeysUrl, edge: &str) -> Vec<String> {
    vec![
        "SET".into(),
        key(keyspace, "asked", url),
        edge.into(),
        "NX".into(),
        "PX".into(),
        millis(FLOOR).to_string(),
    ]
}

/// The command that gives the right back sooner, since the issuer brought no set.
pub fn asked_in_vain(keyspace: &Keyspace, url: &KeysUrl) -> Vec<String> {
    vec![
        "PEXPIRE".into(),
        key(keyspace, "asked", url),
        millis(FLOOR_AFTER_FAILURE).to_string(),
    ]
}
