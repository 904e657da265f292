//! What is set of a room, held by the append script.

use super::room::{grant, mute, unban};
use super::server::Reply;
use super::world::{World, by_id, draft, edit, stored};
use clustertalk_core::log::Change;
use clustertalk_core::store::{
    Appended, Attended, Mode, Read, RoomAction, RoomPatch, RoomRole, Term,
};
use std::time::Duration;

#[test]
fn an_archived_room_takes_nothing_but_deletions() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.fill(1..=2);
    let archive = |archived| {
        RoomAction::Configure(RoomPatch {
            archived: Some(archived),
            ..RoomPatch::default()
        })
    };
    let view = world.done("ada", &archive(true));
    assert!(view.settings.archived);
    assert_eq!(world.append("ada", "m3"), Appended::Archived);
    assert_eq!(world.append_as_moderator("mod", "m3"), Appended::Archived);
    let change = world.change("ada", "e1", by_id("ada", "m2"), edit("x"));
    assert_eq!(change, Appended::Archived);
    world.delete(1);
    let again = world.append("ada", "m2");
    assert!(matches!(again, Appended::Duplicate { .. }), "{again:?}");
    assert!(!world.done("ada", &archive(false)).settings.archived);
    stored(&world.append("ada", "m3"));
}

#[test]
fn in_a_read_only_room_its_moderators_write() {
    let mut world = World::new();
    world.create(RoomPatch {
        read_only: Some(true),
        ..RoomPatch::default()
    });
    world.done("ada", &grant("mia", RoomRole::Moderator));
    world.done("ada", &grant("mel", RoomRole::Member));
    stored(&world.append("ada", "m1"));
    stored(&world.append("mia", "m1"));
    stored(&world.append_as_moderator("mod", "m1"));
    for user in ["bob", "mel"] {
        assert_eq!(world.append(user, "m1"), Appended::Forbidden, "{user}");
    }
}

#[test]
fn a_muted_user_only_reads_and_deletes_what_he_said() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    stored(&world.append("bob", "m1"));
    world.done("ada", &mute("bob", None));
    let for_ever = Term { until: None };
    assert_eq!(world.append("bob", "m2"), Appended::Muted(for_ever));
    let Attended::Counted(view) = world.attend("bob") else {
        panic!("he may be there");
    };
    assert_eq!(view.muted, Some(for_ever));
    assert!(matches!(world.read_as("bob"), Read::Stretch(_)));
    assert_eq!(world.unwelcome(), []);
    let deletion = world.change("bob", "d1", by_id("bob", "m1"), Change::Delete);
    stored(&deletion);

    world.done("ada", &mute("bob", Some(1)));
    std::thread::sleep(Duration::from_millis(5));
    stored(&world.append("bob", "m3"));
    world.done("ada", &mute("bob", Some(60_000)));
    let muted = world.append("bob", "m4");
    assert!(
        matches!(muted, Appended::Muted(Term { until: Some(_) })),
        "{muted:?}"
    );
    world.done("ada", &unban("bob"));
    stored(&world.append("bob", "m4"));
}

#[test]
fn slow_mode_holds_messages_apart_and_its_moderators_free() {
    let mut world = World::new();
    let slow = |millis| {
        RoomAction::Configure(RoomPatch {
            slow_mode: Some(Duration::from_millis(millis)),
            ..RoomPatch::default()
        })
    };
    world.create(RoomPatch::default());
    world.done("ada", &slow(3_600_000));
    stored(&world.append("bob", "m1"));
    let hour = Duration::from_secs(3600);
    match world.append("bob", "m2") {
        Appended::SlowMode { retry_after } => {
            assert!(
                retry_after <= hour && retry_after > hour / 2,
                "{retry_after:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    stored(&world.append("cyd", "m1"));
    stored(&world.change("bob", "e1", by_id("bob", "m1"), edit("x")));
    let again = world.append("bob", "m1");
    assert!(matches!(again, Appended::Duplicate { .. }), "{again:?}");
    for id in ["m1", "m2"] {
        stored(&world.append("ada", id));
        stored(&world.append_as_moderator("mod", id));
    }
    // A shorter one counts at once, from the last message on.
    world.done("ada", &slow(1));
    std::thread::sleep(Duration::from_millis(5));
    stored(&world.append("bob", "m2"));
    world.done("ada", &slow(0));
    stored(&world.append("bob", "m3"));
}

#[test]
fn a_room_keeps_less_than_the_deployment_and_never_more() {
    let mut world = World::new();
    world.limits.log_entries = 5;
    let keep = |entries| RoomPatch {
        log_entries: Some(entries),
        ..RoomPatch::default()
    };
    world.create(keep(3));
    world.fill(1..=9);
    assert_eq!(world.entries().len(), 3);
    world.done("ada", &RoomAction::Configure(keep(100)));
    world.fill(10..=19);
    assert_eq!(world.entries().len(), 5);
    world.done(
        "ada",
        &RoomAction::Configure(RoomPatch {
            log_age: Some(Duration::from_millis(1)),
            ..keep(0)
        }),
    );
    std::thread::sleep(Duration::from_millis(5));
    world.fill(20..=20);
    assert_eq!(world.entries().len(), 1);
}

#[test]
fn settings_of_another_kind_store_nothing() {
    for key in ["@room", "@mute"] {
        let mut world = World::new();
        world.run(&format!("SET {key} x"));
        let refused = world.try_append(Mode::Append, &draft("ada", "m1"), &[]);
        assert!(refused.unwrap_err().contains("WRONGTYPE"), "{key}");
        assert_eq!(world.run("EXISTS @log @seen"), Reply::Integer(0));
    }
}
