//! Edits, deletions and reactions: entries of their own, about a message that was stored before.

use super::world::{World, answering, by_id, changing, edit, stored};
use clustertalk_core::ids::{Position, Reaction};
use clustertalk_core::log::{Change, Changed, Content, Entry, Reference, Target};
use clustertalk_core::store::{Appended, Mode, Term};

fn react(remove: bool) -> Change {
    Change::React {
        reaction: Reaction::parse("\u{1f44d}").unwrap(),
        remove,
    }
}

/// One of each.
fn each() -> [(&'static str, Change); 4] {
    [
        ("edit", edit("better")),
        ("react", react(false)),
        ("unreact", react(true)),
        ("delete", Change::Delete),
    ]
}

fn changed(json: &str) -> Changed {
    match Entry::parse(json.as_bytes()).unwrap().content {
        Content::Changed(changed) => *changed,
        other => panic!("not a change: {other:?}"),
    }
}

#[test]
fn a_change_is_an_entry_that_names_its_target() {
    for by_position in [false, true] {
        let mut world = World::new();
        let position = world.fill(1..=2)[0];
        let mut listener = world.subscribe();
        for (id, change) in each() {
            let target = if by_position {
                Reference::Position(position)
            } else {
                by_id("ada", "m1")
            };
            stored(&world.change("ada", id, target, change.clone()));
            let entry = world.entries().pop().unwrap();
            let read = changed(&entry);
            let Reference::Id { user, id: of } = by_id("ada", "m1") else {
                unreachable!()
            };
            let target = Target {
                position,
                user,
                id: of,
            };
            assert_eq!((read.id.as_str(), &read.target), (id, &target));
            assert_eq!(read.change, change);
            assert_eq!(read.moderation.is_some(), id == "edit");
            assert_eq!(listener.published(), format!(r#"{{"e":{entry}}}"#));
        }
        world.assert_chain(Position::ORIGIN);
    }
}

#[test]
fn the_tag_covers_the_target() {
    let mut world = World::new();
    world.fill(1..=2);
    stored(&world.change("ada", "e1", by_id("ada", "m1"), edit("better")));
    let entry = world.entries().pop().unwrap();
    // `assert_chain` recomputes tags with the target; without it they would be others.
    let read = Entry::parse(entry.as_bytes()).unwrap();
    let hash = entry.split(r#""hash":""#).nth(1).unwrap()[..64].to_owned();
    let with = |target| {
        let link = read.link;
        clustertalk_core::log::chain_tag(link.prev, link.seq, "edit", read.at, 1, &hash, target)
    };
    assert_eq!(with(Some(changed(&entry).target.position)), read.link.tag);
    assert_ne!(with(None), read.link.tag);
}

#[test]
fn a_resend_of_a_change_is_answered_with_its_first_position() {
    let mut world = World::new();
    world.fill(1..=1);
    let first: Vec<Appended> = each()
        .into_iter()
        .map(|(id, change)| world.change("ada", id, by_id("ada", "m1"), change))
        .collect();
    let mut listener = world.subscribe();
    for ((id, change), first) in each().into_iter().zip(first) {
        let again = world.change("ada", id, by_id("ada", "m1"), change);
        // The edit is a tombstone since, the deletion's target is gone: each was done nevertheless.
        assert!(
            matches!(again, Appended::Duplicate { position, .. } if position == stored(&first)),
            "{id}: {again:?}"
        );
    }
    world.assert_silent(&mut listener);
}

#[test]
fn only_the_author_edits_and_deletes_and_whoever_moderates_deletes() {
    let mut world = World::new();
    world.fill(1..=1);
    for (id, change) in each() {
        let outcome = world.change("bob", id, by_id("ada", "m1"), change.clone());
        match change {
            Change::React { .. } => assert!(matches!(outcome, Appended::Stored { .. }), "{id}"),
            Change::Edit { .. } | Change::Delete => {
                assert_eq!(outcome, Appended::Forbidden, "{id}");
            }
        }
    }
    for (id, change) in [("e2", edit("worse")), ("d2", Change::Delete)] {
        let mut draft = changing("mod", id, by_id("ada", "m1"), &change);
        draft.may_moderate = true;
        let outcome = world.try_append(Mode::Append, &draft, &[]).unwrap();
        let deletes = change == Change::Delete;
        assert_eq!(outcome == Appended::Forbidden, !deletes, "{outcome:?}");
    }
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn a_position_with_another_tag_is_stale() {
    let mut world = World::new();
    let positions = world.fill(1..=3);
    let other = Reference::Position(Position::new(1, positions[1].tag));
    for (id, change) in each() {
        let outcome = world.change("ada", id, other.clone(), change);
        assert_eq!(outcome, Appended::StaleTarget, "{id}");
    }
    let answer = answering("ada", "r1", "yes", Some(other));
    let outcome = world.try_append(Mode::Append, &answer, &[]).unwrap();
    assert_eq!(outcome, Appended::StaleTarget);
    // Of a tombstone, too: the tag stays.
    world.delete(1);
    let other = Reference::Position(Position::new(1, positions[1].tag));
    let outcome = world.change("ada", "d9", other, Change::Delete);
    assert_eq!(outcome, Appended::StaleTarget);
    assert_eq!(world.entries().len(), 3);
}

#[test]
fn what_is_not_in_the_log_or_no_message_is_no_target() {
    let mut world = World::new();
    world.fill(1..=1);
    let position = stored(&world.change("ada", "e1", by_id("ada", "m1"), edit("better")));
    let beyond = Position::new(9, position.tag);
    let targets = [
        by_id("ada", "m2"),
        by_id("bob", "m1"),
        by_id("ada", "e1"),
        Reference::Position(position),
        Reference::Position(beyond),
        Reference::Position(Position::ORIGIN),
    ];
    for target in targets {
        for (id, change) in each() {
            let id = format!("{id}2");
            let outcome = world.change("ada", &id, target.clone(), change);
            assert_eq!(outcome, Appended::TargetMissing, "{id} of {target:?}");
        }
    }
    assert_eq!(world.entries().len(), 2);
}

#[test]
fn an_answer_may_name_what_is_gone_but_not_another_message() {
    let mut world = World::new();
    let positions = world.fill(1..=2);
    world.delete(1);
    let references = [
        Reference::Position(positions[0]),
        Reference::Position(positions[1]),
        Reference::Position(Position::new(99, positions[0].tag)),
        by_id("eve", "unknown"),
    ];
    for (number, reference) in references.into_iter().enumerate() {
        let answer = answering("bob", &format!("r{number}"), "yes", Some(reference));
        stored(&world.try_append(Mode::Append, &answer, &[]).unwrap());
    }
}

#[test]
fn a_message_is_edited_so_often_and_no_more() {
    let mut world = World::new();
    world.limits.edits = 3;
    world.fill(1..=2);
    for number in 1..=3 {
        stored(&world.change("ada", &format!("e{number}"), by_id("ada", "m1"), edit("x")));
    }
    let fourth = world.change("ada", "e4", by_id("ada", "m1"), edit("x"));
    assert_eq!(fourth, Appended::TooManyChanges);
    // Of another message there may be more, and of this one whatever is no edit.
    stored(&world.change("ada", "e4", by_id("ada", "m2"), edit("x")));
    stored(&world.change("bob", "r1", by_id("ada", "m1"), react(false)));
    world.delete(1);
}

#[test]
fn changes_are_limited_and_banned_like_messages() {
    let mut world = World::new();
    world.fill(1..=1);
    world.run("SET @rate:ada 4000000000000");
    for (id, change) in each() {
        let outcome = world.change("ada", id, by_id("ada", "m1"), change);
        assert!(
            matches!(outcome, Appended::RateLimited { .. }),
            "{outcome:?}"
        );
    }
    world.run("ZADD @ban inf ada");
    let outcome = world.change("ada", "d1", by_id("ada", "m1"), Change::Delete);
    assert_eq!(outcome, Appended::Banned(Term { until: None }));
}

#[test]
fn an_edit_that_moderation_refuses_is_not_stored() {
    let mut world = World::new();
    world.fill(1..=1);
    let draft = changing("ada", "e1", by_id("ada", "m1"), &edit("worse"));
    let outcome = world.try_append(Mode::Refuse, &draft, &[]).unwrap();
    assert_eq!(outcome, Appended::Refused);
    assert_eq!(world.entries().len(), 1);
}

#[test]
fn a_message_that_a_failover_moved_is_found_by_its_sender_and_id() {
    let mut world = World::new();
    let old = world.fill(1..=3)[2];
    // The tail was lost, another took the number, and ada sent hers again.
    world.run("XDEL @log 3-0");
    let log = world.key("log");
    world.redis.send(&["XSETID", &log, "2-0"]);
    let seen = world.key("seen");
    world.redis.send(&["ZREM", &seen, "ada m3"]);
    stored(&world.append("bob", "b1"));
    let new = stored(&world.append("ada", "m3"));
    let by_position = |position| Reference::Position(position);
    let outcome = world.change("ada", "e1", by_position(old), edit("better"));
    assert_eq!(outcome, Appended::StaleTarget);
    stored(&world.change("ada", "e2", by_id("ada", "m3"), edit("better")));
    assert_eq!(
        changed(&world.entries().pop().unwrap()).target.position,
        new
    );
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn a_target_that_is_not_ours_is_none() {
    let mut world = World::new();
    let position = stored(&world.append("ada", "m1"));
    let entry = world.entries()[0].clone();
    let (log, seen) = (world.key("log"), world.key("seen"));
    for (damage, with) in [
        (r#""v":1"#, r#""v":2"#),
        (r#""kind":"message""#, r#""kind":"poll""#),
        (r#""body""#, r#""b0dy""#),
        (r#""id":"m1""#, r#""id":"m\"1""#),
        (r#","kind""#, r#","kind"#),
    ] {
        world.redis.send(&["DEL", &log]);
        let damaged = entry.replace(damage, with);
        world.redis.send(&["XADD", &log, "1-0", "event", &damaged]);
        world.redis.send(&["ZADD", &seen, "1", "ada m1"]);
        for target in [by_id("ada", "m1"), Reference::Position(position)] {
            let outcome = world.change("ada", "d1", target, Change::Delete);
            assert_eq!(outcome, Appended::TargetMissing, "{damaged}");
        }
    }
}
