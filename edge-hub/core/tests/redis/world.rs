//! One room on a private Redis, with the questions that the tests ask of it.

use super::server::{Client, Reply, Server};
use clustertalk_core::ids::{MessageId, Position, RoomName, Tag, User, UserId};
use clustertalk_core::limits::Limits;
use clustertalk_core::log::{
    Action, Body, Change, Draft, Moderation, Reference, body_hash, chain_tag,
};
use clustertalk_core::redis::{self, Keyspace};
use clustertalk_core::store::{Appended, Mode, Range, Stretch, Update};
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

pub struct World {
    pub server: Server,
    pub redis: Client,
    pub keyspace: Keyspace,
    pub room: RoomName,
    pub limits: Limits,
}

impl World {
    pub fn new() -> Self {
        Self::on(Server::start())
    }

    pub fn on(server: Server) -> Self {
        Self {
            redis: server.connect(),
            server,
            keyspace: Keyspace::new("ct").unwrap(),
            room: RoomName::parse("general").unwrap(),
            // So high that only the tests of the limit meet it.
            limits: Limits {
                messages_per_second: 1000,
                burst: 1_000_000,
                ..Limits::default()
            },
        }
    }

    pub fn key(&self, what: &str) -> String {
        self.keyspace.room(&self.room, what)
    }

    /// Another edge in the same room.
    pub fn edge(&self) -> Edge {
        Edge {
            redis: self.server.connect(),
            keyspace: self.keyspace.clone(),
            room: self.room.clone(),
            limits: self.limits.clone(),
        }
    }

    /// A command with the room's keys written as `@log`, `@seen`, …
    pub fn run(&mut self, command: &str) -> Reply {
        let words: Vec<String> = command
            .split(' ')
            .map(|word| {
                word.strip_prefix('@')
                    .map_or_else(|| word.to_owned(), |key| self.key(key))
            })
            .collect();
        self.redis.send(&words)
    }

    pub fn try_append(
        &mut self,
        mode: Mode,
        draft: &Draft,
        updates: &[Update],
    ) -> Result<Appended, String> {
        let call = redis::append(
            &self.keyspace,
            &self.limits,
            &self.room,
            false,
            mode,
            draft,
            updates,
        );
        let reply = self.redis.call(&call)?;
        Ok(redis::appended(&reply).expect("the reply has the contract's shape"))
    }

    pub fn append(&mut self, user: &str, id: &str) -> Appended {
        self.try_append(Mode::Append, &draft(user, id), &[])
            .expect("Redis takes it")
    }

    /// Appends `m1`, `m2`, … of one user, and answers their positions.
    pub fn fill(&mut self, ids: std::ops::RangeInclusive<u64>) -> Vec<Position> {
        ids.map(|id| stored(&self.append("ada", &format!("m{id}"))))
            .collect()
    }

    pub fn change(&mut self, by: &str, id: &str, target: Reference, change: Change) -> Appended {
        self.try_append(Mode::Append, &changing(by, id, target, &change), &[])
            .expect("Redis takes it")
    }

    /// Deletes the message `mNUMBER` of ada, under the id `dNUMBER`.
    pub fn delete(&mut self, number: u64) -> Position {
        let target = by_id("ada", &format!("m{number}"));
        stored(&self.change("ada", &format!("d{number}"), target, Change::Delete))
    }

    pub fn read(&mut self, range: Range, entries: usize, bytes: usize) -> Stretch {
        let reply = self
            .redis
            .call(&redis::read(
                &self.keyspace,
                &self.room,
                None,
                range,
                entries,
                bytes,
            ))
            .expect("Redis reads");
        redis::stretch(&reply).expect("the reply has the contract's shape")
    }

    pub fn subscribe(&self) -> Client {
        let mut client = self.server.connect();
        client.subscribe(&self.keyspace.channel(&self.room));
        client
    }

    /// Fails if anything was published that `listener` has not read.
    pub fn assert_silent(&mut self, listener: &mut Client) {
        let channel = self.keyspace.channel(&self.room);
        self.redis.send(&["PUBLISH", &channel, "the end"]);
        assert_eq!(listener.published(), "the end");
    }

    /// The stored entries, as text.
    pub fn entries(&mut self) -> Vec<String> {
        let event = |entry: Reply| entry.array().remove(1).array().remove(1).text();
        self.run("XRANGE @log - +")
            .array()
            .into_iter()
            .map(event)
            .collect()
    }

    /// Recomputes every tag and body hash of what is kept, entries and tombstones, from `start` on.
    pub fn assert_chain(&mut self, start: Position) {
        let mut all: Vec<String> = self.entries();
        all.extend(
            self.run("HVALS @tombstones")
                .array()
                .into_iter()
                .map(Reply::text),
        );
        let mut links: Vec<Chained> = all
            .iter()
            .map(|json| {
                serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
            })
            .collect();
        links.sort_by_key(|link| link.seq);
        let mut position = start;
        for link in links {
            assert_eq!(link.prev, position.tag, "prev of {}", link.seq);
            assert_eq!(link.from.unwrap_or(link.seq), position.seq + 1);
            if let (Some(salt), Some(body)) = (link.salt, link.body) {
                assert_eq!(
                    body_hash(salt, body.get()),
                    link.hash,
                    "body hash of {}",
                    link.seq
                );
            }
            let target = link.target.map(|target| target.position);
            let tag = chain_tag(
                link.prev, link.seq, link.kind, link.at, link.v, link.hash, target,
            );
            assert_eq!(tag, link.tag, "tag of {}", link.seq);
            position = Position::new(link.seq, link.tag);
        }
    }

    pub fn statistics(&mut self) -> std::collections::BTreeMap<String, String> {
        let flat: Vec<String> = self
            .run("HGETALL @stats")
            .array()
            .into_iter()
            .map(Reply::text)
            .collect();
        flat.chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect()
    }
}

/// A second writer, on a connection of its own.
pub struct Edge {
    redis: Client,
    keyspace: Keyspace,
    room: RoomName,
    limits: Limits,
}

impl Edge {
    pub fn append(&mut self, user: &str, id: &str) {
        self.store(&draft(user, id));
    }

    pub fn store(&mut self, draft: &Draft) -> Appended {
        let call = redis::append(
            &self.keyspace,
            &self.limits,
            &self.room,
            false,
            Mode::Append,
            draft,
            &[],
        );
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::appended(&reply).expect("the reply has the contract's shape")
    }
}

/// The fields of an entry that its tag covers.
#[derive(Deserialize)]
struct Chained<'a> {
    v: u32,
    seq: u64,
    from: Option<u64>,
    prev: Tag,
    tag: Tag,
    at: Timestamp,
    kind: &'a str,
    /// Of a change; a tombstone keeps no more of it.
    target: Option<Targeted>,
    hash: &'a str,
    salt: Option<&'a str>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Targeted {
    position: Position,
}

pub fn user(id: &str) -> User {
    User {
        id: UserId::parse(id).unwrap(),
        name: id.to_owned(),
    }
}

pub fn draft(user: &str, id: &str) -> Draft {
    draft_saying(user, id, "say \"hi\"\n\u{1f600} \\ ünïcödé")
}

pub fn draft_saying(by: &str, id: &str, text: &str) -> Draft {
    answering(by, id, text, None)
}

pub fn answering(by: &str, id: &str, text: &str, reply_to: Option<Reference>) -> Draft {
    let body = Body {
        id: MessageId::parse(id).unwrap(),
        user: user(by),
        text: text.to_owned(),
        reply_to,
        mentions: Vec::new(),
    };
    Draft::message(&body, &masked(), [7; 16])
}

pub fn changing(by: &str, id: &str, target: Reference, change: &Change) -> Draft {
    let moderation = matches!(change, Change::Edit { .. }).then(masked);
    let id = MessageId::parse(id).unwrap();
    Draft::change(&id, &user(by), target, change, moderation.as_ref(), [7; 16])
}

fn masked() -> Moderation {
    Moderation {
        action: Action::Mask,
        label: Some("spam".to_owned()),
        policy: None,
    }
}

pub fn by_id(user: &str, id: &str) -> Reference {
    Reference::Id {
        user: UserId::parse(user).unwrap(),
        id: MessageId::parse(id).unwrap(),
    }
}

pub fn edit(text: &str) -> Change {
    Change::Edit {
        text: text.to_owned(),
    }
}

pub fn stored(appended: &Appended) -> Position {
    match appended {
        Appended::Stored { position, .. } => *position,
        other => panic!("not stored: {other:?}"),
    }
}

pub fn tag(bits: u64) -> Tag {
    Tag::parse(&format!("{bits:016x}")).unwrap()
}

/// The ids of a stretch's messages and changes; `-N` for what has no content, by its number.
pub fn ids(stretch: &Stretch) -> Vec<String> {
    use clustertalk_core::log::Content;
    let id = |entry: &clustertalk_core::log::Entry| match &entry.content {
        Content::Message(message) => message.body.id.to_string(),
        Content::Changed(changed) => changed.id.to_string(),
        Content::Skipped | Content::Damaged => format!("-{}", entry.link.seq),
    };
    stretch.entries.iter().map(id).collect()
}
