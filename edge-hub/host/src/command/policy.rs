//! `clustertalk policy`: what the moderation makes of texts.

mod score;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::config::Policy;

pub async fn run(policy: Policy, variables: &BTreeMap<String, String>) -> Result<()> {
    match policy {
        Policy::Score(score) => score::run(score, variables).await,
    }
}
