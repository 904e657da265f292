use super::server::Reply;
use super::world::{World, by_id, edit, ids, stored, tag};
use clustertalk_core::store::Range;
use std::time::Duration;

#[test]
fn the_log_keeps_its_number_of_entries_and_seen_is_cut_with_it() {
    let mut world = World::new();
    world.limits.log_entries = 3;
    let positions = world.fill(1..=10);
    let stretch = world.read(Range::Tail, 100, 1 << 20);
    assert_eq!(ids(&stretch), ["m8", "m9", "m10"]);
    assert_eq!(stretch.before_first, Some(positions[6]));
    assert_eq!(world.run("ZCARD @seen"), Reply::Integer(3));
    world.assert_chain(positions[6]);
    // What left the log is forgotten: sent again it is a new message.
    assert_eq!(stored(&world.append("ada", "m1")).seq, 11);
}

#[test]
fn tombstones_leave_with_the_entries_around_them() {
    let mut world = World::new();
    world.fill(1..=6);
    for number in [1, 2, 4] {
        world.delete(number);
    }
    // Kept are 3 5 6 and the deletions 7 8 9.
    world.limits.log_entries = 5;
    world.fill(10..=10);
    assert_eq!(world.run("HLEN @tombstones"), Reply::Integer(0));
    let kept = ids(&world.read(Range::From(1), 100, 1 << 20));
    assert_eq!(kept, ["m6", "d1", "d2", "d4", "m10"]);
}

#[test]
fn tombstones_count_among_the_entries_kept() {
    let mut world = World::new();
    world.limits.log_entries = 6;
    for number in 1..=20 {
        world.fill(number..=number);
        world.delete(number);
        let kept = world.read(Range::From(1), 100, 1 << 20);
        assert!(kept.entries.len() <= 6, "{:?}", ids(&kept));
    }
    let Reply::Integer(kept) = world.run("HLEN @tombstones") else {
        panic!("not a number");
    };
    assert!(kept <= 5, "{kept}");
}

#[test]
fn edits_leave_with_their_message() {
    let mut world = World::new();
    world.fill(1..=2);
    for (id, of) in [("e1", "m1"), ("e2", "m2"), ("e3", "m1")] {
        stored(&world.change("ada", id, by_id("ada", of), edit("better")));
    }
    world.limits.log_entries = 5;
    let before = world.fill(3..=3)[0];
    assert_eq!(
        ids(&world.read(Range::From(1), 100, 1 << 20)),
        ["m2", "-3", "e2", "-5", "m3"]
    );
    assert_eq!(
        world.run("ZRANGE @edits 0 -1 WITHSCORES"),
        Reply::Array(["4", "2"].map(|text| Reply::Text(text.into())).into())
    );
    world.limits.log_entries = 1;
    world.fill(4..=4);
    assert_eq!(world.run("EXISTS @edits @tombstones"), Reply::Integer(0));
    world.assert_chain(before);
}

#[test]
fn an_edit_that_is_the_newest_entry_outlives_its_message() {
    let mut world = World::new();
    let first = world.fill(1..=1)[0];
    world.limits.log_entries = 1;
    stored(&world.change("ada", "e1", by_id("ada", "m1"), edit("better")));
    assert_eq!(ids(&world.read(Range::From(1), 100, 1 << 20)), ["e1"]);
    world.assert_chain(first);
    world.limits.log_entries = 3;
    world.fill(2..=3);
    assert_eq!(world.run("ZCARD @edits"), Reply::Integer(1));
    // The next that leaves takes what belongs to those before it along.
    world.fill(4..=4);
    assert_eq!(
        ids(&world.read(Range::From(1), 100, 1 << 20)),
        ["m2", "m3", "m4"]
    );
    assert_eq!(world.run("EXISTS @edits"), Reply::Integer(0));
}

#[test]
fn tombstones_that_trimming_by_hand_left_go_in_the_end() {
    let mut world = World::new();
    world.fill(1..=8);
    for number in [2, 4] {
        world.delete(number);
    }
    world.run("XTRIM @log MAXLEN 3");
    world.limits.log_entries = 500;
    for number in 9..=999 {
        world.append("ada", &format!("m{number}"));
    }
    assert_eq!(world.run("HLEN @tombstones"), Reply::Integer(0));
}

#[test]
fn more_tombstones_than_lua_can_unpack_leave_too() {
    let mut world = World::new();
    world.fill(1..=2);
    for chunk in (3..=20_000_u64).collect::<Vec<_>>().chunks(1000) {
        let mut command = vec!["HSET".to_owned(), world.key("tombstones")];
        for number in chunk {
            command.push(number.to_string());
            command.push(format!(r#"{{"v":1,"seq":{number},"prev":"{0}","tag":"{0}","at":1,"kind":"message","hash":""}}"#, tag(*number)));
        }
        world.redis.send(&command);
    }
    let key = world.key("log");
    let entry = world.entries()[1].replace("\"seq\":2", "\"seq\":20001");
    world
        .redis
        .send(&["XADD", &key, "20001-0", "event", &entry]);
    world.limits.log_entries = 1;
    world.append("ada", "m3");
    assert_eq!(world.run("HLEN @tombstones"), Reply::Integer(0));
    assert!(!world.statistics().contains_key("trim_errors"));
}

#[test]
fn old_entries_leave_but_never_the_newest() {
    let mut world = World::new();
    world.limits.log_age = Duration::from_secs(3600);
    let key = world.key("log");
    for number in 1..=15_u64 {
        let (prev, own) = (tag(number - 1), tag(number));
        let entry = format!(
            r#"{{"v":1,"seq":{number},"prev":"{prev}","tag":"{own}","at":1000,"kind":"poll","hash":""}}"#
        );
        world
            .redis
            .send(&["XADD", &key, &format!("{number}-0"), "event", &entry]);
        world.run(&format!("ZADD @seen {number} old{number}"));
    }
    // At most ten leave with one message, so that none pays for a long silence alone.
    world.append("ada", "m1");
    assert_eq!(world.entries().len(), 6);
    assert_eq!(world.run("ZCOUNT @seen -inf 10"), Reply::Integer(0));
    world.append("ada", "m2");
    assert_eq!(ids(&world.read(Range::From(1), 100, 1 << 20)), ["m1", "m2"]);

    world.limits.log_age = Duration::ZERO;
    world.append("ada", "m3");
    let kept = ids(&world.read(Range::From(1), 100, 1 << 20));
    assert_eq!(kept.last().map(String::as_str), Some("m3"), "{kept:?}");
}

#[test]
fn trimming_that_fails_does_not_fail_the_message() {
    let mut world = World::new();
    world.fill(1..=2);
    world.run("SET @tombstones nonsense");
    world.limits.log_entries = 1;
    assert_eq!(stored(&world.append("ada", "m3")).seq, 3);
    assert_eq!(world.statistics()["trim_errors"], "1");
}
