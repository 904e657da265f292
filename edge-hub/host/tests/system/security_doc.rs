//! docs/security.md, held to the code: tests that it names exist, its caps are those of
//! `spin.toml`, and components import what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clustertalk_host::application::Application;
use wit_component::DecodedWasm;

use super::harness::built;

const PAGE: &str = include_str!("../../../../docs/security.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table below a heading, without its head.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(heading).expect("the heading");
    let lines = section.lines().skip_while(|line| !line.starts_with("| "));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(str::trim).collect()
    })
    .collect()
}

#[test]
fn each_test_that_it_names_is_there() {
    let mut count = 0;
    for row in table("## Attacks and the tests that hold them") {
        let [_, tests] = row[..] else {
            panic!("two cells: {row:?}");
        };
        for named in tests.split('`').skip(1).step_by(2) {
            let (path, name) = named.split_once("::").unwrap_or((named, ""));
            let file = root().join("edge-hub").join(path);
            let text = fs::read_to_string(&file);
            let text = text.unwrap_or_else(|error| panic!("{named}: {error}"));
            let is_there = text.contains(&format!("fn {name}(")) || path.ends_with(".json");
            assert!(is_there, "no test {named}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn components_import_what_it_says_and_no_more() {
    let rows = table("### What each may reach");
    let mut said: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        let [imports, by, _] = row[..] else {
            panic!("three cells: {row:?}");
        };
        for component in by.split(", ") {
            let names = imports.split('`').skip(1).step_by(2).map(str::to_owned);
            said.entry(component).or_default().extend(names);
        }
    }
    for component in ["hub", "web", "moderation", "analytics"] {
        let bytes = fs::read(built(component)).expect("a component");
        let DecodedWasm::Component(resolve, world) =
            wit_component::decode(&bytes).expect("a component")
        else {
            panic!("{component} is no component");
        };
        let keys = resolve.worlds[world].imports.keys();
        let imports: BTreeSet<String> = keys
            .map(|key| resolve.name_world_key(key))
            .filter_map(|name| Some(name.split_once('@')?.0.to_owned()))
            .collect();
        let said = said.remove(component).unwrap_or_default();
        assert_eq!(imports, said, "{component}");
    }
}

#[test]
fn its_caps_are_those_of_the_manifest() {
    let application = Application::load(&root().join("spin.toml"), &BTreeMap::new());
    let application = application.expect("components that `cargo xtask build` has made");
    let hub = &application.components["hub"];
    let mut caps = BTreeMap::from([("hub", hub.caps)]);
    for (name, dependency) in [
        ("moderation", &hub.moderation),
        ("analytics", &hub.analytics),
    ] {
        caps.insert(name, dependency.as_ref().expect("a dependency").caps);
    }
    caps.insert("web", application.components["web"].caps);
    for row in table("### What each may use") {
        let [name, memory, deadline, _] = row[..] else {
            panic!("four cells: {row:?}");
        };
        let caps = caps.remove(name).expect("a component once");
        assert_eq!(memory, format!("{} MiB", caps.memory_bytes >> 20), "{name}");
        assert_eq!(
            deadline,
            format!("{} ms", caps.deadline.as_millis()),
            "{name}"
        );
    }
    assert!(caps.is_empty(), "{caps:?}");
}
