//! All cases, in groups. Within a file they stand in the order of PROTOCOL.md.

mod changes;
mod delivery;
mod errors;
mod handshake;
mod http_api;
mod http_messages;
mod identity;
mod limits;
mod moderation;
mod people;
mod private_rooms;
mod resume;
mod rooms;
mod states;
mod two_edges;

use crate::case::Case;

/// Cases about one subject. Names of cases are `GROUP/CASE`.
pub struct Group {
    pub name: &'static str,
    pub cases: &'static [Case],
}

/// In the order in which they are reported.
pub const GROUPS: &[Group] = &[
    group("handshake", handshake::CASES),
    group("states", states::CASES),
    group("delivery", delivery::CASES),
    group("resume", resume::CASES),
    group("changes", changes::CASES),
    group("moderation", moderation::CASES),
    group("people", people::CASES),
    group("rooms", rooms::CASES),
    group("private_rooms", private_rooms::CASES),
    group("identity", identity::CASES),
    group("limits", limits::CASES),
    group("errors", errors::CASES),
    group("http_api", http_api::CASES),
    group("http_messages", http_messages::CASES),
    group("two_edges", two_edges::CASES),
];

const fn group(name: &'static str, cases: &'static [Case]) -> Group {
    Group { name, cases }
}

/// Each case with its whole name.
pub fn all() -> impl Iterator<Item = (String, &'static Case)> {
    GROUPS.iter().flat_map(|group| {
        let whole = move |case: &Case| format!("{}/{}", group.name, case.name);
        group.cases.iter().map(move |case| (whole(case), case))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PROTOCOL: &str = include_str!("../../protocol/PROTOCOL.md");

    /// The text below a heading, up to the next.
    fn section(heading: &str) -> Option<&'static str> {
        let mut parts = PROTOCOL
            .split("\n#")
            .map(|part| part.trim_start_matches('#'));
        parts.find_map(|part| {
            let (title, text) = part.split_once('\n')?;
            (title.trim() == heading).then_some(text)
        })
    }

    #[test]
    fn each_case_quotes_the_protocol() {
        for (name, case) in all() {
            let text = section(case.section);
            let text = text.unwrap_or_else(|| panic!("{name}: no section `{}`", case.section));
            assert!(
                text.contains(case.sentence),
                "{name}: `{}` does not stand in PROTOCOL.md under `{}`",
                case.sentence,
                case.section
            );
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = all().map(|(name, _)| name).collect();
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
