//! What is queued for servers of the operator, and how one edge at a time tells it.

use super::server::Reply;
use super::world::{World, by_id, draft, draft_saying, edit, stored};
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::limits::WEBHOOK_EVENTS;
use clustertalk_core::protocol::WebhookType;
use clustertalk_core::redis::{self, Claim, NextEvent};
use clustertalk_core::store::{Appended, Mode, RoomAction, RoomPatch, RoomRole, Webhooks};
use clustertalk_core::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn world() -> World {
    let mut world = World::new();
    world.keyspace = world.keyspace.with_webhooks(Webhooks::PublicRooms);
    world
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// An edge that tells the endpoint `crm`.
struct Teller {
    edge: &'static str,
    done: String,
    since: u64,
    max_age: Duration,
    wanted: Vec<WebhookType>,
}

impl Teller {
    fn new(edge: &'static str) -> Self {
        Self {
            edge,
            done: String::new(),
            since: 0,
            max_age: DAY,
            wanted: Vec::new(),
        }
    }

    fn next(&mut self, world: &mut World) -> NextEvent {
        let room = world.room.clone();
        let claim = Claim {
            room: &room,
            endpoint: "crm",
            edge: self.edge,
        };
        let since = Timestamp::from_millis(self.since);
        let call = redis::next_event(
            &world.keyspace,
            &claim,
            LEASE,
            &self.done,
            since,
            self.max_age,
            &self.wanted,
        );
        let reply = world.redis.call(&call).expect("Redis answers");
        redis::offered(&claim, &reply).expect("the contract's shape")
    }

    /// The next event as it is told: id, type and data.
    fn told(&mut self, world: &mut World) -> Option<(String, &'static str, Value)> {
        match self.next(world) {
            NextEvent::Event { done, event, .. } => {
                self.done = done;
                let event = event.expect("an event that is known");
                let data = serde_json::to_value(&event.data).unwrap();
                Some((event.id, event.kind.as_str(), data))
            }
            NextEvent::Idle => None,
            NextEvent::Busy(_) => panic!("another edge has the room"),
        }
    }

    fn all(&mut self, world: &mut World) -> Vec<(&'static str, Value)> {
        std::iter::from_fn(|| self.told(world))
            .map(|(_, kind, data)| (kind, data))
            .collect()
    }

    fn hold(&self, world: &mut World) {
        let room = world.room.clone();
        let claim = Claim {
            room: &room,
            endpoint: "crm",
            edge: self.edge,
        };
        let call = redis::hold(&world.keyspace, &claim, LEASE);
        world.redis.call(&call).expect("Redis answers");
    }

    fn release(&self, world: &mut World) {
        let room = world.room.clone();
        let claim = Claim {
            room: &room,
            endpoint: "crm",
            edge: self.edge,
        };
        let call = redis::release(&world.keyspace, &claim);
        world.redis.call(&call).expect("Redis answers");
    }
}

fn manage(world: &mut World, action: &RoomAction) {
    let admin = Role::Admin;
    let call = redis::manage(
        &world.keyspace,
        &world.room,
        &user("ada"),
        admin,
        action,
        None,
    );
    redis::managed(&world.redis.call(&call).expect("Redis answers")).expect("done");
}

#[test]
fn nothing_is_written_where_nobody_is_told() {
    let mut world = World::new();
    let channel = world.keyspace.webhooks_channel();
    let mut listener = world.server.connect();
    listener.subscribe(&channel);
    world.append("ada", "m1");
    manage(
        &mut world,
        &RoomAction::Ban {
            user: user("eve"),
            span: None,
        },
    );
    assert_eq!(world.run("EXISTS @webhooks"), Reply::Integer(0));
    // Nor of a private room, where only public ones are told of.
    world.keyspace = world.keyspace.with_webhooks(Webhooks::PublicRooms);
    world.room = RoomName::parse("private-plans-0011223344556677").unwrap();
    world.run("HSET @granted ada owner");
    stored(&world.append("ada", "m1"));
    assert_eq!(world.run("EXISTS @webhooks"), Reply::Integer(0));
    world.redis.send(&["PUBLISH", &channel, "the end"]);
    assert_eq!(listener.published(), "the end");
}

#[test]
fn what_happens_is_told_once_and_in_order() {
    let mut world = world();
    let mut listener = world.server.connect();
    listener.subscribe(&world.keyspace.webhooks_channel());
    let mut flagged = draft_saying("ada", "m1", "hello");
    flagged.label = Some("rude".to_owned());
    let position = stored(&world.try_append(Mode::Append, &flagged, &[]).unwrap());
    assert_eq!(listener.published(), world.key("webhooks"));
    world.change("ada", "e1", by_id("ada", "m1"), edit("hi"));
    let refused = draft("eve", "bad");
    let refused = world.try_append(Mode::Refuse, &refused, &[]).unwrap();
    assert_eq!(refused, Appended::Refused);
    // What was sent again was told before.
    world.append("ada", "m1");
    let mut edge = Teller::new("e1");
    let told = edge.all(&mut world);
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        ["message.created", "message.edited", "message.blocked"]
    );
    let data = &told[0].1;
    assert_eq!(
        (&data["type"], &data["text"], &data["position"]),
        (&json!("message"), &json!("hello"), &json!(position))
    );
    assert_eq!(data["moderation"]["label"], "rude");
    assert_eq!(told[1].1["text"], "hi");
    let blocked = &told[2].1;
    assert_eq!(
        (&blocked["user"], &blocked["id"], &blocked["kind"]),
        (&json!("eve"), &json!("bad"), &json!("message"))
    );
    assert_eq!(
        blocked["moderation"],
        json!({ "action": "block", "label": "spam" })
    );
    assert_eq!(edge.told(&mut world), None);
}

#[test]
fn what_is_done_to_rooms_and_users_is_told() {
    let mut world = world();
    let (eve, span) = (user("eve"), Some(Duration::from_secs(60)));
    let topic = RoomPatch {
        topic: Some("news".to_owned()),
        ..RoomPatch::default()
    };
    for action in [
        RoomAction::Create(topic.clone()),
        RoomAction::Configure(topic),
        RoomAction::Grant {
            user: eve.clone(),
            role: RoomRole::Moderator,
        },
        RoomAction::Revoke { user: eve.clone() },
        // It is so already.
        RoomAction::Revoke { user: eve.clone() },
        RoomAction::Kick { user: eve.clone() },
        RoomAction::Mute {
            user: eve.clone(),
            span,
        },
        RoomAction::Ban {
            user: eve.clone(),
            span: None,
        },
        RoomAction::Unban { user: eve.clone() },
        RoomAction::Look,
        RoomAction::Delete,
    ] {
        manage(&mut world, &action);
    }
    let told = Teller::new("e1").all(&mut world);
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            "room.created",
            "room.changed",
            "role.granted",
            "role.revoked",
            "user.kicked",
            "user.muted",
            "user.banned",
            "user.unbanned",
            "room.deleted"
        ]
    );
    assert_eq!(told[1].1["changed"], json!(["topic"]));
    assert_eq!(
        (&told[2].1["by"], &told[2].1["user"], &told[2].1["role"]),
        (&json!("ada"), &json!("eve"), &json!("moderator"))
    );
    assert!(told[5].1["until"].is_u64() && told[6].1["until"].is_null());
}

#[test]
fn what_was_deleted_is_told_without_its_text() {
    let mut world = world();
    world.append("ada", "m1");
    world.delete(1);
    let told = Teller::new("e1").all(&mut world);
    assert_eq!(told[0].0, "message.created");
    assert_eq!(
        (&told[0].1["removed"], &told[0].1["text"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        (told[1].0, &told[1].1["target"]["id"]),
        ("message.deleted", &json!("m1"))
    );
}

#[test]
fn one_edge_at_a_time_tells_and_another_goes_on_where_it_stood() {
    let mut world = world();
    world.fill(1..=3);
    let (mut one, mut other) = (Teller::new("e1"), Teller::new("e2"));
    let (first, ..) = one.told(&mut world).unwrap();
    assert!(matches!(other.next(&mut world), NextEvent::Busy(left) if left <= LEASE));
    // It could not be told: it is the same event, and whoever comes next knows how often it failed.
    one.hold(&mut world);
    one.done.clear();
    one.release(&mut world);
    let NextEvent::Event {
        failures, event, ..
    } = other.next(&mut world)
    else {
        panic!("there is something to tell");
    };
    assert_eq!((failures, event.unwrap().id), (1, first));
    other.told(&mut world);
    let (_, _, second) = other.told(&mut world).unwrap();
    assert_eq!(second["id"], "m2");
    // What the first has done counts no more, and holds up nobody.
    one.done = "9999999999999-9".to_owned();
    one.hold(&mut world);
    assert!(matches!(one.next(&mut world), NextEvent::Busy(_)));
    let (_, _, third) = other.told(&mut world).unwrap();
    assert_eq!(third["id"], "m3");
}

#[test]
fn what_a_full_queue_dropped_is_told_before_what_follows() {
    let mut world = world();
    let mut edge = Teller::new("e1");
    world.append("ada", "m0");
    edge.told(&mut world);
    let most = WEBHOOK_EVENTS as u64;
    world.fill(1..=most + 2);
    assert_eq!(
        world.run("XLEN @webhooks"),
        Reply::Integer(WEBHOOK_EVENTS as i64)
    );
    let (id, kind, lost) = edge.told(&mut world).unwrap();
    assert_eq!(
        (kind, &lost["queue_full"], &lost["too_old"]),
        ("events.lost", &json!(2), &json!(0))
    );
    // Until it is told it stays the same.
    edge.done.clear();
    assert_eq!(edge.told(&mut world).unwrap().0, id);
    let (_, _, next) = edge.told(&mut world).unwrap();
    assert_eq!(next["id"], "m3");
    assert_eq!(edge.all(&mut world).len() as u64, most - 1);
}

#[test]
fn what_is_too_old_is_given_up_and_counted() {
    let mut world = world();
    world.fill(1..=3);
    let mut edge = Teller::new("e1");
    edge.max_age = Duration::ZERO;
    std::thread::sleep(Duration::from_millis(5));
    let (_, kind, lost) = edge.told(&mut world).unwrap();
    assert_eq!(
        (kind, &lost["queue_full"], &lost["too_old"]),
        ("events.lost", &json!(0), &json!(3))
    );
    assert_eq!(edge.told(&mut world), None);
}

#[test]
fn an_endpoint_gets_what_it_asked_for_from_when_it_was_set_up() {
    let mut world = world();
    world.fill(1..=3);
    std::thread::sleep(Duration::from_millis(5));
    let mut edge = Teller::new("e1");
    let time = world.run("TIME").array().remove(0).text();
    edge.since = time.parse::<u64>().unwrap() * 1000 + 1000;
    assert_eq!(edge.told(&mut world), None);
    let mut edge = Teller::new("e1");
    edge.wanted = vec![WebhookType::MessageDeleted];
    world.delete(2);
    world.fill(4..=4);
    // The first three were before its time, when it last asked.
    let told = edge.all(&mut world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1["target"]["id"], "m2");
}

#[test]
fn a_queue_that_was_cut_by_hand_goes_on() {
    let mut world = world();
    world.fill(1..=2);
    let mut edge = Teller::new("e1");
    edge.all(&mut world);
    let last = world
        .run("XREVRANGE @webhooks + - COUNT 1")
        .array()
        .remove(0)
        .array()
        .remove(0)
        .text();
    world.run(&format!("XDEL @webhooks {last}"));
    std::thread::sleep(Duration::from_millis(5));
    world.fill(3..=3);
    assert_eq!(edge.all(&mut world)[0].1["id"], "m3");
    world.run("DEL @webhooks");
    std::thread::sleep(Duration::from_millis(5));
    world.fill(4..=4);
    assert_eq!(edge.all(&mut world)[0].1["id"], "m4");
}

#[test]
fn a_queue_of_another_type_stores_nothing() {
    let mut world = world();
    world.run("SET @webhooks x");
    let refused = world.try_append(Mode::Append, &draft("ada", "m1"), &[]);
    assert!(refused.is_err_and(|error| error.contains("WRONGTYPE")));
    assert_eq!(world.run("EXISTS @log"), Reply::Integer(0));
}
