//! Each component of `tests/components` does to the host what its name says, and costs it an
//! answer at most. They are whole components in text form, so that they show what the contracts
//! ask of a component in any language, and fail here when a contract changes.

use std::{fs, path::Path, sync::Arc, time::Duration};

use clustertalk_host::{
    application::{Caps, Dependency, FailPolicy},
    policy::{Analytics, Moderation, UNREVIEWED},
    sandbox::{
        ComponentMetrics, LoadError, Runtime,
        moderator::{Action, Message},
        recorder::{self, Event},
    },
};
use tempfile::TempDir;

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

    fn dependency(&self, name: &str) -> Dependency {
        let text =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/components/{name}.wat"));
        let component = wat::parse_file(&text).expect("a component in text form");
        let path = self.folder.path().join(format!("{name}.wasm"));
        fs::write(&path, component).expect("a file");
        Dependency {
            path,
            caps: Caps {
                memory_bytes: 8 << 20,
                deadline: Duration::from_millis(5),
            },
            fail: FailPolicy::Open,
            reuse: 0,
            before: Vec::new(),
        }
    }

    async fn moderation(&self, name: &str) -> Result<Moderation, LoadError> {
        Moderation::load(Arc::clone(&self.runtime), &self.dependency(name)).await
    }

    async fn analytics(&self, name: &str) -> Result<Analytics, LoadError> {
        Analytics::load(Arc::clone(&self.runtime), &self.dependency(name)).await
    }
}

fn message() -> Message {
    Message {
        room: "general".to_owned(),
        user: "ada".to_owned(),
        id: "1".to_owned(),
        text: "hello".to_owned(),
        at: 1_795_459_200_000,
        reply: Some("0".to_owned()),
    }
}

fn event() -> Event {
    Event {
        room: "general".to_owned(),
        user: "ada".to_owned(),
        text: "hello".to_owned(),
        at: 1_795_459_200_000,
        action: recorder::Action::Flag,
        label: Some("spam".to_owned()),
    }
}

#[tokio::test]
async fn hostile_moderation_is_answered_by_the_fail_policy() {
    type Counter = fn(&ComponentMetrics) -> u64;
    let cases: [(&str, Counter); 4] = [
        ("moderation-trap", |metrics| metrics.traps),
        ("moderation-loop", |metrics| metrics.deadlines),
        ("moderation-memory", |metrics| metrics.memory),
        ("moderation-error", |metrics| metrics.refused),
    ];
    let bench = Bench::new();
    for (name, counter) in cases {
        let moderation = bench.moderation(name).await.expect(name);
        let verdict = moderation.review(message()).await.expect("open");
        assert_eq!(verdict.action, Action::Flag, "{name}");
        assert_eq!(verdict.scores[0].label, UNREVIEWED, "{name}");
        assert_eq!(counter(&moderation.snapshot()[0]), 1, "{name}");
    }
}

#[tokio::test]
async fn hostile_analytics_costs_the_figures_of_its_message() {
    let bench = Bench::new();
    let analytics = bench.analytics("analytics-trap").await.expect("it loads");
    analytics.record(event()).await.expect_err("a trap");
    assert_eq!(analytics.snapshot().traps, 1);

    let analytics = bench.analytics("analytics-loop").await.expect("it loads");
    analytics.record(event()).await.expect_err("a loop");
    assert_eq!(analytics.snapshot().deadlines, 1);
}

#[tokio::test]
async fn another_build_is_told_by_its_replacement() {
    let bench = Bench::new();
    let moderation = bench.moderation("moderation-second-build").await;
    let moderation = moderation.expect("it loads");
    let verdict = moderation.review(message()).await.expect("a verdict");
    assert_eq!(verdict.action, Action::Mask);
    assert_eq!(verdict.replacement.as_deref(), Some("[SECOND BUILD]"));
    assert_eq!(verdict.scores[0].label, "test");
    assert_eq!(verdict.rule.as_deref(), Some("second-build"));
}

#[tokio::test]
async fn a_component_that_imports_is_refused_when_it_is_loaded() {
    let bench = Bench::new();
    let error = bench.moderation("moderation-import").await.err();
    let error = error.expect("it imports").to_string();
    assert!(
        error.contains("imports wasi:cli/environment@0.2.0"),
        "{error}"
    );
}
