//! Whatever comes from outside is read or refused: nothing panics, and nothing beyond the limits
//! is taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clustertalk_core::auth::{
    Cached, ClosedRooms, Issuers, KeySet, PublishKeys, RoomRules, Step, Verification,
};
use clustertalk_core::delivery::{Notice, Publication};
use clustertalk_core::hub::{Connection, Hub, Settings};
use clustertalk_core::ids::{MAX_SEQ, Position};
use clustertalk_core::limits::{Limits, MENTIONS, NOTE_BYTES, SLOW_MODE_MILLIS, TOPIC_BYTES};
use clustertalk_core::log::{Change, Entry};
use clustertalk_core::protocol::{ClientFrame, HistoryRange, decode, reference_of};
use clustertalk_core::redis::{
    Value, appended, attended, managed, marked, members, opened, read_for_user, refreshed, rooms,
    rooms_of, stretch,
};
use clustertalk_core::store::RoomAction;
use clustertalk_core::time::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use sha2::Sha256;
use std::time::Duration;

/// JSON of any form, with the words of the protocol among its keys and strings.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop_oneof![
        prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        "[a-z0-9_-]{0,70}",
        ".{0,20}",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (MAX_SEQ - 1..MAX_SEQ + 2).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(20, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Into::into),
            hash_map(word.clone(), inner, 0..8)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

const WORDS: [&str; 63] = [
    "type",
    "hello",
    "join",
    "leave",
    "send",
    "edit",
    "delete",
    "react",
    "read",
    "typing",
    "history",
    "ping",
    "create",
    "configure",
    "direct",
    "grant",
    "kick",
    "ban",
    "user",
    "token",
    "rooms",
    "room",
    "since",
    "seq",
    "tag",
    "id",
    "text",
    "reply_to",
    "mentions",
    "target",
    "reaction",
    "remove",
    "before",
    "after",
    "limit",
    "ref",
    "private",
    "topic",
    "read_only",
    "slow_mode_ms",
    "log_entries",
    "log_age_ms",
    "role",
    "for_ms",
    "position",
    "change",
    "salt",
    "v",
    "prev",
    "at",
    "kind",
    "hash",
    "body",
    "moderation",
    "action",
    "allow",
    "from",
    "message",
    "owner",
    "delete_room",
    "presence",
    "deleted",
    "0123456789abcdef",
];

/// A frame of a known type whose fields are right, wrong or missing.
fn any_frame() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(&WORDS[1..18]);
    let text = (0..5000_usize).prop_map(|length| json!("x".repeat(length)));
    let position = json!({"seq": MAX_SEQ, "tag": "0123456789abcdef"});
    let field = prop_oneof![
        any_json(),
        text,
        Just(json!("general")),
        Just(json!("ada")),
        Just(position),
        (0..70_usize).prop_map(|rooms| json!(vec![json!({"room": "general"}); rooms])),
    ];
    let fields = hash_map(prop::sample::select(&WORDS[18..44]), field, 0..8);
    (kind, fields).prop_map(|(kind, fields)| {
        let mut frame = json!({ "type": kind });
        for (name, value) in fields {
            frame[name] = value;
        }
        frame.to_string()
    })
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Reads a frame, and holds what was taken to the limits.
fn check(text: &str) {
    let limits = Limits::default();
    let reference = reference_of(text, &limits);
    assert!(reference.is_none_or(|reference| reference.len() <= 64));
    let Ok((frame, reference)) = decode(text, &limits) else {
        return;
    };
    assert!(text.len() <= limits.frame_bytes);
    assert!(depth(&serde_json::from_str(text).expect("it was read")) <= limits.json_depth);
    assert!(reference.is_none_or(|reference| reference.len() <= 64));
    let within = |position: Option<Position>| position.is_none_or(|since| since.seq <= MAX_SEQ);
    match frame {
        ClientFrame::Hello { rooms, .. } => {
            let rooms = rooms.unwrap_or_default();
            assert!(rooms.len() <= limits.rooms_per_connection);
            assert!(rooms.into_iter().all(|room| within(room.since)));
        }
        ClientFrame::Join(join) => assert!(within(join.since)),
        ClientFrame::Send { text, mentions, .. } => {
            assert!((1..=limits.text_bytes).contains(&text.len()) && !text.trim().is_empty());
            assert!(mentions.len() <= MENTIONS);
        }
        ClientFrame::Change { change, .. } => {
            if let Change::Edit { text } = change {
                assert!((1..=limits.text_bytes).contains(&text.len()) && !text.trim().is_empty());
            }
        }
        ClientFrame::Read { seq, .. } => assert!(seq <= MAX_SEQ),
        ClientFrame::History { range, limit, .. } => {
            if let HistoryRange::Before(seq) | HistoryRange::After(seq) = range {
                assert!(seq <= MAX_SEQ);
            }
            assert!(limit.is_none_or(|limit| limit as u64 <= MAX_SEQ));
        }
        ClientFrame::Create { settings, .. }
        | ClientFrame::Manage {
            action: RoomAction::Configure(settings),
            ..
        } => {
            let topic = settings.topic.unwrap_or_default();
            assert!(topic.len() <= TOPIC_BYTES && !topic.contains(char::is_control));
            assert!(settings.slow_mode <= Some(Duration::from_millis(SLOW_MODE_MILLIS)));
            assert!(settings.log_entries <= Some(limits.log_entries));
            assert!(settings.log_age <= Some(limits.log_age));
        }
        ClientFrame::Leave { .. }
        | ClientFrame::Typing { .. }
        | ClientFrame::Ping
        | ClientFrame::Direct { .. }
        | ClientFrame::Manage { .. }
        | ClientFrame::Kick { .. }
        | ClientFrame::Dismiss { .. }
        | ClientFrame::Restore { .. } => {}
        ClientFrame::Report { note, .. } => {
            assert!(note.is_none_or(|note| (1..=NOTE_BYTES).contains(&note.len())));
        }
        ClientFrame::Token { token } => assert!(token.len() <= limits.frame_bytes),
    }
}

/// For tests only.
const SECRET: &str = "made for tests only, never for a deployment";

fn issuers() -> Issuers {
    let identity = json!([{"issuer": "me", "audience": "chat", "algorithm": "HS256"}]);
    let secrets = json!({ "me": SECRET });
    Issuers::parse(&identity.to_string(), &secrets.to_string()).expect("a good issuer")
}

/// Proves a token, and holds what it proves to the limits.
fn prove(token: String) -> bool {
    let now = Timestamp::from_millis(1_000_000);
    match Verification::new(token).begin(now, &issuers()) {
        Step::Proved(identity) => {
            assert!(!identity.user.name.is_empty() && identity.user.name.len() <= 64);
            assert!(!identity.user.name.contains(char::is_control));
            assert!(identity.access.expires_at().is_some_and(|at| at > now));
            true
        }
        Step::Refused(_) => false,
        Step::LoadKeys { .. } => panic!("the key is here"),
    }
}

/// A token that is signed well, whatever it says.
fn signed(header: &str, claims: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    let signature = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", encode(&signature))
}

/// Claims of which some are right and others anything.
fn any_claims() -> impl Strategy<Value = serde_json::Value> {
    const NAMES: [&str; 8] = ["iss", "aud", "exp", "nbf", "sub", "name", "role", "rooms"];
    hash_map(prop::sample::select(&NAMES[..]), any_json(), 0..4).prop_map(|changed| {
        let mut claims = json!({"iss": "me", "aud": "chat", "exp": 2000, "sub": "ada"});
        for (name, value) in changed {
            claims[name] = value;
        }
        claims
    })
}

fn any_reply() -> impl Strategy<Value = Vec<Value>> {
    let value = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Integer),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        prop::sample::select(
            &[
                "appended",
                "duplicate",
                "banned",
                "ok",
                "deleted",
                "forbidden",
                "7",
                "0",
                "allow",
                "0123456789abcdef"
            ][..]
        )
        .prop_map(|text| Value::Bytes(text.into())),
    ];
    vec(value, 0..8)
}

/// Frames that were all refused would hold the limits without being held to them.
#[test]
fn some_of_the_frames_that_are_tried_are_taken() {
    let mut runner = TestRunner::deterministic();
    let taken = (0..500)
        .map(|_| {
            any_frame()
                .new_tree(&mut runner)
                .expect("a frame")
                .current()
        })
        .filter(|text| decode(text, &Limits::default()).is_ok());
    assert!(taken.count() > 10);
}

/// As with the frames.
#[test]
fn some_of_the_tokens_that_are_tried_are_proved() {
    let mut runner = TestRunner::deterministic();
    let proved = (0..500)
        .map(|_| {
            any_claims()
                .new_tree(&mut runner)
                .expect("claims")
                .current()
        })
        .filter(|claims| prove(signed(r#"{"alg":"HS256"}"#, &claims.to_string())));
    assert!(proved.count() > 10);
}

proptest! {
    #[test]
    fn any_text_is_a_frame_or_refused(text in ".{0,200}") {
        check(&text);
    }

    #[test]
    fn any_json_is_a_frame_or_refused(value in any_json()) {
        check(&value.to_string());
    }

    #[test]
    fn frames_are_taken_within_the_limits_only(text in any_frame()) {
        check(&text);
    }

    #[test]
    fn any_bytes_are_a_session_or_refused(bytes in vec(any::<u8>(), 0..300), live in any::<bool>()) {
        let settings = Settings::default();
        let connection = Connection { id: "c".into(), edge: "e".into(), anonymous: true, token: None };
        // The version, and the number of the state that has most to read.
        let bytes = if live { [vec![2, 1], bytes].concat() } else { bytes };
        if let Ok(hub) = Hub::restore(&settings, connection, &bytes, [0; 16]) {
            prop_assert!(hub.session().len() <= clustertalk_core::limits::SESSION_BYTES);
        }
    }

    #[test]
    fn any_bytes_are_an_entry_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Entry::parse(&bytes);
        let _ = Publication::parse(&bytes);
    }

    #[test]
    fn any_fields_are_an_entry_or_refused(fields in hash_map(prop::sample::select(&WORDS[..]), any_json(), 0..12)) {
        let mut stored = json!({
            "v": 1, "seq": 7, "prev": "0123456789abcdef", "tag": "0123456789abcdef", "at": 1,
            "kind": "message", "body": {}, "moderation": {"action": "allow"},
        });
        for (name, value) in fields {
            stored[name] = value;
        }
        if let Ok(entry) = Entry::parse(stored.to_string().as_bytes()) {
            prop_assert!(entry.link.from <= entry.link.seq && entry.link.seq <= MAX_SEQ);
        }
        let _ = Publication::parse(json!({"e": stored}).to_string().as_bytes());
        let _ = Publication::parse(json!({"x": stored}).to_string().as_bytes());
    }

    #[test]
    fn any_text_is_a_token_or_refused(text in ".{0,200}", parts in vec("[A-Za-z0-9_=-]{0,40}", 0..5)) {
        prop_assert!(!prove(text));
        prop_assert!(!prove(parts.join(".")));
    }

    #[test]
    fn any_json_is_a_token_or_refused(header in any_json(), claims in any_claims()) {
        prove(signed(&header.to_string(), &claims.to_string()));
        prove(signed(r#"{"alg":"HS256"}"#, &claims.to_string()));
    }

    #[test]
    fn a_signature_fits_what_was_signed_only(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_.-]") {
        let good = signed(r#"{"alg":"HS256"}"#, r#"{"iss":"me","aud":"chat","exp":2000,"sub":"ada"}"#);
        prop_assert!(prove(good.clone()));
        let mut changed = good.clone();
        let at = at.index(good.len());
        changed.replace_range(at..=at, &letter);
        prop_assert_eq!(prove(changed.clone()), changed == good);
    }

    #[test]
    fn any_text_is_configuration_or_refused(text in ".{0,100}", json in any_json()) {
        for text in [text, json.to_string()] {
            let _ = (Issuers::parse(&text, ""), Issuers::parse("", &text), PublishKeys::parse(&text));
            let _ = (ClosedRooms::parse(&text), RoomRules::parse(&text));
            let _ = (KeySet::parse(&text), Cached::parse(&text), Notice::parse(&text));
            prop_assert_eq!(PublishKeys::default().access(&text), None);
        }
    }

    #[test]
    fn any_reply_is_read_or_refused(reply in any_reply()) {
        let _ = (appended(&reply), stretch(&reply), marked(&reply));
        let _ = (members(&reply), opened(&reply), rooms(&reply), rooms_of(&reply));
        let _ = (attended(&reply), refreshed(&reply), managed(&reply), read_for_user(&reply));
    }
}
