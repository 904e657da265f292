//! What rooms have to tell servers of the operator: the queue of each room, and how far each
//! endpoint has been told.

use super::{Call, Keyspace, ReplyError, Value, WEBHOOKS, room};
use crate::delivery::frame;
use crate::ids::{MessageId, Position, RoomName, Tag, UserId};
use crate::log::{Action, Entry, Moderation};
use crate::protocol::{EntryFrame, RoomFrame, WebhookData, WebhookEvent, WebhookType};
use crate::store::RoomRole;
use crate::time::{Timestamp, millis};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// An edge that wants to tell an endpoint what happened in a room.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub room: &'a RoomName,
    /// The endpoint's name.
    pub endpoint: &'a str,
    pub edge: &'a str,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum NextEvent {
    /// Another edge does it, for this time at least.
    Busy(Duration),
    Idle,
    Event {
        /// To be handed back once it was told.
        done: String,
        /// How often it could not be told.
        failures: u32,
        /// `None` for one that this build does not know.
        event: Option<Box<WebhookEvent>>,
    },
}

impl Claim<'_> {
    fn call(&self, keyspace: &Keyspace, operation: &str, span: Duration) -> Call {
        let key = |what: &str| keyspace.room(self.room, what);
        let keys = vec![
            keyspace.webhooks(self.room),
            key(&format!("webhooks:{}", self.endpoint)),
            keyspace.log(self.room),
            key("room"),
        ];
        let arguments = vec![
            operation.to_owned(),
            self.edge.to_owned(),
            millis(span).to_string(),
        ];
        Call::new(&WEBHOOKS, keys, arguments)
    }
}

/// Asks for the next event, and for the room for `lease`, unless another edge has it.
pub fn next_event(
    keyspace: &Keyspace,
    claim: &Claim<'_>,
    lease: Duration,
    done: &str,
    since: Timestamp,
    max_age: Duration,
    wanted: &[WebhookType],
) -> Call {
    let mut call = claim.call(keyspace, "next", lease);
    let more = [
        done.to_owned(),
        since.as_millis().to_string(),
        millis(max_age).to_string(),
    ];
    let wanted = wanted.iter().map(|kind| kind.as_str().to_owned());
    let more = more.into_iter().chain(wanted).map(String::into_bytes);
    call.arguments.extend(more);
    call
}

/// Keeps the room, whose next event could not be told, until it is tried again.
pub fn hold(keyspace: &Keyspace, claim: &Claim<'_>, lease: Duration) -> Call {
    claim.call(keyspace, "hold", lease)
}

/// Leaves the room to other edges.
pub fn release(keyspace: &Keyspace, claim: &Claim<'_>) -> Call {
    claim.call(keyspace, "release", Duration::ZERO)
}

/// The answer to [`next_event`].
pub fn offered(claim: &Claim<'_>, reply: &[Value]) -> Result<NextEvent, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("webhooks");
    let text = |index: usize| reply.get(index).and_then(Value::text).ok_or(SHAPE);
    let number = |index: usize| reply.get(index).and_then(Value::number).ok_or(SHAPE);
    let failures = || Ok::<_, ReplyError>(u32::try_from(number(2)?).unwrap_or(u32::MAX));
    Ok(match text(0)? {
        "busy" => NextEvent::Busy(Duration::from_millis(number(1)?)),
        "idle" => NextEvent::Idle,
        "lost" => {
            let (at, queue_full, too_old) = (number(3)?, number(4)?, number(5)?);
            let words = [
                claim.endpoint,
                text(1)?,
                &format!("{at} {queue_full} {too_old}"),
            ];
            let at = Timestamp::from_millis(at);
            NextEvent::Event {
                done: "lost".to_owned(),
                failures: failures()?,
                event: Some(Box::new(WebhookEvent {
                    id: id(claim.room, words.into_iter()),
                    kind: WebhookType::EventsLost,
                    at,
                    data: WebhookData::Lost {
                        room: claim.room.clone(),
                        at,
                        queue_full,
                        too_old,
                    },
                })),
            }
        }
        "event" => {
            let count = usize::try_from(number(4)?).map_err(|_| SHAPE)?;
            let rest = reply.get(5..).unwrap_or_default();
            let (fields, settings) = rest.split_at_checked(count).ok_or(SHAPE)?;
            let fields: Vec<&str> = fields.iter().filter_map(Value::text).collect();
            let stored = match reply.get(3) {
                Some(Value::Bytes(json)) if !json.is_empty() => Entry::parse(json).ok(),
                _ => None,
            };
            let words = [text(1)?].into_iter().chain(fields.iter().copied());
            let id = id(claim.room, words);
            NextEvent::Event {
                done: text(1)?.to_owned(),
                failures: failures()?,
                event: event(claim.room, id, &fields, stored, settings).map(Box::new),
            }
        }
        _ => return Err(SHAPE),
    })
}

/// The start of SHA-256 over whatever tells one event from others: a number alone is given again
/// after a failover.
fn id<'a>(room: &RoomName, words: impl Iterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new_with_prefix(room.as_str());
    for word in words {
        digest.update([0]);
        digest.update(word);
    }
    let digest = digest.finalize();
    digest[..16]
        .iter()
        .fold("msg_".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn event(
    room: &RoomName,
    id: String,
    fields: &[&str],
    stored: Option<Entry>,
    settings: &[Value],
) -> Option<WebhookEvent> {
    let fields: BTreeMap<&str, &str> = fields
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let get = |name: &str| fields.get(name).copied();
    let user = |name: &str| UserId::parse(get(name)?).ok();
    let kind = WebhookType::parse(get("type")?)?;
    let at = Timestamp::from_millis(get("at")?.parse().ok()?);
    let label = get("label").map(str::to_owned);
    let data = match kind {
        WebhookType::MessageCreated
        | WebhookType::MessageEdited
        | WebhookType::MessageDeleted
        | WebhookType::MessageReacted => {
            let position = Position::new(get("seq")?.parse().ok()?, Tag::parse(get("tag")?).ok()?);
            // After a failover the number may be another entry's.
            let stored = stored.filter(|entry| entry.link.position() == position);
            match stored.map(|entry| frame(room, &entry)) {
                None | Some(EntryFrame::Skipped(_)) => WebhookData::Removed {
                    room: room.clone(),
                    position,
                    at,
                    removed: true,
                },
                Some(mut frame) => {
                    let moderation = match &mut frame {
                        EntryFrame::Message(message) => Some(&mut message.moderation),
                        EntryFrame::Changed(changed) => changed.moderation.as_mut(),
                        EntryFrame::Skipped(_) => None,
                    };
                    if let (Some(moderation), Some(label)) = (moderation, label) {
                        moderation.label = Some(label);
                    }
                    WebhookData::Entry(frame)
                }
            }
        }
        WebhookType::MessageBlocked => WebhookData::Blocked {
            room: room.clone(),
            user: user("user")?,
            id: MessageId::parse(get("id")?).ok()?,
            kind: get("kind")?.to_owned(),
            target: get("target").and_then(|target| target.parse().ok()),
            at,
            moderation: Moderation {
                action: Action::Block,
                label,
                policy: get("policy").map(str::to_owned),
            },
        },
        WebhookType::RoomCreated | WebhookType::RoomChanged | WebhookType::RoomDeleted => {
            let changed = get("changed").unwrap_or_default().split(',');
            let changed = changed.filter(|name| !name.is_empty()).map(str::to_owned);
            WebhookData::Room {
                room: Box::new(RoomFrame::common(room.clone(), room::settings(settings))),
                by: user("by")?,
                at,
                changed: changed.collect(),
            }
        }
        WebhookType::RoleGranted
        | WebhookType::RoleRevoked
        | WebhookType::UserKicked
        | WebhookType::UserMuted
        | WebhookType::UserBanned
        | WebhookType::UserUnbanned => WebhookData::User {
            room: room.clone(),
            by: user("by")?,
            user: user("user")?,
            at,
            role: get("role").and_then(RoomRole::parse),
            until: get("until")
                .and_then(|until| until.parse().ok())
                .map(Timestamp::from_millis),
        },
        WebhookType::EventsLost => return None,
    };
    Some(WebhookEvent { id, kind, at, data })
}

/// The commands that note when an endpoint was set up, by Redis' clock in ms, unless that is known,
/// and that tell it. The first edge with a new endpoint decides: what happened before is not for it.
pub fn endpoint_since(keyspace: &Keyspace, endpoint: &str, now: Timestamp) -> [Vec<String>; 2] {
    let key = keyspace.control("webhooks:since");
    let set = ["HSETNX", &key, endpoint, &now.as_millis().to_string()].map(str::to_owned);
    let get = ["HGET", &key, endpoint].map(str::to_owned);
    [set.into(), get.into()]
}

/// The command that looks for rooms with a queue, a page after the one that answered `cursor`.
pub fn find_queues(keyspace: &Keyspace, cursor: &str) -> Vec<String> {
    let pattern = format!("{}:{{*}}:webhooks", keyspace.prefix);
    let command = [
        "SCAN", cursor, "MATCH", &pattern, "COUNT", "1000", "TYPE", "stream",
    ];
    command.map(str::to_owned).into()
}

/// The answer to [`find_queues`]: the next cursor, and rooms. `None` after the last page.
pub fn found_queues(keyspace: &Keyspace, reply: &[Value]) -> (Option<String>, Vec<RoomName>) {
    let mut texts = reply.iter().filter_map(Value::text);
    let cursor = texts.next().filter(|&cursor| cursor != "0");
    let cursor = cursor.map(str::to_owned);
    let rooms = texts.filter_map(|key| keyspace.room_of_webhooks(key));
    (cursor, rooms.collect())
}
