use super::files::run_all;
use super::room_actions::shown_action;
use super::signer::{Keys, Order};
use super::stored::{Stored, stretch};
use clustertalk_core::auth::ClosedRooms;
use clustertalk_core::delivery::Notice;
use clustertalk_core::effect::Effect;
use clustertalk_core::event::{Event, NoAnswer, Verdict};
use clustertalk_core::hub::{Connection, Hub, Settings};
use clustertalk_core::ids::{MessageId, Pair, Position, RoomName, Seq, UserId};
use clustertalk_core::log::{Action, MESSAGE};
use clustertalk_core::quarantine::{Owner, Quarantine};
use clustertalk_core::store::{
    Appended, Attended, Managed, Marked, Mode, Moderated, ModerationAction, Range, Read, RoomCount,
    RoomRole, RoomSettings, RoomView, Term, Update,
};
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
    closed_rooms: String,
    /// Whether originals of masked texts are kept.
    #[serde(default)]
    quarantine: bool,
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
        marked: Option<Marking>,
    },
    Loaded {
        kept: Option<Vec<Stored>>,
        more: Option<bool>,
        refused: Option<Refused>,
    },
    RoomsListed {
        rooms: Option<Vec<Listed>>,
    },
    RoomOpened {
        opened: Option<bool>,
    },
    PresenceChanged {
        members: Option<u64>,
        /// What one who joined finds.
        view: Option<View>,
        refused: Option<Refused>,
    },
    Managed {
        outcome: Option<ManagedAs>,
    },
    Moderated {
        outcome: Option<ModeratedAs>,
    },
    Notified {
        told: Option<bool>,
    },
    /// As edges publish it.
    Noticed {
        notice: Value,
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
    Muted {
        until: Option<Timestamp>,
    },
    Archived {},
    SlowMode {
        retry_after_ms: u64,
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

/// Why somebody is kept out of a room.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Refused {
    Forbidden {},
    Banned { until: Option<Timestamp> },
}

/// What is set of a room, and what the user is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    topic: Option<String>,
    #[serde(default)]
    read_only: bool,
    slow_mode_ms: Option<u64>,
    created_by: Option<UserId>,
    direct: Option<[UserId; 2]>,
    role: Option<RoomRole>,
    muted: Option<Muted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Muted {
    until: Option<Timestamp>,
}

impl From<View> for RoomView {
    fn from(view: View) -> Self {
        Self {
            settings: RoomSettings {
                topic: view.topic,
                read_only: view.read_only,
                slow_mode: view.slow_mode_ms.map(Duration::from_millis),
                created_by: view.created_by,
                direct: view.direct.and_then(|[one, other]| Pair::of(one, other)),
                ..RoomSettings::default()
            },
            role: view.role,
            muted: view.muted.map(|Muted { until }| Term { until }),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum ManagedAs {
    Done { view: View },
    Deleted { listed: Vec<UserId> },
    Forbidden {},
    Banned { until: Option<Timestamp> },
    Exists {},
    Full {},
    Unpublishable {},
}

impl From<ManagedAs> for Managed {
    fn from(outcome: ManagedAs) -> Self {
        match outcome {
            ManagedAs::Done { view } => Self::Done(Box::new(view.into())),
            ManagedAs::Deleted { listed } => Self::Deleted { listed },
            ManagedAs::Forbidden {} => Self::Forbidden,
            ManagedAs::Banned { until } => Self::Banned(Term { until }),
            ManagedAs::Exists {} => Self::Exists,
            ManagedAs::Full {} => Self::Full,
            ManagedAs::Unpublishable {} => Self::Unpublishable,
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum ModeratedAs {
    Done {},
    /// Sealed with the key of the tests.
    Original {
        seq: Seq,
        user: UserId,
        id: MessageId,
        text: String,
        /// For another message than it is told to be.
        #[serde(default)]
        misplaced: bool,
    },
    OriginalGone {},
    Forbidden {},
    Banned {
        until: Option<Timestamp>,
    },
    RateLimited {
        retry_after_ms: u64,
    },
    TargetMissing {},
    StaleTarget {},
    Unpublishable {},
}

impl From<ModeratedAs> for Moderated {
    fn from(outcome: ModeratedAs) -> Self {
        match outcome {
            ModeratedAs::Done {} => Self::Done,
            ModeratedAs::Original {
                seq,
                user,
                id,
                text,
                misplaced,
            } => {
                let room = if misplaced { "tech" } else { "general" };
                let owner = Owner {
                    room: &RoomName::parse(room).unwrap(),
                    user: &user,
                    id: &id,
                };
                let sealed = quarantine()
                    .seal([3; 16], owner, &text)
                    .expect("a short text");
                Self::Original {
                    seq,
                    user,
                    id,
                    sealed,
                }
            }
            ModeratedAs::OriginalGone {} => Self::OriginalGone,
            ModeratedAs::Forbidden {} => Self::Forbidden,
            ModeratedAs::Banned { until } => Self::Banned(Term { until }),
            ModeratedAs::RateLimited { retry_after_ms } => Self::RateLimited {
                retry_after: Duration::from_millis(retry_after_ms),
            },
            ModeratedAs::TargetMissing {} => Self::TargetMissing,
            ModeratedAs::StaleTarget {} => Self::StaleTarget,
            ModeratedAs::Unpublishable {} => Self::Unpublishable,
        }
    }
}

fn quarantine() -> Quarantine {
    Quarantine::new(&format!("{}=", "A".repeat(43)), Duration::from_secs(3600))
        .expect("a key of zeros")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marking {
    seq: Seq,
    moved: bool,
    readers: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    room: RoomName,
    members: u64,
    with: Option<UserId>,
}

#[test]
fn hub_vectors_hold() {
    let keys = Keys::read();
    run_all("hub", |name, vector: Vector| {
        let mut settings = Settings {
            closed_rooms: ClosedRooms::parse(&vector.closed_rooms).expect("patterns"),
            quarantine: vector.quarantine.then(quarantine),
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
            Self::Opened {}
                | Self::Frame { .. }
                | Self::WokeUp {}
                | Self::Noticed { .. }
                | Self::Closed {}
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
            Self::Marked { marked } => Event::Marked(marked.map(marking).ok_or(NoAnswer)),
            Self::Loaded {
                refused: Some(Refused::Forbidden {}),
                ..
            } => Event::Loaded(Ok(Read::Forbidden)),
            Self::Loaded {
                refused: Some(Refused::Banned { until }),
                ..
            } => Event::Loaded(Ok(Read::Banned(Term { until }))),
            Self::Loaded { kept, more, .. } => Event::Loaded(kept.ok_or(NoAnswer).map(|kept| {
                let mut stretch = stretch(&kept, Range::Tail);
                stretch.more = more.unwrap_or(false);
                Read::Stretch(stretch)
            })),
            Self::RoomsListed { rooms } => Event::RoomsListed(rooms.ok_or(NoAnswer).map(|rooms| {
                let count = |Listed {
                                 room,
                                 members,
                                 with,
                             }| RoomCount {
                    room,
                    members,
                    with,
                };
                rooms.into_iter().map(count).collect()
            })),
            Self::RoomOpened { opened } => Event::RoomOpened(opened.ok_or(NoAnswer)),
            Self::PresenceChanged {
                refused: Some(Refused::Forbidden {}),
                ..
            } => Event::PresenceChanged(Ok(Attended::Forbidden)),
            Self::PresenceChanged {
                refused: Some(Refused::Banned { until }),
                ..
            } => Event::PresenceChanged(Ok(Attended::Banned(Term { until }))),
            Self::PresenceChanged { members, view, .. } => {
                let view = view.map(RoomView::from).unwrap_or_default();
                let counted = |_| Attended::Counted(Box::new(view));
                Event::PresenceChanged(members.ok_or(NoAnswer).map(counted))
            }
            Self::Managed { outcome } => Event::Managed(outcome.map(Managed::from).ok_or(NoAnswer)),
            Self::Moderated { outcome } => {
                Event::Moderated(outcome.map(Moderated::from).ok_or(NoAnswer))
            }
            Self::Notified { told } => Event::Notified(told.map(drop).ok_or(NoAnswer)),
            Self::Noticed { notice } => {
                Event::Noticed(Notice::parse(&notice.to_string()).expect("a notice"))
            }
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
        scores: Vec::new(),
        rule: None,
        model: None,
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
        Outcome::Banned { until } => Appended::Banned(Term { until }),
        Outcome::Muted { until } => Appended::Muted(Term { until }),
        Outcome::Archived {} => Appended::Archived,
        Outcome::SlowMode { retry_after_ms } => Appended::SlowMode {
            retry_after: Duration::from_millis(retry_after_ms),
        },
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

fn marking(marking: Marking) -> Marked {
    Marked {
        seq: marking.seq,
        moved: marking.moved,
        readers: marking.readers,
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
            if let Some(restores) = draft.restores {
                append["restores"] = restores.into();
                append["record"] = shown_record(&draft.record.expect("it is noted"));
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
        Effect::Load {
            room,
            user,
            range,
            limit,
        } => {
            let (range, seq) = match range {
                Range::After(seq) => ("after", Some(seq)),
                Range::From(seq) => ("from", Some(seq)),
                Range::Before(seq) => ("before", Some(seq)),
                Range::Tail => ("tail", None),
            };
            json!({"type": "load", "room": room, "user": user, "range": range, "seq": seq, "limit": limit})
        }
        Effect::ListRooms { user } => json!({"type": "list_rooms", "user": user}),
        Effect::Manage {
            room,
            by,
            role,
            action,
            ..
        } => {
            json!({"type": "manage", "room": room, "by": by, "role": role, "action": shown_action(&action)})
        }
        Effect::Moderate {
            room,
            by,
            role,
            action,
            record,
        } => {
            let (name, target) = match &action {
                ModerationAction::Report { target } => ("report", target),
                ModerationAction::Dismiss { target } => ("dismiss", target),
                ModerationAction::Original { target } => ("original", target),
            };
            json!({
                "type": "moderate", "room": room, "by": by, "role": role, "action": name,
                "target": target, "record": record.map(|record| shown_record(&record)),
            })
        }
        Effect::Notify(notice) => json!({"type": "notify", "notice": notice}),
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

/// What the moderation log gets.
fn shown_record(rest: &str) -> Value {
    let entry: Value = serde_json::from_str(&format!("{{{rest}")).expect("it completes an entry");
    json!({"kind": entry["kind"], "body": entry["body"]})
}

fn shown_update(update: Update) -> Value {
    match update {
        Update::Add { field, amount } => json!({"type": "add", "field": field, "amount": amount}),
        Update::Unique { value } => json!({"type": "unique", "value": value}),
        Update::Top { field, amount } => json!({"type": "top", "field": field, "amount": amount}),
        Update::Minute { amount } => json!({"type": "minute", "amount": amount}),
    }
}
