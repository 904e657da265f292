//! Which case provokes each code of codes.json, and why none provokes the others.

use std::fmt;

/// What becomes of a code here.
#[derive(Clone, Copy)]
pub enum Provoked {
    /// By this case.
    By(&'static str),
    /// No client can bring it about, or none should.
    NotFromOutside(&'static str),
}

use Provoked::{By, NotFromOutside};

impl fmt::Display for Provoked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By(case) => out.write_str(case),
            NotFromOutside(reason) => write!(out, "not from outside: {reason}"),
        }
    }
}

/// Each error code, in the order of codes.json.
#[rustfmt::skip]
pub const ERRORS: &[(&str, Provoked)] = &[
    ("bad_json",           By("errors/bad_json")),
    ("bad_frame",          By("errors/bad_frame")),
    ("unknown_type",       By("errors/unknown_type")),
    ("too_large",          By("limits/text_is_limited_in_bytes")),
    ("too_deep",           By("limits/nesting_is_limited")),
    ("bad_room",           By("errors/bad_names")),
    ("bad_id",             By("errors/bad_names")),
    ("bad_user",           By("errors/bad_names")),
    ("hello_first",        By("states/first_frame_is_hello")),
    ("already_hello",      By("states/second_hello_is_refused")),
    ("not_joined",         By("errors/not_joined")),
    ("too_many_rooms",     By("limits/rooms_of_a_connection_are_limited")),
    ("rate_limited",       By("limits/burst_then_rate")),
    ("blocked",            By("moderation/reaction_that_would_be_masked_is_blocked")),
    ("banned",             By("rooms/ban_keeps_out")),
    ("muted",              By("rooms/mute_lets_only_read")),
    ("archived",           By("rooms/archived_takes_nothing")),
    ("slow_mode",          By("rooms/slow_mode_holds_all_but_moderators")),
    ("room_exists",        By("rooms/used_name_cannot_be_created")),
    ("room_full",          NotFromOutside("a thousand users with a role take minutes at the rate of commands")),
    ("stale_target",       By("changes/position_of_another_log_is_stale")),
    ("target_missing",     By("changes/missing_target_is_told")),
    ("too_many_changes",   By("changes/message_is_edited_so_often")),
    ("original_gone",      By("moderation/what_is_not_masked_is_not_restored")),
    ("unauthorized",       By("identity/unknown_key_is_refused")),
    ("token_expired",      By("identity/connection_ends_with_its_token")),
    ("forbidden",          By("changes/message_of_another_is_not_changed")),
    ("bad_request",        NotFromOutside("what is no HTTP is answered by what stands before an edge, where something does")),
    ("request_timeout",    NotFromOutside("what stands before an edge waits for a whole request first")),
    ("head_too_large",     NotFromOutside("what stands before an edge has a limit of its own")),
    ("bad_upgrade",        By("handshake/missing_subprotocol_is_refused")),
    ("bad_origin",         By("handshake/foreign_origin_is_refused")),
    ("not_found",          By("http_api/paths_that_are_not_there")),
    ("method_not_allowed", By("http_api/methods_that_are_not_taken")),
    ("unavailable",        NotFromOutside("it takes a store or a component that does not answer")),
    ("internal",           NotFromOutside("it takes a component that traps")),
];

/// Each close code, in the order of codes.json.
#[rustfmt::skip]
pub const CLOSES: &[(u16, Provoked)] = &[
    (1002, By("states/broken_websocket_is_closed")),
    (1003, By("states/binary_is_closed")),
    (1007, By("states/bad_utf8_is_closed")),
    (1009, By("states/large_frame_is_closed")),
    (4001, By("states/silence_is_closed")),
    (4002, By("handshake/bad_token_in_the_handshake_lets_nobody_in")),
    (4003, By("states/first_frame_is_hello")),
    (4004, By("limits/refused_frames_in_a_row_close")),
    (4005, By("identity/connection_ends_with_its_token")),
    (4006, By("identity/moderator_ends_connections")),
    (4501, By("limits/slow_reader_is_closed_alone")),
    (4502, NotFromOutside("it takes an operator who stops the edge")),
    (4503, NotFromOutside("it takes a component that traps at `hello`, or an issuer that does not answer")),
    (4504, NotFromOutside("it takes an upgrade of the edge over two versions")),
    (4505, By("states/unanswered_pings_are_closed")),
    (4506, NotFromOutside("it takes an edge that is full, which nobody should bring about")),
];

/// Each code as it is reported, with what becomes of it.
pub fn all() -> impl Iterator<Item = (String, Provoked)> {
    let errors = ERRORS.iter().map(|(code, by)| ((*code).to_owned(), *by));
    let closes = CLOSES.iter().map(|(code, by)| (code.to_string(), *by));
    errors.chain(closes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const CODES: &str = include_str!("../../protocol/codes.json");

    #[test]
    fn each_code_of_the_protocol_is_spoken_for() {
        let codes: Value = serde_json::from_str(CODES).expect("JSON");
        let of = |list: &str| -> Vec<String> {
            let codes = codes[list].as_array().expect("a list").iter();
            codes
                .map(|row| row["code"].to_string().trim_matches('"').to_owned())
                .collect()
        };
        let errors: Vec<String> = ERRORS.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(errors, of("errors"));
        let closes: Vec<String> = CLOSES.iter().map(|(code, _)| code.to_string()).collect();
        assert_eq!(closes, of("closes"));
    }

    #[test]
    fn each_code_is_provoked_by_a_case_that_there_is() {
        let cases: Vec<String> = crate::cases::all().map(|(name, _)| name).collect();
        for (code, provoked) in all() {
            match provoked {
                By(case) => assert!(cases.contains(&case.to_owned()), "{code}: no case `{case}`"),
                NotFromOutside(reason) => assert!(!reason.is_empty(), "{code}"),
            }
        }
    }
}
