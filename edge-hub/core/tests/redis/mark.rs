//! How far each user has read.

use super::server::Reply;
use super::world::{World, stored};
use clustertalk_core::ids::UserId;
use clustertalk_core::redis;
use clustertalk_core::store::Marked;

impl World {
    fn mark(&mut self, user: &str, seq: u64) -> Marked {
        let user = UserId::parse(user).unwrap();
        let call = redis::mark(&self.keyspace, &self.room, &user, seq);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::marked(&reply).expect("the reply has the contract's shape")
    }
}

fn at(seq: u64, moved: bool, readers: u64) -> Marked {
    Marked {
        seq,
        moved,
        readers,
    }
}

#[test]
fn a_mark_never_goes_back_nor_beyond_the_newest_entry() {
    let mut world = World::new();
    assert_eq!(world.mark("ada", 5), at(0, false, 0));
    world.fill(1..=5);
    assert_eq!(world.mark("ada", 0), at(0, false, 0));
    assert_eq!(world.mark("ada", 3), at(3, true, 1));
    assert_eq!(world.mark("ada", 3), at(3, false, 1));
    assert_eq!(world.mark("ada", 2), at(3, false, 1));
    assert_eq!(world.mark("ada", 9), at(5, true, 1));
    assert_eq!(world.mark("bob", 1), at(1, true, 2));
}

#[test]
fn what_a_failover_lost_is_not_read() {
    let mut world = World::new();
    world.fill(1..=3);
    world.run("ZADD @read 9 ada");
    assert_eq!(world.mark("ada", 0), at(3, false, 1));
    stored(&world.append("bob", "b1"));
    assert_eq!(world.mark("ada", 4), at(4, true, 1));
}

#[test]
fn marks_below_the_log_leave_with_it() {
    let mut world = World::new();
    world.fill(1..=4);
    for (user, seq) in [("ada", 1), ("bob", 4)] {
        world.mark(user, seq);
    }
    world.limits.log_entries = 2;
    world.fill(5..=5);
    assert_eq!(
        world.run("ZRANGE @read 0 -1"),
        Reply::Array(vec![Reply::Text("bob".to_owned())])
    );
}

#[test]
fn those_furthest_behind_are_forgotten_first() {
    let mut world = World::new();
    world.fill(1..=2);
    world.mark("ada", 1);
    for number in 1..=1000 {
        world.mark(&format!("u{number}"), 2);
    }
    assert_eq!(world.run("ZCARD @read"), Reply::Integer(1000));
    assert_eq!(world.run("ZSCORE @read ada"), Reply::Nil);
}
