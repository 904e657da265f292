use super::server::{Client, Reply, Server};
use super::world::{World, user};
use clustertalk_core::delivery::{Ephemeral, Publication};
use clustertalk_core::ids::User;
use clustertalk_core::redis::{self, Presence, Value};
use clustertalk_core::store::{Attendance, Correction, Members};

impl World {
    fn presence(&mut self, edge: &str, presence: Presence<'_>) -> Members {
        let call = redis::presence(&self.keyspace, &self.room, edge, presence);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::members(&reply).expect("the reply has the contract's shape")
    }

    fn join(&mut self, edge: &str, user: &User) -> u64 {
        self.presence(
            edge,
            Presence::Join {
                user,
                connection: "c1",
            },
        )
        .count
    }

    fn leave(&mut self, edge: &str, user: &User) -> u64 {
        self.presence(
            edge,
            Presence::Leave {
                user,
                connection: "c1",
            },
        )
        .count
    }

    /// Puts right what was `held` of each user; answers how many rows that were.
    fn correct(&mut self, edge: &str, wrong: &[(&str, u64, u64)]) -> u64 {
        let corrections: Vec<Correction> = wrong
            .iter()
            .map(|&(id, held, connections)| Correction {
                user: user(id),
                held,
                connections,
            })
            .collect();
        let change = Presence::Correct(&corrections);
        let call = redis::presence(&self.keyspace, &self.room, edge, change);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::corrected(&reply).expect("the reply has the contract's shape")
    }

    /// `ada 1 bob 2`: whom an edge has, and by how many connections.
    fn attendance(&mut self, edge: &str) -> String {
        let command = redis::list_attendance(&self.keyspace, &self.room, edge);
        let reply: Vec<Value> = self
            .redis
            .send(&command)
            .array()
            .into_iter()
            .map(|item| Value::Bytes(item.text().into_bytes()))
            .collect();
        let mut shown: Vec<String> = redis::attendance(&reply)
            .iter()
            .map(|Attendance { user, connections }| format!("{} {connections}", user.name))
            .collect();
        shown.sort();
        shown.join(" ")
    }

    /// As if the edge had not been heard of for longer than it lives.
    fn expire(&mut self, edge: &str) {
        self.run(&format!("ZADD @edges 1 {edge}"));
    }
}

/// `+name count` or `-name count`.
fn told(listener: &mut Client) -> String {
    match Publication::parse(listener.published().as_bytes()) {
        Ok(Some(Publication::Ephemeral(Ephemeral::Presence {
            user,
            joined,
            members_count,
            ..
        }))) => {
            format!(
                "{}{} {members_count}",
                if joined { '+' } else { '-' },
                user.name
            )
        }
        other => panic!("not presence: {other:?}"),
    }
}

#[test]
fn only_the_first_connection_joins_and_only_the_last_leaves() {
    let mut world = World::new();
    let mut listener = world.subscribe();
    let ada = user("ada");
    assert_eq!([world.join("e1", &ada), world.join("e1", &ada)], [1, 1]);
    assert_eq!(told(&mut listener), "+ada 1");
    assert_eq!(world.leave("e1", &ada), 1);
    world.assert_silent(&mut listener);
    assert_eq!(world.leave("e1", &ada), 0);
    assert_eq!(told(&mut listener), "-ada 0");
    assert_eq!(world.leave("e1", &ada), 0, "once too often");
    world.assert_silent(&mut listener);
    assert_eq!(world.run("EXISTS @edges @members:e1"), Reply::Integer(0));
}

#[test]
fn a_user_on_two_edges_is_one_member() {
    let mut world = World::new();
    let mut listener = world.subscribe();
    let ada = user("ada");
    assert_eq!(
        [
            world.join("e1", &ada),
            world.join("e2", &ada),
            world.join("e2", &user("bob"))
        ],
        [1, 1, 2]
    );
    assert_eq!(
        [told(&mut listener), told(&mut listener)],
        ["+ada 1", "+bob 2"]
    );
    assert_eq!(world.leave("e1", &ada), 2);
    world.assert_silent(&mut listener);
    assert_eq!(world.leave("e2", &ada), 1);
    assert_eq!(told(&mut listener), "-ada 1");
}

#[test]
fn a_sweep_lets_the_members_of_a_dead_edge_leave_once() {
    let mut world = World::new();
    let (ada, bob, cyd) = (user("ada"), user("bob"), user("cyd"));
    for (edge, user) in [
        ("dead", &ada),
        ("dead", &bob),
        ("dead2", &bob),
        ("live", &ada),
        ("live", &cyd),
    ] {
        world.join(edge, user);
    }
    world.expire("dead");
    world.expire("dead2");
    assert_eq!(
        world.presence("live", Presence::List).count,
        2,
        "a dead edge does not count even before"
    );
    let mut listener = world.subscribe();
    assert_eq!(world.presence("live", Presence::Sweep).count, 2);
    assert_eq!(told(&mut listener), "-bob 2");
    assert_eq!(world.presence("live", Presence::Sweep).count, 2);
    world.assert_silent(&mut listener);
    assert_eq!(
        world.run("EXISTS @members:dead @members:dead2"),
        Reply::Integer(0)
    );
}

#[test]
fn an_edge_that_goes_takes_its_members_along() {
    let mut world = World::new();
    let (ada, bob) = (user("ada"), user("bob"));
    for (edge, user) in [("e1", &ada), ("e1", &bob), ("e2", &bob)] {
        world.join(edge, user);
    }
    let mut listener = world.subscribe();
    assert_eq!(world.presence("e1", Presence::Drop).count, 1);
    assert_eq!(told(&mut listener), "-ada 1");
    world.assert_silent(&mut listener);
}

#[test]
fn an_edge_is_kept_by_its_refresh_until_it_was_swept() {
    let mut world = World::new();
    let ada = user("ada");
    world.join("e1", &ada);
    world.expire("e1");
    // Late, but before anyone's sweep: nobody has seen it gone.
    assert_eq!(world.presence("e1", Presence::Refresh).count, 1);
    assert_eq!(world.presence("e1", Presence::List).count, 1);
    world.expire("e1");
    world.presence("e2", Presence::Sweep);
    assert_eq!(world.presence("e1", Presence::Refresh).count, 0);
}

#[test]
fn a_refresh_tells_how_many_users_the_edge_has() {
    let mut world = World::new();
    for (edge, id) in [("e1", "ada"), ("e1", "ada"), ("e1", "bob"), ("e2", "cyd")] {
        world.join(edge, &user(id));
    }
    assert_eq!(world.presence("e1", Presence::Refresh).count, 2);
}

#[test]
fn what_is_put_right_is_told_once() {
    let mut world = World::new();
    for id in ["ada", "ada", "bob", "ghost", "twice"] {
        world.join("e1", &user(id));
    }
    world.join("e2", &user("twice"));
    let mut listener = world.subscribe();
    let wrong = [
        ("ada", 2, 1),
        ("bob", 1, 2),
        ("cyd", 0, 3),
        ("ghost", 1, 0),
        ("twice", 1, 0),
    ];
    assert_eq!(world.correct("e1", &wrong), 5);
    assert_eq!(
        [told(&mut listener), told(&mut listener)],
        ["-ghost 4", "+cyd 4"],
        "who has another connection neither comes nor goes"
    );
    assert_eq!(world.attendance("e1"), "ada 1 bob 2 cyd 3");
    assert_eq!(world.presence("e1", Presence::List).count, 4);
    assert_eq!(world.correct("e1", &wrong), 0, "it is right by now");
    world.assert_silent(&mut listener);
}

#[test]
fn who_joined_or_left_since_the_look_is_not_corrected() {
    let mut world = World::new();
    for id in ["ada", "bob"] {
        world.join("e1", &user(id));
    }
    // Both were about to be removed, and one more added.
    world.join("e1", &user("ada"));
    world.leave("e1", &user("bob"));
    world.join("e1", &user("cyd"));
    let mut listener = world.subscribe();
    let wrong = [("ada", 1, 0), ("bob", 1, 0), ("cyd", 0, 1)];
    assert_eq!(world.correct("e1", &wrong), 0);
    assert_eq!(world.attendance("e1"), "ada 2 cyd 1");
    world.assert_silent(&mut listener);
}

#[test]
fn an_edge_that_was_swept_gets_its_users_back_and_the_last_ghost_takes_it_along() {
    let mut world = World::new();
    world.join("e1", &user("ada"));
    world.expire("e1");
    world.presence("e2", Presence::Sweep);
    let mut listener = world.subscribe();
    assert_eq!(world.correct("e1", &[("ada", 0, 2)]), 1);
    assert_eq!(told(&mut listener), "+ada 1");
    assert_eq!(world.presence("e1", Presence::Refresh).count, 1);
    assert_eq!(world.correct("e1", &[("ada", 2, 0)]), 1);
    assert_eq!(told(&mut listener), "-ada 0");
    assert_eq!(world.run("EXISTS @edges @members:e1"), Reply::Integer(0));
}

#[test]
fn a_full_server_corrects_all_or_nothing() {
    let mut world = World::on(Server::with(&["--maxmemory-policy", "noeviction"]));
    world.join("e1", &user("ghost"));
    let mut listener = world.subscribe();
    world.run("CONFIG SET maxmemory 1");
    let ghost = Correction {
        user: user("ghost"),
        held: 1,
        connections: 0,
    };
    let ada = Correction {
        user: user("ada"),
        held: 0,
        connections: 1,
    };
    let both = [ghost, ada];
    let call = |changes| {
        let change = Presence::Correct(changes);
        redis::presence(&world.keyspace, &world.room, "e1", change)
    };
    let error = world.redis.call(&call(&both)).unwrap_err();
    assert!(error.contains("OOM"), "{error}");
    // Removing alone makes room.
    world.redis.call(&call(&both[..1])).expect("it is taken");
    assert_eq!(told(&mut listener), "-ghost 0");
}

#[test]
fn a_room_that_was_lost_whole_is_told_by_its_count() {
    let mut world = World::new();
    let mut listener = world.subscribe();
    let ids: Vec<String> = (0..redis::CORRECTIONS).map(|id| format!("u{id}")).collect();
    let wrong: Vec<(&str, u64, u64)> = ids.iter().map(|id| (id.as_str(), 0, 1)).collect();
    assert_eq!(world.correct("e1", &wrong), 500);
    for _ in 0..200 {
        assert!(told(&mut listener).ends_with(" 500"));
    }
    world.assert_silent(&mut listener);
}

#[test]
fn any_name_is_told_and_listed_as_it_is() {
    let mut world = World::new();
    let name = "Ada \"the\" \\ Löwe 🦁 %d {x}\n";
    let ada = User {
        name: name.to_owned(),
        ..user("ada")
    };
    let mut listener = world.subscribe();
    world.join("e1", &ada);
    assert_eq!(told(&mut listener), format!("+{name} 1"));
    assert_eq!(
        world.presence("e1", Presence::List).listed,
        std::slice::from_ref(&ada)
    );
    world.expire("e1");
    world.presence("e2", Presence::Sweep);
    assert_eq!(told(&mut listener), format!("-{name} 0"));
}

#[test]
fn at_most_fifty_members_are_listed_and_all_are_counted() {
    let mut world = World::new();
    for index in 0..60 {
        world.join(
            if index % 2 == 0 { "e1" } else { "e2" },
            &user(&format!("user{index}")),
        );
    }
    let members = world.presence("e1", Presence::List);
    assert_eq!((members.count, members.listed.len()), (60, 50));
}
