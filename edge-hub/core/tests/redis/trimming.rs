use super::server::Reply;
use super::world::{World, ids, stored, tag};
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
    world.limits.log_entries = 2;
    // Kept are 3 5 6 7, of which 3 and 5 go, and with them the tombstones around them.
    world.fill(7..=7);
    assert_eq!(world.run("HLEN @tombstones"), Reply::Integer(0));
    assert_eq!(ids(&world.read(Range::From(1), 100, 1 << 20)), ["m6", "m7"]);
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
