//! What a room's moderation log holds: what moderation decided, what users reported, and what moderators
//! did about it. Its entries and their chain are those of the room's own log; no text stands in them.

use super::{Action, Position, Salt, Target, rest};
use crate::event;
use crate::ids::{MessageId, Seq, UserId};
use crate::time::{Timestamp, millis};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Scores of one decision that are kept, the highest; how long a component's names may be, in bytes.
const SCORES: usize = 8;
const LABEL_BYTES: usize = 32;
const NAME_BYTES: usize = 64;

/// What an entry says. All of it goes with an erasure of whoever it names.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Decision(Box<Decision>),
    Report(Report),
    Resolution(Resolution),
}

/// What moderation decided, other than to allow it. What was flagged or masked is the entry's target,
/// or changes it; what was blocked is nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decision {
    pub user: UserId,
    /// The id of what was judged.
    pub id: MessageId,
    /// `message`, `edit` or `react`.
    pub of: String,
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// At most 8, highest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Score>,
    /// The rule and the model that decided, as the component calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The digest of the component that decided, where the host knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// How much of one label a text has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Score {
    pub label: String,
    /// 0 to 1, to three digits.
    pub value: f64,
}

/// That a user thinks a message wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    pub by: UserId,
    pub reason: Reason,
    /// At most 256 bytes, for moderators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why a message is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Spam,
    Harassment,
    Hate,
    Sexual,
    Violence,
    SelfHarm,
    Illegal,
    Other,
}

/// What a moderator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resolution {
    pub by: UserId,
    pub action: Resolved,
    /// To whom, where it is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// For how long, unless for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Resolved {
    /// There is nothing wrong.
    Dismiss,
    /// By a moderator, or by its author while it stood in the queue.
    Delete,
    /// What was masked is shown again.
    Restore,
    Kick,
    Mute,
    Ban,
    Unban,
}

impl Resolution {
    /// What was done to a message.
    pub fn of_message(by: &UserId, action: Resolved) -> Record {
        Record::Resolution(Self {
            by: by.clone(),
            action,
            user: None,
            for_ms: None,
        })
    }

    /// What was done to a user.
    pub fn of_user(by: &UserId, action: Resolved, user: &UserId, span: Option<Duration>) -> Record {
        Record::Resolution(Self {
            by: by.clone(),
            action,
            user: Some(user.clone()),
            for_ms: span.map(millis),
        })
    }
}

/// What a component said of a text, less what does not fit.
pub fn scores_of(scores: Vec<event::Score>) -> Vec<Score> {
    let fits = |score: &event::Score| (1..=LABEL_BYTES).contains(&score.label.len());
    let rounded = |score: event::Score| Score {
        label: score.label,
        value: (f64::from(score.value.clamp(0.0, 1.0)) * 1000.0).round() / 1000.0,
    };
    scores
        .into_iter()
        .filter(|score| fits(score) && score.value.is_finite())
        .take(SCORES)
        .map(rounded)
        .collect()
}

/// The name of a rule or a model, if it is not too long.
pub fn name_of(name: Option<String>) -> Option<String> {
    name.filter(|name| (1..=NAME_BYTES).contains(&name.len()))
}

impl Record {
    /// The entry's JSON from its kind on, as the scripts take it. `seed` is that of the call.
    pub fn rest(&self, seed: Salt) -> String {
        // Not the salt of the room's own entry: it stays when that one goes.
        let mut salt = Salt::default();
        let own = Sha256::new()
            .chain_update("moderation log")
            .chain_update(seed)
            .finalize();
        salt.copy_from_slice(&own[..16]);
        let (_, rest) = match self {
            Self::Decision(decision) => rest("decision", decision, None, salt),
            Self::Report(report) => rest("report", report, None, salt),
            Self::Resolution(resolution) => rest("resolution", resolution, None, salt),
        };
        rest
    }
}

/// An entry of a moderation log, as moderators see it. Its body is handed on as it stands there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recorded {
    pub seq: Seq,
    pub at: Timestamp,
    /// The message that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// `decision`, `report` or `resolution`. Neither is there where an operator erased somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BodySchema>"))]
    pub body: Option<Box<RawValue>>,
}

/// What the body may be, by the kind.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Record", untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum BodySchema {
    Decision(Decision),
    Report(Report),
    Resolution(Resolution),
}

impl Recorded {
    /// Reads an entry as the scripts store it.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut entry: Self = serde_json::from_slice(json)?;
        entry.kind = entry.kind.filter(|_| entry.body.is_some());
        Ok(entry)
    }
}

/// What of an entry names people.
#[derive(Deserialize)]
struct Named {
    seq: Seq,
    tag: super::Tag,
    target: Option<NamedTarget>,
    body: Option<NamedBody>,
}

#[derive(Deserialize)]
struct NamedTarget {
    user: Option<String>,
}

#[derive(Deserialize)]
struct NamedBody {
    user: Option<String>,
    by: Option<String>,
}

/// Where an entry stands that has to do with a user: it is of what he said, or he reported or moderated,
/// or was. `None` for others.
pub fn names(json: &[u8], user: &UserId) -> Option<Position> {
    let entry: Named = serde_json::from_slice(json).ok()?;
    let target = entry.target.and_then(|target| target.user);
    let (whom, by) = entry.body.map_or((None, None), |body| (body.user, body.by));
    [target, whom, by]
        .into_iter()
        .flatten()
        .any(|name| name == user.as_str())
        .then(|| Position::new(entry.seq, entry.tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn entry(record: &Record) -> String {
        let rest = record.rest([7; 16]);
        format!(
            r#"{{"v":1,"seq":3,"prev":"00000000000000aa","tag":"00000000000000bb","at":7,"target":{{"position":{{"seq":2,"tag":"00000000000000cc"}},"user":"ada","id":"m1"}},{rest}"#
        )
    }

    #[test]
    fn a_record_is_read_back_as_it_was() {
        let decision = Decision {
            user: user("ada"),
            id: MessageId::parse("m1").unwrap(),
            of: "message".to_owned(),
            action: Action::Flag,
            label: Some("spam".to_owned()),
            scores: scores_of(vec![event::Score {
                label: "spam".to_owned(),
                value: 0.654_321,
            }]),
            rule: None,
            model: None,
            policy: None,
        };
        assert_eq!(decision.scores[0].value.to_string(), "0.654");
        let report = Report {
            by: user("bob"),
            reason: Reason::SelfHarm,
            note: Some("look".to_owned()),
        };
        for (record, kind, body) in [
            (
                Record::Decision(Box::new(decision)),
                "decision",
                r#"{"user":"ada","id":"m1","of":"message","action":"flag","label":"spam","scores":[{"label":"spam","value":0.654}]}"#,
            ),
            (
                Record::Report(report),
                "report",
                r#"{"by":"bob","reason":"self_harm","note":"look"}"#,
            ),
            (
                Resolution::of_message(&user("mod"), Resolved::Dismiss),
                "resolution",
                r#"{"by":"mod","action":"dismiss"}"#,
            ),
        ] {
            let json = entry(&record);
            let read = Recorded::parse(json.as_bytes()).unwrap();
            assert_eq!(read.kind.as_deref(), Some(kind));
            assert_eq!(read.body.unwrap().get(), body);
            assert_eq!(read.target.unwrap().user, user("ada"));
        }
    }

    #[test]
    fn what_stands_for_an_erasure_says_nothing() {
        let json = br#"{"v":1,"seq":3,"prev":"00000000000000aa","tag":"00000000000000bb","at":7,"kind":"delete","hash":"00"}"#;
        let read = Recorded::parse(json).unwrap();
        assert_eq!((read.seq, read.kind, read.target), (3, None, None));
        assert!(read.body.is_none());
    }

    #[test]
    fn an_entry_names_whom_it_is_about_and_who_did_it() {
        let record = Resolution::of_user(&user("mod"), Resolved::Mute, &user("eve"), None);
        let json = entry(&record);
        let place = names(json.as_bytes(), &user("mod")).unwrap();
        assert_eq!(place.to_string(), "3-00000000000000bb");
        for name in ["eve", "ada"] {
            assert!(names(json.as_bytes(), &user(name)).is_some(), "{name}");
        }
        assert_eq!(names(json.as_bytes(), &user("bob")), None);
    }

    #[test]
    fn more_than_fits_is_left_out() {
        let score = |label: String| event::Score { label, value: 1.0 };
        let mut scores: Vec<_> = (0..20).map(|number| score(format!("l{number}"))).collect();
        scores[0].label = "x".repeat(33);
        scores[1].value = f32::NAN;
        let kept = scores_of(scores);
        assert_eq!((kept.len(), kept[0].label.as_str()), (8, "l2"));
        assert_eq!(name_of(Some("x".repeat(65))), None);
    }
}
