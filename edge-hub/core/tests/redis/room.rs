//! Who has a role in a room, who is let in and who is kept out: held by whatever reads or writes it.

use super::server::{Client, Reply};
use super::world::{World, by_id, changing, draft, edit, stored, user};
use clustertalk_core::auth::Role;
use clustertalk_core::delivery::{Notice, NoticeKind};
use clustertalk_core::ids::{Pair, RoomName, UserId};
use clustertalk_core::limits::ROOM_ROLES;
use clustertalk_core::log::{Change, Draft};
use clustertalk_core::redis::{self, Presence};
use clustertalk_core::store::{
    Appended, Attended, Managed, Mode, Range, Read, RoomAction, RoomPatch, RoomRole, RoomView, Term,
};
use std::collections::BTreeSet;
use std::time::Duration;

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

fn topic(text: &str) -> RoomPatch {
    RoomPatch {
        topic: Some(text.to_owned()),
        ..RoomPatch::default()
    }
}

pub fn grant(user: &str, role: RoomRole) -> RoomAction {
    RoomAction::Grant {
        user: id(user),
        role,
    }
}

fn revoke(user: &str) -> RoomAction {
    RoomAction::Revoke { user: id(user) }
}

fn kick(user: &str) -> RoomAction {
    RoomAction::Kick { user: id(user) }
}

pub fn mute(user: &str, millis: Option<u64>) -> RoomAction {
    RoomAction::Mute {
        user: id(user),
        span: millis.map(Duration::from_millis),
    }
}

fn ban(user: &str, millis: Option<u64>) -> RoomAction {
    RoomAction::Ban {
        user: id(user),
        span: millis.map(Duration::from_millis),
    }
}

pub fn unban(user: &str) -> RoomAction {
    RoomAction::Unban { user: id(user) }
}

/// What the owner may set and a moderator may not.
fn owners_patches() -> [RoomPatch; 3] {
    [
        RoomPatch {
            archived: Some(true),
            ..RoomPatch::default()
        },
        RoomPatch {
            log_entries: Some(7),
            ..RoomPatch::default()
        },
        RoomPatch {
            log_age: Some(Duration::from_secs(7)),
            ..RoomPatch::default()
        },
    ]
}

impl World {
    /// `ada`'s private room `plans`, not created yet.
    fn private() -> Self {
        let mut world = Self::new();
        let plans = RoomName::parse("plans").unwrap();
        world.room = RoomName::private(&id("ada"), &plans).unwrap();
        world
    }

    fn manage_as(&mut self, by: &str, role: Role, action: &RoomAction) -> Managed {
        let call = redis::manage(&self.keyspace, &self.room, &id(by), role, action, None);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::managed(&reply).expect("the reply has the contract's shape")
    }

    pub fn manage(&mut self, by: &str, action: &RoomAction) -> Managed {
        self.manage_as(by, Role::Member, action)
    }

    /// Fails unless it is done.
    pub fn done(&mut self, by: &str, action: &RoomAction) -> RoomView {
        match self.manage(by, action) {
            Managed::Done(view) => *view,
            other => panic!("{action:?} of {by}: {other:?}"),
        }
    }

    /// Creates the room, whose owner is ada.
    pub fn create(&mut self, patch: RoomPatch) {
        self.done("ada", &RoomAction::Create(patch));
    }

    pub fn attend(&mut self, by: &str) -> Attended {
        let join = Presence::Join {
            user: &user(by),
            connection: "c1",
        };
        let call = redis::presence(&self.keyspace, &self.room, "e1", join);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::attended(&reply)
            .expect("the reply has the contract's shape")
            .1
    }

    /// Whom the edge is told that may not be there.
    pub fn unwelcome(&mut self) -> Vec<UserId> {
        let call = redis::presence(&self.keyspace, &self.room, "e1", Presence::Refresh);
        let reply = self.redis.call(&call).expect("Redis takes it");
        redis::refreshed(&reply)
            .expect("the reply has the contract's shape")
            .1
    }

    pub fn read_as(&mut self, by: &str) -> Read {
        let user = id(by);
        let call = redis::read(
            &self.keyspace,
            &self.room,
            Some(&user),
            Range::Tail,
            10,
            1 << 20,
        );
        let reply = self.redis.call(&call).expect("Redis reads");
        redis::read_for_user(&reply).expect("the reply has the contract's shape")
    }

    fn store(&mut self, draft: &Draft) -> Appended {
        self.try_append(Mode::Append, draft, &[])
            .expect("Redis takes it")
    }

    /// A message of a moderator by his token.
    pub fn append_as_moderator(&mut self, by: &str, id: &str) -> Appended {
        let mut draft = draft(by, id);
        draft.may_moderate = true;
        self.store(&draft)
    }

    fn notices(&self) -> Client {
        let mut client = self.server.connect();
        client.subscribe(&self.keyspace.notices());
        client
    }

    /// Every key of the data set.
    fn all_keys(&mut self) -> BTreeSet<String> {
        let keys = self.redis.send(&["KEYS", "*"]).array();
        keys.into_iter().map(Reply::text).collect()
    }
}

/// `KIND user`.
fn noticed(listener: &mut Client) -> String {
    let notice = Notice::parse(&listener.published()).expect("a notice");
    let user = notice.user.map(|user| format!(" {user}"));
    format!("{:?}{}", notice.kind, user.unwrap_or_default())
}

fn forbidden(managed: &Managed) -> bool {
    *managed == Managed::Forbidden
}

#[test]
fn a_room_is_its_creators_and_nobody_elses_who_comes_later() {
    let mut world = World::new();
    world.create(topic("Q&A \"now\""));
    assert_eq!(
        world.manage("bob", &RoomAction::Create(RoomPatch::default())),
        Managed::Exists
    );
    let view = world.done("ada", &RoomAction::Look);
    assert_eq!(view.role, Some(RoomRole::Owner));
    assert_eq!(view.settings.topic.as_deref(), Some("Q&A \"now\""));
    assert_eq!(view.settings.created_by, Some(id("ada")));
    assert!(view.settings.created_at.is_some());
    assert_eq!(world.done("bob", &RoomAction::Look).role, None);
}

#[test]
fn a_room_that_somebody_uses_is_not_to_be_had() {
    let mut spoken = World::new();
    spoken.fill(1..=1);
    let mut visited = World::new();
    visited.attend("bob");
    for world in [&mut spoken, &mut visited] {
        let create = RoomAction::Create(RoomPatch::default());
        assert_eq!(world.manage("ada", &create), Managed::Exists);
        let patch = RoomAction::Configure(topic("mine"));
        assert!(forbidden(&world.manage("ada", &patch)));
        // It has no owner, but moderators.
        let configured = world.manage_as("cyd", Role::Moderator, &patch);
        assert!(matches!(configured, Managed::Done(_)), "{configured:?}");
    }
}

#[test]
fn each_role_may_what_those_before_it_may() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.done("ada", &grant("mia", RoomRole::Moderator));
    world.done("ada", &grant("mel", RoomRole::Member));
    let moderate = RoomAction::Configure(RoomPatch {
        topic: Some("news".to_owned()),
        read_only: Some(true),
        slow_mode: Some(Duration::from_secs(1)),
        ..RoomPatch::default()
    });
    for (by, role, may_moderate, may_own) in [
        ("eve", Role::Member, false, false),
        ("mel", Role::Member, false, false),
        ("mia", Role::Member, true, false),
        ("eve", Role::Moderator, true, false),
        ("ada", Role::Member, true, true),
        ("eve", Role::Admin, true, true),
    ] {
        let may = |managed: Managed| matches!(managed, Managed::Done(_));
        let who = format!("{by} {role:?}");
        for action in [
            moderate.clone(),
            grant("bob", RoomRole::Member),
            revoke("bob"),
            kick("bob"),
            mute("bob", None),
            ban("bob", None),
            unban("bob"),
        ] {
            let managed = world.manage_as(by, role, &action);
            assert_eq!(may(managed), may_moderate, "{who} {action:?}");
        }
        for patch in owners_patches() {
            let configure = RoomAction::Configure(patch);
            let managed = world.manage_as(by, role, &configure);
            assert_eq!(may(managed), may_own, "{who} {configure:?}");
        }
        for action in [
            grant("bob", RoomRole::Moderator),
            grant("bob", RoomRole::Owner),
            revoke("bob"),
        ] {
            let managed = world.manage_as(by, role, &action);
            let is_open = may_moderate && matches!(action, RoomAction::Revoke { .. });
            assert_eq!(may(managed), may_own || is_open, "{who} {action:?}");
        }
    }
}

#[test]
fn nobody_is_thrown_out_by_those_below_or_beside_him() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    for (user, role) in [
        ("mia", RoomRole::Moderator),
        ("max", RoomRole::Moderator),
        ("oli", RoomRole::Owner),
    ] {
        world.done("ada", &grant(user, role));
    }
    for (by, role, of) in [
        ("mia", Role::Member, "ada"),
        ("mia", Role::Member, "max"),
        ("mia", Role::Member, "mia"),
        ("ada", Role::Member, "oli"),
        ("eve", Role::Moderator, "mia"),
    ] {
        for action in [kick(of), mute(of, None), ban(of, None)] {
            let managed = world.manage_as(by, role, &action);
            assert!(forbidden(&managed), "{by} {role:?}: {action:?}");
        }
    }
    for action in [revoke("max"), grant("max", RoomRole::Member)] {
        assert!(forbidden(&world.manage("mia", &action)), "{action:?}");
    }
    // An owner may take the role of another, and anyone gives back his own.
    world.done("ada", &revoke("oli"));
    world.done("max", &revoke("max"));
    let managed = world.manage_as("eve", Role::Admin, &ban("ada", None));
    assert!(matches!(managed, Managed::Done(_)), "{managed:?}");
}

/// Everything that somebody outside may try with a private room.
fn tried_from_outside(world: &mut World) -> Vec<String> {
    let mut tried = Vec::new();
    let actions = [
        RoomAction::Look,
        RoomAction::Configure(topic("mine")),
        RoomAction::Delete,
        grant("eve", RoomRole::Member),
        revoke("eve"),
        revoke("ada"),
        kick("ada"),
        mute("ada", None),
        ban("ada", None),
        unban("ada"),
    ];
    for role in [Role::Member, Role::Moderator] {
        for action in &actions {
            tried.push(format!("{:?}", world.manage_as("eve", role, action)));
        }
    }
    tried.push(format!("{:?}", world.attend("eve")));
    tried.push(format!("{:?}", world.read_as("eve")));
    tried.push(format!("{:?}", world.append("eve", "m1")));
    tried.push(format!("{:?}", world.append_as_moderator("eve", "m2")));
    for (mode, draft) in [
        (Mode::Refuse, draft("eve", "m3")),
        (
            Mode::Append,
            changing("eve", "c1", by_id("ada", "m1"), &edit("x")),
        ),
        (
            Mode::Append,
            changing("eve", "c2", by_id("ada", "m1"), &Change::Delete),
        ),
    ] {
        tried.push(format!("{:?}", world.try_append(mode, &draft, &[])));
    }
    tried
}

#[test]
fn from_outside_a_private_room_is_as_one_that_there_is_not() {
    let mut without = World::private();
    let answers = tried_from_outside(&mut without);
    assert!(
        answers.iter().all(|answer| answer.contains("Forbidden")),
        "{answers:?}"
    );
    assert_eq!(without.all_keys(), BTreeSet::new());

    let mut with = World::private();
    with.create(topic("What next?"));
    with.fill(1..=1);
    with.done("ada", &ban("eve", None));
    let keys = with.all_keys();
    let mut listener = with.subscribe();
    let mut notices = with.notices();
    assert_eq!(tried_from_outside(&mut with), answers);
    assert_eq!(with.all_keys(), keys);
    with.assert_silent(&mut listener);
    with.done("ada", &kick("eve"));
    assert_eq!(noticed(&mut notices), "Kick eve", "and nothing before");
}

#[test]
fn who_is_let_into_a_private_room_may_what_others_may_elsewhere() {
    let mut world = World::private();
    world.create(topic("What next?"));
    let mut notices = world.notices();
    world.done("ada", &grant("bob", RoomRole::Member));
    assert_eq!(noticed(&mut notices), "Changed bob");
    stored(&world.append("bob", "m1"));
    assert!(matches!(world.read_as("bob"), Read::Stretch(_)));
    let Attended::Counted(view) = world.attend("bob") else {
        panic!("he was let in");
    };
    assert_eq!(view.role, Some(RoomRole::Member));
    assert_eq!(view.settings.topic.as_deref(), Some("What next?"));
    assert!(forbidden(
        &world.manage("bob", &grant("eve", RoomRole::Member))
    ));
    assert_eq!(world.unwelcome(), []);

    world.done("ada", &revoke("bob"));
    assert_eq!(noticed(&mut notices), "Changed bob");
    assert_eq!(world.unwelcome(), [id("bob")]);
    assert_eq!(world.append("bob", "m2"), Appended::Forbidden);
    assert_eq!(world.read_as("bob"), Read::Forbidden);
    assert_eq!(world.attend("bob"), Attended::Forbidden);
}

#[test]
fn an_admin_reads_a_private_room_only_where_he_stands_in_the_list() {
    let mut world = World::private();
    world.create(RoomPatch::default());
    assert!(forbidden(&world.manage_as(
        "eve",
        Role::Admin,
        &RoomAction::Look
    )));
    assert_eq!(world.append_as_moderator("eve", "m1"), Appended::Forbidden);
    let list = grant("eve", RoomRole::Member);
    let managed = world.manage_as("eve", Role::Admin, &list);
    assert!(matches!(managed, Managed::Done(_)), "{managed:?}");
    assert!(matches!(world.read_as("eve"), Read::Stretch(_)));
}

#[test]
fn a_direct_room_is_found_by_both_and_has_no_third() {
    let mut world = World::new();
    let pair = Pair::of(id("ada"), id("bob")).unwrap();
    world.room = RoomName::direct(&pair);
    let direct = RoomAction::Direct(pair.clone());
    let mut notices = world.notices();
    let view = world.done("bob", &direct);
    assert_eq!(noticed(&mut notices), "Changed ada");
    assert_eq!(view.settings.direct, Some(pair));
    assert_eq!(world.done("ada", &direct), RoomView { ..view });
    stored(&world.append("ada", "m1"));
    stored(&world.append("bob", "m1"));
    for (by, role) in [("ada", Role::Member), ("eve", Role::Admin)] {
        for action in [
            grant("eve", RoomRole::Member),
            revoke("bob"),
            ban("bob", None),
            kick("bob"),
            RoomAction::Configure(topic("ours")),
        ] {
            let managed = world.manage_as(by, role, &action);
            assert!(forbidden(&managed), "{by}: {action:?}");
        }
    }
    assert!(forbidden(&world.manage("ada", &RoomAction::Delete)));
    let deleted = world.manage_as("eve", Role::Admin, &RoomAction::Delete);
    assert!(matches!(deleted, Managed::Deleted { .. }), "{deleted:?}");
}

#[test]
fn a_banned_user_is_kept_out_of_everything() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.attend("bob");
    world.attend("cyd");
    let mut notices = world.notices();
    world.done("ada", &ban("bob", None));
    assert_eq!(noticed(&mut notices), "Changed bob");
    let for_ever = Term { until: None };
    assert_eq!(world.unwelcome(), [id("bob")]);
    assert_eq!(world.attend("bob"), Attended::Banned(for_ever));
    assert_eq!(world.read_as("bob"), Read::Banned(for_ever));
    assert_eq!(world.append("bob", "m1"), Appended::Banned(for_ever));
    assert_eq!(
        world.manage("bob", &RoomAction::Look),
        Managed::Banned(for_ever)
    );
    world.done("ada", &unban("bob"));
    assert_eq!(noticed(&mut notices), "Changed bob");
    assert_eq!(world.unwelcome(), []);
    assert!(matches!(world.attend("bob"), Attended::Counted(_)));

    world.done("ada", &ban("bob", Some(60_000)));
    assert!(matches!(
        world.attend("bob"),
        Attended::Banned(Term { until: Some(_) })
    ));
    // As an operator does it, and where more are banned than are there.
    for number in 0..10 {
        world.run(&format!("ZADD @ban inf other{number}"));
    }
    assert_eq!(world.unwelcome(), [id("bob")]);
    world.run("ZADD @ban 1 bob");
    assert_eq!(world.unwelcome(), []);
    world.done("ada", &ban("dan", None));
    assert_eq!(world.run("ZSCORE @ban bob"), Reply::Nil, "it was over");
}

#[test]
fn a_moderator_of_the_room_deletes_what_others_wrote() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.done("ada", &grant("mia", RoomRole::Moderator));
    stored(&world.append("bob", "m1"));
    stored(&world.append("bob", "m2"));
    let target = || by_id("bob", "m1");
    let of_another = world.change("cyd", "d1", target(), Change::Delete);
    assert_eq!(of_another, Appended::Forbidden);
    stored(&world.change("mia", "d1", target(), Change::Delete));
    stored(&world.change("ada", "d1", by_id("bob", "m2"), Change::Delete));
}

#[test]
fn a_deleted_room_leaves_nothing_and_the_next_of_its_name_is_new() {
    for mut world in [World::new(), World::private()] {
        use clustertalk_core::store::Update;
        let minute = [
            Update::Minute { amount: 1 },
            Update::Unique {
                value: "ada".to_owned(),
            },
            Update::Top {
                field: "ada".to_owned(),
                amount: 1,
            },
        ];
        world.create(RoomPatch {
            slow_mode: Some(Duration::from_secs(60)),
            ..topic("over soon")
        });
        world.done("ada", &grant("bob", RoomRole::Member));
        world.done("ada", &ban("eve", None));
        world.done("ada", &mute("fay", None));
        world.attend("ada");
        world.attend("bob");
        let message = draft("bob", "m1");
        world.try_append(Mode::Append, &message, &minute).unwrap();
        world.fill(1..=3);
        stored(&world.change("ada", "e1", by_id("ada", "m1"), edit("x")));
        world.delete(2);
        world
            .redis
            .call(&redis::mark(&world.keyspace, &world.room, &id("ada"), 3))
            .unwrap();
        assert!(world.all_keys().len() >= 15, "{:?}", world.all_keys());

        assert!(forbidden(&world.manage("bob", &RoomAction::Delete)));
        let mut notices = world.notices();
        let mut listener = world.subscribe();
        let Managed::Deleted { listed } = world.manage("ada", &RoomAction::Delete) else {
            panic!("it is hers");
        };
        let listed: BTreeSet<UserId> = listed.into_iter().collect();
        assert_eq!(listed, BTreeSet::from([id("ada"), id("bob")]));
        assert_eq!(noticed(&mut notices), "Delete");
        assert!(listener.published().contains("deleted"));
        assert_eq!(world.all_keys(), BTreeSet::new());

        world.create(RoomPatch::default());
        assert_eq!(world.fill(1..=1)[0].seq, 1);
        assert_eq!(world.done("ada", &RoomAction::Look).settings.topic, None);
    }
}

#[test]
fn no_more_users_have_a_role_than_may() {
    let mut world = World::private();
    world.create(RoomPatch::default());
    for number in 1..ROOM_ROLES {
        world.done("ada", &grant(&format!("u{number}"), RoomRole::Member));
    }
    assert_eq!(
        world.manage("ada", &grant("late", RoomRole::Member)),
        Managed::Full
    );
    world.done("ada", &grant("u1", RoomRole::Moderator));
    world.done("ada", &revoke("u1"));
    world.done("ada", &grant("late", RoomRole::Member));
}

#[test]
fn what_may_not_be_told_is_not_done() {
    let mut world = World::new();
    world.create(RoomPatch::default());
    world.run("ACL SETUSER edge on nopass ~* resetchannels &ct:{general}:* +@all");
    world.run("AUTH edge x");
    assert_eq!(
        world.manage("ada", &ban("bob", None)),
        Managed::Unpublishable
    );
    world.run("AUTH default x");
    assert_eq!(world.run("EXISTS @ban"), Reply::Integer(0));
}

#[test]
fn notices_of_later_versions_are_read_as_a_change() {
    let text = r#"{"v":2,"kind":"warn","room":"general","user":"bob","why":"loud"}"#;
    let notice = Notice::parse(text).unwrap();
    assert_eq!(notice.kind, NoticeKind::Changed);
}
