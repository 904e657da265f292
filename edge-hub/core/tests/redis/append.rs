use super::world::{World, draft, stored};
use clustertalk_core::ids::Position;
use clustertalk_core::log::{Action, Entry};
use clustertalk_core::store::{Appended, Mode};
use std::thread;

#[test]
fn entries_are_numbered_and_chained_as_the_core_computes_it() {
    let mut world = World::new();
    let positions = world.fill(1..=5);
    assert_eq!(
        positions
            .iter()
            .map(|position| position.seq)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    world.assert_chain(Position::ORIGIN);
    let last = world.entries().pop().unwrap();
    assert_eq!(
        Entry::parse(last.as_bytes()).unwrap().link.position(),
        positions[4]
    );
}

#[test]
fn what_is_published_is_what_is_stored() {
    let mut world = World::new();
    let mut listener = world.subscribe();
    world.fill(1..=3);
    for stored in world.entries() {
        assert_eq!(listener.published(), format!(r#"{{"e":{stored}}}"#));
    }
    world.assert_silent(&mut listener);
}

#[test]
fn the_answer_tells_position_time_and_action() {
    let mut world = World::new();
    let appended = world.append("ada", "m1");
    let entry = Entry::parse(world.entries()[0].as_bytes()).unwrap();
    let expected = Appended::Stored {
        position: entry.link.position(),
        at: entry.at,
        action: Action::Mask,
    };
    assert_eq!(appended, expected);
}

#[test]
fn edges_that_append_at_once_share_one_order() {
    let mut world = World::new();
    thread::scope(|scope| {
        for user in ["ada", "bob", "cyd", "dan"] {
            let mut edge = world.edge();
            scope.spawn(move || (0..50).for_each(|id| edge.append(user, &id.to_string())));
        }
    });
    assert_eq!(world.entries().len(), 200);
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn a_resend_is_answered_with_the_first_position_and_publishes_nothing() {
    let mut world = World::new();
    let first = stored(&world.append("ada", "m1"));
    world.append("bob", "m1");
    let mut listener = world.subscribe();
    for mode in [Mode::Append, Mode::Refuse] {
        let again = world.try_append(mode, &draft("ada", "m1"), &[]).unwrap();
        let expected = Appended::Duplicate {
            position: first,
            action: Action::Mask,
        };
        assert_eq!(again, expected, "{mode:?}");
    }
    assert_eq!(
        world.entries().len(),
        2,
        "(user, id) is the key, not the id alone"
    );
    world.assert_silent(&mut listener);
}

#[test]
fn a_resend_of_what_a_failover_lost_is_appended_again() {
    let mut world = World::new();
    world.fill(1..=3);
    // The log loses its tail and `seen` does not; another message takes the number.
    let kept = world.entries()[0].clone();
    world.run("DEL @log");
    let key = world.key("log");
    world.redis.send(&["XADD", &key, "1-0", "event", &kept]);
    assert_eq!(stored(&world.append("ada", "m3")).seq, 2);
    assert_eq!(stored(&world.append("ada", "m2")).seq, 3);
    world.assert_chain(Position::ORIGIN);
}

#[test]
fn a_resend_is_appended_where_an_unreadable_entry_has_its_number() {
    let mut world = World::new();
    let first = stored(&world.append("ada", "m1"));
    let key = world.key("log");
    world.run("DEL @log");
    let other = format!(
        r#"{{"v":9,"seq":1,"prev":"{}","tag":"{}","at":1,"kind":"poll","hash":"","body":null}}"#,
        Position::ORIGIN.tag,
        first.tag
    );
    world.redis.send(&["XADD", &key, "1-0", "event", &other]);
    assert_eq!(stored(&world.append("ada", "m1")).seq, 2);
}

#[test]
fn a_resend_of_a_deleted_message_is_answered_from_its_tombstone() {
    let mut world = World::new();
    let positions = world.fill(1..=2);
    world.delete(1);
    let again = world.append("ada", "m1");
    assert!(
        matches!(again, Appended::Duplicate { position, .. } if position == positions[0]),
        "{again:?}"
    );
    assert_eq!(world.entries().len(), 2, "m2 and the deletion");
}

#[test]
fn a_resend_is_appended_where_the_tombstone_of_another_has_its_number() {
    let mut world = World::new();
    world.fill(1..=2);
    world.delete(1);
    // As after a failover that kept `seen` alone.
    let seen = world.key("seen");
    world.redis.send(&["ZADD", &seen, "1", "bob b1"]);
    assert_eq!(stored(&world.append("bob", "b1")).seq, 4);
}

#[test]
fn a_refused_message_is_counted_and_neither_stored_nor_published() {
    let mut world = World::new();
    let mut listener = world.subscribe();
    let update = clustertalk_core::store::Update::Add {
        field: "action:block".to_owned(),
        amount: 1,
    };
    let refused = world
        .try_append(Mode::Refuse, &draft("ada", "m1"), &[update])
        .unwrap();
    assert_eq!(refused, Appended::Refused);
    assert_eq!(world.entries(), [""; 0]);
    assert_eq!(world.statistics()["action:block"], "1");
    world.assert_silent(&mut listener);
    // The next attempt is looked at afresh.
    assert_eq!(stored(&world.append("ada", "m1")).seq, 1);
}
