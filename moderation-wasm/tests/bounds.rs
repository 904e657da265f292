//! The work for a text is linear in its length, whatever it says.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clustertalk_moderation_wasm::judge;
use clustertalk_moderation_wasm::verdict::Action;

const SHORT_BYTES: usize = 4 * 1024;
const FACTOR: usize = 16;

/// Quadratic work would take 16 times 16 as long; noise on a shared machine less than 4 times.
const SLACK: u32 = 4;

/// A busy machine may slow each run of one length, but not every time.
const ATTEMPTS: usize = 10;

fn fastest(text: &str) -> Duration {
    let run = |_| {
        let start = Instant::now();
        black_box(judge(black_box(text)));
        start.elapsed()
    };
    (0..5).map(run).min().unwrap_or_default()
}

fn is_linear(piece: &str) -> bool {
    let short = piece.repeat(SHORT_BYTES / piece.len());
    let long = short.repeat(FACTOR);
    let (short, long) = (fastest(&short), fastest(&long));
    println!("{piece:?}: {short:?} for 4 KiB, {long:?} for 64 KiB");
    long <= short.max(Duration::from_micros(20)) * FACTOR as u32 * SLACK
}

#[test]
fn sixteen_times_the_text_takes_about_sixteen_times_as_long() {
    let pieces = [
        "this is an ordinary line of talk, nothing more. ",
        "this is ",
        "free crypto free ",
        "you are a really fucking ",
        "spam folder this is spam ",
        "s p a m ",
        "a b  c  d ",
        "a",
        "1nitro.club ",
        "http://",
        "a.b.c.",
        "a-",
        "@@a.",
        "$p4m!",
        "e\u{301}\u{336}",
        "\u{301}\u{323}\u{316}",
        "\u{5d0}\u{5b0}\u{5bc}",
        "\u{915}\u{94d}\u{93c}",
        "\u{94d}\u{93c}",
        "sраm ",
        "死ね",
        "🆂🅿🅰🅼",
        "\u{200b}",
        "''''",
        "!!!!a",
        "b!tch ",
        "\u{202e}a",
        "@everyone ",
        "0123456789",
        "💰",
    ];
    for piece in pieces {
        let linear = (0..ATTEMPTS).any(|_| is_linear(piece));
        assert!(linear, "{piece:?} takes more than its share");
    }
}

#[test]
fn a_megabyte_is_judged_like_its_parts() {
    let talk = "this is an ordinary line of talk, nothing more. ".repeat(22_000);
    assert_eq!(judge(&talk).action, Action::Allow);
    let hidden = format!("{talk} kill yourself {talk}");
    assert_eq!(judge(&hidden).action, Action::Block);
    // A phrase on the border of two parts.
    for before in 16 * 1024 - 20..16 * 1024 + 5 {
        let text = format!("{} kill yourself {talk}", &talk[..before]);
        assert_eq!(judge(&text).action, Action::Block, "after {before} bytes");
    }
}
