use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

type Frames = Vec<Vec<u8>>;

/// A masked frame of a client. `first` is the byte with the fin bit and the opcode.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.into_iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// Everything a decoder yields when fed with pieces of this size.
fn decode(bytes: &[u8], piece_bytes: usize) -> (Vec<Message>, Option<Violation>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut messages = Vec::new();
    let mut bytes = bytes.to_vec();
    for mut piece in bytes.chunks_mut(piece_bytes) {
        while !piece.is_empty() {
            match decoder.decode(piece) {
                Ok((used, message)) => {
                    assert!(message.is_some() || used == piece.len());
                    messages.extend(message);
                    piece = &mut piece[used..];
                }
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame {
        code,
        reason: reason.to_owned(),
    }))
}

fn close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

/// Feeds the frames whole and byte by byte.
fn check(name: &str, frames: &[Vec<u8>], messages: &[Message], end: Option<Violation>) {
    let bytes = frames.concat();
    for piece_bytes in [bytes.len().max(1), 1, 3] {
        let decoded = decode(&bytes, piece_bytes);
        assert_eq!(
            decoded,
            (messages.to_vec(), end),
            "{name}, {piece_bytes} bytes at a time"
        );
    }
}

#[test]
fn well_formed_frames_become_messages() {
    let frame = client_frame;
    let long = "x".repeat(LIMIT);
    let whole_ping = vec![7; 125];
    let cases: Vec<(&str, Frames, Vec<Message>)> = vec![
        ("text", vec![frame(0x81, b"Hello")], vec![text("Hello")]),
        ("empty text", vec![frame(0x81, b"")], vec![text("")]),
        (
            "125 bytes",
            vec![frame(0x81, &[b'x'; 125])],
            vec![text(&long[..125])],
        ),
        (
            "126 bytes",
            vec![frame(0x81, &[b'x'; 126])],
            vec![text(&long[..126])],
        ),
        (
            "as long as allowed",
            vec![frame(0x81, long.as_bytes())],
            vec![text(&long)],
        ),
        (
            "two texts at once",
            vec![frame(0x81, b"one"), frame(0x81, b"two")],
            vec![text("one"), text("two")],
        ),
        (
            "fragments",
            vec![frame(0x01, b"Hel"), frame(0x00, b""), frame(0x80, b"lo")],
            vec![text("Hello")],
        ),
        (
            "a character over fragments",
            vec![
                frame(0x01, b"\xf0\x9f"),
                frame(0x00, b"\x98"),
                frame(0x80, b"\x80!"),
            ],
            vec![text("😀!")],
        ),
        (
            "control frames between fragments",
            vec![
                frame(0x01, b"a"),
                frame(0x89, b"p"),
                frame(0x8a, b""),
                frame(0x80, b"b"),
            ],
            vec![Message::Ping(b"p".to_vec()), Message::Pong, text("ab")],
        ),
        (
            "empty ping",
            vec![frame(0x89, b"")],
            vec![Message::Ping(Vec::new())],
        ),
        (
            "longest ping",
            vec![frame(0x89, &whole_ping)],
            vec![Message::Ping(whole_ping.clone())],
        ),
        (
            "unasked pong",
            vec![frame(0x8a, b"beat")],
            vec![Message::Pong],
        ),
        (
            "close without a code",
            vec![frame(0x88, b"")],
            vec![Message::Close(None)],
        ),
        (
            "close with a reason",
            vec![frame(0x88, &close_payload(4001, "tschüß".as_bytes()))],
            vec![close(4001, "tschüß")],
        ),
        (
            "nothing counts after a close",
            vec![
                frame(0x88, &close_payload(1000, b"")),
                frame(0x81, b"late"),
                vec![0xff; 9],
            ],
            vec![close(1000, "")],
        ),
        (
            "close inside a message",
            vec![frame(0x01, b"never ended"), frame(0x88, b"")],
            vec![Message::Close(None)],
        ),
        (
            "a frame that has not ended",
            vec![frame(0x81, b"Hello")[..9].to_vec()],
            vec![],
        ),
    ];
    for (name, frames, messages) in cases {
        check(name, &frames, &messages, None);
    }
}

#[test]
fn each_violation_ends_the_connection_with_its_code() {
    use Violation::*;
    let frame = client_frame;
    let begin = || frame(0x01, b"begun");
    let half = vec![b'x'; LIMIT / 2 + 1];
    let cases: Vec<(&str, Frames, Violation, u16)> = vec![
        (
            "first reserved bit",
            vec![frame(0xc1, b"")],
            ReservedBits,
            1002,
        ),
        (
            "second reserved bit",
            vec![frame(0xa1, b"")],
            ReservedBits,
            1002,
        ),
        (
            "third reserved bit",
            vec![frame(0x91, b"")],
            ReservedBits,
            1002,
        ),
        (
            "reserved bit of a control frame",
            vec![frame(0xc9, b"")],
            ReservedBits,
            1002,
        ),
        (
            "reserved bit of a continuation",
            vec![begin(), frame(0xc0, b"")],
            ReservedBits,
            1002,
        ),
        ("opcode 3", vec![frame(0x83, b"")], UnknownOpcode(3), 1002),
        ("opcode 7", vec![frame(0x87, b"")], UnknownOpcode(7), 1002),
        ("opcode 11", vec![frame(0x8b, b"")], UnknownOpcode(11), 1002),
        ("opcode 15", vec![frame(0x8f, b"")], UnknownOpcode(15), 1002),
        (
            "unmasked text",
            vec![b"\x81\x02hi".to_vec()],
            Unmasked,
            1002,
        ),
        ("unmasked ping", vec![b"\x89\x00".to_vec()], Unmasked, 1002),
        (
            "5 bytes in 2 bytes of length",
            vec![b"\x81\xfe\x00\x05".to_vec()],
            LengthNotMinimal,
            1002,
        ),
        (
            "125 in 2 bytes of length",
            vec![b"\x81\xfe\x00\x7d".to_vec()],
            LengthNotMinimal,
            1002,
        ),
        (
            "200 in 8 bytes of length",
            vec![b"\x81\xff\0\0\0\0\0\0\0\xc8".to_vec()],
            LengthNotMinimal,
            1002,
        ),
        (
            "65535 in 8 bytes of length",
            vec![b"\x81\xff\0\0\0\0\0\0\xff\xff".to_vec()],
            LengthNotMinimal,
            1002,
        ),
        (
            "a negative length",
            vec![b"\x81\xff\x80\0\0\0\0\0\0\0".to_vec()],
            LengthOverflow,
            1002,
        ),
        (
            "a ping of 126 bytes",
            vec![frame(0x89, &[0; 126])],
            ControlTooLong,
            1002,
        ),
        (
            "a close of 126 bytes",
            vec![frame(0x88, &[0; 126])],
            ControlTooLong,
            1002,
        ),
        (
            "a pong of 70,000 bytes",
            vec![frame(0x8a, &[0; 70_000])],
            ControlTooLong,
            1002,
        ),
        (
            "a ping in fragments",
            vec![frame(0x09, b"p")],
            ControlFragmented,
            1002,
        ),
        (
            "a close in fragments",
            vec![frame(0x08, b"")],
            ControlFragmented,
            1002,
        ),
        (
            "a continuation of nothing",
            vec![frame(0x80, b"x")],
            NothingToContinue,
            1002,
        ),
        (
            "a fragment of nothing",
            vec![frame(0x00, b"x")],
            NothingToContinue,
            1002,
        ),
        (
            "a text inside a text",
            vec![begin(), frame(0x81, b"x")],
            MessageInsideMessage,
            1002,
        ),
        (
            "a second beginning",
            vec![begin(), begin()],
            MessageInsideMessage,
            1002,
        ),
        (
            "binary inside a text",
            vec![begin(), frame(0x82, b"x")],
            MessageInsideMessage,
            1002,
        ),
        ("binary", vec![frame(0x82, b"x")], Binary, 1003),
        ("binary in fragments", vec![frame(0x02, b"x")], Binary, 1003),
        (
            "a byte that is no UTF-8",
            vec![frame(0x81, b"a\xffb")],
            TextNotUtf8,
            1007,
        ),
        (
            "an overlong character",
            vec![frame(0x81, b"\xc0\xaf")],
            TextNotUtf8,
            1007,
        ),
        (
            "a surrogate",
            vec![frame(0x81, b"\xed\xa0\x80")],
            TextNotUtf8,
            1007,
        ),
        (
            "beyond Unicode",
            vec![frame(0x81, b"\xf4\x90\x80\x80")],
            TextNotUtf8,
            1007,
        ),
        (
            "a text that ends inside a character",
            vec![frame(0x81, b"ok\xe2\x82")],
            TextNotUtf8,
            1007,
        ),
        (
            "a message that ends inside a character",
            vec![frame(0x01, b"ok\xe2"), frame(0x80, b"\x82")],
            TextNotUtf8,
            1007,
        ),
        (
            "a message that can no longer become UTF-8",
            vec![frame(0x01, b"ok\xe2"), frame(0x00, b"x")],
            TextNotUtf8,
            1007,
        ),
        (
            "a text over the limit",
            vec![frame(0x81, &[b'x'; LIMIT + 1])],
            TooLarge,
            1009,
        ),
        (
            "a length over the limit alone",
            vec![b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec()],
            TooLarge,
            1009,
        ),
        (
            "fragments over the limit",
            vec![frame(0x01, &half), frame(0x80, &half)],
            TooLarge,
            1009,
        ),
        (
            "a close of one byte",
            vec![frame(0x88, b"\x03")],
            CloseTruncated,
            1002,
        ),
        (
            "a close reason that is no UTF-8",
            vec![frame(0x88, &close_payload(1000, b"\xff"))],
            ReasonNotUtf8,
            1007,
        ),
    ];
    for (name, frames, violation, code) in cases {
        check(name, &frames, &[], Some(violation));
        assert_eq!(violation.close_code(), code, "{name}");
    }
}

#[test]
fn only_close_codes_meant_for_the_wire_are_taken() {
    for code in 0..=u16::MAX {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let (messages, violation) = decode(&client_frame(0x88, &close_payload(code, b"")), 64);
        if allowed {
            assert_eq!(messages, [close(code, "")]);
        } else {
            assert_eq!(violation, Some(Violation::CloseCode(code)));
        }
    }
}

#[test]
fn nothing_is_yielded_after_a_violation() {
    let mut decoder = Decoder::new(LIMIT);
    assert!(decoder.decode(&mut client_frame(0x82, b"binary")).is_err());
    let mut late = client_frame(0x81, b"late");
    assert_eq!(decoder.decode(&mut late), Ok((late.len(), None)));
}

#[test]
fn lengths_are_encoded_in_their_shortest_form() {
    for (length, header) in [
        (0, &b"\x81\x00"[..]),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\0\0\0\0\0\x01\0\0"),
    ] {
        let frame = encode_text(&"x".repeat(length));
        assert_eq!(frame.len(), header.len() + length);
        assert!(frame.starts_with(header), "{length}");
    }
}

#[test]
fn a_long_close_reason_is_cut_at_a_character() {
    let frame = encode_close(4501, &"ü".repeat(100));
    assert_eq!(frame[1], 124, "61 whole characters fit into 123 bytes");
    assert_eq!(str::from_utf8(&frame[4..]).unwrap(), "ü".repeat(61));
}

#[test]
fn close_codes_are_those_of_the_protocol() {
    let table: serde_json::Value =
        serde_json::from_str(include_str!("../../../protocol/codes.json")).unwrap();
    let known: Vec<(u64, &str)> = table["closes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|close| {
            (
                close["code"].as_u64().unwrap(),
                close["name"].as_str().unwrap(),
            )
        })
        .collect();
    for (code, name) in [
        (close_code::PROTOCOL_ERROR, "protocol_error"),
        (close_code::TEXT_ONLY, "text_only"),
        (close_code::BAD_UTF8, "bad_utf8"),
        (close_code::FRAME_TOO_LARGE, "frame_too_large"),
        (close_code::SLOW_CONSUMER, "slow_consumer"),
        (close_code::DRAINING, "draining"),
        (close_code::IDLE, "idle"),
    ] {
        assert!(known.contains(&(u64::from(code), name)), "{code} {name}");
    }
}

/// Frames that are mostly right, so that long sequences are reached.
fn arbitrary_frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        10 => prop::sample::select(vec![0x81_u8, 0x01, 0x00, 0x80, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        "\\PC{0,60}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..130),
    ];
    prop::collection::vec((first, payload), 0..12).prop_map(|frames| {
        frames
            .iter()
            .flat_map(|(first, payload)| client_frame(*first, payload))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_text_survives_any_fragmentation(
        text in "\\PC{0,200}",
        cuts in prop::collection::vec(0..600_usize, 0..5),
        piece_bytes in 1..700_usize,
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
        cuts.sort_unstable();
        cuts.push(text.len());
        let mut bytes = Vec::new();
        let mut from = 0;
        for (index, to) in cuts.iter().copied().enumerate() {
            let fin = if index + 1 == cuts.len() { 0x80 } else { 0 };
            let opcode = u8::from(index == 0);
            bytes.extend(client_frame(fin | opcode, &text.as_bytes()[from..to]));
            from = to;
        }
        prop_assert_eq!(decode(&bytes, piece_bytes), (vec![Message::Text(text)], None));
    }

    #[test]
    fn pieces_make_no_difference(bytes in arbitrary_frames(), piece_bytes in 1..40_usize) {
        prop_assert_eq!(decode(&bytes, bytes.len().max(1)), decode(&bytes, piece_bytes));
    }

    #[test]
    fn noise_never_panics_and_pieces_make_no_difference(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert_eq!(decode(&bytes, bytes.len().max(1)), decode(&bytes, 1));
    }
}
