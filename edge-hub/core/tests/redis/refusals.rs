use super::server::{Reply, Server};
use super::world::{World, draft, draft_saying, stored};
use clustertalk_core::redis::{bare_heartbeat, eviction_policy, heartbeat, refuses_writes};
use clustertalk_core::store::{Appended, Mode};
use clustertalk_core::time::Timestamp;
use std::time::{Duration, Instant};

#[test]
fn a_ban_holds_until_its_time_or_for_ever() {
    let mut world = World::new();
    let far = 4_000_000_000_000_u64;
    world.run(&format!("ZADD @ban {far} ada inf bob 1 cyd"));
    let until = Some(Timestamp::from_millis(far));
    assert_eq!(world.append("ada", "m1"), Appended::Banned { until });
    assert_eq!(world.append("bob", "m1"), Appended::Banned { until: None });
    assert_eq!(stored(&world.append("cyd", "m1")).seq, 1);
}

#[test]
fn a_resend_of_one_banned_since_is_still_answered() {
    let mut world = World::new();
    let first = stored(&world.append("ada", "m1"));
    world.run("ZADD @ban inf ada");
    assert!(
        matches!(world.append("ada", "m1"), Appended::Duplicate { position, .. } if position == first)
    );
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    let mut world = World::new();
    world.limits.messages_per_second = 1;
    world.limits.burst = 3;
    let began = Instant::now();
    let (taken, retry_after) = (0..)
        .find_map(|id| match world.append("ada", &format!("m{id}")) {
            Appended::RateLimited { retry_after } => Some((id, retry_after)),
            appended => {
                stored(&appended);
                None
            }
        })
        .unwrap();
    let seconds = began.elapsed().as_secs() + 1;
    assert!(taken >= 3 && taken <= 3 + seconds, "{taken} in {seconds} s");
    assert!(
        retry_after > Duration::ZERO && retry_after <= Duration::from_secs(1),
        "{retry_after:?}"
    );
}

#[test]
fn the_limit_is_of_one_user_and_a_resend_needs_no_place() {
    let mut world = World::new();
    stored(&world.append("ada", "m1"));
    world.run("SET @rate:ada 4000000000000");
    let refused = world.append("ada", "m2");
    assert!(
        matches!(refused, Appended::RateLimited { .. }),
        "{refused:?}"
    );
    assert_eq!(world.entries().len(), 1);
    let again = world.append("ada", "m1");
    assert!(matches!(again, Appended::Duplicate { .. }), "{again:?}");
    stored(&world.append("bob", "m1"));
}

#[test]
fn a_full_server_stores_and_publishes_nothing() {
    let mut world = World::on(Server::with(&["--maxmemory-policy", "noeviction"]));
    stored(&world.append("ada", "m1"));
    let mut listener = world.subscribe();
    world.run("CONFIG SET maxmemory 1");
    let error = world
        .try_append(Mode::Append, &draft("ada", "m2"), &[])
        .unwrap_err();
    assert!(
        error.contains("OOM") || error.contains("maxmemory"),
        "{error}"
    );
    world.run("CONFIG SET maxmemory 0");
    assert_eq!(world.entries().len(), 1);
    assert_eq!(world.run("ZCARD @seen"), Reply::Integer(1));
    world.assert_silent(&mut listener);
    assert_eq!(stored(&world.append("ada", "m2")).seq, 2);
}

#[test]
fn a_server_that_would_evict_rooms_is_recognised() {
    let mut world = World::on(Server::with(&["--maxmemory-policy", "noeviction"]));
    let info = world.run("INFO memory").text();
    assert_eq!(eviction_policy(&info), None);
    world.run("CONFIG SET maxmemory-policy volatile-lru");
    let info = world.run("INFO memory").text();
    assert_eq!(eviction_policy(&info), Some("volatile-lru"));
}

#[test]
fn an_edge_that_may_not_publish_or_remember_stores_nothing() {
    for lacking in ["-publish", "-zadd"] {
        let mut world = World::new();
        world.run(&format!("ACL SETUSER edge on nopass ~* &* +@all {lacking}"));
        world.run("AUTH edge x");
        assert_eq!(
            world.append("ada", "m1"),
            Appended::Unpublishable,
            "{lacking}"
        );
        world.run("AUTH default x");
        assert_eq!(
            world.run("EXISTS @log @seen"),
            Reply::Integer(0),
            "{lacking}"
        );
    }
}

#[test]
fn an_edge_confined_to_other_channels_stores_nothing() {
    let mut world = World::new();
    world.run("ACL SETUSER edge on nopass ~* resetchannels &ct:{other}:* +@all");
    world.run("AUTH edge x");
    assert_eq!(world.append("ada", "m1"), Appended::Unpublishable);
    world.run("AUTH default x");
    assert_eq!(world.run("EXISTS @log"), Reply::Integer(0));
}

#[test]
fn text_cannot_break_out_of_its_entry() {
    let mut world = World::new();
    let text = "\",\"tag\":\"0000000000000000\"}\u{0}\u{2028}%s\\u0000";
    world
        .try_append(Mode::Append, &draft_saying("ada", "m1", text), &[])
        .unwrap();
    world.append("ada", "m2");
    world.assert_chain(clustertalk_core::ids::Position::ORIGIN);
}

#[test]
fn a_heartbeat_is_published_by_a_primary_and_refused_by_a_replica() {
    let mut world = World::on(Server::with(&["--maxmemory-policy", "noeviction"]));
    let call = heartbeat(&world.keyspace, "e1", "17");
    let mut listener = world.server.connect();
    listener.subscribe("ct:{_control}:heartbeat:e1");
    world.run("CONFIG SET maxmemory 1");
    world.redis.call(&call).expect("a full server beats");
    assert_eq!(listener.published(), "17");

    // A replica of nobody who listens: it stays a replica, and read-only.
    world.run("REPLICAOF 127.0.0.1 1");
    let error = world.redis.call(&call).unwrap_err();
    assert!(
        error.contains("READONLY") || error.contains("read only"),
        "{error}"
    );
}

#[test]
fn a_primary_that_refuses_writes_passes_bare_heartbeats_on() {
    let mut world = World::new();
    let call = heartbeat(&world.keyspace, "e1", "17");
    let bare = bare_heartbeat(&world.keyspace, "e1", "18");
    let mut listener = world.server.connect();
    listener.subscribe("ct:{_control}:heartbeat:e1");
    let code = |error: String| error.split(' ').next().unwrap_or_default().to_owned();

    world.run("CONFIG SET min-replicas-to-write 1");
    let refusal = code(world.redis.call(&call).unwrap_err());
    assert_eq!(refusal, "NOREPLICAS");
    assert!(refuses_writes(&refusal));
    assert_eq!(world.redis.send(&bare), Reply::Integer(1));
    assert_eq!(listener.published(), "18");

    // A demoted node would pass them on as well, but it is not one to stay with.
    world.run("REPLICAOF 127.0.0.1 1");
    let refusal = code(world.redis.call(&call).unwrap_err());
    assert_eq!(refusal, "READONLY");
    assert!(!refuses_writes(&refusal));
}

#[test]
fn a_primary_whose_disk_fails_passes_bare_heartbeats_on() {
    let mut world = World::on(Server::with(&["--save", "900 1"]));
    world.append("ada", "m1");
    world.server.remove_folder();
    world.run("BGSAVE");
    let call = heartbeat(&world.keyspace, "e1", "17");
    let began = Instant::now();
    let error = loop {
        match world.redis.call(&call) {
            Err(error) => break error,
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(20), "it saved"),
        }
    };
    let code = error.split(' ').next().unwrap_or_default();
    assert_eq!(code, "MISCONF");
    assert!(refuses_writes(code));
    let bare = bare_heartbeat(&world.keyspace, "e1", "18");
    assert_eq!(world.redis.send(&bare), Reply::Integer(0));
}
