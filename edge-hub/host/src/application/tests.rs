use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use tempfile::TempDir;

use super::*;

/// Each case below is this manifest with one text replaced by another.
const MANIFEST: &str = r#"spin_manifest_version = 2

[application]
name = "chat"
version = "1.0.0"
authors = ["Ada"]

[variables]
redis_url = { default = "redis://127.0.0.1:6379" }
token = { required = true, secret = true }

[[trigger.http]]
route = "/ws"
component = "hub"

[[trigger.http]]
route = "/..."
component = "web"

[component.hub]
source = "hub.wasm"
allowed_outbound_hosts = ["{{ redis_url }}"]

[component.hub.variables]
redis_url = "{{ redis_url }}/0"

[component.hub.dependencies]
"clustertalk:moderation/moderator@1.0.0" = { path = "moderation.wasm" }

[component.hub.build]
command = "make hub"

[component.hub.tool.clustertalk]
deadline_ms = 20

[component.hub.tool.clustertalk.dependencies."clustertalk:moderation/moderator@1.0.0"]
memory_bytes = 8388608
fail = "hold"
reuse = 100

[component.web]
source = "web.wasm"
"#;

/// A folder with files of the names that the manifest uses.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["hub.wasm", "web.wasm", "moderation.wasm"] {
        fs::write(folder.path().join(file), b"").expect("a file");
    }
    folder
}

fn parse(text: &str) -> Result<Application, FileError> {
    let folder = folder();
    let given = BTreeMap::from([("token".to_owned(), "secret".to_owned())]);
    Application::parse(text, &folder.path().join("spin.toml"), &given)
}

#[test]
fn a_manifest_becomes_a_model() {
    let application = parse(MANIFEST).expect("a manifest that can be honoured");
    assert_eq!(application.name, "chat");
    assert_eq!(application.variables["token"], "secret");

    let hub = &application.components["hub"];
    assert!(hub.source.ends_with("hub.wasm"));
    assert_eq!(hub.variables["redis_url"], "redis://127.0.0.1:6379/0");
    assert!(hub.allowed_hosts.allows("redis://127.0.0.1:6379/0"));
    assert!(!hub.allowed_hosts.allows("redis://127.0.0.1:6380/0"));
    assert_eq!(hub.caps.deadline, Duration::from_millis(20));
    assert!(hub.analytics.is_none());

    let moderation = hub.moderation.as_ref().expect("a dependency");
    assert_eq!(moderation.caps.memory_bytes, 8 << 20);
    assert_eq!(
        moderation.caps.deadline,
        Duration::from_millis(5),
        "a default"
    );
    assert_eq!(moderation.fail, FailPolicy::Hold);
    assert_eq!(moderation.reuse, 100);
}

#[test]
fn a_chain_of_moderators_has_files_and_caps_of_its_own() {
    let with = |before: &str| {
        let chain = format!("reuse = 100\nbefore = [{before}]");
        parse(&MANIFEST.replace("reuse = 100", &chain))
    };
    let application = with(
        "{ path = \"web.wasm\", deadline_ms = 50, fail = \"closed\" }, { path = \"hub.wasm\" }",
    )
    .expect("a manifest that can be honoured");
    let moderation = application.components["hub"].moderation.clone();
    let moderation = moderation.expect("a dependency");
    assert!(moderation.path.ends_with("moderation.wasm"));
    let [first, second] = &moderation.before[..] else {
        panic!("{:?}", moderation.before)
    };
    assert!(first.path.ends_with("web.wasm") && second.path.ends_with("hub.wasm"));
    assert_eq!(first.caps.deadline, Duration::from_millis(50));
    assert_eq!((first.fail, first.reuse), (FailPolicy::Closed, 0));
    assert_eq!(second.fail, FailPolicy::Open);
    for (before, reason) in [
        ("{ reuse = 5 }", "needs a file"),
        ("{ path = \"none.wasm\" }", "does not exist"),
        (
            "{ path = \"web.wasm\", before = [{ path = \"web.wasm\" }] }",
            "no chain of its own",
        ),
        (&"{ path = \"web.wasm\" },".repeat(8), "at most 7"),
    ] {
        let error = with(before).expect_err("it cannot be honoured");
        assert!(error.to_string().contains(reason), "{before}: {error}");
        assert_eq!(error.line, Some(40), "{before}: {error}");
    }
    let error = parse(&MANIFEST.replace("reuse = 100", "path = \"a.wasm\""));
    let error = error.expect_err("it cannot be honoured").to_string();
    assert!(error.contains("does not stand here"), "{error}");
}

#[test]
fn given_values_win_over_defaults() {
    let folder = folder();
    let given = BTreeMap::from([
        ("token".to_owned(), "secret".to_owned()),
        ("redis_url".to_owned(), "redis://10.0.0.5:6390".to_owned()),
    ]);
    let application = Application::parse(MANIFEST, &folder.path().join("spin.toml"), &given)
        .expect("a manifest that can be honoured");
    let hub = &application.components["hub"];
    assert_eq!(hub.variables["redis_url"], "redis://10.0.0.5:6390/0");
    assert!(hub.allowed_hosts.allows("redis://10.0.0.5:6390/0"));
}

#[test]
fn what_cannot_be_honoured_is_refused_with_its_line() {
    // (text, what takes its place, line, error)
    #[rustfmt::skip]
    let cases = [
        ("spin_manifest_version = 2", "spin_manifest_version = 1", 1,
         "only version 2 of Spin's manifest is known; write `spin_manifest_version = 2`"),
        ("[[trigger.http]]\nroute = \"/ws\"", "[[trigger.redis]]\nchannel = \"a\"", 12,
         "a trigger of the type `redis` is not supported; this host serves `[[trigger.http]]` and `[[trigger.websocket]]`"),
        ("route = \"/...\"", "route = \"/ws/\"", 17,
         "the route \"/ws/\" is taken by `hub`; remove one of the two triggers"),
        ("route = \"/...\"", "route = { private = true }", 17,
         "a private route is not supported; write a path such as \"/api/...\""),
        ("route = \"/...\"", "route = \"/.../a\"", 17,
         "`...` may stand only at the end of a route; cut what follows it"),
        ("component = \"web\"", "component = \"wep\"", 18,
         "there is no component `wep`; did you mean `web`?"),
        ("component = \"web\"", "component = { source = \"web.wasm\" }", 18,
         "a component inside a trigger is not supported; give it a `[component.ID]` of its own and write `component = \"ID\"`"),
        ("component = \"web\"", "static_response = { status_code = 404 }", 18,
         "a static response is not supported; let a component answer"),
        ("component = \"web\"", "component = \"web\"\nexecutor = { type = \"wagi\" }", 19,
         "this executor is not supported; remove it: components are called by wasi:http"),
        ("source = \"hub.wasm\"", "sorce = \"hub.wasm\"", 21,
         "unknown key `sorce`; did you mean `source`?"),
        ("source = \"hub.wasm\"", "source = \"hup.wasm\"", 21,
         "the file `hup.wasm` does not exist; build it: `cargo xtask build hub`"),
        ("source = \"hub.wasm\"", "source = { url = \"https://a.example/hub.wasm\", digest = \"sha256:0\" }", 21,
         "a component from a registry or a URL is not supported; download it and write `source = \"PATH\"`"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\nfiles = [\"a/*\"]", 22,
         "`files` is not supported by this host; put the files into the component"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\nkey_value_stores = [\"default\"]", 22,
         "`key_value_stores` is not supported by this host; keep the data in Redis"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\nsqlite_databases = [\"default\"]", 22,
         "`sqlite_databases` is not supported by this host; keep the data in Redis"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\nai_models = [\"a\"]", 22,
         "`ai_models` is not supported by this host; put the model into a component"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\nenvironment = { A = \"b\" }", 22,
         "`environment` is not supported by this host; pass it by `[component.ID.variables]`"),
        ("source = \"hub.wasm\"", "source = \"hub.wasm\"\ndependencies_inherit_configuration = true", 22,
         "`dependencies_inherit_configuration` is not supported by this host; remove it: a dependency runs in a store of its own and has no permissions"),
        ("[\"{{ redis_url }}\"]", "[\"{{ redis_uri }}\"]", 22,
         "unknown variable `redis_uri`; did you mean `redis_url`?"),
        ("[\"{{ redis_url }}\"]", "[\"{{ redis_url\"]", 22,
         "`{{` without `}}`; write `{{ name }}`"),
        ("[\"{{ redis_url }}\"]", "[\"127.0.0.1\"]", 22,
         "`127.0.0.1` is not an allowed host: it has no scheme; write SCHEME://HOST:PORT, each of which may be `*`"),
        ("token = { required = true", "tokem = { required = true", 10,
         "the variable `tokem` has no value; set SPIN_VARIABLE_TOKEM in the environment"),
        ("token = { required = true", "other = {} #", 10,
         "the variable `other` has no default; give it a `default`, or write `required = true`"),
        ("{ path = \"moderation.wasm\" }", "\">= 1.0.0\"", 28,
         "a dependency from a registry is not supported; download the component and write `{ path = \"PATH\" }`"),
        ("{ path = \"moderation.wasm\" }", "{ pat = \"moderation.wasm\" }", 28,
         "unknown key `pat` of a dependency; did you mean `path`?"),
        ("{ path = \"moderation.wasm\" }", "{ path = \"moderation.wasm\", export = \"a\" }", 28,
         "`export` of a dependency is not supported; download the component and write `{ path = \"PATH\" }`"),
        ("\"clustertalk:moderation/moderator@1.0.0\" = ", "\"wasi:random/random@0.2.0\" = ", 28,
         "`wasi:random/random@0.2.0` is not a contract that this host can link; only `clustertalk:moderation/moderator@1.0.0` and `clustertalk:analytics/recorder@1.0.0` can be dependencies here"),
        ("deadline_ms = 20", "deadline = 20", 34,
         "unknown key `deadline`; did you mean `deadline_ms`?"),
        ("deadline_ms = 20", "deadline_ms = 0", 34,
         "a deadline of 0 ms cannot be kept; write a number from 1 to 10000"),
        ("memory_bytes = 8388608", "memory_bytes = 8", 37,
         "8 bytes of memory cannot be given; write a number from 65536 to 268435456"),
        ("tool.clustertalk.dependencies.\"clustertalk:moderation/moderator@1.0.0\"", "tool.clustertalk.dependencies.\"clustertalk:moderation/moderator@1.0.1\"", 36,
         "`clustertalk:moderation/moderator@1.0.1` is not a dependency of this component; did you mean `clustertalk:moderation/moderator@1.0.0`?"),
    ];
    for (text, replacement, line, expected) in cases {
        assert_eq!(MANIFEST.matches(text).count(), 1, "{text}");
        let manifest = MANIFEST.replace(text, replacement);
        let error = parse(&manifest).expect_err(replacement);
        assert_eq!(
            (error.line, format!("{}; {}", error.reason, error.advice)),
            (Some(line), expected.to_owned()),
            "{replacement}"
        );
    }
}

#[test]
fn unknown_values_and_broken_toml_name_their_line_too() {
    let fail = MANIFEST.replace("fail = \"hold\"", "fail = \"maybe\"");
    let error = parse(&fail).expect_err("an unknown policy");
    assert_eq!(error.line, Some(38));
    assert!(error.reason.contains("`open`, `closed`, `hold`"), "{error}");

    let broken = MANIFEST.replace("[component.hub.build]", "[component.hub.build");
    assert_eq!(parse(&broken).expect_err("no TOML").line, Some(30));

    let path = PathBuf::from("no/such/spin.toml");
    let error = Application::load(&path, &BTreeMap::new()).expect_err("no file");
    assert!(
        error
            .to_string()
            .starts_with("no/such/spin.toml: cannot be read: ")
    );
}

#[test]
fn keys_of_other_tools_are_let_through() {
    let other = MANIFEST.replace(
        "[component.web]\n",
        "[component.web.tool.other]\nanything = [1, 2]\n\n[component.web]\nfiles = []\n",
    );
    parse(&other).expect("a manifest that can be honoured");
}

#[test]
fn routes_match_as_in_spin() {
    let routes = |list: &[&str]| {
        let mut manifest = "spin_manifest_version = 2\n[application]\nname = \"a\"\n".to_owned();
        for (index, route) in list.iter().enumerate() {
            manifest += &format!(
                "[component.c{index}]\nsource = \"hub.wasm\"\n\
                 [[trigger.http]]\nroute = \"{route}\"\ncomponent = \"c{index}\"\n"
            );
        }
        parse(&manifest).expect("routes").routes
    };
    let chat = routes(&[
        "/...",
        "/api/...",
        "/ws",
        "/api/v1/rooms",
        "/users/:id",
        "/users/me",
    ]);
    for (path, expected) in [
        ("/", "c0"),
        ("/index.html", "c0"),
        ("/assets/deep/app.js", "c0"),
        ("/api", "c1"),
        ("/api/", "c1"),
        ("/api/v1", "c1"),
        ("/apis", "c0"),
        ("/ws", "c2"),
        ("/ws/", "c2"),
        ("/ws/more", "c0"),
        ("/api/v1/rooms", "c3"),
        ("/api/v1/rooms/general", "c1"),
        ("/users/ada", "c4"),
        ("/users/me", "c5"),
        ("/users/ada/more", "c0"),
    ] {
        assert_eq!(chat.http(path), Some(expected), "{path}");
    }
    assert_eq!(routes(&["/ws"]).http("/"), None);
    assert_eq!(routes(&["/"]).http("/"), Some("c0"));
    assert_eq!(routes(&["/"]).http("/a"), None);
}

#[test]
fn websocket_triggers_win_over_http_routes() {
    let application = parse(MANIFEST).expect("a manifest");
    assert_eq!(application.routes.websocket("/ws"), Some("hub"));
    assert_eq!(application.routes.websocket("/other"), Some("web"));

    let explicit =
        format!("{MANIFEST}\n[[trigger.websocket]]\nroute = \"/ws\"\ncomponent = \"hub\"\n");
    let application = parse(&explicit).expect("a manifest");
    assert_eq!(application.routes.websocket("/ws"), Some("hub"));
    assert_eq!(application.routes.websocket("/other"), None);
    let triggers = |id| application.routes.triggers(id);
    assert_eq!(
        triggers("hub"),
        Triggers {
            http: true,
            websocket: true
        }
    );
    assert_eq!(
        triggers("web"),
        Triggers {
            http: true,
            websocket: false
        }
    );
}

/// The project's own manifest, but for the files that are not built yet.
#[test]
fn the_manifest_at_the_root_can_be_honoured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    let text = fs::read_to_string(root).expect("spin.toml");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("target/components")).expect("a folder");
    for name in ["hub", "web", "moderation", "analytics"] {
        let file = format!("target/components/{name}.wasm");
        fs::write(folder.path().join(file), b"").expect("a file");
    }
    let path = folder.path().join("spin.toml");
    let application = Application::parse(&text, &path, &BTreeMap::new()).expect("our own");
    for (path, component) in [
        ("/ws", "hub"),
        ("/api/v1/rooms", "hub"),
        ("/healthz", "hub"),
        ("/readyz", "hub"),
        ("/", "web"),
        ("/assets/app.js", "web"),
    ] {
        assert_eq!(application.routes.http(path), Some(component), "{path}");
    }
    let hub = &application.components["hub"];
    assert!(hub.moderation.is_some() && hub.analytics.is_some());
    assert!(
        hub.allowed_hosts
            .allows(&application.variables["redis_url"])
    );
    assert!(!hub.allowed_hosts.allows("https://example.com"));
    assert!(
        !application.components["web"]
            .allowed_hosts
            .allows("redis://127.0.0.1:6379")
    );
}
