use super::files::run_all;
use clustertalk_core::delivery::outbox::{Command, Refusal, Request};
use clustertalk_core::delivery::{Outbox, RoomCursor};
use clustertalk_core::ids::{MessageId, Position, RoomName, Seq, UserId};
use clustertalk_core::limits::CLIENT_TAGS;
use clustertalk_core::protocol::EntryFrame;
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    start: Vec<Command>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Happens {
        at_ms: Timestamp,
        input: Input,
        commands: Value,
    },
    Asks {
        at_ms: Timestamp,
        ask: Question,
        answer: Value,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Input {
    Welcomed {
        connection: u64,
        user: UserId,
        messages_per_second: u32,
    },
    Added {
        room: RoomName,
        id: MessageId,
        #[serde(rename = "self")]
        own: Option<UserId>,
        asked: Request,
        ready: bool,
    },
    Retried {
        id: MessageId,
        ready: bool,
    },
    Discarded {
        id: MessageId,
    },
    Sent {
        id: MessageId,
        after: Position,
    },
    Acked {
        id: MessageId,
        position: Position,
        cursor: Option<Vec<Position>>,
    },
    Unsent {
        id: MessageId,
    },
    Refused {
        id: MessageId,
        code: String,
        message: String,
        retry_after_ms: Option<u64>,
    },
    Passed {
        entries: Vec<Value>,
    },
    Reviewed {
        room: RoomName,
        cursor: Vec<Position>,
        head: Option<Position>,
    },
    Forked {
        room: RoomName,
        cursor: Vec<Position>,
    },
    CaughtUp {
        room: RoomName,
        lost_to: Option<Seq>,
    },
    Decided {
        room: RoomName,
        kept: Vec<Position>,
        lost: Vec<Position>,
    },
    Untold {
        room: RoomName,
        to: Seq,
    },
    Pruned,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    NextToSend {
        rooms: Vec<RoomName>,
    },
    InDoubt {
        room: RoomName,
        cursor: Vec<Position>,
    },
    IsStoredBeyond {
        room: RoomName,
        position: Position,
    },
    ResumeAt {
        room: RoomName,
    },
}

#[test]
fn outbox_vectors_hold() {
    run_all("outbox", |name, vector: Vector| {
        let mut outbox = Outbox::restored(vector.start);
        for (index, step) in vector.steps.into_iter().enumerate() {
            let (told, expected) = match step {
                Step::Happens {
                    at_ms,
                    input,
                    commands,
                } => {
                    feed(&mut outbox, at_ms, input);
                    (as_stored(&outbox), commands)
                }
                Step::Asks { at_ms, ask, answer } => (answered(&outbox, at_ms, ask), answer),
            };
            assert_eq!(told, expected, "{name}, step {index}");
        }
    });
}

fn feed(outbox: &mut Outbox, now: Timestamp, input: Input) {
    match input {
        Input::Welcomed {
            connection,
            user,
            messages_per_second,
        } => outbox.welcomed(connection, user, messages_per_second),
        Input::Added {
            room,
            id,
            own,
            asked,
            ready,
        } => outbox.add(now, room, id, asked, ready, own.as_ref()),
        Input::Retried { id, ready } => outbox.retry(&id, ready),
        Input::Discarded { id } => outbox.discard(&id),
        Input::Sent { id, after } => outbox.sent(now, &id, after),
        Input::Acked {
            id,
            position,
            cursor,
        } => {
            let cursor = cursor.map(|passed| cursor_that_passed(&passed));
            outbox.acked(now, &id, position, cursor.as_ref());
        }
        Input::Unsent { id } => outbox.unsent(&id),
        Input::Refused {
            id,
            code,
            message,
            retry_after_ms,
        } => {
            let refusal = Refusal {
                code: &code,
                message: &message,
                retry_after: retry_after_ms.map(Duration::from_millis),
            };
            outbox.refused(now, &id, refusal);
        }
        Input::Passed { entries } => {
            for written in entries {
                let entry = EntryFrame::deserialize(&written).expect("an entry");
                assert_eq!(json!(entry), written, "an entry is read whole");
                outbox.passed(now, &entry);
            }
        }
        Input::Reviewed { room, cursor, head } => {
            outbox.reviewed(now, &room, &cursor_that_passed(&cursor), head);
        }
        Input::Forked { room, cursor } => outbox.forked(&room, &cursor_that_passed(&cursor)),
        Input::CaughtUp { room, lost_to } => outbox.caught_up(&room, lost_to),
        Input::Decided { room, kept, lost } => outbox.decided(now, &room, &kept, &lost),
        Input::Untold { room, to } => outbox.untold(&room, to),
        Input::Pruned => outbox.prune(now),
    }
}

fn answered(outbox: &Outbox, now: Timestamp, question: Question) -> Value {
    match question {
        Question::NextToSend { rooms } => {
            let ready = |room: &RoomName| rooms.contains(room);
            let next = outbox.next_to_send(now, ready);
            json!({
                "id": next.map(|command| &command.id),
                "deadline_ms": outbox.next_deadline(ready),
            })
        }
        Question::InDoubt { room, cursor } => {
            json!(outbox.in_doubt(&room, &cursor_that_passed(&cursor)))
        }
        Question::IsStoredBeyond { room, position } => {
            json!(outbox.is_stored_beyond(&room, position))
        }
        Question::ResumeAt { room } => json!(outbox.resume_at(&room)),
    }
}

/// The commands as JSON, from which the same can be read.
fn as_stored(outbox: &Outbox) -> Value {
    let stored = json!(outbox.commands());
    let read: Vec<Command> = Vec::deserialize(&stored).expect("what is stored can be read");
    assert_eq!(read, outbox.commands());
    stored
}

fn cursor_that_passed(positions: &[Position]) -> RoomCursor {
    let (first, rest) = positions.split_first().expect("a cursor has a position");
    let mut cursor = RoomCursor::new(*first, CLIENT_TAGS);
    rest.iter().for_each(|position| cursor.advance(*position));
    cursor
}
