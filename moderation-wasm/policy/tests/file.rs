//! What a file says is what texts are judged by, and what is wrong in one is said with its line.

use clustertalk_moderation_wasm::policy::Policy as Judge;
use clustertalk_moderation_wasm::verdict::{Action, Verdict};
use clustertalk_policy::Policy;

const EXAMPLE: &str = include_str!("../example.toml");

fn judge(source: &str) -> Judge {
    let policy = Policy::read(source).unwrap_or_else(|problems| panic!("{problems:?}"));
    Judge::decode(policy.bytes.leak()).expect("what was written is read")
}

fn verdict(source: &str, room: &str, text: &str) -> Verdict {
    judge(source).in_room(room).judge(text)
}

fn action(source: &str, text: &str) -> Action {
    verdict(source, "general", text).action
}

#[test]
fn the_example_does_what_its_tests_say() {
    let policy = Policy::read(EXAMPLE).expect("a good file");
    let judge = judge(EXAMPLE);
    assert!(policy.tests.len() > 10);
    for (line, test) in &policy.tests {
        let room = judge.in_room(test.room.as_deref().unwrap_or("general"));
        let verdict = room.judge(test.text.get_ref());
        assert_eq!(
            verdict.action.name(),
            test.action.name(),
            "line {line}: {verdict:?}"
        );
        if let Some(rule) = &test.rule {
            assert_eq!(verdict.rule, Some(rule.as_str()), "line {line}");
        }
        if let Some(label) = &test.label {
            assert_eq!(verdict.scores[0].0.name(), label, "line {line}");
        }
        if let Some(replacement) = &test.replacement {
            let shown = verdict.replacement.or(room.replacement());
            assert_eq!(shown, Some(replacement.as_str()), "line {line}");
        }
    }
}

#[test]
fn without_a_policy_nothing_is_different() {
    for text in ["good morning", "this is spam", "kill yourself", "you idiot"] {
        let without = clustertalk_moderation_wasm::judge(text);
        assert_eq!(verdict("name = 'plain'", "general", text), without);
    }
}

#[test]
fn thresholds_move_what_a_score_leads_to() {
    let text = "this is spam";
    assert_eq!(action("name = 'x'", text), Action::Mask);
    let never = "name = 'x'\n[labels.spam]\nflag = 'never'\nmask = 'never'\nblock = 'never'";
    assert_eq!(action(never, text), Action::Allow);
    assert_eq!(
        action("name = 'x'\n[labels.spam]\nblock = 0.7", text),
        Action::Block
    );
    let room = "name = 'x'\n[labels.spam]\nmask = 0.9\n[[room]]\nnames = ['a*']\n[room.labels.spam]\nblock = 0.6";
    assert_eq!(verdict(room, "general", text).action, Action::Flag);
    assert_eq!(verdict(room, "abc", text).action, Action::Block);
}

#[test]
fn a_list_finds_a_word_in_disguise() {
    let source = "name = 'x'\n[deny]\nblock = ['Zorblax', 'le wumpf']";
    for text in [
        "zorblax",
        "ZORBLAX!",
        "z o r b l a x",
        "z.o.r.b.l.a.x",
        "zorblaaaax",
        "z0rbl@x",
        "zоrblах",
        "zor\u{200b}blax",
        "ｚｏｒｂｌａｘ",
        "oh le WUMPF",
    ] {
        assert_eq!(action(source, text), Action::Block, "{text}");
    }
    for text in ["zorblaxes", "zor blax", "wumpf", "le big wumpf"] {
        assert_eq!(action(source, text), Action::Allow, "{text}");
    }
}

#[test]
fn what_is_allowed_is_as_if_it_were_not_there() {
    assert_eq!(action("name = 'x'", "kill yourself"), Action::Block);
    let source = "name = 'x'\nallow = ['kill yourself', 'example.com']";
    assert_eq!(action(source, "Kill Yourself is a song"), Action::Allow);
    assert_eq!(
        action(source, "kill yourself, you idiot"),
        action("name = 'x'", "you idiot")
    );
    let link = "name = 'x'\nallow = ['1nitro.club']";
    for (text, becomes) in [
        ("see https://1nitro.club/claim", Action::Allow),
        ("see https://www.1nitro.club/claim now", Action::Allow),
        (
            "see https://1nitro.club.evil.example 1nitro.club, 1nitro.club",
            Action::Allow,
        ),
    ] {
        assert_eq!(action(link, text), becomes, "{text}");
    }
    assert_ne!(
        action("name = 'x'", "see https://1nitro.club/claim"),
        Action::Allow
    );
    let other = "name = 'x'\nallow = ['club']\n[deny]\nblock = ['evil.com']";
    for text in ["evil.com", "http://a.evil.com/x?y", "x evil.com."] {
        assert_eq!(action(other, text), Action::Block, "{text}");
    }
    for text in ["notevil.com", "evil.com.org", "mail@evil.com"] {
        assert_eq!(action(other, text), Action::Allow, "{text}");
    }
}

#[test]
fn an_allowed_domain_lets_no_other_through() {
    let source = "name = 'x'\nallow = ['example.com']\n[deny]\nblock = ['evil.com']";
    for text in [
        "example.com evil.com",
        "http://example.com@evil.com",
        "http://evil.com/example.com",
    ] {
        assert_eq!(action(source, text), Action::Block, "{text}");
    }
}

#[test]
fn languages_are_those_that_are_named() {
    let german = "du hurensohn";
    assert_eq!(action("name = 'x'", german), Action::Mask);
    let rule = |source: &str| verdict(source, "general", german).rule;
    assert_eq!(
        rule("name = 'x'\nlanguages = ['german']"),
        Some("toxic.german")
    );
    assert_eq!(rule("name = 'x'\nlanguages = ['english']"), None);
}

#[test]
fn an_expression_costs_a_step_a_byte_and_is_found_anywhere() {
    let source = r#"name = 'x'
[[rule]]
name = "a"
label = "odd"
action = "block"
regex = ['(x+x+)+y', '\bcat\b', '(?u:[а-я]{3}\d)']
"#;
    let judge = judge(source);
    let room = judge.in_room("general");
    assert_eq!(room.judge("a cat.").action, Action::Block);
    assert_eq!(room.judge("concatenate").action, Action::Allow);
    assert_eq!(room.judge("ДОМ5").action, Action::Block);
    assert_eq!(room.judge(&"x".repeat(1_000_000)).action, Action::Allow);
    assert_eq!(
        room.judge(&format!("{}y", "x".repeat(100_000))).action,
        Action::Block
    );
}

/// Each with the line and a part of the message.
#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (source, line, part) in [
        ("", 1, "missing field `name`"),
        ("name = ''", 1, "one line"),
        ("name = 'x'\nnaem = 'y'", 2, "unknown field"),
        ("name = 'x'\n\n[labels.toxik]\nflag = 1", 3, "toxic, "),
        (
            "name = 'x'\n[labels.toxic]\nflag = 0.9\nmask = 0.5",
            2,
            "at most",
        ),
        ("name = 'x'\n[labels.toxic]\nflag = 2.0", 3, "above 0"),
        ("name = 'x'\nallow = [\n'a?']", 3, "must be there"),
        ("name = 'x'\nlanguages = ['klingon']", 2, "german"),
        (
            "name = 'x'\n[built_in]\n'toxic.x' = 'off'",
            3,
            "policy rules",
        ),
        (
            "name = 'x'\n[built_in]\n'toxic.swearing' = 'no'",
            3,
            "or off",
        ),
        ("name = 'x'\n[[room]]\nnames = ['A B']", 3, "no room"),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'",
            3,
            "looks for nothing",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'\nregex = ['a*']",
            6,
            "every text",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'\nregex = ['a(']",
            6,
            "unclosed group",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'\nregex = ['[а-я]']",
            6,
            "(?u:",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'\nregex = ['(a|b)*a(a|b){30}']",
            6,
            "states",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'r'\nlabel = 'l'\naction = 'flag'\nany = ['{no}']",
            6,
            "no set",
        ),
        (
            "name = 'x'\n[[rule]]\nname = 'toxic.swearing'\nlabel = 'l'\naction = 'flag'\nany = ['a']",
            3,
            "built_in",
        ),
        ("name = 'x'\nreplacement = ' '", 2, "1 to 1024"),
        (
            "name = 'x'\n[[test]]\ntext = 'a'\naction = 'allow'\nrule = 'nix'",
            3,
            "no rule",
        ),
    ] {
        let problems = Policy::read(source).err().unwrap_or_default();
        let found = problems
            .iter()
            .any(|problem| problem.line == line && problem.message.contains(part));
        assert!(found, "{source:?}: {problems:?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let source = "name = ''\nallow = ['(', '...']\nlanguages = ['x']";
    assert_eq!(
        Policy::read(source).err().map(|problems| problems.len()),
        Some(4)
    );
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    let bytes = Policy::read(EXAMPLE).expect("a good file").bytes;
    for cut in 0..bytes.len().min(600) {
        let _ = Judge::decode(bytes[..cut].to_vec().leak());
    }
    for place in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        if let Ok(judge) = Judge::decode(damaged.leak()) {
            judge
                .in_room("general")
                .judge("Free robux, kill the process, +49 30 1234567");
        }
    }
}
