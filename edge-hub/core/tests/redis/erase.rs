//! Erasing a user: his entries leave their places in the chain, and nothing that names him.

use super::check::findings;
use super::server::{Client, Reply};
use super::world::{World, answering, by_id, changing, draft_saying, edit, ids, stored};
use clustertalk_core::delivery::Publication;
use clustertalk_core::ids::{Position, Reaction, UserId};
use clustertalk_core::log::{Change, Content, Involvement};
use clustertalk_core::redis::{Erased, Strike, erase, erased, inspect, inspected, person};
use clustertalk_core::store::{Appended, Mode, Range};

fn ada() -> UserId {
    UserId::parse("ada-lovelace").unwrap()
}

/// What is to be removed for ada, as `clustertalk user erase` finds it.
fn strikes(world: &mut World) -> Vec<Strike> {
    let call = inspect(&world.keyspace, &world.room, 0, 1000);
    let stretch = inspected(&world.redis.call(&call).unwrap()).unwrap();
    let positions = stretch.items.iter().filter_map(|item| {
        let involvement = Involvement::of(&item.json, &ada())?;
        let entry = clustertalk_core::log::Entry::parse(&item.json).unwrap();
        Some((involvement, entry.link.position()))
    });
    positions
        .filter(|(involvement, _)| *involvement != Involvement::Named)
        .map(|(involvement, position)| Strike {
            position,
            told: involvement == Involvement::Own,
        })
        .collect()
}

fn erase_ada(world: &mut World, strikes: &[Strike]) -> Option<Erased> {
    let call = erase(&world.keyspace, &world.room, &ada(), strikes);
    erased(&world.redis.call(&call).expect("Redis does it")).unwrap()
}

fn react(reaction: &str) -> Change {
    Change::React {
        reaction: Reaction::parse(reaction).unwrap(),
        remove: false,
    }
}

/// Ada and bob talk: ten entries, of which 1, 2, 5 and 9 are hers and 4 and 8 are about hers.
fn talk() -> World {
    let mut world = World::new();
    for draft in [
        draft_saying("ada-lovelace", "m1", "secret one"),
        changing(
            "ada-lovelace",
            "e2",
            by_id("ada-lovelace", "m1"),
            &edit("secret two"),
        ),
        draft_saying("bob", "m3", "three"),
        changing("bob", "r4", by_id("ada-lovelace", "m1"), &react("+1")),
        changing("ada-lovelace", "r5", by_id("bob", "m3"), &react("heart")),
        draft_saying("eve", "m6", "six"),
        draft_saying("ada-lovelace", "m7", "secret seven"),
        changing(
            "ada-lovelace",
            "d8",
            by_id("ada-lovelace", "m7"),
            &Change::Delete,
        ),
        draft_saying("ada-lovelace", "m9", "secret nine"),
        answering("bob", "m10", "ten", None),
    ] {
        stored(&world.try_append(Mode::Append, &draft, &[]).unwrap());
    }
    world
}

/// Everything that any command shows of any key.
fn dump(redis: &mut Client) -> String {
    let keys = redis.send(&["KEYS", "*"]).array();
    let mut all = String::new();
    for key in keys {
        let key = key.text();
        let kind = redis.send(&["TYPE", &key]).text();
        let shown = match kind.as_str() {
            "string" => redis.send(&["GET", &key]),
            "hash" => redis.send(&["HGETALL", &key]),
            "zset" => redis.send(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
            "stream" => redis.send(&["XRANGE", &key, "-", "+"]),
            other => panic!("a {other}"),
        };
        all += &format!("{key} {shown:?}\n");
    }
    all
}

#[test]
fn what_is_erased_leaves_its_place_and_no_name() {
    let mut world = talk();
    let mut listener = world.subscribe();
    let strikes = strikes(&mut world);
    assert_eq!(strikes.len(), 6);
    let done = erase_ada(&mut world, &strikes).unwrap();
    // The edit goes with its message, and bob's reaction needs no word.
    assert_eq!(
        done,
        Erased {
            removed: 6,
            written: 4
        }
    );
    for struck in [1, 5, 8, 9] {
        let publication = Publication::parse(listener.published().as_bytes());
        let Ok(Some(Publication::Entry(entry))) = publication else {
            panic!("{publication:?}");
        };
        let Content::Changed(changed) = entry.content else {
            panic!("readers are told");
        };
        assert!(changed.is_erasure());
        assert_eq!(changed.target.position.seq, struck);
    }
    world.run("DEL @rate:ada-lovelace");
    // The id of what she deleted herself, which the command finds there.
    let seen = world.key("seen");
    let forgotten = world.redis.send(&["ZREM", &seen, "ada-lovelace m7"]);
    assert_eq!(forgotten, Reply::Integer(1));
    let all = dump(&mut world.redis);
    // Not "ada" alone, which a tag may have in it.
    assert!(
        !all.contains("lovelace") && !all.contains("secret"),
        "{all}"
    );
    world.assert_chain(Position::ORIGIN);
    assert_eq!(findings(&mut world), [""; 0]);
    // Bob's reaction was stored and is not stored again; what was hers is forgotten.
    let again = world.change("bob", "r4", by_id("bob", "m3"), react("+1"));
    assert!(matches!(again, Appended::Duplicate { position, .. } if position.seq == 4));
    // Done again it does nothing.
    assert_eq!(erase_ada(&mut world, &strikes), Some(Erased::default()));
    let expected = ["-1", "-2", "m3", "-4", "-5", "m6", "-7"];
    assert_eq!(ids(&world.read(Range::From(1), 7, 1 << 20)), expected);
    // Her own deletion of 7 deletes on, for whoever comes from before it.
    let stretch = world.read(Range::From(8), 1, 1 << 20);
    let Content::Changed(deletion) = &stretch.entries[0].content else {
        panic!("{stretch:?}");
    };
    assert_eq!(deletion.target.position.seq, 7);
}

#[test]
fn the_newest_entry_can_be_erased() {
    let mut world = World::new();
    stored(&world.append("bob", "m1"));
    stored(&world.append("ada-lovelace", "m2"));
    stored(&world.change("bob", "r3", by_id("ada-lovelace", "m2"), react("+1")));
    // It is about hers, so nobody would be told; but the next entry hangs on it.
    let mut all = strikes(&mut world);
    let newest = all.pop().unwrap();
    assert!(!newest.told);
    let done = erase_ada(&mut world, &[newest]).unwrap();
    assert_eq!((done.removed, done.written), (1, 1));
    erase_ada(&mut world, &all).unwrap();
    stored(&world.append("bob", "m6"));
    world.assert_chain(Position::ORIGIN);
    assert_eq!(findings(&mut world), [""; 0]);
}

#[test]
fn an_erasure_right_after_entries_that_were_removed_by_hand_closes_the_hole() {
    let mut world = talk();
    let strikes = strikes(&mut world);
    world.run("XDEL @log 10-0");
    erase_ada(&mut world, &strikes).unwrap();
    world.assert_chain(Position::ORIGIN);
    assert_eq!(findings(&mut world), [""; 0]);
}

#[test]
fn another_entry_of_the_same_number_is_left_alone() {
    let mut world = talk();
    let mut strikes = strikes(&mut world);
    for strike in &mut strikes {
        strike.position.tag = super::world::tag(7);
    }
    assert_eq!(erase_ada(&mut world, &strikes), Some(Erased::default()));
    assert_eq!(world.entries().len(), 9);
}

#[test]
fn whoever_may_not_remove_all_of_it_removes_nothing() {
    for lacking in ["-xdel", "-hset", "-zrem", "-publish"] {
        let mut world = talk();
        let strikes = strikes(&mut world);
        world.run(&format!("ACL SETUSER edge on nopass ~* &* +@all {lacking}"));
        world.run("AUTH edge x");
        assert_eq!(erase_ada(&mut world, &strikes), None, "{lacking}");
        world.run("AUTH default x");
        assert_eq!(world.entries().len(), 9, "{lacking}");
    }
}

#[test]
fn what_is_held_beside_the_log_is_read_and_removed() {
    let mut world = World::new();
    for command in [
        "HSET @granted ada-lovelace owner bob member",
        "ZADD @ban inf ada-lovelace",
        "ZADD @mute 7 ada-lovelace",
        "ZADD @read 3 ada-lovelace",
        "ZADD @slow 4 ada-lovelace",
        "ZADD @stats:top 5 ada-lovelace",
        "SET @rate:ada-lovelace 6",
        "HSET @room created_by ada-lovelace created_at 1",
        "HSET ct:{_stats}:counted:general top:ada-lovelace 5 top:bob 2",
        "ZADD ct:{_stats}:top 5 ada-lovelace",
        "SET ct:{@ada-lovelace}:rate 8",
        "ZADD @seen 1 ada-lovelace|m1",
    ] {
        world.run(command);
    }
    let seen = world.key("seen");
    world.redis.send(&["ZADD", &seen, "1.5", "ada-lovelace m1"]);
    world
        .redis
        .send(&["ZADD", &seen, "2", "ada-lovelace-king m1"]);
    let mut all = person::holdings(&world.keyspace, &world.room, &ada());
    all.extend(person::overall_holdings(&world.keyspace, &ada()));
    let mut read = Vec::new();
    for holding in &all {
        let value = world.redis.send(&holding.read).text();
        read.push(format!("{} {value}", holding.what.name()));
        world.redis.send(&holding.remove);
        assert_eq!(world.redis.send(&holding.read), Reply::Nil);
    }
    assert_eq!(
        read,
        [
            "role owner",
            "ban inf",
            "mute 7",
            "read 3",
            "creator ada-lovelace",
            "last_message 4",
            "rate 6",
            "messages 5",
            "counted 5",
            "messages 5",
            "rate 8"
        ]
    );
    let scan = person::scan_remembered(&world.keyspace, &world.room, &ada(), "0");
    let Reply::Array(parts) = world.redis.send(&scan) else {
        panic!("a cursor and members");
    };
    let flat: Vec<_> = [parts[0].clone()]
        .into_iter()
        .chain(parts[1].clone().array())
        .map(|part| clustertalk_core::redis::Value::Bytes(part.text().into_bytes()))
        .collect();
    let (cursor, members) = person::remembered(&flat);
    assert_eq!(cursor, "0");
    assert_eq!(members, [("ada-lovelace m1".to_owned(), "1.5".to_owned())]);
    // What is another's stays.
    assert_eq!(world.run("HGET @granted bob").text(), "member");
    assert_eq!(world.run("HGET @room created_at").text(), "1");
}
