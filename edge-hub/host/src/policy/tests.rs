use std::{path::Path, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::{
    application::Caps,
    sandbox::Digest,
    test_guests::{moderator, recorder, write},
};

/// Allows everything.
const ALLOW: &str = "(i32.const 1024)";
/// Blocks everything.
const BLOCK: &str = "(i32.store8 (i32.const 1028) (i32.const 3)) (i32.const 1024)";
/// Allows the first call of an instance, flags the second.
const COUNT: &str = "(i32.store8 (i32.const 1028) (i32.sub (global.get $calls) (i32.const 1)))
                     (i32.const 1024)";
const TRAP: &str = "unreachable";
const LOOP: &str = "(loop $for_ever (br $for_ever)) unreachable";
/// Takes a mebibyte at a time until it gets no more.
const MEMORY: &str = "(loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
/// Answers with an error of three bytes.
const ERROR: &str = "(i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 1028) (local.get 6)) (i32.store (i32.const 1032) (i32.const 3))
    (i32.const 1024)";
/// Masks with a replacement of 20,000 bytes.
const LARGE: &str = "(i32.store8 (i32.const 1028) (i32.const 2))
    (i32.store8 (i32.const 1032) (i32.const 1))
    (i32.store (i32.const 1036) (i32.const 2048)) (i32.store (i32.const 1040) (i32.const 20000))
    (i32.const 1024)";
/// Claims a list of 5,000 scores whose labels are each the same 60 kB.
const FLOOD: &str = "
    (i32.store (i32.const 1044) (i32.const 2048)) (i32.store (i32.const 1048) (i32.const 5000))
    (global.set $top (i32.const 2048))
    (loop $next
      (i32.store offset=4 (global.get $top) (i32.const 60000))
      (global.set $top (i32.add (global.get $top) (i32.const 12)))
      (br_if $next (i32.lt_u (global.get $top) (i32.const 62048))))
    (i32.const 1024)";

struct Bench {
    folder: TempDir,
    runtime: Arc<Runtime>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Arc::new(Runtime::start(folder.path()).expect("an engine"));
        Self { folder, runtime }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn dependency(&self, component: &[u8], fail: FailPolicy, reuse: u32) -> Dependency {
        Dependency {
            path: write(self.path(), "component.wasm", component),
            caps: Caps {
                memory_bytes: 8 << 20,
                deadline: Duration::from_millis(5),
            },
            fail,
            reuse,
            before: Vec::new(),
        }
    }

    async fn moderation(&self, review: &str, fail: FailPolicy, reuse: u32) -> Moderation {
        let dependency = self.dependency(&moderator(review), fail, reuse);
        Moderation::load(Arc::clone(&self.runtime), &dependency)
            .await
            .expect("a moderation component")
    }
}

fn build_of(moderation: &Moderation) -> Digest {
    moderation.members[0].component.digest()
}

/// Of one that moderates alone.
fn figures(moderation: &Moderation) -> ComponentMetrics {
    let [figures] = moderation.snapshot().try_into().expect("one component");
    figures
}

fn message() -> Message {
    Message {
        room: "general".to_owned(),
        user: "ada".to_owned(),
        id: "1".to_owned(),
        text: "hello".to_owned(),
        at: 1_795_459_200_000,
        reply: None,
    }
}

#[tokio::test]
async fn a_verdict_names_the_build_that_decided() {
    let bench = Bench::new();
    let moderation = bench.moderation(ALLOW, FailPolicy::Closed, 0).await;
    let verdict = moderation.review(message()).await.expect("a verdict");
    assert_eq!(verdict.action, Action::Allow);
    let digest = Digest::of(&moderator(ALLOW)).to_string();
    assert!(digest.starts_with("sha256:") && digest.len() == 71);
    assert_eq!(verdict.policy, Some(digest));
}

/// Each case: what the members do, in their order with their fail policies, what comes of it, and
/// how many were asked.
#[tokio::test]
async fn the_first_that_masks_or_blocks_decides_then_the_first_that_flags() {
    const FLAG: &str = "(i32.store8 (i32.const 1028) (i32.const 1)) (i32.const 1024)";
    use FailPolicy::{Closed, Hold, Open};
    let cases = [
        (
            vec![(ALLOW, Open), (ALLOW, Open)],
            Ok((Action::Allow, ALLOW)),
            2,
        ),
        (
            vec![(BLOCK, Open), (ALLOW, Open)],
            Ok((Action::Block, BLOCK)),
            1,
        ),
        (
            vec![(FLAG, Open), (ALLOW, Open)],
            Ok((Action::Flag, FLAG)),
            2,
        ),
        (
            vec![(FLAG, Open), (BLOCK, Open)],
            Ok((Action::Block, BLOCK)),
            2,
        ),
        (
            vec![(ALLOW, Open), (FLAG, Open)],
            Ok((Action::Flag, FLAG)),
            2,
        ),
        (
            vec![(TRAP, Open), (ALLOW, Open)],
            Ok((Action::Flag, TRAP)),
            2,
        ),
        (
            vec![(LOOP, Open), (BLOCK, Open)],
            Ok((Action::Block, BLOCK)),
            2,
        ),
        (
            vec![(TRAP, Closed), (ALLOW, Open)],
            Ok((Action::Block, TRAP)),
            1,
        ),
        (vec![(TRAP, Hold), (ALLOW, Open)], Err(()), 1),
    ];
    for (number, (members, expected, asked)) in cases.into_iter().enumerate() {
        let bench = Bench::new();
        let mut chain: Vec<Dependency> = Vec::new();
        for (place, (review, fail)) in members.into_iter().enumerate() {
            let name = format!("member-{place}.wasm");
            chain.push(Dependency {
                path: write(bench.path(), &name, &moderator(review)),
                ..bench.dependency(&moderator(review), fail, 0)
            });
        }
        let mut last = chain.pop().expect("a member");
        last.before = chain;
        let moderation = Moderation::load(Arc::clone(&bench.runtime), &last)
            .await
            .expect("a chain");
        let verdict = moderation.review(message()).await;
        let found = verdict.map(|verdict| (verdict.action, verdict.policy));
        let expected = expected.map(|(action, by)| {
            let digest = Digest::of(&moderator(by)).to_string();
            (action, Some(digest))
        });
        assert_eq!(found.map_err(|_| ()), expected, "case {number}");
        let called = moderation.snapshot();
        let called = called.iter().filter(|member| member.instantiations > 0);
        assert_eq!(called.count(), asked, "case {number}");
    }
}

#[tokio::test]
async fn whatever_a_component_does_the_fail_policy_answers() {
    type Counter = fn(&ComponentMetrics) -> u64;
    let cases: [(&str, &str, Counter); 6] = [
        ("trap", TRAP, |metrics| metrics.traps),
        ("loop", LOOP, |metrics| metrics.deadlines),
        ("memory", MEMORY, |metrics| metrics.memory),
        ("error", ERROR, |metrics| metrics.refused),
        ("large", LARGE, |metrics| metrics.refused),
        ("flood", FLOOD, |metrics| metrics.traps),
    ];
    let bench = Bench::new();
    for (name, review, counter) in cases {
        for reuse in [0, 10] {
            let moderation = bench.moderation(review, FailPolicy::Open, reuse).await;
            let verdict = moderation.review(message()).await.expect("open");
            assert_eq!(verdict.action, Action::Flag, "{name}");
            assert_eq!(verdict.scores[0].label, UNREVIEWED, "{name}");
            assert!(verdict.policy.is_some(), "{name}");
            let metrics = figures(&moderation);
            assert_eq!(
                (counter(&metrics), metrics.instantiations),
                (1, 1),
                "{name} {metrics:?}"
            );

            let moderation = bench.moderation(review, FailPolicy::Closed, reuse).await;
            let verdict = moderation.review(message()).await.expect("closed");
            assert_eq!(verdict.action, Action::Block, "{name}");

            let moderation = bench.moderation(review, FailPolicy::Hold, reuse).await;
            moderation.review(message()).await.expect_err(name);
        }
    }
}

#[tokio::test]
async fn a_loop_lets_others_use_its_thread() {
    let bench = Bench::new();
    let mut dependency = bench.dependency(&moderator(LOOP), FailPolicy::Open, 0);
    dependency.caps.deadline = Duration::from_millis(50);
    let moderation = Moderation::load(Arc::clone(&bench.runtime), &dependency)
        .await
        .expect("a moderation component");
    // This test has one thread, so the counter advances only while the loop yields.
    let mut turns = 0;
    let review = moderation.review(message());
    tokio::pin!(review);
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => turns += 1,
            verdict = &mut review => {
                assert_eq!(verdict.expect("open").action, Action::Flag);
                break;
            }
        }
    }
    assert!(turns > 5, "{turns} turns in 50 ms");
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_it_may() {
    let bench = Bench::new();
    for (reuse, expected, instantiations) in [
        (0, [Action::Allow, Action::Allow, Action::Allow], 3),
        (2, [Action::Allow, Action::Flag, Action::Allow], 2),
    ] {
        let moderation = bench.moderation(COUNT, FailPolicy::Closed, reuse).await;
        for action in expected {
            let verdict = moderation.review(message()).await.expect("a verdict");
            assert_eq!(verdict.action, action, "reuse {reuse}");
        }
        assert_eq!(figures(&moderation).instantiations, instantiations);
    }
}

#[tokio::test]
async fn a_component_that_imports_is_refused() {
    let bench = Bench::new();
    let text = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let component = wat::parse_str(text).expect("a component");
    let dependency = bench.dependency(&component, FailPolicy::Open, 0);
    let loaded = Moderation::load(Arc::clone(&bench.runtime), &dependency).await;
    let error = loaded.err().expect("it imports").to_string();
    assert!(
        error.contains("imports wasi:cli/environment@0.2.0"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_of_another_contract_is_refused() {
    let bench = Bench::new();
    let dependency = bench.dependency(&recorder(ALLOW), FailPolicy::Open, 0);
    let loaded = Moderation::load(Arc::clone(&bench.runtime), &dependency).await;
    let error = loaded.err().expect("it exports another contract");
    assert!(
        matches!(
            error,
            LoadError::Export {
                export: MODERATOR,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_wants_more_memory_at_once_is_refused() {
    let bench = Bench::new();
    let mut dependency = bench.dependency(&moderator(ALLOW), FailPolicy::Open, 0);
    dependency.caps.memory_bytes = 64 * 1024;
    let loaded = Moderation::load(Arc::clone(&bench.runtime), &dependency).await;
    let error = loaded.err().expect("it begins with 128 KiB");
    let reason = CallError::Memory;
    assert!(
        matches!(&error, LoadError::Instantiate { reason: r, .. } if *r == reason),
        "{error}"
    );
}

#[tokio::test]
async fn a_replaced_component_judges_the_next_message() {
    let bench = Bench::new();
    let moderation = bench.moderation(ALLOW, FailPolicy::Open, 10).await;
    let before = moderation.review(message()).await.expect("a verdict");
    assert_eq!(before.action, Action::Allow);

    write(bench.path(), "component.wasm", &moderator(BLOCK));
    let moderation = refreshed(moderation).await;
    let after = moderation.review(message()).await.expect("a verdict");
    assert_eq!(after.action, Action::Block);
    assert_ne!(before.policy, after.policy);
    assert_eq!(figures(&moderation).swaps, 1);
}

#[tokio::test]
async fn a_broken_replacement_is_refused_and_the_old_one_stays() {
    let bench = Bench::new();
    let mut moderation = bench.moderation(ALLOW, FailPolicy::Closed, 0).await;
    let digest = build_of(&moderation);
    let whole = moderator(BLOCK);
    for broken in [
        &b"not a component"[..],
        &whole[..whole.len() / 2],
        &recorder(ALLOW),
    ] {
        write(bench.path(), "component.wasm", broken);
        moderation = refreshed(moderation).await;
        let verdict = moderation.review(message()).await.expect("a verdict");
        assert_eq!(verdict.action, Action::Allow);
        assert_eq!(build_of(&moderation), digest);
    }
    write(bench.path(), "component.wasm", &whole);
    moderation = refreshed(moderation).await;
    assert_eq!(build_of(&moderation), Digest::of(&whole));
}

async fn refreshed(moderation: Moderation) -> Moderation {
    let refresh = tokio::task::spawn_blocking(move || {
        moderation.refresh();
        moderation
    });
    refresh.await.expect("no panic")
}

#[tokio::test]
async fn analytics_that_fails_costs_its_figures_only() {
    let bench = Bench::new();
    let event = || Event {
        room: "general".to_owned(),
        user: "ada".to_owned(),
        text: "hello".to_owned(),
        at: 1_795_459_200_000,
        action: crate::sandbox::recorder::Action::Allow,
        label: None,
    };
    let dependency = bench.dependency(&recorder(ALLOW), FailPolicy::Open, 0);
    let analytics = Analytics::load(Arc::clone(&bench.runtime), &dependency)
        .await
        .expect("an analytics component");
    assert_eq!(
        analytics.record(event()).await.expect("no updates").len(),
        0
    );

    let dependency = bench.dependency(&recorder(LOOP), FailPolicy::Open, 0);
    let analytics = Analytics::load(Arc::clone(&bench.runtime), &dependency)
        .await
        .expect("an analytics component");
    analytics.record(event()).await.expect_err("a deadline");
    assert_eq!(analytics.snapshot().deadlines, 1);
}
