//! An entry of a room as a line.

use serde_json::Value;

use super::output::{DIM, NAME, moment, plain};

/// An entry's frame as it is printed; `None` for one without content. Its text is made plain.
pub fn line(entry: &Value) -> Option<String> {
    let text = |name: &str| plain(entry[name].as_str().unwrap_or_default());
    let name = plain(entry["user"]["name"].as_str().unwrap_or_default());
    let target = &entry["target"]["position"]["seq"];
    let said = match (entry["type"].as_str()?, entry["change"].as_str()) {
        ("message", _) => format!("{NAME}{name}{NAME:#}: {}", text("text")),
        ("changed", Some("edit")) => {
            format!("{NAME}{name}{NAME:#} edits {target}: {}", text("text"))
        }
        ("changed", Some("delete")) => format!("{NAME}{name}{NAME:#} deletes {target}"),
        ("changed", Some("react")) => {
            let takes_back = match entry["remove"] == true {
                true => "no more ",
                false => "",
            };
            let reaction = text("reaction");
            format!("{NAME}{name}{NAME:#} reacts to {target}: {takes_back}{reaction}")
        }
        _ => return None,
    };
    let seq = entry["position"]["seq"].as_u64().unwrap_or_default();
    let at = moment(entry["at"].as_u64().unwrap_or_default());
    Some(format!("{DIM}{seq:>6}  {at}{DIM:#}  {said}"))
}

/// What a page tells of what cannot be had any more.
pub fn gap(page: &Value) -> Option<String> {
    let reason = plain(page["reason"].as_str()?);
    let (from, to) = (&page["lost"]["from"], &page["lost"]["to"]);
    Some(match from.is_u64() {
        true => format!("{DIM}-- {reason}: {from} to {to} are lost{DIM:#}"),
        false => format!("{DIM}-- {reason}{DIM:#}"),
    })
}
