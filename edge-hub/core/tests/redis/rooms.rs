use super::server::Reply;
use super::world::World;
use clustertalk_core::ids::RoomName;
use clustertalk_core::redis::{self, Value};
use clustertalk_core::store::RoomCount;

impl World {
    fn open(&mut self, name: &str) -> bool {
        let call = redis::open_room(&self.keyspace, &RoomName::parse(name).unwrap(), 2);
        redis::opened(&self.redis.call(&call).unwrap()).unwrap()
    }

    fn listed(&mut self) -> Vec<RoomCount> {
        let reply = self
            .redis
            .send(&redis::list_rooms(&self.keyspace, 10))
            .array();
        let flat: Vec<Value> = reply
            .into_iter()
            .map(|item| Value::Bytes(Reply::text(item).into_bytes()))
            .collect();
        redis::rooms(&flat)
    }
}

#[test]
fn rooms_are_opened_while_there_is_place() {
    let mut world = World::new();
    assert_eq!(
        [
            world.open("one"),
            world.open("two"),
            world.open("three"),
            world.open("one")
        ],
        [true, true, false, true]
    );
}

#[test]
fn the_room_with_most_members_comes_first() {
    let mut world = World::new();
    let [one, two] = ["one", "two"].map(|name| RoomName::parse(name).unwrap());
    world.open("one");
    world.open("two");
    let call = redis::count_room(&world.keyspace, &two, 3);
    world.redis.call(&call).unwrap();
    assert_eq!(
        world.listed(),
        [
            RoomCount {
                room: two.clone(),
                members: 3,
                with: None,
            },
            RoomCount {
                room: one,
                members: 0,
                with: None,
            }
        ]
    );
}

#[test]
fn a_closed_room_makes_place_for_another() {
    let mut world = World::new();
    world.open("one");
    world.open("two");
    let call = redis::close_room(&world.keyspace, &RoomName::parse("one").unwrap());
    world.redis.call(&call).unwrap();
    assert!(world.open("three"));
}
