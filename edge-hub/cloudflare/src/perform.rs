//! What this edge does for the hub: Redis over its own connections, the components in its own module.

use crate::{
    body::Pieces,
    components::{self, Components},
    redis::{Pool, RedisError},
};
use clustertalk_core::{
    auth::{KeysUrl, SET_BYTES},
    effect::{ForRecord, ForReview},
    event::{NoAnswer, Verdict},
    perform::{Failure, Io},
    redis::Value,
    store::Update,
};
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use worker::{Fetch, Method, Request, RequestInit, RequestRedirect, console_warn};

/// The longest that an issuer may take, from the connection to the last byte.
const FETCH_TIME: Duration = Duration::from_millis(2_500);
/// A failure within this time was that of a connection, not of Redis.
const SWIFT: Duration = Duration::from_millis(500);

pub struct Imports {
    pub pool: Rc<Pool>,
    pub components: Components,
}

impl Io for Imports {
    async fn redis(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Value>, Failure> {
        let began = crate::clock::now();
        self.pool.send(command, &arguments).await.map_err(|error| {
            if error.code() == Some("NOSCRIPT") {
                return Failure::UnknownScript;
            }
            console_warn!("Redis did not do {command}: {error}");
            let is_lost = matches!(error, RedisError::Lost);
            Failure::NoAnswer {
                at_once: is_lost && crate::clock::now().since(began) < SWIFT,
            }
        })
    }

    fn review(&self, message: ForReview) -> Result<Verdict, NoAnswer> {
        self.components.review(message)
    }

    fn record(&self, record: ForRecord) -> Vec<Update> {
        self.components.record(record)
    }

    async fn fetch(&self, url: &KeysUrl) -> Result<String, String> {
        let fetched = crate::clock::timeout(FETCH_TIME, fetch(&url.to_string())).await;
        fetched.unwrap_or_else(|| Err("no answer in time".to_owned()))
    }

    fn digests(&self) -> BTreeMap<String, String> {
        components::digests()
    }

    fn note(&self, what: &str) {
        console_warn!("{what}");
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    let mut init = RequestInit::new();
    init.with_method(Method::Get)
        .with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).map_err(|error| error.to_string())?;
    let answer = Fetch::Request(request).send().await;
    let mut answer = answer.map_err(|error| error.to_string())?;
    if answer.status_code() != 200 {
        return Err(format!("status {}", answer.status_code()));
    }
    let body = crate::body::read(Pieces::from(answer.stream()), SET_BYTES).await;
    let body = body.map_err(|error| error.to_string())?;
    String::from_utf8(body).map_err(|_| "not UTF-8".to_owned())
}
