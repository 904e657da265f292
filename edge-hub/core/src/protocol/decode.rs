//! From text to a frame that holds no nonsense, or to the error that answers it.

use super::{ErrorCode, ErrorFrame, ServerFrame};
use crate::ids::{MAX_SEQ, MessageId, Position, Reaction, RoomName, Seq, UserId, seq_of};
use crate::limits::{Limits, MENTIONS, NOTE_BYTES, SLOW_MODE_MILLIS, TOPIC_BYTES};
use crate::log::moderation::Reason;
use crate::log::{Change, Reference};
use crate::store::{RoomAction, RoomPatch};
use crate::time::millis;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// A frame from a client. Each variant stands in PROTOCOL.md under its wire name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    Hello {
        user: Option<UserId>,
        token: Option<String>,
        /// `None`: the first default room.
        rooms: Option<Vec<JoinRoom>>,
    },
    Join(JoinRoom),
    Leave {
        room: RoomName,
    },
    Send {
        room: RoomName,
        id: MessageId,
        text: String,
        reply_to: Option<Reference>,
        mentions: Vec<UserId>,
    },
    /// `edit`, `delete` and `react`.
    Change {
        room: RoomName,
        id: MessageId,
        target: Reference,
        change: Change,
    },
    Read {
        room: RoomName,
        seq: Seq,
    },
    Typing {
        room: RoomName,
    },
    History {
        room: RoomName,
        range: HistoryRange,
        limit: Option<usize>,
    },
    Ping,
    Token {
        token: String,
    },
    Create {
        /// What a private room's name is made of.
        room: RoomName,
        private: bool,
        settings: RoomPatch,
    },
    /// The direct room with this user.
    Direct {
        user: UserId,
    },
    /// `configure`, `delete_room`, `grant`, `revoke`, `kick` from a room, `mute`, `ban` and `unban`.
    Manage {
        room: RoomName,
        action: RoomAction,
    },
    /// From everywhere.
    Kick {
        user: UserId,
    },
    /// Tells the moderators of a message.
    Report {
        room: RoomName,
        target: Reference,
        reason: Reason,
        note: Option<String>,
    },
    /// Takes a message from the moderators' queue.
    Dismiss {
        room: RoomName,
        target: Reference,
    },
    /// Shows again what was masked.
    Restore {
        room: RoomName,
        id: MessageId,
        target: Reference,
    },
}

/// A room to join, and where the client stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRoom {
    pub room: RoomName,
    pub since: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    Before(Seq),
    After(Seq),
    Newest,
}

/// Why a frame was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Box<ErrorFrame>);

impl Refusal {
    fn new(code: ErrorCode) -> Self {
        Self(Box::new(ServerFrame::error(code)))
    }

    fn because(code: ErrorCode, reason: &str) -> Self {
        // The reason may quote the frame.
        let reason: String = reason.chars().take(200).collect();
        Self(Box::new(ServerFrame::error(code).because(&reason)))
    }
}

/// Reads one frame; with it comes the `ref` that an error to it carries.
pub fn decode(text: &str, limits: &Limits) -> Result<(ClientFrame, Option<String>), Refusal> {
    if text.len() > limits.frame_bytes {
        return Err(Refusal::new(ErrorCode::TooLarge));
    }
    if deeper_than(text, limits.json_depth) {
        return Err(Refusal::new(ErrorCode::TooDeep));
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Refusal::because(ErrorCode::BadJson, &error.to_string()))?;
    let Value::Object(fields) = value else {
        return Err(Refusal::because(ErrorCode::BadFrame, "not an object"));
    };
    let fields = Fields(fields);
    let reference = fields.reference();
    fields
        .frame(limits)
        .map(|frame| (frame, reference.clone()))
        .map_err(|Refusal(error)| Refusal(Box::new(error.answering(reference))))
}

/// What an error to this frame carries, for a frame that cannot be handled otherwise.
pub fn reference_of(text: &str, limits: &Limits) -> Option<String> {
    if text.len() > limits.frame_bytes || deeper_than(text, limits.json_depth) {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Fields(fields).reference(),
        _ => None,
    }
}

/// Whether arrays and objects are nested deeper than `most`, without parsing.
pub fn deeper_than(text: &str, most: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

struct Fields(Map<String, Value>);

impl Fields {
    fn frame(&self, limits: &Limits) -> Result<ClientFrame, Refusal> {
        let kind = self.text("type")?;
        Ok(match kind {
            "hello" => {
                let token = self.optional_text("token")?.map(str::to_owned);
                ClientFrame::Hello {
                    user: match token {
                        // The token says who speaks.
                        Some(_) => None,
                        None => self.user()?,
                    },
                    token,
                    rooms: self.rooms(limits)?,
                }
            }
            "join" => ClientFrame::Join(self.join()?),
            "leave" => ClientFrame::Leave { room: self.room()? },
            "send" => ClientFrame::Send {
                room: self.room()?,
                id: self.id()?,
                text: self.message(limits)?,
                reply_to: self.typed("reply_to")?,
                mentions: self.mentions()?,
            },
            "edit" | "delete" | "react" => ClientFrame::Change {
                room: self.room()?,
                id: self.id()?,
                target: self.required("target")?,
                change: match kind {
                    "edit" => Change::Edit {
                        text: self.message(limits)?,
                    },
                    "delete" => Change::Delete,
                    _ => Change::React {
                        reaction: self.required::<Reaction>("reaction")?,
                        remove: self.typed("remove")?.unwrap_or(false),
                    },
                },
            },
            "report" => ClientFrame::Report {
                room: self.room()?,
                target: self.required("target")?,
                reason: self.required("reason")?,
                note: self.note()?,
            },
            "dismiss" => ClientFrame::Dismiss {
                room: self.room()?,
                target: self.required("target")?,
            },
            "restore" => ClientFrame::Restore {
                room: self.room()?,
                id: self.id()?,
                target: self.required("target")?,
            },
            "read" => ClientFrame::Read {
                room: self.room()?,
                seq: self.number("seq")?.ok_or_else(|| missing("seq"))?,
            },
            "typing" => ClientFrame::Typing { room: self.room()? },
            "history" => {
                let range = match (self.number("before")?, self.number("after")?) {
                    (Some(_), Some(_)) => {
                        return Err(Refusal::because(
                            ErrorCode::BadFrame,
                            "`before` and `after` exclude each other",
                        ));
                    }
                    (Some(seq), None) => HistoryRange::Before(seq),
                    (None, Some(seq)) => HistoryRange::After(seq),
                    (None, None) => HistoryRange::Newest,
                };
                let limit = self
                    .number("limit")?
                    .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
                ClientFrame::History {
                    room: self.room()?,
                    range,
                    limit,
                }
            }
            "ping" => ClientFrame::Ping,
            "token" => ClientFrame::Token {
                token: self.text("token")?.to_owned(),
            },
            "create" => ClientFrame::Create {
                room: self.room()?,
                private: self.typed("private")?.unwrap_or(false),
                settings: self.settings(limits)?,
            },
            "direct" => ClientFrame::Direct {
                user: self.named_user()?,
            },
            "kick" if matches!(self.0.get("room"), None | Some(Value::Null)) => ClientFrame::Kick {
                user: self.named_user()?,
            },
            "configure" | "delete_room" | "grant" | "revoke" | "kick" | "mute" | "ban"
            | "unban" => ClientFrame::Manage {
                room: self.room()?,
                action: self.action(kind, limits)?,
            },
            _ => {
                return Err(Refusal::because(
                    ErrorCode::UnknownType,
                    &format!("`{}`", shortened(kind)),
                ));
            }
        })
    }

    /// What an error to this frame carries: its own `ref`, or the message's id.
    fn reference(&self) -> Option<String> {
        ["ref", "id"]
            .into_iter()
            .find_map(|name| self.0.get(name)?.as_str())
            .filter(|text| text.len() <= 64)
            .map(str::to_owned)
    }

    fn id(&self) -> Result<MessageId, Refusal> {
        MessageId::parse(self.text("id")?).map_err(|_| Refusal::new(ErrorCode::BadId))
    }

    /// What a message says.
    fn message(&self, limits: &Limits) -> Result<String, Refusal> {
        let text = self.text("text")?;
        if text.len() > limits.text_bytes {
            return Err(Refusal::new(ErrorCode::TooLarge));
        }
        if text.trim().is_empty() {
            return Err(Refusal::because(ErrorCode::BadFrame, "`text` is empty"));
        }
        Ok(text.to_owned())
    }

    /// What a report says beside its reason.
    fn note(&self) -> Result<Option<String>, Refusal> {
        let note = self.optional_text("note")?;
        if note.is_some_and(|note| note.len() > NOTE_BYTES) {
            return Err(Refusal::new(ErrorCode::TooLarge));
        }
        let note = note.map(str::trim).filter(|note| !note.is_empty());
        Ok(note.map(str::to_owned))
    }

    fn mentions(&self) -> Result<Vec<UserId>, Refusal> {
        let mentions: Vec<UserId> = self.typed("mentions")?.unwrap_or_default();
        if mentions.len() > MENTIONS {
            return Err(Refusal::because(
                ErrorCode::BadFrame,
                &format!("`mentions` names more than {MENTIONS} users"),
            ));
        }
        Ok(mentions)
    }

    fn action(&self, kind: &str, limits: &Limits) -> Result<RoomAction, Refusal> {
        let user = || self.named_user();
        Ok(match kind {
            "configure" => RoomAction::Configure(self.settings(limits)?),
            "delete_room" => RoomAction::Delete,
            "grant" => RoomAction::Grant {
                user: user()?,
                role: self.required("role")?,
            },
            "revoke" => RoomAction::Revoke { user: user()? },
            "kick" => RoomAction::Kick { user: user()? },
            "mute" => RoomAction::Mute {
                user: user()?,
                span: self.span("for_ms", MAX_SEQ)?,
            },
            "ban" => RoomAction::Ban {
                user: user()?,
                span: self.span("for_ms", MAX_SEQ)?,
            },
            _ => RoomAction::Unban { user: user()? },
        })
    }

    /// What is to be set of a room, within what the deployment allows.
    fn settings(&self, limits: &Limits) -> Result<RoomPatch, Refusal> {
        let topic = self.optional_text("topic")?.map(str::to_owned);
        if topic
            .as_ref()
            .is_some_and(|topic| topic.len() > TOPIC_BYTES)
        {
            return Err(Refusal::new(ErrorCode::TooLarge));
        }
        if topic
            .as_ref()
            .is_some_and(|topic| topic.contains(char::is_control))
        {
            return Err(Refusal::because(
                ErrorCode::BadFrame,
                "`topic` has a control character",
            ));
        }
        Ok(RoomPatch {
            topic,
            read_only: self.typed("read_only")?,
            archived: self.typed("archived")?,
            slow_mode: self.span("slow_mode_ms", SLOW_MODE_MILLIS)?,
            log_entries: self.number_up_to("log_entries", limits.log_entries)?,
            log_age: self.span("log_age_ms", millis(limits.log_age))?,
        })
    }

    fn named_user(&self) -> Result<UserId, Refusal> {
        self.user()?.ok_or_else(|| missing("user"))
    }

    fn user(&self) -> Result<Option<UserId>, Refusal> {
        self.optional_text("user")?
            .map(|user| UserId::parse(user).map_err(|_| Refusal::new(ErrorCode::BadUser)))
            .transpose()
    }

    fn rooms(&self, limits: &Limits) -> Result<Option<Vec<JoinRoom>>, Refusal> {
        let rooms = match self.0.get("rooms") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(rooms)) => rooms,
            Some(_) => {
                return Err(Refusal::because(
                    ErrorCode::BadFrame,
                    "`rooms` is not an array",
                ));
            }
        };
        if rooms.len() > limits.rooms_per_connection {
            return Err(Refusal::new(ErrorCode::TooManyRooms));
        }
        rooms
            .iter()
            .map(|room| match room {
                Value::Object(fields) => Fields(fields.clone()).join(),
                _ => Err(Refusal::because(
                    ErrorCode::BadFrame,
                    "an element of `rooms` is not an object",
                )),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn join(&self) -> Result<JoinRoom, Refusal> {
        Ok(JoinRoom {
            room: self.room()?,
            since: self.typed("since")?,
        })
    }

    fn room(&self) -> Result<RoomName, Refusal> {
        RoomName::parse(self.text("room")?).map_err(|_| Refusal::new(ErrorCode::BadRoom))
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    fn optional_text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::because(
                ErrorCode::BadFrame,
                &format!("`{name}` is not a string"),
            )),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_number().and_then(seq_of).map(Some).ok_or_else(|| {
                Refusal::because(
                    ErrorCode::BadFrame,
                    &format!("`{name}` is not a number from 0 to 2^53"),
                )
            }),
        }
    }

    fn number_up_to(&self, name: &str, most: u64) -> Result<Option<u64>, Refusal> {
        match self.number(name)? {
            Some(number) if number > most => Err(Refusal::because(
                ErrorCode::BadFrame,
                &format!("`{name}` is more than {most}"),
            )),
            number => Ok(number),
        }
    }

    /// A span of at most so many milliseconds.
    fn span(&self, name: &str, most: u64) -> Result<Option<Duration>, Refusal> {
        Ok(self.number_up_to(name, most)?.map(Duration::from_millis))
    }

    fn required<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<T, Refusal> {
        self.typed(name)?.ok_or_else(|| missing(name))
    }

    fn typed<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|error| {
                Refusal::because(ErrorCode::BadFrame, &format!("`{name}`: {error}"))
            }),
        }
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::because(ErrorCode::BadFrame, &format!("`{name}` is missing"))
}

fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}
