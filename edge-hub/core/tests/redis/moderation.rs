//! The moderation log, the queue and the quarantine.

use super::server::Reply;
use super::world::{World, answering, by_id, changing, draft_saying, edit, stored, user};
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{Position, UserId};
use clustertalk_core::log::moderation::{
    Decision, Reason, Record, Recorded, Report, Resolution, Resolved, names,
};
use clustertalk_core::log::{Action, Change, Checker, Draft, Original, Reference};
use clustertalk_core::redis;
use clustertalk_core::store::{
    Appended, Mode, Moderated, ModerationAction, Queue, Queued, Records, RoomAction,
};
use std::time::Duration;

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

/// The draft of what was judged so.
fn judged(mut draft: Draft, action: Action) -> Draft {
    let decision = Decision {
        user: draft.user.clone(),
        id: draft.id.clone(),
        of: draft.kind.to_owned(),
        action,
        label: Some("spam".to_owned()),
        scores: Vec::new(),
        rule: None,
        model: None,
        policy: None,
    };
    draft.action = action;
    draft.record = Some(Record::Decision(Box::new(decision)).rest([7; 16]));
    draft
}

fn masked(by: &str, id: &str) -> Draft {
    let mut draft = judged(draft_saying(by, id, "[masked]"), Action::Mask);
    draft.original = Some(Original {
        sealed: format!("sealed {id}"),
        keep: Duration::from_secs(3600),
    });
    draft
}

fn deleting(by: &str, id: &str, target: Reference) -> Draft {
    let mut draft = changing(by, id, target, &Change::Delete);
    let record = Resolution::of_message(&draft.user, Resolved::Delete);
    draft.record = Some(record.rest([7; 16]));
    draft.may_moderate = by == "mod";
    draft
}

fn restoring(id: &str, target: Reference, seq: u64) -> Draft {
    let mut draft = changing("mod", id, target, &edit("as it was"));
    let record = Resolution::of_message(&draft.user, Resolved::Restore);
    draft.record = Some(record.rest([7; 16]));
    draft.action = Action::Allow;
    draft.may_moderate = true;
    draft.restores = Some(seq);
    draft
}

impl World {
    fn append_draft(&mut self, draft: &Draft) -> Appended {
        let mode = Mode::of(draft.action);
        self.try_append(mode, draft, &[]).expect("Redis takes it")
    }

    fn flag(&mut self, by: &str, id: &str) -> Position {
        let draft = judged(draft_saying(by, id, "odd"), Action::Flag);
        stored(&self.append_draft(&draft))
    }

    fn moderate(&mut self, by: &str, role: Role, action: &ModerationAction) -> Moderated {
        let by = id(by);
        let record = match action {
            ModerationAction::Report { .. } => Some(Record::Report(Report {
                by: by.clone(),
                reason: Reason::Hate,
                note: None,
            })),
            ModerationAction::Dismiss { .. } => {
                Some(Resolution::of_message(&by, Resolved::Dismiss))
            }
            ModerationAction::Original { .. } => None,
        };
        let record = record.map(|record| record.rest([7; 16]));
        let call = redis::moderate(
            &self.keyspace,
            &self.limits,
            &self.room,
            (&by, role),
            action,
            record.as_deref(),
        );
        redis::moderated(&self.redis.call(&call).expect("Redis answers")).expect("an answer")
    }

    fn report(&mut self, by: &str, target: Reference) -> Moderated {
        self.moderate(by, Role::Member, &ModerationAction::Report { target })
    }

    fn queue(&mut self, after: Option<u64>, most: usize) -> (Vec<Queued>, Option<u64>) {
        let by = id("mod");
        let by = (&by, Role::Moderator);
        let call = redis::queue(&self.keyspace, &self.limits, &self.room, by, after, most);
        let reply = self.redis.call(&call).expect("Redis answers");
        match redis::queued(&reply).expect("an answer") {
            Queue::Page(queue, next) => (queue, next),
            other => panic!("no page: {other:?}"),
        }
    }

    fn waiting(&mut self) -> Vec<u64> {
        let (queue, _) = self.queue(None, 100);
        let number = |queued: &Queued| queued.message.link.seq;
        queue.iter().map(number).collect()
    }

    /// What the log says, oldest first: kind, action or reason, number of the message.
    fn told(&mut self) -> Vec<String> {
        let event = |entry: Reply| entry.array().remove(1).array().remove(1).text();
        let entries = self.run("XRANGE @moderation - +").array();
        let entries: Vec<String> = entries.into_iter().map(event).collect();
        self.assert_whole();
        let told = |json: &String| {
            let entry = Recorded::parse(json.as_bytes()).expect("an entry");
            let about = entry.target.map(|target| target.position.seq);
            let about = about.map_or(String::new(), |seq| format!(" {seq}"));
            let Some(body) = entry.body else {
                return "erased".to_owned();
            };
            let body: serde_json::Value = serde_json::from_str(body.get()).unwrap();
            let word = |name: &str| body[name].as_str().unwrap_or_default();
            match entry.kind.as_deref() {
                Some("decision") => format!("{} {}{about}", word("action"), word("id")),
                Some("report") => format!("reported by {}{about}", word("by")),
                _ => format!("{} by {}{about}", word("action"), word("by")),
            }
        };
        entries.iter().map(told).collect()
    }

    fn faults(&mut self) -> Vec<&'static str> {
        let call = redis::inspect_moderation(&self.keyspace, &self.room, 0, 1000);
        let reply = self.redis.call(&call).expect("Redis reads");
        let stretch = redis::inspected(&reply).expect("a stretch");
        let found = Checker::of_moderation().check(&stretch);
        found.iter().map(|finding| finding.fault.code()).collect()
    }

    fn assert_whole(&mut self) {
        assert_eq!(self.faults(), [""; 0]);
    }
}

#[test]
fn each_decision_leaves_one_entry_whatever_is_sent_again() {
    let mut world = World::new();
    world.append("ada", "m1");
    let flagged = judged(draft_saying("ada", "m2", "odd"), Action::Flag);
    let blocked = judged(draft_saying("ada", "m4", "vile"), Action::Block);
    let blocked_edit = judged(
        changing("ada", "m5", by_id("ada", "m1"), &edit("vile")),
        Action::Block,
    );
    for draft in [&flagged, &masked("ada", "m3"), &blocked, &blocked_edit] {
        let first = world.append_draft(draft);
        for _ in 0..2 {
            let again = world.append_draft(draft);
            match (&first, &again) {
                (Appended::Stored { position, .. }, Appended::Duplicate { position: same, .. }) => {
                    assert_eq!(position, same);
                }
                (first, again) => {
                    assert_eq!((first, again), (&Appended::Refused, &Appended::Refused))
                }
            }
        }
    }
    assert_eq!(
        world.told(),
        ["flag m2 2", "mask m3 3", "block m4", "block m5 1"]
    );
    assert_eq!(
        world.waiting(),
        [2],
        "what is masked or blocked does not wait"
    );
    let entries = world.run("XRANGE @moderation - +");
    assert!(!format!("{entries:?}").contains("vile"), "no text is there");
}

#[test]
fn what_is_refused_for_another_reason_leaves_no_entry() {
    let mut world = World::new();
    world.run("ZADD @ban inf ada");
    let flagged = judged(draft_saying("ada", "m1", "odd"), Action::Flag);
    assert!(matches!(world.append_draft(&flagged), Appended::Banned(_)));
    let blocked = judged(draft_saying("ada", "m2", "vile"), Action::Block);
    assert!(matches!(world.append_draft(&blocked), Appended::Banned(_)));
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn a_changed_missing_or_swapped_entry_is_found() {
    let mut world = World::new();
    for number in 1..=4 {
        world.flag("ada", &format!("m{number}"));
    }
    world.assert_whole();
    let key = world.key("moderation");
    let event = |entry: Reply| entry.array().remove(1).array().remove(1).text();
    let entries = world.run("XRANGE @moderation - +").array();
    let entries: Vec<String> = entries.into_iter().map(event).collect();
    let mut put = |events: &[(&str, &str)]| {
        world.run("DEL @moderation");
        for (id, event) in events {
            world.redis.send(&["XADD", &key, id, "event", event]);
        }
        world.faults()
    };
    let changed = entries[1].replace("\"action\":\"flag\"", "\"action\":\"mask\"");
    assert_ne!(changed, entries[1]);
    let [one, two, three, four] = &entries[..] else {
        panic!("four")
    };
    let found = put(&[
        ("1-0", one),
        ("2-0", &changed),
        ("3-0", three),
        ("4-0", four),
    ]);
    assert_eq!(found, ["altered"]);
    assert_eq!(
        put(&[("1-0", one), ("3-0", three), ("4-0", four)]),
        ["hole"]
    );
    let found = put(&[("1-0", one), ("2-0", three), ("3-0", two), ("4-0", four)]);
    assert!(found.contains(&"misplaced"), "{found:?}");
    assert_eq!(
        put(&[("1-0", one), ("2-0", two), ("3-0", three), ("4-0", four)]),
        [""; 0]
    );
    // Trimmed from the front it is whole.
    assert_eq!(put(&[("3-0", three), ("4-0", four)]), [""; 0]);
}

#[test]
fn the_log_is_bounded_by_age_and_goes_on_after_a_hole_at_its_end() {
    let mut world = World::new();
    world.flag("ada", "m1");
    world.flag("ada", "m2");
    world.run("XDEL @moderation 2-0");
    world.flag("ada", "m3");
    assert_eq!(world.told(), ["flag m1 1", "flag m3 3"]);
    let kept = world.run("HGET @moderation:tombstones 2").text();
    assert!(kept.contains(r#""kind":"damaged""#), "{kept}");
    // An entry that is older than 90 days leaves with the next one.
    let event = |entry: Reply| entry.array().remove(1).array().remove(1).text();
    let entries = world.run("XRANGE @moderation - +").array();
    let entries: Vec<String> = entries.into_iter().map(event).collect();
    world.run("DEL @moderation");
    let key = world.key("moderation");
    let (before, after) = entries[0].split_once("\"at\":").unwrap();
    let old = format!("{before}\"at\":1{}", &after[after.find(',').unwrap()..]);
    world.redis.send(&["XADD", &key, "1-0", "event", &old]);
    world
        .redis
        .send(&["XADD", &key, "3-0", "event", &entries[1]]);
    world.flag("ada", "m4");
    assert_eq!(world.told(), ["flag m3 3", "flag m4 4"]);
    assert_eq!(world.run("HLEN @moderation:tombstones"), Reply::Integer(0));
}

#[test]
fn a_log_that_cannot_be_continued_stops_what_would_be_noted() {
    let mut world = World::new();
    world.run("XADD @moderation 1-0 event nonsense");
    let flagged = judged(draft_saying("ada", "m1", "odd"), Action::Flag);
    let error = world.try_append(Mode::Append, &flagged, &[]).unwrap_err();
    assert!(error.contains("CORRUPT"), "{error}");
    assert_eq!(world.entries(), [""; 0]);
    // What is allowed goes on.
    stored(&world.append("ada", "m2"));
}

#[test]
fn a_report_counts_once_for_each_user_and_message() {
    let mut world = World::new();
    let position = stored(&world.append("ada", "m1"));
    for target in [by_id("ada", "m1"), Reference::Position(position)] {
        assert_eq!(world.report("bob", target), Moderated::Done);
    }
    assert_eq!(world.report("cyd", by_id("ada", "m1")), Moderated::Done);
    assert_eq!(
        world.report("cyd", by_id("ada", "m9")),
        Moderated::TargetMissing
    );
    assert_eq!(world.told(), ["reported by bob 1", "reported by cyd 1"]);
    let (queue, next) = world.queue(None, 10);
    assert_eq!((queue.len(), queue[0].reports, next), (1, 2, None));
    assert_eq!(queue[0].records.len(), 2);
}

#[test]
fn reports_keep_the_rate_of_messages() {
    let mut world = World::new();
    world.fill(1..=3);
    world.limits.messages_per_second = 1;
    world.limits.burst = 2;
    for message in ["m1", "m2"] {
        assert_eq!(world.report("bob", by_id("ada", message)), Moderated::Done);
    }
    let third = world.report("bob", by_id("ada", "m3"));
    assert!(matches!(third, Moderated::RateLimited { .. }), "{third:?}");
    // What was told before costs nothing.
    assert_eq!(world.report("bob", by_id("ada", "m1")), Moderated::Done);
}

#[test]
fn what_is_blocked_keeps_the_rate_as_well() {
    let mut world = World::new();
    world.limits.messages_per_second = 1;
    world.limits.burst = 2;
    for (id, is_refused) in [("m1", true), ("m2", true), ("m3", false)] {
        let blocked = judged(draft_saying("ada", id, "vile"), Action::Block);
        let outcome = world.append_draft(&blocked);
        assert_eq!(outcome == Appended::Refused, is_refused, "{outcome:?}");
    }
    assert_eq!(world.told(), ["block m1", "block m2"]);
}

#[test]
fn only_moderators_see_and_resolve_and_only_who_may_read_reports() {
    let mut world = World::new();
    world.flag("ada", "m1");
    let target = by_id("ada", "m1");
    let dismiss = ModerationAction::Dismiss {
        target: target.clone(),
    };
    let original = ModerationAction::Original {
        target: target.clone(),
    };
    for action in [&dismiss, &original] {
        let refused = world.moderate("bob", Role::Member, action);
        assert_eq!(refused, Moderated::Forbidden);
    }
    let bob = id("bob");
    for role in ["member", "moderator"] {
        world.run(&format!("HSET @granted bob {role}"));
        let by = (&bob, Role::Member);
        let call = redis::records(&world.keyspace, &world.limits, &world.room, by, None, 10);
        let records = redis::record_page(&world.redis.call(&call).unwrap()).unwrap();
        let is_page = matches!(records, Records::Page(..));
        assert_eq!(is_page, role == "moderator", "{records:?}");
        let call = redis::queue(&world.keyspace, &world.limits, &world.room, by, None, 10);
        let queue = redis::queued(&world.redis.call(&call).unwrap()).unwrap();
        assert_eq!(
            matches!(queue, Queue::Page(..)),
            role == "moderator",
            "{queue:?}"
        );
    }
    world.run("ZADD @ban inf bob");
    assert!(matches!(world.report("bob", target), Moderated::Banned(_)));
    assert!(matches!(
        world.moderate("bob", Role::Member, &dismiss),
        Moderated::Banned(_)
    ));
}

#[test]
fn what_is_resolved_leaves_the_queue_and_is_noted() {
    let mut world = World::new();
    for message in ["m1", "m2", "m3", "m4"] {
        world.flag("ada", message);
    }
    world.append("ada", "m5");
    let dismiss = ModerationAction::Dismiss {
        target: by_id("ada", "m1"),
    };
    for _ in 0..2 {
        let done = world.moderate("mod", Role::Moderator, &dismiss);
        assert_eq!(done, Moderated::Done);
    }
    stored(&world.append_draft(&deleting("mod", "d2", by_id("ada", "m2"))));
    stored(&world.append_draft(&deleting("ada", "d3", by_id("ada", "m3"))));
    // Nobody's affair: no moderator did it, and it did not wait.
    stored(&world.append_draft(&deleting("ada", "d5", by_id("ada", "m5"))));
    assert_eq!(world.waiting(), [4]);
    assert_eq!(
        world.told()[4..],
        ["dismiss by mod 1", "delete by mod 2", "delete by ada 3"]
    );
}

#[test]
fn a_page_of_the_queue_ends_where_the_next_begins() {
    let mut world = World::new();
    for number in 1..=5 {
        world.flag("ada", &format!("m{number}"));
    }
    let edited = judged(
        changing("ada", "e6", by_id("ada", "m2"), &edit("odd again")),
        Action::Flag,
    );
    stored(&world.append_draft(&edited));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = world.queue(after, 2);
        assert!(page.len() <= 2);
        found.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let numbers: Vec<u64> = found.iter().map(|queued| queued.message.link.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(found[1].records.len(), 2);
    assert_eq!(found[1].edit.as_ref().map(|edit| edit.link.seq), Some(6));
    // Newest first, in pages as well.
    let (by, mut after, mut seqs) = (id("mod"), None, Vec::new());
    loop {
        let by = (&by, Role::Moderator);
        let call = redis::records(&world.keyspace, &world.limits, &world.room, by, after, 4);
        let reply = world.redis.call(&call).unwrap();
        let Records::Page(page, next) = redis::record_page(&reply).unwrap() else {
            panic!("no page")
        };
        seqs.extend(page.iter().map(|entry| entry.seq));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seqs, [6, 5, 4, 3, 2, 1]);
    for after in [0, 1, 1 << 53] {
        let by = (&by, Role::Moderator);
        let call = redis::records(
            &world.keyspace,
            &world.limits,
            &world.room,
            by,
            Some(after),
            1,
        );
        let reply = world.redis.call(&call).unwrap();
        let Records::Page(page, _) = redis::record_page(&reply).unwrap() else {
            panic!("no page")
        };
        assert_eq!(page.len(), usize::from(after > 1), "{after}");
    }
}

#[test]
fn the_queue_forgets_what_the_log_lost() {
    let mut world = World::new();
    world.flag("ada", "m1");
    world.flag("ada", "m2");
    world.run("XTRIM @log MAXLEN 1");
    assert_eq!(world.waiting(), [2]);
    assert_eq!(world.run("ZCARD @moderation:queue"), Reply::Integer(1));
    // As after a failover that gave the number to another message.
    world.run("DEL @log @seen");
    world.fill(1..=2);
    assert_eq!(world.waiting(), [0; 0]);
}

#[test]
fn an_original_is_restored_once_and_only_what_stands_there_now() {
    let mut world = World::new();
    let position = stored(&world.append_draft(&masked("ada", "m1")));
    let original = ModerationAction::Original {
        target: by_id("ada", "m1"),
    };
    let found = Moderated::Original {
        seq: position.seq,
        user: id("ada"),
        id: draft_saying("ada", "m1", "x").id,
        sealed: "sealed m1".to_owned(),
    };
    assert_eq!(world.moderate("mod", Role::Moderator, &original), found);
    assert!(matches!(
        world.run("PTTL @moderation:quarantine:1"),
        Reply::Integer(1..=3_600_000)
    ));
    // An edit that is masked has an original of its own, and hides the first.
    let mut edited = changing("ada", "e2", by_id("ada", "m1"), &edit("[masked]"));
    edited = judged(edited, Action::Mask);
    edited.original = masked("ada", "e2").original;
    stored(&world.append_draft(&edited));
    let early = world.append_draft(&restoring("r0", by_id("ada", "m1"), 1));
    assert_eq!(early, Appended::OriginalGone);
    let mut by_member = restoring("r1", by_id("ada", "m1"), 2);
    by_member.may_moderate = false;
    assert_eq!(world.append_draft(&by_member), Appended::Forbidden);
    assert_eq!(
        stored(&world.append_draft(&restoring("r3", by_id("ada", "m1"), 2))).seq,
        3
    );
    let again = world.append_draft(&restoring("r3", by_id("ada", "m1"), 2));
    assert!(matches!(again, Appended::Duplicate { .. }), "{again:?}");
    let gone = world.append_draft(&restoring("r4", by_id("ada", "m1"), 3));
    assert_eq!(gone, Appended::OriginalGone);
    assert_eq!(world.told(), ["mask m1 1", "mask e2 1", "restore by mod 1"]);
    // What is deleted takes its originals along.
    stored(&world.append_draft(&deleting("ada", "d5", by_id("ada", "m1"))));
    assert_eq!(
        world
            .run("EXISTS @moderation:quarantine:1 @moderation:quarantine:2 @moderation:quarantine"),
        Reply::Integer(0)
    );
}

#[test]
fn so_many_originals_are_kept() {
    let mut world = World::new();
    for number in 1..=1003 {
        stored(&world.append_draft(&masked("ada", &format!("m{number}"))));
    }
    assert_eq!(
        world.run("ZCARD @moderation:quarantine"),
        Reply::Integer(1000)
    );
    let gone = "EXISTS @moderation:quarantine:1 @moderation:quarantine:2 @moderation:quarantine:3";
    assert_eq!(world.run(gone), Reply::Integer(0));
    assert_eq!(
        world.run("EXISTS @moderation:quarantine:4"),
        Reply::Integer(1)
    );
}

#[test]
fn what_is_done_to_users_is_noted_with_who_did_it() {
    let mut world = World::new();
    let (by, bob) = (id("mod"), id("bob"));
    for (action, resolved) in [
        (
            RoomAction::Mute {
                user: bob.clone(),
                span: None,
            },
            Resolved::Mute,
        ),
        (RoomAction::Unban { user: bob.clone() }, Resolved::Unban),
        (RoomAction::Unban { user: bob.clone() }, Resolved::Unban),
        (RoomAction::Kick { user: bob.clone() }, Resolved::Kick),
    ] {
        for role in [Role::Member, Role::Moderator] {
            let record = Resolution::of_user(&by, resolved, &bob, None).rest([7; 16]);
            let (keyspace, room) = (&world.keyspace, &world.room);
            let call = redis::manage(keyspace, room, &by, role, &action, Some(&record));
            redis::managed(&world.redis.call(&call).unwrap()).unwrap();
        }
    }
    assert_eq!(world.told(), ["mute by mod", "unban by mod", "kick by mod"]);
}

#[test]
fn an_erasure_takes_a_user_out_and_leaves_the_log_whole() {
    let mut world = World::new();
    world.flag("ada", "m1");
    world.flag("bob", "m2");
    world.report("ada", by_id("bob", "m2"));
    world.append_draft(&judged(draft_saying("ada", "m3", "vile"), Action::Block));
    stored(&world.append_draft(&masked("bob", "m4")));
    let ada = id("ada");
    let event = |entry: Reply| entry.array().remove(1).array().remove(1).text();
    let entries = world.run("XRANGE @moderation - +").array();
    let strikes: Vec<Position> = entries
        .into_iter()
        .filter_map(|entry| names(event(entry).as_bytes(), &ada))
        .collect();
    assert_eq!(strikes.len(), 3);
    for expected in [3, 0] {
        let call = redis::erase_records(&world.keyspace, &world.room, &ada, &strikes);
        let erased = redis::records_erased(&world.redis.call(&call).unwrap()).unwrap();
        assert_eq!(erased, Some(expected));
    }
    assert_eq!(world.told(), ["flag m2 2", "mask m4 3"]);
    for key in [
        "XRANGE @moderation - +",
        "HVALS @moderation:tombstones",
        "ZRANGE @moderation:known 0 -1",
    ] {
        let kept = format!("{:?}", world.run(key));
        assert!(!kept.contains("\"ada"), "{key}: {kept}");
    }
    // The newest entry stays as a place to hang on.
    world.append_draft(&judged(draft_saying("ada", "m5", "vile"), Action::Block));
    let entries = world.run("XREVRANGE @moderation + - COUNT 1").array();
    let strike = names(event(entries.into_iter().next().unwrap()).as_bytes(), &ada).unwrap();
    let call = redis::erase_records(&world.keyspace, &world.room, &ada, &[strike]);
    world.redis.call(&call).unwrap();
    assert_eq!(world.told(), ["flag m2 2", "mask m4 3", "erased"]);
    world.flag("bob", "m6");
    assert_eq!(world.told().len(), 4);
}

#[test]
fn what_is_erased_from_a_room_leaves_queue_and_quarantine() {
    let mut world = World::new();
    let flagged = world.flag("ada", "m1");
    let masked = stored(&world.append_draft(&masked("ada", "m2")));
    let strikes = [flagged, masked].map(|position| redis::Strike {
        position,
        told: true,
    });
    let call = redis::erase(&world.keyspace, &world.room, &user("ada").id, &strikes);
    world.redis.call(&call).unwrap();
    assert_eq!(
        world.run("EXISTS @moderation:queue @moderation:quarantine @moderation:quarantine:2"),
        Reply::Integer(0)
    );
}

#[test]
fn a_deleted_room_leaves_nothing_of_its_moderation() {
    let mut world = World::new();
    world.flag("ada", "m1");
    world.report("bob", by_id("ada", "m1"));
    stored(&world.append_draft(&masked("ada", "m2")));
    let admin = id("root");
    let (keyspace, room) = (&world.keyspace, &world.room);
    let call = redis::manage(
        keyspace,
        room,
        &admin,
        Role::Admin,
        &RoomAction::Delete,
        None,
    );
    world.redis.call(&call).unwrap();
    // The bucket of who only reported is gone within seconds.
    let bucket = world.key("rate:bob");
    assert_eq!(world.run("KEYS *"), Reply::Array(vec![Reply::Text(bucket)]));
}

#[test]
fn a_reply_of_a_message_is_noted_as_its_own() {
    let mut world = World::new();
    let first = stored(&world.append("ada", "m1"));
    let answer = answering("bob", "m2", "odd", Some(Reference::Position(first)));
    stored(&world.append_draft(&judged(answer, Action::Flag)));
    assert_eq!(world.told(), ["flag m2 2"]);
    assert_eq!(world.waiting(), [2]);
}
