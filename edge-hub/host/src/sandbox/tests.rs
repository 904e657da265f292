use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::test_guests::{hub, moderator, write};

/// Sends the frame back and keeps the session; wants to be told apart from [`SILENT`].
const ECHO: &str = "
    (i32.store (i32.const 1024) (local.get 9)) (i32.store (i32.const 1028) (local.get 10))
    (i32.store (i32.const 1032) (i32.const 1048)) (i32.store (i32.const 1036) (i32.const 1))
    (i32.store (i32.const 1056) (local.get 12)) (i32.store (i32.const 1060) (local.get 13))
    (i32.const 1024)";
const SILENT: &str = "(i32.const 1024)";
const TRAP: &str = "unreachable";
const LOOP: &str = "(loop $for_ever (br $for_ever)) unreachable";
const MEMORY: &str = "(loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[[trigger.http]]
route = "/ws"
component = "hub"
[component.hub]
source = "hub.wasm"
"#;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, component: &[u8]) {
        write(self.path(), "hub.wasm", component);
    }

    async fn start(&self) -> Result<Sandbox, LoadError> {
        self.start_with(MANIFEST).await
    }

    async fn start_with(&self, manifest: &str) -> Result<Sandbox, LoadError> {
        let path = self.path().join("spin.toml");
        let application =
            Application::parse(manifest, &path, &BTreeMap::new()).expect("a manifest");
        Sandbox::start(&application, self.path(), Arc::new(RedisPool::default())).await
    }

    fn compiled(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.path().join("compiled"))
            .expect("the cache")
            .map(|entry| entry.expect("a file").path())
            .collect();
        files.sort();
        files
    }
}

fn connection() -> Connection {
    Connection {
        id: "edge-1".to_owned(),
        edge: "edge".to_owned(),
        anonymous: true,
        token: None,
    }
}

async fn frame(sandbox: &Sandbox, session: &[u8]) -> Result<Outcome, CallError> {
    let event = Event::Frame("hello".to_owned());
    sandbox
        .handle("hub", 1, &connection(), session, &event)
        .await
}

#[tokio::test]
async fn an_event_is_answered_with_a_session_and_effects() {
    let bench = Bench::new();
    bench.put(&hub(ECHO));
    let sandbox = bench.start().await.expect("a sandbox");
    assert!(sandbox.takes_websockets("hub"));
    let outcome = frame(&sandbox, b"session").await.expect("an outcome");
    assert_eq!(outcome.session, b"session");
    assert!(matches!(&outcome.effects[..], [Effect::Send(text)] if text == "hello"));
    let metrics = &sandbox.snapshot()[0];
    assert_eq!(
        (metrics.component.as_str(), metrics.instantiations),
        ("hub", 1)
    );
    assert_eq!(metrics.call_times.counts.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_failing_hub_is_stopped_and_named() {
    let bench = Bench::new();
    for (handle, expected) in [
        (
            TRAP,
            CallError::Trap("wasm trap: wasm `unreachable` instruction executed".to_owned()),
        ),
        (LOOP, CallError::Deadline),
        (MEMORY, CallError::Memory),
    ] {
        bench.put(&hub(handle));
        let sandbox = bench.start().await.expect("a sandbox");
        assert_eq!(frame(&sandbox, b"").await.err(), Some(expected));
    }
}

#[tokio::test]
async fn a_component_without_the_handler_takes_no_events() {
    let bench = Bench::new();
    bench.put(&hub(ECHO));
    let sandbox = bench.start().await.expect("a sandbox");
    let event = Event::Opened;
    let outcome = sandbox.handle("web", 1, &connection(), b"", &event).await;
    assert_eq!(outcome.err(), Some(CallError::NoHandler));
    assert!(!sandbox.takes_websockets("web"));

    let request = ::http::Request::get("http://localhost/ws");
    let request = request
        .body(http_body_util::Empty::new())
        .expect("a request");
    let response = sandbox.http("hub", request).await;
    assert_eq!(response.err(), Some(CallError::NoHandler));
}

#[tokio::test]
async fn a_replaced_hub_answers_the_next_event() {
    let bench = Bench::new();
    bench.put(&hub(SILENT));
    let sandbox = bench.start().await.expect("a sandbox");
    assert_eq!(
        frame(&sandbox, b"")
            .await
            .expect("an outcome")
            .effects
            .len(),
        0
    );

    bench.put(&hub(ECHO));
    sandbox.refresh().await;
    assert_eq!(
        frame(&sandbox, b"")
            .await
            .expect("an outcome")
            .effects
            .len(),
        1
    );
    assert_eq!(sandbox.snapshot()[0].digest, Digest::of(&hub(ECHO)));

    bench.put(&moderator(SILENT));
    sandbox.refresh().await;
    assert_eq!(
        frame(&sandbox, b"")
            .await
            .expect("an outcome")
            .effects
            .len(),
        1
    );
}

#[tokio::test]
async fn a_component_that_no_trigger_can_call_is_refused() {
    let bench = Bench::new();
    bench.put(&moderator(SILENT));
    let error = bench.start().await.err().expect("no handler of any kind");
    assert!(
        matches!(
            error,
            LoadError::Trigger {
                trigger: "http",
                ..
            }
        ),
        "{error}"
    );

    let websocket = MANIFEST.replace("trigger.http", "trigger.websocket");
    let error = bench
        .start_with(&websocket)
        .await
        .err()
        .expect("no socket handler");
    assert!(
        matches!(
            error,
            LoadError::Trigger {
                trigger: "websocket",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_import_that_the_manifest_does_not_fulfil_is_refused() {
    let bench = Bench::new();
    for (import, expected) in [
        (MODERATOR, "add it to `[component.ID.dependencies]`"),
        ("example:unknown/thing@1.0.0", "cannot be linked"),
    ] {
        let text = format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#);
        bench.put(&wat::parse_str(text).expect("a component"));
        let error = bench.start().await.err().expect(import).to_string();
        assert!(
            error.contains(import) && error.contains(expected),
            "{error}"
        );
    }
}

#[tokio::test]
async fn compiled_components_are_kept_and_never_trusted_when_damaged() {
    let bench = Bench::new();
    bench.put(&hub(ECHO));
    drop(bench.start().await.expect("compiled"));
    let files = bench.compiled();
    let [file] = &files[..] else {
        panic!("one component, {files:?}");
    };
    let whole = fs::read(file).expect("the file");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(file), 0o600);
    assert_eq!(mode(&bench.path().join("compiled")), 0o700);

    // Each is noticed, compiled again, and written anew.
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b"short", b""] {
        fs::write(file, damaged).expect("damage");
        let sandbox = bench.start().await.expect("compiled again");
        assert_eq!(
            frame(&sandbox, b"")
                .await
                .expect("an outcome")
                .effects
                .len(),
            1
        );
        assert_eq!(fs::read(file).expect("the file"), whole);
    }

    // A whole one is not written again.
    let written = fs::metadata(file)
        .expect("metadata")
        .modified()
        .expect("a time");
    drop(bench.start().await.expect("loaded"));
    let now = fs::metadata(file)
        .expect("metadata")
        .modified()
        .expect("a time");
    assert_eq!(written, now);
}
