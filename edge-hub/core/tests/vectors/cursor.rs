use super::files::run_all;
use clustertalk_core::delivery::{Offer, RoomCursor};
use clustertalk_core::ids::{Position, Seq, Tag};
use clustertalk_core::log::Link;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    capacity: usize,
    start: Position,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    offer: Offered,
    expect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    seq: Seq,
    prev: Tag,
    tag: Tag,
    from: Option<Seq>,
}

#[test]
fn cursor_vectors_hold() {
    run_all("cursor", |name, vector: Vector| {
        let mut cursor = RoomCursor::new(vector.start, vector.capacity);
        for (index, Step { offer, expect }) in vector.steps.into_iter().enumerate() {
            let link = Link {
                from: offer.from.unwrap_or(offer.seq),
                seq: offer.seq,
                prev: offer.prev,
                tag: offer.tag,
            };
            let before = cursor.position();
            let (said, stands) = match cursor.offer(&link) {
                Offer::Deliver => ("deliver", link.position()),
                Offer::Drop => ("drop", before),
                Offer::Fetch => ("fetch", before),
            };
            assert_eq!(said, expect, "{name}, step {index}");
            assert_eq!(cursor.position(), stands, "{name}, step {index}");
        }
    });
}
