use super::server::Reply;
use super::world::World;
use clustertalk_core::auth::{Cached, KeysUrl, Lookup};
use clustertalk_core::redis::issuer_keys;
use clustertalk_core::time::Timestamp;

const KEYS: &str = "ct:{_control}:keys:https://id.example.org/keys";
const ASKED: &str = "ct:{_control}:asked:https://id.example.org/keys";

fn url() -> KeysUrl {
    KeysUrl::parse("https://id.example.org/keys").unwrap()
}

impl World {
    /// How long a key lives, in whole seconds.
    fn life(&mut self, key: &str) -> i64 {
        match self.redis.send(&["PTTL", key]) {
            Reply::Integer(millis) => (millis + 999) / 1000,
            other => panic!("not a number: {other:?}"),
        }
    }

    fn ask(&mut self) -> Reply {
        self.redis
            .send(&issuer_keys::ask(&self.keyspace, &url(), "e1"))
    }
}

#[test]
fn one_edge_asks_an_issuer_in_a_minute() {
    let mut world = World::new();
    assert_eq!(world.ask(), Reply::Text("OK".into()));
    assert_eq!(world.ask(), Reply::Nil);
    assert_eq!(world.life(ASKED), 60);
    let sooner = issuer_keys::asked_in_vain(&world.keyspace, &url());
    assert_eq!(world.redis.send(&sooner), Reply::Integer(1));
    assert_eq!(world.ask(), Reply::Nil);
    assert_eq!(world.life(ASKED), 10);
}

#[test]
fn what_one_edge_loaded_every_edge_reads_for_a_day() {
    let mut world = World::new();
    let now = Timestamp::from_millis(1_795_459_200_000);
    let read = issuer_keys::read(&world.keyspace, &url());
    assert_eq!(world.redis.send(&read), Reply::Nil);
    let body = "{\"keys\": [\n{\"kty\":\"EC\",\"kid\":\"a\"}]}";
    let (keys, text) = Cached::loaded(now, body).unwrap();
    world
        .redis
        .send(&issuer_keys::store(&world.keyspace, &url(), text));
    let cached = Cached::parse(&world.redis.send(&read).text());
    let look = Cached::look(cached.as_ref(), now, false);
    assert_eq!(look, Lookup::Use(keys));
    assert_eq!(world.life(KEYS), 24 * 3600);
}
