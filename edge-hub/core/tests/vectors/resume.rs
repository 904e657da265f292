use super::files::run_all;
use super::stored::{Stored, stretch};
use clustertalk_core::delivery::{CatchUp, catch_up, joined};
use clustertalk_core::ids::{Position, RoomName};
use clustertalk_core::store::{Members, Range};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    since: Option<Position>,
    kept: Vec<Stored>,
    told: Vec<Value>,
}

#[test]
fn resume_vectors_hold() {
    let room = RoomName::parse("general").unwrap();
    run_all("resume", |name, vector: Vector| {
        let tail = || stretch(&vector.kept, Range::Tail);
        let segments = match vector.since {
            None => CatchUp::recent(false, tail()),
            Some(since) => match catch_up(since, stretch(&vector.kept, Range::After(since.seq))) {
                CatchUp::Segments(segments) => segments,
                CatchUp::Diverged => CatchUp::recent(true, tail()),
            },
        };
        let head = tail().head;
        let told: Vec<Value> = segments
            .iter()
            .map(|catch| joined(&room, catch, head, false, &Members::default()))
            .map(|frame| serde_json::from_str(&frame.encode()).expect("a frame is JSON"))
            .collect();
        assert_eq!(told, vector.told, "{name}");
    });
}
