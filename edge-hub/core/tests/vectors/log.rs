use super::files::run_all;
use clustertalk_core::ids::Seq;
use clustertalk_core::log::{Checker, Found, Inspection, Seen};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    stretches: Vec<Stretch>,
    findings: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    first: Seq,
    generated: Seq,
    next: Option<Seq>,
    items: Vec<Item>,
    seen: Vec<Noted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    key: String,
    tombstone: bool,
    json: String,
    edits: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    sender: String,
    seq: Seq,
    deleted: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    seq: Seq,
    code: String,
}

impl From<Stretch> for Inspection {
    fn from(stretch: Stretch) -> Self {
        Self {
            first: stretch.first,
            generated: stretch.generated,
            next: stretch.next,
            items: stretch
                .items
                .into_iter()
                .map(|item| Found {
                    key: item.key,
                    is_tombstone: item.tombstone,
                    json: item.json.into_bytes(),
                    edits: item.edits,
                })
                .collect(),
            seen: stretch
                .seen
                .into_iter()
                .map(|noted| Seen {
                    sender: noted.sender,
                    seq: noted.seq,
                    deleted: noted.deleted,
                })
                .collect(),
        }
    }
}

#[test]
fn log_vectors_hold() {
    run_all("log", |name, vector: Vector| {
        let mut checker = Checker::new();
        let mut found: Vec<Expected> = vector
            .stretches
            .into_iter()
            .flat_map(|stretch| checker.check(&stretch.into()))
            .map(|finding| Expected {
                seq: finding.seq,
                code: finding.fault.code().to_owned(),
            })
            .collect();
        found.sort();
        let mut expected = vector.findings;
        expected.sort();
        assert_eq!(found, expected, "{name}");
    });
}
