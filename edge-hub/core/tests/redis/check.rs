//! Checking a log as it lies in Redis: whole ones are found whole, and damage is found and named.

use super::server::Reply;
use super::world::{World, answering, by_id, changing, draft_saying, edit, stored};
use clustertalk_core::ids::Reaction;
use clustertalk_core::log::{Change, Checker};
use clustertalk_core::redis::{inspect, inspected};
use clustertalk_core::store::Mode;

/// Entries of a stretch: so few that there are several.
const STRETCH: usize = 3;

/// What is wrong with the world's room: `SEQ code` each.
pub fn findings(world: &mut World) -> Vec<String> {
    let (mut checker, mut from, mut found) = (Checker::new(), 0, Vec::new());
    loop {
        let call = inspect(&world.keyspace, &world.room, from, STRETCH);
        let reply = world.redis.call(&call).expect("Redis shows it");
        let stretch = inspected(&reply).expect("the reply has the contract's shape");
        let new = checker.check(&stretch);
        found.extend(
            new.iter()
                .map(|finding| format!("{} {}", finding.seq, finding.fault.code())),
        );
        match stretch.next {
            Some(next) => from = next,
            None => return found,
        }
    }
}

/// Messages 1, 3 and 4, an edit of 3, reactions, an answer, and 1 with its edit deleted: ten numbers.
fn busy() -> World {
    let mut world = World::new();
    let reaction = || Change::React {
        reaction: Reaction::parse("+1").unwrap(),
        remove: false,
    };
    for draft in [
        draft_saying("ada", "m1", "one"),
        changing("ada", "e1", by_id("ada", "m1"), &edit("uno")),
        draft_saying("bob", "m3", "three"),
        answering("ada", "m4", "four", Some(by_id("bob", "m3"))),
        changing("bob", "e5", by_id("bob", "m3"), &edit("drei")),
        changing("eve", "r6", by_id("bob", "m3"), &reaction()),
        changing("eve", "r7", by_id("ada", "m1"), &reaction()),
        changing("ada", "d8", by_id("ada", "m1"), &Change::Delete),
        draft_saying("eve", "m9", "nine"),
        draft_saying("bob", "m10", "ten"),
    ] {
        stored(&world.try_append(Mode::Append, &draft, &[]).unwrap());
    }
    world
}

/// Writes the log anew, as an intruder would who cannot change an entry in its place.
fn rewrite(world: &mut World, change: impl Fn(&mut Vec<(String, String)>)) {
    let entries = world.run("XRANGE @log - +").array();
    let mut entries: Vec<(String, String)> = entries
        .into_iter()
        .map(|entry| {
            let mut entry = entry.array();
            let event = entry.remove(1).array().remove(1).text();
            (entry.remove(0).text(), event)
        })
        .collect();
    change(&mut entries);
    world.run("DEL @log");
    let log = world.key("log");
    for (id, event) in entries {
        world.redis.send(&["XADD", &log, &id, "event", &event]);
    }
}

#[test]
fn whatever_the_scripts_write_is_whole() {
    let mut world = busy();
    assert_eq!(findings(&mut world), [""; 0]);
    world.limits.log_entries = 5;
    world.append("bob", "m11");
    assert_eq!(findings(&mut world), [""; 0]);
    world.run("DEL @log @seen @tombstones @edits");
    assert_eq!(findings(&mut world), [""; 0]);
}

#[test]
fn each_damage_is_found_where_it_is() {
    type Damage = fn(&mut World);
    let cases: [(&str, Damage, &[&str]); 14] = [
        (
            "another text",
            |world| rewrite(world, |log| log[1].1 = log[1].1.replace("four", "five")),
            &["4 altered"],
        ),
        (
            "another time",
            |world| {
                rewrite(world, |log| {
                    log[1].1 = log[1].1.replace("\"at\":1", "\"at\":2")
                })
            },
            &["4 retagged"],
        ),
        (
            "another target",
            |world| {
                rewrite(world, |log| {
                    log[3].1 = log[3].1.replace("{\"seq\":3,", "{\"seq\":4,");
                });
            },
            &["6 retagged"],
        ),
        (
            "two entries swapped",
            |world| {
                rewrite(world, |log| {
                    let (three, four) = (log[0].1.clone(), log[1].1.clone());
                    (log[0].1, log[1].1) = (four, three);
                });
            },
            // The answer lost its place, and so did what it hangs on and what hangs on it.
            &[
                "3 misplaced",
                "3 detached",
                "3 unseen",
                "3 stray",
                "4 misplaced",
                "4 detached",
                "4 unseen",
                "4 stray",
                "5 detached",
            ],
        ),
        (
            "an entry removed",
            |world| {
                world.run("XDEL @log 4-0");
            },
            &["4 hole", "4 stray"],
        ),
        (
            "the newest removed",
            |world| {
                world.run("XDEL @log 10-0");
            },
            &["10 hole", "10 stray"],
        ),
        (
            "one forged at the end",
            |world| {
                let log = world.key("log");
                let last = world.entries().pop().unwrap();
                let forged = last.replace("\"seq\":10", "\"seq\":11");
                world.redis.send(&["XADD", &log, "11-0", "event", &forged]);
            },
            &["11 detached", "11 retagged", "11 unseen"],
        ),
        (
            "one that is none",
            |world| {
                world.run("XADD @log 11-0 event hello");
            },
            &["11 unreadable"],
        ),
        (
            "a tombstone with another tag",
            |world| {
                let key = world.key("tombstones");
                let kept = world.redis.send(&["HGET", &key, "1"]).text();
                let start = kept.find("\"tag\":\"").unwrap() + 7;
                let changed = kept.replace(&kept[start..start + 16], "00000000deadbeef");
                world.redis.send(&["HSET", &key, "1", &changed]);
            },
            &["1 retagged", "2 detached"],
        ),
        (
            "a tombstone with content",
            |world| {
                let key = world.key("tombstones");
                let kept = world.redis.send(&["HGET", &key, "1"]).text();
                let more = kept.replace("\"hash\"", "\"salt\":\"\",\"hash\"");
                world.redis.send(&["HSET", &key, "1", &more]);
            },
            &["1 exhumed"],
        ),
        (
            "a tombstone of an entry that is there",
            |world| {
                let key = world.key("tombstones");
                let kept = world.redis.send(&["HGET", &key, "2"]).text();
                let other = kept.replace("\"seq\":2", "\"seq\":3");
                world.redis.send(&["HSET", &key, "3", &other]);
            },
            &["3 detached", "3 retagged", "3 twice"],
        ),
        (
            "a sender forgotten, and one made up",
            |world| {
                let seen = world.key("seen");
                world.redis.send(&["ZREM", &seen, "ada m4"]);
                world.redis.send(&["ZADD", &seen, "3", "eve m99"]);
            },
            &["3 stray", "4 unseen"],
        ),
        (
            "edits forgotten",
            |world| {
                world.run("DEL @edits");
            },
            &["5 unlisted"],
        ),
        (
            "an edit that is none",
            |world| {
                world.run("ZADD @edits 3 4");
            },
            &["4 mislisted"],
        ),
    ];
    for (name, damage, expected) in cases {
        let mut world = busy();
        damage(&mut world);
        let mut found = findings(&mut world);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_hole_that_the_next_message_closed_is_told_by_its_tombstone() {
    let mut world = busy();
    world.run("XDEL @log 9-0 10-0");
    world.append("bob", "m11");
    assert_eq!(findings(&mut world), [""; 0]);
    assert_eq!(world.run("HEXISTS @tombstones 10"), Reply::Integer(1));
}
