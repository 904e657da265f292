use super::files::run_all;
use super::room_actions::{shown_action, shown_patch};
use clustertalk_core::auth::Role;
use clustertalk_core::delivery::{Catch, Lost, Reason, joined, page};
use clustertalk_core::ids::{MessageId, Pair, Position, Reaction, RoomName, Tag, User, UserId};
use clustertalk_core::limits::Limits;
use clustertalk_core::log::{Action, Change, Moderation, Reference, Target};
use clustertalk_core::protocol::{
    ChangedFrame, ClientFrame, Done, EntryFrame, ErrorCode, History, HistoryRange, JoinRoom,
    LeftReason, MessageFrame, Pong, PresenceFrame, Refusal, Renewed, RoomFrame, RoomPosition,
    RoomSummary, ServerFrame, Skipped, Welcome, decode,
};
use clustertalk_core::store::{Members, RoomRole, RoomSettings, RoomView, Term};
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    client: Vec<ClientCase>,
    #[serde(default)]
    server: Vec<ServerCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientCase {
    frame: Option<Value>,
    text: Option<String>,
    /// `PAD` in the text stands for this many `x`.
    pad: Option<usize>,
    reads: Option<Value>,
    refused: Option<Refused>,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    code: ErrorCode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerCase {
    example: String,
    frame: Value,
}

#[test]
fn frame_vectors_hold() {
    let examples = examples();
    let seen = Cell::new(0);
    run_all("frames", |name, vector: Vector| {
        for (index, case) in vector.client.into_iter().enumerate() {
            check_client(&format!("{name}, case {index}"), case);
        }
        for ServerCase { example, frame } in vector.server {
            let (_, ours) = examples
                .iter()
                .find(|(name, _)| *name == example)
                .unwrap_or_else(|| panic!("{name}: no example `{example}`"));
            let encoded: Value = serde_json::from_str(&ours.encode()).expect("a frame is JSON");
            assert_eq!(encoded, frame, "{name}: {example}");
            seen.set(seen.get() + 1);
        }
    });
    assert_eq!(
        seen.get(),
        examples.len(),
        "each example stands in one vector"
    );
}

fn check_client(name: &str, case: ClientCase) {
    let text = match (case.frame, case.text) {
        (Some(frame), None) => frame.to_string(),
        (None, Some(text)) => text,
        _ => panic!("{name}: a case has either `frame` or `text`"),
    };
    let text = text.replace("PAD", &"x".repeat(case.pad.unwrap_or(0)));
    match (decode(&text, &Limits::default()), case.reads, case.refused) {
        (Ok((frame, reference)), Some(expected), None) => {
            let mut read = read(frame).to_string();
            if let Some(pad) = case.pad {
                read = read.replace(&"x".repeat(pad), "PAD");
            }
            let read: Value = serde_json::from_str(&read).expect("it was written as JSON");
            assert_eq!((read, reference), (expected, case.reference), "{name}");
        }
        (Err(Refusal(error)), None, Some(expected)) => {
            assert_eq!(
                (error.code, error.reference),
                (expected.code, case.reference),
                "{name}"
            );
        }
        (Ok((frame, _)), ..) => panic!("{name}: was read as {frame:?}"),
        (Err(Refusal(error)), ..) => panic!("{name}: was refused with {error:?}"),
    }
}

/// What was understood of a frame, every field written out.
fn read(frame: ClientFrame) -> Value {
    let room_of = |JoinRoom { room, since }| json!({"room": room, "since": since});
    match frame {
        ClientFrame::Hello { user, token, rooms } => {
            let rooms = rooms.map(|rooms| rooms.into_iter().map(room_of).collect::<Vec<_>>());
            json!({"type": "hello", "user": user, "token": token, "rooms": rooms})
        }
        ClientFrame::Join(JoinRoom { room, since }) => {
            json!({"type": "join", "room": room, "since": since})
        }
        ClientFrame::Leave { room } => json!({"type": "leave", "room": room}),
        ClientFrame::Send {
            room,
            id,
            text,
            reply_to,
            mentions,
        } => {
            json!({
                "type": "send", "room": room, "id": id, "text": text, "reply_to": reply_to,
                "mentions": mentions,
            })
        }
        ClientFrame::Change {
            room,
            id,
            target,
            change,
        } => {
            json!({"type": "change", "room": room, "id": id, "target": target, "change": change})
        }
        ClientFrame::Read { room, seq } => json!({"type": "read", "room": room, "seq": seq}),
        ClientFrame::Typing { room } => json!({"type": "typing", "room": room}),
        ClientFrame::History { room, range, limit } => {
            let range = match range {
                HistoryRange::Before(seq) => json!({"before": seq}),
                HistoryRange::After(seq) => json!({"after": seq}),
                HistoryRange::Newest => json!("newest"),
            };
            json!({"type": "history", "room": room, "range": range, "limit": limit})
        }
        ClientFrame::Ping => json!({"type": "ping"}),
        ClientFrame::Token { token } => json!({"type": "token", "token": token}),
        ClientFrame::Create {
            room,
            private,
            settings,
        } => {
            json!({"type": "create", "room": room, "private": private, "settings": shown_patch(&settings)})
        }
        ClientFrame::Direct { user } => json!({"type": "direct", "user": user}),
        ClientFrame::Manage { room, action } => {
            json!({"type": "manage", "room": room, "action": shown_action(&action)})
        }
        ClientFrame::Kick { user } => json!({"type": "kick", "user": user}),
        ClientFrame::Report {
            room,
            target,
            reason,
            note,
        } => {
            json!({"type": "report", "room": room, "target": target, "reason": reason, "note": note})
        }
        ClientFrame::Dismiss { room, target } => {
            json!({"type": "dismiss", "room": room, "target": target})
        }
        ClientFrame::Restore { room, id, target } => {
            json!({"type": "restore", "room": room, "id": id, "target": target})
        }
    }
}

/// One of each frame from the server, and of each form it may take.
fn examples() -> Vec<(&'static str, ServerFrame)> {
    let room = RoomName::parse("general").unwrap();
    let user = |id: &str| User {
        id: UserId::parse(id).unwrap(),
        name: id.to_owned(),
    };
    let id = MessageId::parse("01JD").unwrap();
    let at = |seq: u64| Position::new(seq, Tag::parse(&format!("{seq:016x}")).unwrap());
    let message =
        |seq: u64, text: &str, moderation: Moderation, reply_to: Option<Reference>| MessageFrame {
            room: room.clone(),
            position: at(seq),
            prev: at(seq - 1).tag,
            id: id.clone(),
            user: user("ada"),
            text: text.to_owned(),
            at: Timestamp::from_millis(1_795_459_200_000),
            moderation,
            reply_to,
            mentions: Vec::new(),
        };
    let allowed = || Moderation {
        action: Action::Allow,
        label: None,
        policy: Some("sha256:ab".to_owned()),
    };
    let masked = Moderation {
        action: Action::Mask,
        label: Some("spam".to_owned()),
        policy: Some("sha256:ab".to_owned()),
    };
    let catch = |recovered, reason, lost| Catch {
        recovered,
        reason,
        lost,
        entries: Vec::new(),
        position: at(43),
    };
    let members = Members {
        count: 1,
        listed: vec![user("ada")],
    };
    let skipped = |from| {
        EntryFrame::Skipped(Skipped {
            room: room.clone(),
            position: at(44),
            prev: at(43).tag,
            from,
        })
    };
    let changed = |change, moderation| {
        ServerFrame::Entry(EntryFrame::Changed(Box::new(ChangedFrame {
            room: room.clone(),
            position: at(47),
            prev: at(46).tag,
            id: MessageId::parse("01JE").unwrap(),
            user: user("ada"),
            at: Timestamp::from_millis(1_795_459_300_000),
            target: Target {
                position: at(44),
                user: user("ada").id,
                id: id.clone(),
            },
            change,
            moderation,
        })))
    };
    let react = |remove| Change::React {
        reaction: Reaction::parse("\u{1f44d}").unwrap(),
        remove,
    };
    let presence = |joined, left| {
        ServerFrame::Presence(Box::new(PresenceFrame {
            room: room.clone(),
            joined,
            left,
            members_count: 2,
        }))
    };
    let error = |error| ServerFrame::Error(Box::new(error));
    let pair = Pair::of(user("ada").id, user("bob").id).unwrap();
    let view = RoomView {
        settings: RoomSettings {
            topic: Some("What next?".to_owned()),
            read_only: true,
            archived: true,
            slow_mode: Some(Duration::from_secs(30)),
            log_entries: Some(100),
            log_age: Some(Duration::from_secs(3600)),
            created_by: Some(user("ada").id),
            created_at: Some(Timestamp::from_millis(1_795_459_200_000)),
            direct: Some(pair.clone()),
        },
        role: Some(RoomRole::Member),
        muted: Some(Term {
            until: Some(Timestamp::from_millis(1_795_459_300_000)),
        }),
    };
    vec![
        (
            "welcome",
            ServerFrame::Welcome(Box::new(Welcome {
                session: "e1-1".to_owned(),
                user: user("ada"),
                edge: "e1".to_owned(),
                limits: (&Limits::default()).into(),
                rooms: vec![RoomSummary {
                    room: room.clone(),
                    members: 2,
                    with: None,
                }],
                role: None,
                expires_at: None,
            })),
        ),
        (
            "joined",
            joined(&room, &catch(true, None, None), at(43), false, &members),
        ),
        (
            "joined with a loss",
            joined(
                &room,
                &catch(false, Some(Reason::Trimmed), Some(Lost { from: 7, to: 40 })),
                at(50),
                true,
                &members,
            ),
        ),
        (
            "joined after a failover",
            joined(
                &room,
                &catch(false, Some(Reason::Diverged), None),
                at(43),
                false,
                &members,
            ),
        ),
        (
            "joined over damage",
            joined(
                &room,
                &catch(
                    false,
                    Some(Reason::Damaged),
                    Some(Lost { from: 42, to: 42 }),
                ),
                at(43),
                false,
                &members,
            ),
        ),
        ("page", page(&room, &catch(true, None, None), at(50), true)),
        (
            "message",
            ServerFrame::Entry(EntryFrame::Message(Box::new(message(
                44,
                "hello",
                allowed(),
                None,
            )))),
        ),
        (
            "message that was masked",
            ServerFrame::Entry(EntryFrame::Message(Box::new(message(
                44,
                "[CENSORED BY AI]",
                masked,
                None,
            )))),
        ),
        (
            "message that answers one by its id",
            ServerFrame::Entry(EntryFrame::Message(Box::new(message(
                44,
                "yes",
                allowed(),
                Some(Reference::Id {
                    user: UserId::parse("bob").unwrap(),
                    id: id.clone(),
                }),
            )))),
        ),
        (
            "message that answers one by its position",
            ServerFrame::Entry(EntryFrame::Message(Box::new(message(
                44,
                "yes",
                allowed(),
                Some(Reference::Position(at(41))),
            )))),
        ),
        (
            "message that mentions users",
            ServerFrame::Entry(EntryFrame::Message(Box::new(MessageFrame {
                mentions: vec![user("bob").id, user("cyd").id],
                ..message(44, "look", allowed(), None)
            }))),
        ),
        (
            "changed by an edit",
            changed(
                Change::Edit {
                    text: "hello, world".to_owned(),
                },
                Some(allowed()),
            ),
        ),
        ("changed by a deletion", changed(Change::Delete, None)),
        (
            "changed by a reaction",
            changed(react(false), Some(allowed())),
        ),
        (
            "changed by a reaction taken back",
            changed(react(true), None),
        ),
        ("skipped", ServerFrame::Entry(skipped(None))),
        ("skipped span", ServerFrame::Entry(skipped(Some(42)))),
        (
            "left",
            ServerFrame::Left {
                room: room.clone(),
                reason: None,
            },
        ),
        (
            "left by a kick",
            ServerFrame::Left {
                room: room.clone(),
                reason: Some(LeftReason::Kicked),
            },
        ),
        (
            "room",
            ServerFrame::Room(Box::new(RoomFrame::common(
                room.clone(),
                RoomSettings::default(),
            ))),
        ),
        (
            "room with all fields",
            ServerFrame::Room(Box::new(
                RoomFrame::personal(RoomName::direct(&pair), view).answering(Some("r1".to_owned())),
            )),
        ),
        (
            "done",
            ServerFrame::Done(Done {
                reference: Some("k1".to_owned()),
            }),
        ),
        (
            "welcome to a direct room",
            ServerFrame::Welcome(Box::new(Welcome {
                session: "e1-1".to_owned(),
                user: user("ada"),
                edge: "e1".to_owned(),
                limits: (&Limits::default()).into(),
                rooms: vec![RoomSummary {
                    room: RoomName::direct(&pair),
                    members: 1,
                    with: Some(user("bob").id),
                }],
                role: None,
                expires_at: None,
            })),
        ),
        (
            "ack",
            ServerFrame::Ack {
                room: room.clone(),
                id: id.clone(),
                position: at(44),
                action: Action::Mask,
            },
        ),
        (
            "history",
            ServerFrame::History(Box::new(History {
                room: room.clone(),
                messages: vec![
                    EntryFrame::Message(Box::new(message(44, "hello", allowed(), None))),
                    skipped(None),
                ],
                more: true,
                reference: Some("h1".to_owned()),
            })),
        ),
        ("presence joined", presence(Some(user("bob")), None)),
        ("presence left", presence(None, Some(user("bob")))),
        ("presence in a large room", presence(None, None)),
        (
            "typing",
            ServerFrame::Typing {
                room: room.clone(),
                user: user("bob"),
            },
        ),
        (
            "receipt",
            ServerFrame::Receipt {
                room: room.clone(),
                user: user("bob"),
                seq: 44,
            },
        ),
        ("error", error(ServerFrame::error(ErrorCode::BadJson))),
        (
            "error with all fields",
            error(
                ServerFrame::error(ErrorCode::RateLimited)
                    .answering(Some("01JD".to_owned()))
                    .in_room(room.clone())
                    .retry_after(Duration::from_millis(400)),
            ),
        ),
        (
            "welcome of a moderator with a token",
            ServerFrame::Welcome(Box::new(Welcome {
                session: "e1-1".to_owned(),
                user: user("ada"),
                edge: "e1".to_owned(),
                limits: (&Limits::default()).into(),
                rooms: Vec::new(),
                role: Some(Role::Moderator),
                expires_at: Some(Timestamp::from_millis(1_795_459_230_000)),
            })),
        ),
        (
            "renewed",
            ServerFrame::Renewed(Renewed {
                expires_at: Timestamp::from_millis(1_795_459_230_000),
                reference: Some("t1".to_owned()),
            }),
        ),
        ("draining", ServerFrame::Draining { after_ms: 5000 }),
        (
            "pong",
            ServerFrame::Pong(Pong {
                rooms: vec![RoomPosition {
                    room,
                    position: at(44),
                }],
                reference: Some("p1".to_owned()),
            }),
        ),
    ]
}
