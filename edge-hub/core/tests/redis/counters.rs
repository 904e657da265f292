use super::server::Reply;
use super::world::{World, draft, stored};
use clustertalk_core::ids::{Position, RoomName};
use clustertalk_core::redis::{self, Value};
use clustertalk_core::statistics::{self, Scope, bring_up, figures};
use clustertalk_core::store::{Appended, Mode, Update};
use clustertalk_core::time::Timestamp;

fn add(field: &str) -> Update {
    Update::Add {
        field: field.to_owned(),
        amount: 1,
    }
}

fn top(field: &str, amount: u32) -> Update {
    Update::Top {
        field: field.to_owned(),
        amount,
    }
}

impl World {
    fn count(&mut self, id: usize, updates: &[Update]) -> Timestamp {
        let draft = draft("ada", &format!("m{id}"));
        match self
            .try_append(Mode::Append, &draft, updates)
            .expect("Redis takes it")
        {
            Appended::Stored { at, .. } => at,
            other => panic!("not stored: {other:?}"),
        }
    }

    fn flat(&mut self, commands: [Vec<String>; 5]) -> [Vec<Value>; 5] {
        commands.map(|command| match self.redis.send(&command) {
            Reply::Array(items) => items
                .into_iter()
                .map(|item| Value::Bytes(item.text().into_bytes()))
                .collect(),
            Reply::Integer(number) => vec![Value::Integer(number)],
            Reply::Nil => vec![Value::Nil],
            other => panic!("{command:?}: {other:?}"),
        })
    }
}

#[test]
fn updates_come_back_as_the_figures_they_were() {
    let mut world = World::new();
    let updates = [
        add("messages"),
        Update::Add {
            field: "bytes".to_owned(),
            amount: 7,
        },
        add("action:mask"),
        add("length:0"),
        Update::Unique {
            value: "ada".to_owned(),
        },
        top("ada", 1),
        Update::Minute { amount: 1 },
    ];
    world.count(1, &updates);
    let at = world.count(2, &updates);
    let commands = statistics::commands(&world.keyspace, Scope::Room(&world.room), at);
    let shown = figures(&world.flat(commands), at);
    assert_eq!((shown.messages, shown.bytes, shown.users), (2, 14, 1));
    assert_eq!(shown.actions["mask"], 2);
    assert_eq!(shown.lengths[&0], 2);
    assert_eq!(shown.top_users[0].messages, 2);
    // The two may lie on both sides of a minute.
    assert_eq!(
        shown
            .minutes
            .iter()
            .map(|minute| minute.messages)
            .sum::<u64>(),
        2
    );
    assert_eq!(
        shown.minutes.last().unwrap().at.as_millis() / 60_000,
        at.as_millis() / 60_000
    );
}

#[test]
fn a_statistics_key_holds_at_most_256_fields() {
    let mut world = World::new();
    for id in 0..40 {
        let updates: Vec<Update> = (0..10)
            .map(|index| add(&format!("field{}", id * 10 + index)))
            .collect();
        world.count(id, &updates);
    }
    // The rare ones have their place whatever comes first.
    world.run("XDEL @log 40-0");
    world.run("SET @stats:top nonsense");
    world.count(40, &[top("ada", 1)]);
    let fields = world.statistics();
    assert!(fields.len() <= 256, "{} fields", fields.len());
    let counted: u64 = fields
        .iter()
        .filter(|(field, _)| field.starts_with("field") || *field == "other")
        .map(|(_, value)| value.parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, 400, "what finds no place is counted as `other`");
    assert_eq!(
        (
            fields["damaged"].as_str(),
            fields["counter_errors"].as_str()
        ),
        ("1", "1")
    );
}

#[test]
fn a_newcomer_takes_the_place_and_count_of_the_smallest() {
    let mut world = World::new();
    for id in 0..32 {
        let updates: Vec<Update> = (0..8)
            .map(|index| top(&format!("user{}", id * 8 + index), 10))
            .collect();
        world.count(id, &updates);
    }
    world.count(100, &[top("user7", 90)]);
    world.count(101, &[top("new", 1)]);
    assert_eq!(world.run("ZCARD @stats:top"), Reply::Integer(256));
    assert_eq!(
        world.run("ZSCORE @stats:top new"),
        Reply::Text("11".to_owned())
    );
    assert_eq!(
        world.run("ZREVRANGE @stats:top 0 0"),
        Reply::Array(vec![Reply::Text("user7".to_owned())])
    );
}

#[test]
fn counters_of_the_wrong_kind_never_fail_the_message() {
    let mut world = World::new();
    for key in ["stats", "stats:users", "stats:top"] {
        world.run(&format!("LPUSH @{key} nonsense"));
    }
    let mut listener = world.subscribe();
    let updates = [
        add("messages"),
        Update::Unique {
            value: "ada".to_owned(),
        },
        top("ada", 1),
        Update::Minute { amount: 1 },
    ];
    assert_eq!(
        stored(
            &world
                .try_append(Mode::Append, &draft("ada", "m1"), &updates)
                .unwrap()
        )
        .seq,
        1
    );
    assert!(listener.published().contains("m1"));
    world.assert_chain(Position::ORIGIN);

    world.run("DEL @stats");
    world.count(2, &updates);
    assert_eq!(world.statistics()["counter_errors"], "2");
    assert_eq!(world.statistics()["messages"], "1");
}

#[test]
fn bringing_the_overall_figures_up_twice_counts_once() {
    let mut world = World::new();
    let mut at = Timestamp::default();
    for id in 1..=3 {
        at = world.count(
            id,
            &[add("messages"), top("ada", 1), Update::Minute { amount: 1 }],
        );
    }
    let commands = statistics::room_commands(&world.keyspace, &world.room, at);
    let replies = world.flat(commands);
    let call = bring_up(&world.keyspace, &world.room, at, &replies).expect("it is listed");
    for _ in 0..2 {
        world.redis.call(&call).unwrap();
    }
    let commands = statistics::commands(&world.keyspace, Scope::Overall, at);
    let shown = figures(&world.flat(commands), at);
    assert_eq!((shown.messages, shown.top_users[0].messages), (3, 3));
    assert_eq!(
        shown
            .minutes
            .iter()
            .map(|minute| minute.messages)
            .sum::<u64>(),
        3
    );
}

#[test]
fn figures_of_a_room_that_nobody_may_know_of_are_its_own() {
    let mut world = World::new();
    let call = redis::append(
        &world.keyspace,
        &world.limits,
        &world.room,
        true,
        Mode::Append,
        &draft("ada", "m1"),
        &[add("messages")],
    );
    world.redis.call(&call).unwrap();
    let at = Timestamp::default();
    let commands = statistics::room_commands(&world.keyspace, &world.room, at);
    let replies = world.flat(commands);
    assert_eq!(bring_up(&world.keyspace, &world.room, at, &replies), None);
    let shown = figures(&replies, at);
    assert_eq!((shown.messages, shown.counters.len()), (1, 0));

    // Whatever the rest of it says: the name of a private room is enough.
    let private = RoomName::parse("private-plans").unwrap();
    let counters = [Value::Bytes(b"messages".to_vec()), Value::Integer(1)];
    let replies = [counters.into(), vec![], vec![], vec![], vec![]];
    assert_eq!(bring_up(&world.keyspace, &private, at, &replies), None);
    assert!(bring_up(&world.keyspace, &world.room, at, &replies).is_some());
}
