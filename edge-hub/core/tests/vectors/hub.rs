use super::files::run_all;
use super::signer::{Keys, Order};
use super::stored::{Stored, stretch};
use clustertalk_core::auth::PrivateRooms;
use clustertalk_core::effect::Effect;
use clustertalk_core::event::{Event, NoAnswer, Verdict};
use clustertalk_core::hub::{Connection, Hub, Settings};
use clustertalk_core::ids::{Position, RoomName, Seq};
use clustertalk_core::log::{Action, MESSAGE};
use clustertalk_core::store::{Appended, Marked, Mode, Range, RoomCount, Update};
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    connection: Connected,
    #[serde(default)]
    limits: Limits,
    /// Whether the issuers of the test keys are configured.
    #[serde(default)]
    issuers: bool,
    #[serde(default)]
    private_rooms: String,
    /// By the name under which frames have them, as `TOKEN NAME`.
    #[serde(default)]
    tokens: BTreeMap<String, Order>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Connected {
    anonymous: bool,
    token: Option<String>,
}

impl Default for Connected {
    fn default() -> Self {
        Self {
            anonymous: true,
            token: None,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    rooms_per_connection: Option<usize>,
    refused_in_a_row: Option<u8>,
    burst: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_ms: u64,
    event: Happened,
    effects: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Happened {
    Opened {},
    Frame {
        frame: Option<Value>,
        text: Option<String>,
    },
    WokeUp {},
    Closed {},
    /// The component did not finish: its instance is gone, the old session bytes stay.
    Trapped {},
    Reviewed {
        verdict: Option<Judged>,
    },
    Recorded {
        updates: Vec<Counted>,
    },
    Appended {
        outcome: Option<Outcome>,
    },
    Marked {
        marked: Option<Read>,
    },
    Loaded {
        kept: Option<Vec<Stored>>,
        more: Option<bool>,
    },
    RoomsListed {
        rooms: Option<Vec<Listed>>,
    },
    RoomOpened {
        opened: Option<bool>,
    },
    PresenceChanged {
        members: Option<u64>,
    },
    KeysLoaded {
        /// Names of test keys.
        keys: Option<Vec<String>>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    action: Action,
    replacement: Option<String>,
    label: Option<String>,
    policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Counted {
    Add { field: String, amount: u32 },
    Unique { value: String },
    Top { field: String, amount: u32 },
    Minute { amount: u32 },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Outcome {
    Stored {
        position: Position,
        at: Timestamp,
        action: Action,
    },
    Duplicate {
        position: Position,
        action: Action,
    },
    Refused {},
    Banned {
        until: Option<Timestamp>,
    },
    RateLimited {
        retry_after_ms: u64,
    },
    Unpublishable {},
    StaleTarget {},
    TargetMissing {},
    Forbidden {},
    TooManyChanges {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    seq: Seq,
    moved: bool,
    readers: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    room: RoomName,
    members: u64,
}

#[test]
fn hub_vectors_hold() {
    let keys = Keys::read();
    run_all("hub", |name, vector: Vector| {
        let mut settings = Settings {
            private_rooms: PrivateRooms::parse(&vector.private_rooms).expect("patterns"),
            ..Settings::default()
        };
        if vector.issuers {
            settings.issuers = keys.issuers();
        }
        let with_tokens = |text: String| {
            vector.tokens.iter().fold(text, |text, (name, order)| {
                text.replace(&format!("TOKEN {name}"), &keys.sign(order))
            })
        };
        let limits = &mut settings.limits;
        limits.rooms_per_connection = vector
            .limits
            .rooms_per_connection
            .unwrap_or(limits.rooms_per_connection);
        limits.refused_in_a_row = vector
            .limits
            .refused_in_a_row
            .unwrap_or(limits.refused_in_a_row);
        limits.burst = vector.limits.burst.unwrap_or(limits.burst);
        let connection = Connection {
            id: "e1-1".to_owned(),
            edge: "e1".to_owned(),
            anonymous: vector.connection.anonymous,
            token: vector.connection.token.map(with_tokens),
        };
        let restore = |session: &[u8]| {
            Hub::restore(&settings, connection.clone(), session, [0; 16])
                .expect("bytes of this version")
        };
        let mut session = Vec::new();
        let mut hub = restore(&session);
        for (index, step) in vector.steps.into_iter().enumerate() {
            if step.event.is_the_hosts() {
                // A new call: nothing lasts but the session bytes.
                session = hub.session();
                hub = restore(&session);
            }
            let now = Timestamp::from_millis(step.at_ms);
            let effects: Vec<Value> = match step.event.into_event(&keys, with_tokens) {
                Some(event) => hub.handle(now, event).map(shown).collect(),
                None => {
                    hub = restore(&session);
                    Vec::new()
                }
            };
            assert_eq!(effects, step.effects, "{name}, step {index}");
        }
    });
}

impl Happened {
    fn is_the_hosts(&self) -> bool {
        matches!(
            self,
            Self::Opened {} | Self::Frame { .. } | Self::WokeUp {} | Self::Closed {}
        )
    }

    fn into_event(self, keys: &Keys, with_tokens: impl Fn(String) -> String) -> Option<Event> {
        Some(match self {
            Self::Opened {} => Event::Opened,
            Self::Frame {
                frame: Some(frame),
                text: None,
            } => Event::Frame(with_tokens(frame.to_string())),
            Self::Frame {
                frame: None,
                text: Some(text),
            } => Event::Frame(text),
            Self::Frame { .. } => panic!("an event has either `frame` or `text`"),
            Self::WokeUp {} => Event::WokeUp,
            Self::Closed {} => Event::Closed,
            Self::Trapped {} => return None,
            Self::Reviewed { verdict } => Event::Reviewed(verdict.map(verdict_of).ok_or(NoAnswer)),
            Self::Recorded { updates } => {
                Event::Recorded(updates.into_iter().map(update).collect())
            }
            Self::Appended { outcome } => Event::Appended(outcome.map(appended).ok_or(NoAnswer)),
            Self::Marked { marked } => Event::Marked(marked.map(read).ok_or(NoAnswer)),
            Self::Loaded { kept, more } => Event::Loaded(kept.ok_or(NoAnswer).map(|kept| {
                let mut stretch = stretch(&kept, Range::Tail);
                stretch.more = more.unwrap_or(false);
                stretch
            })),
            Self::RoomsListed { rooms } => Event::RoomsListed(rooms.ok_or(NoAnswer).map(|rooms| {
                let count = |Listed { room, members }| RoomCount { room, members };
                rooms.into_iter().map(count).collect()
            })),
            Self::RoomOpened { opened } => Event::RoomOpened(opened.ok_or(NoAnswer)),
            Self::PresenceChanged { members } => Event::PresenceChanged(members.ok_or(NoAnswer)),
            Self::KeysLoaded { keys: names } => {
                Event::KeysLoaded(names.map(|names| keys.set(&names)).ok_or(NoAnswer))
            }
        })
    }
}

fn verdict_of(judged: Judged) -> Verdict {
    Verdict {
        action: judged.action,
        replacement: judged.replacement,
        label: judged.label,
        policy: judged.policy,
    }
}

fn update(counted: Counted) -> Update {
    match counted {
        Counted::Add { field, amount } => Update::Add { field, amount },
        Counted::Unique { value } => Update::Unique { value },
        Counted::Top { field, amount } => Update::Top { field, amount },
        Counted::Minute { amount } => Update::Minute { amount },
    }
}

fn appended(outcome: Outcome) -> Appended {
    match outcome {
        Outcome::Stored {
            position,
            at,
            action,
        } => Appended::Stored {
            position,
            at,
            action,
        },
        Outcome::Duplicate { position, action } => Appended::Duplicate { position, action },
        Outcome::Refused {} => Appended::Refused,
        Outcome::Banned { until } => Appended::Banned { until },
        Outcome::RateLimited { retry_after_ms } => Appended::RateLimited {
            retry_after: Duration::from_millis(retry_after_ms),
        },
        Outcome::Unpublishable {} => Appended::Unpublishable,
        Outcome::StaleTarget {} => Appended::StaleTarget,
        Outcome::TargetMissing {} => Appended::TargetMissing,
        Outcome::Forbidden {} => Appended::Forbidden,
        Outcome::TooManyChanges {} => Appended::TooManyChanges,
    }
}

fn read(read: Read) -> Marked {
    Marked {
        seq: read.seq,
        moved: read.moved,
        readers: read.readers,
    }
}

/// An effect as the vectors write it.
fn shown(effect: Effect) -> Value {
    let frame_of = |frame: clustertalk_core::protocol::ServerFrame| -> Value {
        serde_json::from_str(&frame.encode()).expect("a frame is JSON")
    };
    match effect {
        Effect::Send(frame) => json!({"type": "send", "frame": frame_of(frame)}),
        Effect::Subscribe { room, since } => {
            json!({"type": "subscribe", "room": room, "since": since})
        }
        Effect::Unsubscribe { room } => json!({"type": "unsubscribe", "room": room}),
        Effect::Announce { room, frame } => {
            json!({"type": "announce", "room": room, "frame": frame_of(frame)})
        }
        Effect::Identify(user) => json!({"type": "identify", "user": user}),
        Effect::WakeAt(at) => json!({"type": "wake_at", "at_ms": at}),
        Effect::Close(code) => json!({"type": "close", "code": code.code()}),
        Effect::Review(message) => json!({
            "type": "review", "room": message.room, "user": message.user, "id": message.id,
            "text": message.text, "at_ms": message.at, "reply_to": message.reply_to,
        }),
        Effect::Record(record) => json!({
            "type": "record", "room": record.room, "user": record.user, "text": record.text,
            "at_ms": record.at, "action": record.action, "label": record.label,
        }),
        Effect::Append {
            room,
            mode,
            draft,
            updates,
        } => {
            let entry: Value = serde_json::from_str(&format!("{{{}", draft.json))
                .expect("a draft completes an entry");
            assert_eq!(entry["hash"], draft.hash);
            assert_eq!(entry["kind"], draft.kind);
            let mut append = json!({
                "type": "append", "room": room, "user": draft.user, "id": draft.id,
                "mode": match mode { Mode::Append => "append", Mode::Refuse => "refuse" },
                "body": entry["body"], "moderation": entry["moderation"],
                "updates": updates.into_iter().map(shown_update).collect::<Vec<_>>(),
            });
            // What a plain message has not is left out.
            if draft.kind != MESSAGE {
                append["kind"] = draft.kind.into();
            }
            if let Some(reference) = draft.reference {
                append["reference"] = json!(reference);
            }
            if draft.may_moderate {
                append["may_moderate"] = true.into();
            }
            append
        }
        Effect::Mark { room, user, seq } => {
            json!({"type": "mark", "room": room, "user": user, "seq": seq})
        }
        Effect::Load { room, range, limit } => {
            let (range, seq) = match range {
                Range::After(seq) => ("after", Some(seq)),
                Range::From(seq) => ("from", Some(seq)),
                Range::Before(seq) => ("before", Some(seq)),
                Range::Tail => ("tail", None),
            };
            json!({"type": "load", "room": room, "range": range, "seq": seq, "limit": limit})
        }
        Effect::ListRooms => json!({"type": "list_rooms"}),
        Effect::OpenRoom { room } => json!({"type": "open_room", "room": room}),
        Effect::Presence {
            room,
            user,
            present,
        } => {
            json!({"type": "presence", "room": room, "user": user, "present": present})
        }
        Effect::LoadKeys { url, refresh } => {
            json!({"type": "load_keys", "url": url.to_string(), "refresh": refresh})
        }
    }
}

fn shown_update(update: Update) -> Value {
    match update {
        Update::Add { field, amount } => json!({"type": "add", "field": field, "amount": amount}),
        Update::Unique { value } => json!({"type": "unique", "value": value}),
        Update::Top { field, amount } => json!({"type": "top", "field": field, "amount": amount}),
        Update::Minute { amount } => json!({"type": "minute", "amount": amount}),
    }
}
