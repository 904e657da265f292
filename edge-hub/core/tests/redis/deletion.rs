//! What a deletion leaves: a place in the chain, and no text.

use super::server::{Reply, Server};
use super::world::{World, answering, by_id, changing, draft_saying, edit, ids, stored};
use clustertalk_core::delivery::{CatchUp, catch_up};
use clustertalk_core::ids::Position;
use clustertalk_core::log::{Change, Content, Reference};
use clustertalk_core::store::{Appended, Mode, Range, Webhooks};
use std::thread;

const SECRET: &str = "my-secret-text";

/// The keys that hold a text: whatever a command shows of each of them, or its `DUMP`.
fn holding(world: &mut World, text: &str, how: &str) -> Vec<String> {
    let script = r"
        local found, show = {}, {
          string = function(key) return redis.call('GET', key) end,
          hash = function(key) return redis.call('HGETALL', key) end,
          zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
          stream = function(key) return redis.call('XRANGE', key, '-', '+') end,
        }
        local function holds(value)
          if type(value) ~= 'table' then return string.find(tostring(value), ARGV[1], 1, true) end
          for _, item in ipairs(value) do if holds(item) then return true end end
        end
        for _, key in ipairs(redis.call('KEYS', '*')) do
          local how = ARGV[2] == 'DUMP' and 'DUMP' or redis.call('TYPE', key).ok
          if how == 'DUMP' then show.DUMP = function(key) return redis.call('DUMP', key) end end
          if holds(key) or holds(show[how](key)) then found[#found + 1] = key end
        end
        return found";
    let found = world.redis.send(&["EVAL", script, "0", text, how]);
    found.array().into_iter().map(Reply::text).collect()
}

/// A message of ada with two edits, an answer and a reaction, all but the last with the secret.
fn secret(world: &mut World) {
    for draft in [
        draft_saying("ada", "m1", SECRET),
        changing("ada", "e1", by_id("ada", "m1"), &edit(SECRET)),
        answering("bob", "b1", "what?", Some(by_id("ada", "m1"))),
        changing(
            "ada",
            "e2",
            by_id("ada", "m1"),
            &edit(&format!("no {SECRET}")),
        ),
    ] {
        let update = clustertalk_core::store::Update::Add {
            field: "messages".to_owned(),
            amount: 1,
        };
        stored(&world.try_append(Mode::Append, &draft, &[update]).unwrap());
    }
}

#[test]
fn after_a_deletion_its_text_is_nowhere() {
    let mut world = World::new();
    // What waits to be told says where a text is, and no more.
    world.keyspace = world.keyspace.with_webhooks(Webhooks::AllRooms);
    secret(&mut world);
    assert_eq!(holding(&mut world, SECRET, ""), [world.key("log")]);
    let mut listener = world.subscribe();
    world.delete(1);
    assert_eq!(holding(&mut world, SECRET, ""), [""; 0]);
    let deletion = world.entries().pop().unwrap();
    assert_eq!(listener.published(), format!(r#"{{"e":{deletion}}}"#));
    // Nor does the salt stay, without which the hash tells nothing.
    let salt = "07".repeat(16);
    assert!(world.entries().iter().all(|entry| entry.contains(&salt)));
    let tombstones = world.run("HGETALL @tombstones").array();
    assert_eq!(tombstones.len(), 6);
    for kept in tombstones {
        let kept = kept.text();
        // In quotes: a tag may contain the letters by chance.
        assert!(
            !kept.contains(&salt) && !kept.contains(r#""ada""#),
            "{kept}"
        );
    }
    // The chain goes through all of it.
    world.assert_chain(Position::ORIGIN);
    assert_eq!(
        ids(&world.read(Range::From(1), 100, 1 << 20)),
        ["-1", "-2", "b1", "-4", "d1"]
    );
    assert_eq!(world.run("EXISTS @edits"), Reply::Integer(0));
}

/// `XDEL` marks an entry and leaves its bytes until all entries of its node are gone: docs/redis.md.
#[test]
fn where_nodes_hold_one_entry_each_its_bytes_are_gone_too() {
    let options = ["--stream-node-max-entries", "1", "--rdbcompression", "no"];
    let mut world = World::on(Server::with(&options));
    secret(&mut world);
    assert_eq!(holding(&mut world, SECRET, "DUMP"), [world.key("log")]);
    world.delete(1);
    assert_eq!(holding(&mut world, SECRET, "DUMP"), [""; 0]);
}

#[test]
fn the_newest_message_can_be_deleted() {
    let mut world = World::new();
    let positions = world.fill(1..=1);
    let head = world.delete(1);
    assert_eq!(head.seq, 2);
    let stretch = world.read(Range::After(1), 100, 1 << 20);
    assert_eq!(ids(&stretch), ["-1", "d1"]);
    // Whoever had it comes on without loss.
    let CatchUp::Segments(segments) = catch_up(positions[0], stretch) else {
        panic!("its tombstone has its tag");
    };
    assert_eq!((segments.len(), segments[0].recovered), (1, true));
    assert!(matches!(
        segments[0].entries[0].content,
        Content::Changed(_)
    ));
    world.fill(2..=2);
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn a_deleted_message_is_changed_no_more() {
    let mut world = World::new();
    let position = world.fill(1..=2)[0];
    world.delete(1);
    for target in [by_id("ada", "m1"), Reference::Position(position)] {
        for change in [edit("again"), Change::Delete] {
            let outcome = world.change("ada", "c1", target.clone(), change);
            assert_eq!(outcome, Appended::TargetMissing);
        }
    }
    assert_eq!(world.entries().len(), 2);
}

#[test]
fn what_was_deleted_is_not_stored_again() {
    let mut world = World::new();
    secret(&mut world);
    world.delete(1);
    let message = world.append("ada", "m1");
    assert!(matches!(message, Appended::Duplicate { position, .. } if position.seq == 1));
    let second = world.change("ada", "e2", by_id("ada", "m1"), edit(SECRET));
    assert!(matches!(second, Appended::Duplicate { position, .. } if position.seq == 4));
    assert_eq!(holding(&mut world, SECRET, ""), [""; 0]);
}

/// Edits and a deletion race on connections of their own: whichever comes first, no text stays.
#[test]
fn an_edit_and_a_deletion_at_once_leave_no_text() {
    let mut world = World::new();
    for round in 0..30 {
        let message = format!("m{round}");
        let draft = draft_saying("ada", &message, SECRET);
        stored(&world.try_append(Mode::Append, &draft, &[]).unwrap());
        let outcomes = thread::scope(|scope| {
            let racers: Vec<_> = [
                ("e", edit(SECRET)),
                ("f", edit(SECRET)),
                ("d", Change::Delete),
            ]
            .into_iter()
            .map(|(id, change)| {
                let mut edge = world.edge();
                let draft = changing(
                    "ada",
                    &format!("{id}{round}"),
                    by_id("ada", &message),
                    &change,
                );
                scope.spawn(move || edge.store(&draft))
            })
            .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().expect("no panic"))
                .collect::<Vec<_>>()
        });
        assert!(matches!(outcomes[2], Appended::Stored { .. }));
        for outcome in &outcomes[..2] {
            assert!(
                matches!(outcome, Appended::Stored { .. } | Appended::TargetMissing),
                "{outcome:?}"
            );
        }
        assert_eq!(holding(&mut world, SECRET, ""), [""; 0], "round {round}");
    }
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn what_was_sent_again_elsewhere_is_still_known_there() {
    let mut world = World::new();
    world.fill(1..=2);
    // As after a failover: `seen` knows the message at a later place than the one that is deleted.
    let seen = world.key("seen");
    world.redis.send(&["ZADD", &seen, "7", "ada m1"]);
    let first = Position::new(
        1,
        world.read(Range::From(1), 1, 1 << 20).entries[0].link.tag,
    );
    stored(&world.change("ada", "d1", Reference::Position(first), Change::Delete));
    let score = world.redis.send(&["ZSCORE", &seen, "ada m1"]);
    assert_eq!(score, Reply::Text("7".to_owned()));
}

#[test]
fn a_deletion_copes_with_edits_that_were_removed_by_hand() {
    let mut world = World::new();
    secret(&mut world);
    world.run("XDEL @log 2-0");
    world.delete(1);
    assert_eq!(holding(&mut world, SECRET, ""), [""; 0]);
    assert_eq!(
        ids(&world.read(Range::From(1), 100, 1 << 20)),
        ["b1", "-4", "d1"],
        "nobody vouches for what is below a hole"
    );
}

#[test]
fn a_deletion_right_after_entries_that_were_removed_by_hand_closes_the_hole() {
    let mut world = World::new();
    world.fill(1..=3);
    world.run("XDEL @log 2-0 3-0");
    world.delete(1);
    world.assert_chain(Position::ORIGIN);
    assert_eq!(
        ids(&world.read(Range::From(1), 100, 1 << 20)),
        ["-1", "-3", "d1"]
    );
}

#[test]
fn keys_of_the_wrong_kind_refuse_a_change_before_anything_is_stored() {
    for key in ["edits", "tombstones"] {
        let mut world = World::new();
        world.fill(1..=1);
        world.run(&format!("SET @{key} nonsense"));
        let draft = changing("ada", "d1", by_id("ada", "m1"), &Change::Delete);
        let outcome = world.try_append(Mode::Append, &draft, &[]);
        assert!(outcome.is_err(), "{key}: {outcome:?}");
        assert_eq!(world.entries().len(), 1, "{key}");
    }
}

#[test]
fn an_edge_that_may_not_delete_all_of_it_deletes_nothing() {
    for lacking in ["-xdel", "-hset", "-zrem"] {
        let mut world = World::new();
        secret(&mut world);
        world.run(&format!("ACL SETUSER edge on nopass ~* &* +@all {lacking}"));
        world.run("AUTH edge x");
        let outcome = world.change("ada", "d1", by_id("ada", "m1"), Change::Delete);
        assert_eq!(outcome, Appended::Unpublishable, "{lacking}");
        world.run("AUTH default x");
        assert_eq!(world.entries().len(), 4, "{lacking}");
    }
}
