//! What operators do by hand: entries removed behind the hub's back.

use super::server::Reply;
use super::world::{World, ids, stored};
use clustertalk_core::delivery::{CatchUp, Lost, Reason, catch_up};
use clustertalk_core::ids::Position;
use clustertalk_core::log::Content;
use clustertalk_core::redis::{CORRUPT, read};
use clustertalk_core::store::{Appended, Mode, Range};

#[test]
fn entries_deleted_at_the_end_leave_a_damaged_tombstone_and_the_chain_goes_on() {
    let mut world = World::new();
    let positions = world.fill(1..=5);
    world.run("XDEL @log 4-0 5-0");
    let mut listener = world.subscribe();
    assert_eq!(stored(&world.append("ada", "m6")).seq, 6);
    assert!(listener.published().contains(r#""seq":6"#));
    world.assert_chain(Position::ORIGIN);
    assert_eq!(world.statistics()["damaged"], "1");

    let stretch = world.read(Range::After(3), 100, 1 << 20);
    assert_eq!(ids(&stretch), ["m3", "-5", "m6"]);
    assert_eq!(stretch.entries[1].content, Content::Damaged);
    let CatchUp::Segments(segments) = catch_up(positions[2], stretch) else {
        panic!("3 is in the log");
    };
    assert_eq!(segments[1].reason, Some(Reason::Damaged));
    assert_eq!(segments[1].lost, Some(Lost { from: 4, to: 5 }));
    assert_eq!(segments[1].position.seq, 6);
    // One who had 5 is told that it is gone.
    assert_eq!(
        catch_up(positions[4], world.read(Range::After(5), 100, 1 << 20)),
        CatchUp::Diverged
    );
}

#[test]
fn a_message_deleted_by_hand_is_no_duplicate() {
    let mut world = World::new();
    world.fill(1..=3);
    world.run("XDEL @log 2-0 3-0");
    world.append("ada", "m4");
    for id in ["m2", "m3"] {
        let again = world.append("ada", id);
        assert!(matches!(again, Appended::Stored { .. }), "{id}: {again:?}");
    }
}

#[test]
fn a_log_emptied_by_hand_goes_on_with_its_numbers() {
    let mut world = World::new();
    world.fill(1..=2);
    world.run("XDEL @log 1-0 2-0");
    assert_eq!(world.read(Range::Tail, 10, 1 << 20).before_first, None);
    assert_eq!(stored(&world.append("ada", "m3")).seq, 3);
    world.assert_chain(Position::ORIGIN);
    let stretch = world.read(Range::Tail, 10, 1 << 20);
    assert_eq!(
        (stretch.before_first, ids(&stretch)),
        (Some(Position::ORIGIN), vec!["-2".into(), "m3".into()])
    );
}

#[test]
fn an_entry_deleted_in_the_middle_is_a_hole_that_is_told() {
    let mut world = World::new();
    let positions = world.fill(1..=4);
    world.run("XDEL @log 3-0");
    let stretch = world.read(Range::After(1), 100, 1 << 20);
    assert_eq!(ids(&stretch), ["m1", "m2", "m4"]);
    let CatchUp::Segments(segments) = catch_up(positions[0], stretch) else {
        panic!("1 is in the log");
    };
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1].lost, Some(Lost { from: 3, to: 3 }));
    assert_eq!(segments[1].position, positions[3]);
}

#[test]
fn a_foreign_entry_stops_the_room_until_it_is_removed() {
    let mut world = World::new();
    world.fill(1..=2);
    // As `XADD … *` makes it: a number as large as the time in milliseconds.
    world.run("XADD @log 1795459200000-7 event hello");
    let error = world
        .try_append(Mode::Append, &super::world::draft("ada", "m3"), &[])
        .unwrap_err();
    assert!(error.contains("CORRUPT"), "{error}");
    world.run("XDEL @log 1795459200000-7");
    assert_eq!(stored(&world.append("ada", "m3")).seq, 1_795_459_200_001);
    world.assert_chain(Position::ORIGIN);
    // A gap of 10^12 numbers is not walked number by number.
    let stretch = world.read(Range::After(2), 100, 1 << 20);
    assert_eq!(ids(&stretch), ["m2", "-1795459200000", "m3"]);
    assert_eq!(
        ids(&world.read(Range::Tail, 3, 1 << 20)),
        ["m2", "-1795459200000", "m3"]
    );
}

#[test]
fn a_stretch_with_a_foreign_entry_or_tombstone_is_refused_as_corrupt() {
    // The newest, the lowest, one that was removed from the middle.
    for foreign in [
        "XADD @log 5-0 event hello",
        "HSET @tombstones 1 hello",
        "HSET @tombstones 3 hello",
    ] {
        let mut world = World::new();
        world.fill(1..=4);
        world.run("XDEL @log 1-0 3-0");
        assert_eq!(ids(&world.read(Range::Tail, 10, 1 << 20)), ["m2", "m4"]);
        world.run(foreign);
        for range in [
            Range::Tail,
            Range::After(2),
            Range::From(1),
            Range::Before(5),
        ] {
            let call = read(&world.keyspace, &world.room, range, 10, 1 << 20);
            let error = world.redis.call(&call).unwrap_err();
            assert!(error.starts_with(CORRUPT), "{foreign}, {range:?}: {error}");
        }
    }
}

#[test]
fn keys_of_the_wrong_kind_refuse_before_anything_is_stored() {
    for key in ["seen", "ban", "rate:ada"] {
        let mut world = World::new();
        world.run(&format!("HSET @{key} a b"));
        let outcome = world.try_append(Mode::Append, &super::world::draft("ada", "m1"), &[]);
        assert!(outcome.is_err(), "{key}: {outcome:?}");
        assert_eq!(world.run("EXISTS @log"), Reply::Integer(0), "{key}");
    }
}
