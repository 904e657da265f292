use super::world::{World, draft_saying, ids};
use clustertalk_core::ids::Position;
use clustertalk_core::store::{Mode, Range};

const BYTES: usize = 1 << 20;

/// 1 to 9, of which 3, 4 and 8 were deleted, by 5, 6 and 9; and the head.
fn with_tombstones() -> (World, Position) {
    let mut world = World::new();
    world.fill(1..=4);
    for number in [3, 4] {
        world.delete(number);
    }
    world.fill(7..=8);
    let head = world.delete(8);
    world.assert_chain(Position::ORIGIN);
    (world, head)
}

#[test]
fn an_empty_log_has_no_first_entry_and_the_origin_for_head() {
    let mut world = World::new();
    for range in [
        Range::Tail,
        Range::From(1),
        Range::After(0),
        Range::Before(7),
    ] {
        let stretch = world.read(range, 10, BYTES);
        assert_eq!(
            (stretch.before_first, stretch.head),
            (None, Position::ORIGIN),
            "{range:?}"
        );
        assert!(stretch.entries.is_empty() && !stretch.more, "{range:?}");
    }
}

/// Each row: the range, the most entries, what comes, whether there is more.
#[test]
fn entries_and_tombstones_come_merged_within_the_limit() {
    let (mut world, head) = with_tombstones();
    let all = ["m1", "m2", "-3", "-4", "d3", "d4", "m7", "-8", "d8"];
    let rows: &[(Range, usize, &[&str], bool)] = &[
        (Range::From(1), 100, &all, false),
        (Range::From(0), 100, &all, false),
        (Range::From(1), 9, &all, false),
        (Range::From(1), 8, &all[..8], true),
        (Range::From(1), 3, &all[..3], true),
        (Range::From(2), 1, &all[1..2], true),
        (Range::From(4), 2, &all[3..5], true),
        (Range::From(8), 2, &all[7..], false),
        (Range::From(9), 5, &all[8..], false),
        (Range::From(10), 5, &[], false),
        (Range::From(1 << 53), 5, &[], false),
        (Range::After(0), 3, &all[..3], true),
        (Range::After(1), 1, &all[..2], true),
        (Range::After(2), 2, &all[1..4], true),
        (Range::After(3), 2, &all[2..5], true),
        (Range::After(8), 1, &all[7..], false),
        (Range::After(9), 1, &all[8..], false),
        (Range::After(10), 1, &[], false),
        (Range::Tail, 100, &all, false),
        (Range::Tail, 9, &all, false),
        (Range::Tail, 8, &all[1..], true),
        (Range::Tail, 3, &all[6..], true),
        (Range::Tail, 1, &all[8..], true),
        (Range::Before(9), 2, &all[6..8], true),
        (Range::Before(5), 2, &all[2..4], true),
        (Range::Before(5), 100, &all[..4], false),
        (Range::Before(3), 2, &all[..2], false),
        (Range::Before(2), 2, &all[..1], false),
        (Range::Before(1), 2, &[], false),
        (Range::Before(0), 2, &[], false),
        (Range::Before(1 << 53), 2, &all[7..], true),
    ];
    for &(range, most, expected, more) in rows {
        let stretch = world.read(range, most, BYTES);
        assert_eq!(
            (ids(&stretch), stretch.more),
            (expected.iter().map(|&id| id.to_owned()).collect(), more),
            "{range:?}, {most}"
        );
        assert_eq!(
            (stretch.before_first, stretch.head),
            (Some(Position::ORIGIN), head),
            "{range:?}, {most}"
        );
    }
}

#[test]
fn tombstones_below_the_first_entry_are_part_of_the_log() {
    let mut world = World::new();
    let positions = world.fill(1..=2);
    for number in [1, 2] {
        world.delete(number);
    }
    let stretch = world.read(Range::From(1), 100, BYTES);
    assert_eq!(
        (ids(&stretch), stretch.before_first),
        (
            ["-1", "-2", "d1", "d2"].map(str::to_owned).to_vec(),
            Some(Position::ORIGIN)
        )
    );
    assert_eq!(ids(&world.read(Range::Before(3), 1, BYTES)), ["-2"]);
    assert!(world.read(Range::Before(3), 1, BYTES).more);
    assert!(!world.read(Range::Before(3), 2, BYTES).more);
    // 2 is gone altogether: what is below the hole cannot be vouched for.
    world.run("HDEL @tombstones 2");
    let stretch = world.read(Range::From(1), 100, BYTES);
    assert_eq!(
        (ids(&stretch), stretch.before_first),
        (["d1", "d2"].map(str::to_owned).to_vec(), Some(positions[1]))
    );
}

#[test]
fn from_below_the_first_entry_begins_with_it() {
    let mut world = World::new();
    world.limits.log_entries = 2;
    let positions = world.fill(1..=5);
    for range in [Range::From(1), Range::After(0), Range::After(2)] {
        let stretch = world.read(range, 10, BYTES);
        assert_eq!(
            (ids(&stretch), stretch.before_first),
            (["m4", "m5"].map(str::to_owned).to_vec(), Some(positions[2])),
            "{range:?}"
        );
    }
}

#[test]
fn bytes_are_limited_but_a_reader_always_gets_on() {
    let mut world = World::new();
    for id in 1..=4 {
        let draft = draft_saying("ada", &format!("m{id}"), &"x".repeat(1000));
        world.try_append(Mode::Append, &draft, &[]).unwrap();
    }
    let size = world.entries()[0].len();
    let rows: &[(Range, usize, &[&str], bool)] = &[
        (Range::From(1), 1, &["m1"], true),
        (Range::From(1), 2 * size, &["m1", "m2"], true),
        (Range::From(1), 4 * size, &["m1", "m2", "m3", "m4"], false),
        // His own entry comes on top, or he would never see the next.
        (Range::After(1), 1, &["m1", "m2"], true),
        (Range::After(1), 2 * size, &["m1", "m2", "m3"], true),
        (Range::After(3), 1, &["m3", "m4"], false),
        (Range::Tail, 1, &["m4"], true),
        (Range::Tail, 2 * size, &["m3", "m4"], true),
        (Range::Before(4), 1, &["m3"], true),
        (Range::Before(4), 3 * size, &["m1", "m2", "m3"], false),
    ];
    for &(range, bytes, expected, more) in rows {
        let stretch = world.read(range, 100, bytes);
        assert_eq!(
            (ids(&stretch), stretch.more),
            (expected.iter().map(|&id| id.to_owned()).collect(), more),
            "{range:?}, {bytes}"
        );
    }
}

#[test]
fn reading_page_by_page_gives_every_entry_once() {
    let (mut world, _) = with_tombstones();
    let whole = ids(&world.read(Range::From(1), 100, BYTES));
    for most in 1..=4 {
        let (mut position, mut read) = (Position::ORIGIN, Vec::new());
        loop {
            let stretch = world.read(Range::After(position.seq), most, BYTES);
            let own = usize::from(
                stretch
                    .entries
                    .first()
                    .is_some_and(|entry| entry.link.position() == position),
            );
            read.extend(ids(&stretch).split_off(own));
            position = stretch.entries.last().unwrap().link.position();
            if !stretch.more {
                break;
            }
        }
        assert_eq!(read, whole, "by {most}");
    }
}
