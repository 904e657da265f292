//! Who is in the lists of a room, told page by page to its moderators and owners; and the bucket of
//! commands over HTTP.

use super::room::{grant, mute, unban};
use super::server::Reply;
use super::world::World;
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::limits::Limits;
use clustertalk_core::redis;
use clustertalk_core::store::{Listed, Managed, RoomAction, RoomList, RoomPatch, RoomRole, Term};
use std::time::Duration;

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

fn ban(user: &str, millis: Option<u64>) -> RoomAction {
    RoomAction::Ban {
        user: id(user),
        span: millis.map(Duration::from_millis),
    }
}

impl World {
    fn list(&mut self, by: &str, list: RoomList, after: Option<&str>, limit: usize) -> Listed {
        self.list_by((by, Role::Member), list, after, limit)
    }

    fn list_by(
        &mut self,
        (by, role): (&str, Role),
        list: RoomList,
        after: Option<&str>,
        limit: usize,
    ) -> Listed {
        let (keyspace, room) = (self.keyspace.clone(), self.room.clone());
        let call = redis::list(&keyspace, &room, &id(by), role, list, after, limit);
        let reply = self.redis.call(&call).expect("Redis reads");
        redis::listed(&reply).expect("the reply has the contract's shape")
    }

    /// Everybody in a list, by pages of so many.
    fn all(&mut self, list: RoomList, limit: usize) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let (users, next) = match self.list("ada", list, after.as_deref(), limit) {
                Listed::Granted(rows, next) => {
                    let rows = rows.into_iter();
                    let row =
                        |(user, role): (UserId, RoomRole)| format!("{user} {}", role.as_str());
                    (rows.map(row).collect::<Vec<_>>(), next)
                }
                Listed::Kept(rows, next) => {
                    let users = rows.into_iter().map(|(user, _)| user.to_string());
                    (users.collect(), next)
                }
                other => panic!("{other:?}"),
            };
            assert!(users.len() <= limit);
            assert!(next.is_none() || users.len() == limit);
            all.extend(users);
            match next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
    }
}

#[test]
fn each_page_begins_where_the_one_before_ended() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    for user in ["bob", "Zoe", "cy|1", "mia"] {
        world.done("ada", &grant(user, RoomRole::Member));
    }
    world.done("ada", &grant("mia", RoomRole::Moderator));
    // For ever by name, those with an end before them, and one that is over.
    for (user, millis) in [
        ("eve", None),
        ("Eve", None),
        ("e-e", None),
        ("old", Some(1)),
        ("late", Some(2_000_000)),
        ("soon", Some(1_000_000)),
    ] {
        world.done("ada", &ban(user, millis));
    }
    world.done("ada", &mute("dan", Some(1_000_000)));
    std::thread::sleep(Duration::from_millis(5));
    for limit in [1, 2, 3, 10] {
        let mut members = world.all(RoomList::Granted, limit);
        members.sort();
        assert_eq!(
            members,
            [
                "Zoe member",
                "ada owner",
                "bob member",
                "cy|1 member",
                "mia moderator"
            ],
            "{limit}"
        );
        assert_eq!(
            world.all(RoomList::Bans, limit),
            ["soon", "late", "Eve", "e-e", "eve"],
            "{limit}"
        );
        assert_eq!(world.all(RoomList::Mutes, limit), ["dan"], "{limit}");
    }
    // Whoever ended a page may have left the list meanwhile.
    let Listed::Kept(rows, Some(next)) = world.list("ada", RoomList::Bans, None, 3) else {
        panic!("there are more");
    };
    assert_eq!(rows[2], (id("Eve"), Term { until: None }));
    assert!(rows[0].1.until.is_some());
    world.done("ada", &unban("Eve"));
    let rest = world.list("ada", RoomList::Bans, Some(&next), 3);
    let for_ever = |user: &str| (id(user), Term { until: None });
    assert_eq!(
        rest,
        Listed::Kept(vec![for_ever("e-e"), for_ever("eve")], None)
    );
}

#[test]
fn the_lists_are_told_to_whom_they_concern() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.done("ada", &grant("mia", RoomRole::Moderator));
    world.done("ada", &grant("mel", RoomRole::Member));
    for list in [RoomList::Granted, RoomList::Bans, RoomList::Mutes] {
        for user in ["mel", "nobody"] {
            assert_eq!(world.list(user, list, None, 9), Listed::Forbidden, "{user}");
        }
        for who in [
            ("mia", Role::Member),
            ("x", Role::Moderator),
            ("x", Role::Admin),
        ] {
            let listed = world.list_by(who, list, None, 9);
            assert!(!matches!(listed, Listed::Forbidden), "{who:?}");
        }
    }
    world.done("ada", &ban("mia", None));
    let banned = Listed::Banned(Term { until: None });
    assert_eq!(world.list("mia", RoomList::Bans, None, 9), banned);

    // Of a private room nobody outside learns whether there is one.
    let private = RoomName::private(&id("ada"), &world.room).unwrap();
    world.room = private;
    for who in [
        ("ada", Role::Member),
        ("x", Role::Moderator),
        ("x", Role::Admin),
    ] {
        let listed = world.list_by(who, RoomList::Granted, None, 9);
        assert_eq!(listed, Listed::Forbidden, "{who:?}");
    }
    world.create(RoomPatch::default());
    for who in [
        ("bob", Role::Member),
        ("x", Role::Moderator),
        ("x", Role::Admin),
    ] {
        let listed = world.list_by(who, RoomList::Granted, None, 9);
        assert_eq!(listed, Listed::Forbidden, "{who:?}");
    }
    assert_eq!(world.all(RoomList::Granted, 9), ["ada owner"]);
    let look = world.manage("bob", &RoomAction::Look);
    assert_eq!(look, Managed::Forbidden);
}

#[test]
fn a_users_commands_have_one_bucket_whatever_rooms_they_are_about() {
    let mut world = World::new();
    let limits = Limits {
        messages_per_second: 1,
        burst: 3,
        ..Limits::default()
    };
    let mut take = |user: &str| {
        let call = redis::take(&world.keyspace, &limits, &id(user));
        redis::taken(&world.redis.call(&call).expect("Redis takes it")).unwrap()
    };
    for _ in 0..3 {
        assert_eq!(take("ada"), None);
    }
    let wait = take("ada").expect("the bucket is empty");
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    assert_eq!(take("bob"), None);
    let Reply::Integer(left) = world.redis.send(&["PTTL", "ct:{@ada}:rate"]) else {
        panic!("no time that is left");
    };
    assert!((1..=4_000).contains(&left), "{left}");
}
