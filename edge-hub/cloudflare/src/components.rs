//! Moderation and analytics: the components that the native host runs, bit for bit, made into modules
//! of this Worker by jco when it is built (`js/components.js`).
//!
//! A trap or an error of moderation becomes the fail policy; of analytics it costs the figures of one
//! message. The platform ends neither by a deadline of ours: an endless loop ends with the event.

use crate::settings::FailPolicy;
use clustertalk_core::{
    effect::{ForRecord, ForReview},
    event::{NoAnswer, Score, Verdict},
    log::{Action, Reference},
    store::Update,
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use worker::{
    console_warn,
    wasm_bindgen::{self, JsValue, prelude::wasm_bindgen},
};

#[wasm_bindgen(raw_module = "./components.js")]
extern "C" {
    /// JSON of a message to JSON of a verdict.
    #[wasm_bindgen(catch)]
    fn review(message: &str, reuse: u32) -> Result<String, JsValue>;
    /// JSON of an event to JSON of updates.
    #[wasm_bindgen(catch)]
    fn record(event: &str, reuse: u32) -> Result<String, JsValue>;
    /// The digests of the components by their names, as JSON.
    #[wasm_bindgen(js_name = digests)]
    fn js_digests() -> String;
}

/// The label of messages that nobody judged.
const UNREVIEWED: &str = "unreviewed";
/// Bytes of a replacement; a longer one counts as a failure.
const MOST_REPLACEMENT: usize = 16 * 1024;

pub struct Components {
    fail: FailPolicy,
    /// Calls that one instance serves.
    reuse: u32,
    /// Of the moderation component.
    policy: Option<String>,
}

#[derive(Deserialize)]
struct JsVerdict {
    action: Action,
    replacement: Option<String>,
    #[serde(default)]
    scores: Vec<JsScore>,
    rule: Option<String>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct JsScore {
    label: String,
    /// JSON has no number for what is none.
    value: Option<f32>,
}

/// As jco writes a variant.
#[derive(Deserialize)]
#[serde(tag = "tag", content = "val", rename_all = "lowercase")]
enum JsUpdate {
    Add(JsCounter),
    Unique(String),
    Top(JsCounter),
    Minute(u32),
}

#[derive(Deserialize)]
struct JsCounter {
    field: String,
    amount: u32,
}

/// The digests of the components by their names: those by which the native host knows them.
pub fn digests() -> BTreeMap<String, String> {
    serde_json::from_str(&js_digests()).unwrap_or_default()
}

impl Components {
    pub fn new(fail: FailPolicy, reuse: u32) -> Self {
        Self {
            fail,
            reuse,
            policy: digests().remove("moderation"),
        }
    }

    pub fn review(&self, message: ForReview) -> Result<Verdict, NoAnswer> {
        let reply = message.reply_to.map(|reference| match reference {
            Reference::Id { id, .. } => id.to_string(),
            Reference::Position(position) => position.to_string(),
        });
        let message = json!({
            "room": message.room,
            "user": message.user,
            "id": message.id,
            "text": message.text,
            "at": message.at.as_millis(),
            "reply": reply,
        });
        let verdict = match self.try_review(&message.to_string()) {
            Ok(verdict) => verdict,
            Err(error) => {
                console_warn!("moderation failed, a message was not reviewed: {error}");
                self.unreviewed()?
            }
        };
        Ok(Verdict {
            policy: self.policy.clone(),
            ..verdict
        })
    }

    fn try_review(&self, message: &str) -> Result<Verdict, String> {
        let verdict = review(message, self.reuse).map_err(|error| sentence(&error))?;
        let verdict: JsVerdict =
            serde_json::from_str(&verdict).map_err(|error| error.to_string())?;
        let replacement = verdict.replacement.as_ref();
        if replacement.is_some_and(|text| text.len() > MOST_REPLACEMENT) {
            return Err("its verdict is too large".to_owned());
        }
        let label = verdict.scores.first().map(|score| score.label.clone());
        let scores = verdict.scores.into_iter();
        let score = |JsScore { label, value }| Score {
            label,
            value: value.unwrap_or(0.0),
        };
        Ok(Verdict {
            action: verdict.action,
            replacement: verdict.replacement,
            label: label.filter(|label| label.len() <= 32),
            scores: scores.map(score).collect(),
            rule: verdict.rule,
            model: verdict.model,
            policy: None,
        })
    }

    /// What becomes of a message that moderation did not judge.
    fn unreviewed(&self) -> Result<Verdict, NoAnswer> {
        let action = match self.fail {
            FailPolicy::Open => Action::Flag,
            FailPolicy::Closed => Action::Block,
            FailPolicy::Hold => return Err(NoAnswer),
        };
        Ok(Verdict {
            action,
            replacement: None,
            label: Some(UNREVIEWED.to_owned()),
            scores: Vec::new(),
            rule: None,
            model: None,
            policy: None,
        })
    }

    pub fn record(&self, event: ForRecord) -> Vec<Update> {
        let event = json!({
            "room": event.room,
            "user": event.user,
            "text": event.text,
            "at": event.at.as_millis(),
            "action": event.action.as_str(),
            "label": event.label,
        });
        let updates = record(&event.to_string(), self.reuse)
            .map_err(|error| sentence(&error))
            .and_then(|updates| {
                let updates: Result<Vec<JsUpdate>, _> = serde_json::from_str(&updates);
                updates.map_err(|error| error.to_string())
            });
        match updates {
            Ok(updates) => updates.into_iter().map(Update::from).collect(),
            Err(error) => {
                console_warn!("analytics failed, a message was not counted: {error}");
                Vec::new()
            }
        }
    }
}

impl From<JsUpdate> for Update {
    fn from(update: JsUpdate) -> Self {
        match update {
            JsUpdate::Add(JsCounter { field, amount }) => Self::Add { field, amount },
            JsUpdate::Unique(value) => Self::Unique { value },
            JsUpdate::Top(JsCounter { field, amount }) => Self::Top { field, amount },
            JsUpdate::Minute(amount) => Self::Minute { amount },
        }
    }
}

fn sentence(error: &JsValue) -> String {
    error
        .as_string()
        .unwrap_or_else(|| format!("{error:?}").chars().take(200).collect())
}
