//! What holds for every text.

use clustertalk_moderation_wasm::judge;
use clustertalk_moderation_wasm::normalise::normalise;
use clustertalk_moderation_wasm::rules;
use clustertalk_moderation_wasm::verdict::{self, Action, Thresholds, Verdict};
use proptest::prelude::*;

/// Any text, and texts made of the pieces that the normaliser has rules for.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "i",
        "u",
        "s",
        "p",
        "m",
        "x",
        "aa",
        "sss",
        "spam",
        "this",
        "is",
        "kill",
        "yourself",
        "fuck",
        "you",
        "4",
        "5",
        "0",
        "11",
        "$",
        "@",
        "!",
        "|",
        "+",
        "'",
        "’",
        " ",
        "  ",
        "\n",
        ".",
        "-",
        "_",
        "*",
        "/",
        ":",
        "#",
        "?",
        "http://",
        "https://",
        "www.",
        "1nitro.club",
        ".com",
        "а",
        "р",
        "о",
        "ѕ",
        "спам",
        "ё",
        "é",
        "e\u{301}",
        "cúm",
        "ü",
        "ß",
        "İ",
        "ı",
        "\u{200b}",
        "\u{202e}",
        "\u{336}",
        "\u{301}",
        "\u{34f}",
        "\u{ad}",
        "ｓ",
        "𝓹",
        "ⓐ",
        "🅼",
        "🇸",
        "ﬁ",
        "Ⅷ",
        "½",
        "ª",
        "死ね",
        "が",
        "か\u{3099}",
        "ｶﾞ",
        "한",
        "\u{1112}\u{1161}",
        "\u{11ab}",
        "क्ष",
        "ก็",
        "شَ",
        "ـ",
        "👍🏽",
        "👩‍👩‍👧",
    ]);
    let pieces = prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![any::<String>(), "\\PC{0,64}", pieces]
}

/// Texts that rules find, of many kinds.
fn hit() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "this is spam",
        "buy cheap viagra",
        "free crypto click here",
        "kill yourself",
        "fuck you",
        "you are an idiot",
        "see 1nitro.club now",
        "иди на хуй",
        "fils de pute",
        "操你妈",
    ])
}

/// What the rules alone say, whose promises are exact; the model weighs what it sees, such as
/// capitals, and may find more.
fn by_rules(text: &str) -> Verdict {
    verdict::decide(rules::findings(&normalise(text).tokens), |_| {
        Thresholds::DEFAULT
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_judged_and_each_time_alike(text in text()) {
        prop_assert_eq!(judge(&text), judge(&text));
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form(text in text()) {
        let once = normalise(&text);
        let twice = normalise(&once.text);
        prop_assert_eq!((twice.text, twice.tokens), (once.text, once.tokens));
    }

    #[test]
    fn rules_judge_a_normal_form_like_its_text(text in text()) {
        prop_assert_eq!(by_rules(&normalise(&text).text), by_rules(&text));
    }

    #[test]
    fn the_highest_score_decides(text in text()) {
        let verdict = judge(&text);
        let scores: Vec<f32> = verdict.scores.iter().map(|&(_, score)| score).collect();
        prop_assert!(scores.is_sorted_by(|a, b| a >= b));
        let highest = scores.first().copied().unwrap_or(0.0);
        prop_assert_eq!(verdict.action, Thresholds::DEFAULT.action(highest));
        let decided = verdict.rule.is_some() || verdict.by_model;
        prop_assert_eq!(decided, verdict.action != Action::Allow);
    }

    #[test]
    fn the_model_never_finds_less_than_the_rules_and_never_blocks(text in text()) {
        let (joined, rules) = (judge(&text), by_rules(&text));
        prop_assert!(joined.action >= rules.action);
        prop_assert!(joined.action < Action::Block || rules.action == Action::Block);
        prop_assert!(joined.scores.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
    }

    #[test]
    fn case_does_not_hide_a_hit(hit in hit(), upper in prop::collection::vec(any::<bool>(), 40)) {
        let cased: String = hit
            .chars()
            .zip(upper.iter().cycle())
            .map(|(c, &upper)| if upper { c.to_uppercase().to_string() } else { c.to_string() })
            .collect();
        prop_assert_eq!(by_rules(&cased), by_rules(hit));
    }

    #[test]
    fn invisible_characters_do_not_hide_a_hit(
        hit in hit(),
        noise in prop::collection::vec(
            prop::sample::select(vec!["", "\u{200b}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{202e}", "\u{fe0f}", "\u{e0061}"]),
            40,
        ),
    ) {
        let noisy: String = hit.chars().zip(noise.iter().cycle()).map(|(c, noise)| format!("{c}{noise}")).collect();
        prop_assert_eq!(by_rules(&noisy), by_rules(hit));
    }

    #[test]
    fn stretched_letters_do_not_hide_a_hit(hit in hit(), at in 0..12_usize, length in 2..9_usize) {
        let stretched: String = hit
            .char_indices()
            .map(|(index, c)| {
                let is_letter = c.is_alphabetic() && !hit.contains('.') && c < '\u{3000}';
                c.to_string().repeat(if index == at && is_letter { length + 1 } else { 1 })
            })
            .collect();
        prop_assert_eq!(by_rules(&stretched), by_rules(hit));
    }

    #[test]
    fn letters_written_apart_do_not_hide_a_word(
        word in prop::sample::select(vec!["spam", "kys", "motherfucker", "hurensohn"]),
        gap in prop::sample::select(vec![" ", ".", "-", "_", " - ", "*", "~", "|", "/"]),
    ) {
        let letters: Vec<String> = word.chars().map(String::from).collect();
        prop_assert_eq!(by_rules(&letters.join(gap)), by_rules(word));
    }

    #[test]
    fn words_around_a_hit_do_not_hide_it(before in "[b-h]{4,8}( [b-h]{4,8}){0,9}", hit in hit()) {
        let text = format!("{before} {hit}");
        prop_assert!(by_rules(&text).action >= by_rules(hit).action);
    }
}
