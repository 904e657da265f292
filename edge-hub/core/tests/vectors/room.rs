//! One room with its readers: inputs in, effects out.

use super::files::run_all;
use super::stored::{Stored, stretch};
use clustertalk_core::delivery::Room;
use clustertalk_core::delivery::room::{Effect, Input, Memory, ReadTicket, Reader, Ticket, Told};
use clustertalk_core::ids::{Position, RoomName};
use clustertalk_core::limits::Limits;
use clustertalk_core::protocol::EntryFrame;
use clustertalk_core::store::Range;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    page_messages: Option<usize>,
    /// Where it stood when its host's memory was lost.
    #[serde(default)]
    resumed: Option<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    input: Given,
    effects: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "type")]
enum Given {
    Subscribed,
    Published {
        entry: Stored,
    },
    Check,
    Deleted,
    Attach {
        reader: Reader,
        since: Option<String>,
    },
    Detach {
        reader: Reader,
    },
    Turn {
        ticket: usize,
    },
    Loaded {
        ticket: usize,
        kept: Vec<Stored>,
        #[serde(default)]
        more: bool,
    },
    Failed {
        ticket: usize,
    },
    Damaged {
        ticket: usize,
    },
}

/// The tickets that a room gave out, by the order of their first appearance; 0 is the room's own.
#[derive(Default)]
struct Tickets {
    given: Vec<Ticket>,
    ranges: HashMap<usize, Range>,
}

impl Tickets {
    fn number(&mut self, ticket: Ticket) -> usize {
        let known = self.given.iter().position(|given| *given == ticket);
        known.unwrap_or_else(|| {
            self.given.push(ticket);
            self.given.len() - 1
        }) + 1
    }

    fn read(&self, number: usize) -> ReadTicket {
        match number.checked_sub(1) {
            None => ReadTicket::Room,
            Some(index) => ReadTicket::Reader(self.given[index]),
        }
    }

    fn input(&self, given: Given) -> Input {
        match given {
            Given::Subscribed => Input::Subscribed,
            Given::Published { entry } => Input::Published(entry.entry()),
            Given::Check => Input::Check,
            Given::Deleted => Input::Deleted,
            Given::Attach { reader, since } => Input::Attach {
                reader,
                since: since.map(|since| since.parse().expect("SEQ-TAG")),
            },
            Given::Detach { reader } => Input::Detach { reader },
            Given::Turn { ticket } => Input::Turn(self.given[ticket - 1]),
            Given::Loaded { ticket, kept, more } => {
                let mut stretch = stretch(&kept, self.ranges[&ticket]);
                stretch.more = more;
                Input::Loaded {
                    ticket: self.read(ticket),
                    stretch,
                }
            }
            Given::Failed { ticket } => Input::Failed(self.read(ticket)),
            Given::Damaged { ticket } => Input::Damaged(self.read(ticket)),
        }
    }

    fn told(&mut self, effect: Effect) -> Value {
        match effect {
            Effect::Read {
                ticket,
                range,
                limit,
                after,
            } => {
                let number = match ticket {
                    ReadTicket::Room => 0,
                    ReadTicket::Reader(ticket) => self.number(ticket),
                };
                self.ranges.insert(number, range);
                let range = match range {
                    Range::After(seq) => json!({ "after": seq }),
                    Range::Tail => json!("newest"),
                    other => panic!("a room does not read {other:?}"),
                };
                json!({"type": "read", "ticket": number, "range": range, "limit": limit, "after_ms": after.as_millis() as u64})
            }
            Effect::AwaitTurn { ticket, after } => {
                json!({"type": "await_turn", "reader": ticket.reader, "ticket": self.number(ticket), "after_ms": after.as_millis() as u64})
            }
            Effect::Deliver(frame) => json!({"type": "deliver", "position": position(&frame)}),
            Effect::Tell(told) => json!({"type": "tell", "frame": shown(&told)}),
            Effect::Page { reader, told } => {
                json!({"type": "page", "reader": reader, "frame": shown(&told)})
            }
            Effect::Refuse {
                reader,
                retry_after,
            } => {
                json!({"type": "refuse", "reader": reader, "retry_after_ms": retry_after.as_millis() as u64})
            }
            Effect::Follow { reader } => json!({"type": "follow", "reader": reader}),
        }
    }
}

fn position(frame: &EntryFrame) -> String {
    let position = match frame {
        EntryFrame::Message(message) => message.position,
        EntryFrame::Changed(changed) => changed.position,
        EntryFrame::Skipped(skipped) => skipped.position,
    };
    position.to_string()
}

fn shown(told: &Told) -> Value {
    let Told {
        catch,
        head,
        more,
        is_joined,
    } = told;
    let numbers: Vec<u64> = catch.entries.iter().map(|entry| entry.link.seq).collect();
    let position: &Position = &catch.position;
    let mut frame = json!({
        "type": if *is_joined { "joined" } else { "page" },
        "numbers": numbers,
        "position": position.to_string(),
        "head": head.to_string(),
        "more": more,
    });
    if *is_joined {
        frame["recovered"] = catch.recovered.into();
        frame["reason"] = json!(catch.reason);
        frame["lost"] = json!(catch.lost);
    }
    frame
}

#[test]
fn room_vectors_hold() {
    run_all("room", |name, vector: Vector| {
        let mut limits = Limits::default();
        limits.page_messages = vector.page_messages.unwrap_or(limits.page_messages);
        let general = RoomName::parse("general").unwrap();
        let mut room = match vector.resumed {
            None => Room::new(general, &limits, Memory::default()),
            Some(position) => {
                let position = position.parse().expect("SEQ-TAG");
                Room::resumed(general, &limits, Memory::default(), position)
            }
        };
        let mut tickets = Tickets::default();
        for (index, Step { input, effects }) in vector.steps.into_iter().enumerate() {
            let effects_told: Vec<Value> = room
                .handle(tickets.input(input))
                .into_iter()
                .map(|effect| tickets.told(effect))
                .collect();
            assert_eq!(effects_told, effects, "{name}, step {index}");
        }
    });
}
