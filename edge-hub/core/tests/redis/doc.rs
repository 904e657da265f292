//! docs/redis.md is true of changes; the host's tests run its transcript.

use super::server::Reply;
use super::world::{World, by_id, edit, stored, user};
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{MessageId, Pair, Reaction, UserId};
use clustertalk_core::log::{Action, Body, Change, Draft, Moderation};
use clustertalk_core::redis::Claim;
use clustertalk_core::redis::{self, Value};
use clustertalk_core::store::{Mode, RoomAction, RoomPatch, RoomRole, Webhooks};
use clustertalk_core::time::Timestamp;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../../../../docs/redis.md");

fn block(kind: &str) -> Vec<&'static str> {
    DOCUMENT
        .lines()
        .skip_while(|line| *line != format!("```{kind}"))
        .skip(1)
        .take_while(|line| *line != "```")
        .collect()
}

/// As the document writes it: `<tag-N>` in the place of the tag that entry N was given, and so on.
fn with_placeholders(mut json: String, tags: &[String]) -> String {
    for (index, tag) in tags.iter().enumerate() {
        json = json.replace(tag, &format!("<tag-{}>", index + 1));
    }
    for (name, quote) in [("hash", "\""), ("salt", "\""), ("at", "")] {
        let key = format!(r#""{name}":{quote}"#);
        if let Some(start) = json.find(&key).map(|start| start + key.len()) {
            let length = json[start..]
                .find(|char: char| !char.is_ascii_hexdigit())
                .expect("an entry does not end with a number");
            let place = if name == "at" {
                "<time>"
            } else {
                &format!("<{name}>")
            };
            json.replace_range(start..start + length, place);
        }
    }
    json
}

/// Says, corrects, reacts and deletes, as the document tells it.
fn tell(world: &mut World) -> Vec<(String, String)> {
    let allow = Moderation {
        action: Action::Allow,
        label: None,
        policy: None,
    };
    let id = |number: usize| MessageId::parse(format!("m{number}")).unwrap();
    let message = Body {
        id: id(1),
        user: user("ada"),
        text: "Helo".to_owned(),
        reply_to: None,
        mentions: Vec::new(),
    };
    let thumb = Change::React {
        reaction: Reaction::parse("\u{1f44d}").unwrap(),
        remove: false,
    };
    let change = |number, by, change: &Change, moderation| {
        let target = by_id("ada", "m1");
        Draft::change(&id(number), &user(by), target, change, moderation, [7; 16])
    };
    [
        Draft::message(&message, &allow, [7; 16]),
        change(2, "ada", &edit("Hello"), Some(&allow)),
        change(3, "bob", &thumb, Some(&allow)),
        change(4, "ada", &Change::Delete, None),
    ]
    .iter()
    .map(|draft| {
        let position = stored(&world.try_append(Mode::Append, draft, &[]).unwrap());
        let entry = world.entries().pop().expect("it was just appended");
        (position.tag.to_string(), entry)
    })
    .collect()
}

#[test]
fn what_it_shows_of_changes_is_what_is_stored() {
    let mut world = World::new();
    let (tags, entries): (Vec<_>, Vec<_>) = tell(&mut world).into_iter().unzip();
    let shown: Vec<String> = entries
        .into_iter()
        .map(|entry| with_placeholders(entry, &tags))
        .collect();
    assert_eq!(shown, block("entries"));
    let tombstones: Vec<String> = world
        .run("HMGET @tombstones 1 2")
        .array()
        .into_iter()
        .map(|tombstone| with_placeholders(tombstone.text(), &tags))
        .collect();
    assert_eq!(tombstones, block("tombstones"));
    assert_eq!(world.run("HLEN @tombstones"), Reply::Integer(2));
}

#[test]
fn the_rights_it_names_are_enough_for_changes() {
    let mut world = World::new();
    let words = block("acl").join(" ");
    let words: Vec<&str> = words.split_whitespace().collect();
    world.redis.send(&words);
    world.run("AUTH clustertalk PASSWORD");
    world.keyspace = world.keyspace.with_webhooks(Webhooks::AllRooms);
    world.limits.log_entries = 3;
    tell(&mut world);
    world.fill(5..=9);
    let ada = UserId::parse("ada").unwrap();
    let mark = redis::mark(&world.keyspace, &world.room, &ada, 9);
    world.redis.call(&mark).expect("it may");
    let settings = RoomPatch {
        topic: Some("news".to_owned()),
        slow_mode: Some(Duration::from_secs(1)),
        log_entries: Some(2),
        ..RoomPatch::default()
    };
    let (cyd, span) = (UserId::parse("cyd").unwrap(), None);
    for action in [
        RoomAction::Configure(settings),
        RoomAction::Grant {
            user: cyd.clone(),
            role: RoomRole::Moderator,
        },
        RoomAction::Revoke { user: cyd.clone() },
        RoomAction::Ban {
            user: cyd.clone(),
            span,
        },
        RoomAction::Unban { user: cyd },
        RoomAction::Look,
    ] {
        let call = redis::manage(
            &world.keyspace,
            &world.room,
            &ada,
            Role::Admin,
            &action,
            None,
        );
        world.redis.call(&call).expect("it may");
        world.append("bob", "b1");
    }
    let delete = RoomAction::Delete;
    let pair = Pair::of(ada.clone(), UserId::parse("bob").unwrap()).unwrap();
    let direct = RoomAction::Direct(pair);
    for action in [delete, direct] {
        let call = redis::manage(
            &world.keyspace,
            &world.room,
            &ada,
            Role::Admin,
            &action,
            None,
        );
        let managed = redis::managed(&world.redis.call(&call).expect("it may")).unwrap();
        for command in redis::aftermath(&world.keyspace, &world.room, &ada, &action, &managed) {
            world.redis.send(&command);
        }
    }
    let rooms = redis::rooms_of(&[Value::Bytes(b"tech".to_vec()), Value::Nil]);
    world
        .redis
        .send(&redis::list_rooms_of(&world.keyspace, &ada));
    world
        .redis
        .send(&redis::list_private_counts(&world.keyspace, &rooms));
    let room = world.room.clone();
    let (endpoint, edge) = ("crm", "e1");
    let claim = Claim {
        room: &room,
        endpoint,
        edge,
    };
    let (since, span) = (Timestamp::default(), Duration::from_secs(60));
    for call in [
        redis::next_event(&world.keyspace, &claim, span, "", since, span, &[]),
        redis::next_event(&world.keyspace, &claim, span, "lost", since, span, &[]),
        redis::hold(&world.keyspace, &claim, span),
        redis::release(&world.keyspace, &claim),
    ] {
        world.redis.call(&call).expect("it may");
    }
    for command in redis::endpoint_since(&world.keyspace, endpoint, since) {
        world.redis.send(&command);
    }
    let found = world.redis.send(&redis::find_queues(&world.keyspace, "0"));
    assert_eq!(found.array().len(), 2);
    world.run("AUTH default x");
    assert_eq!(world.run("ACL LOG"), Reply::Array(Vec::new()));
    assert!(!world.statistics().contains_key("trim_errors"));
}
