//! A moderator of a shop: no invitations elsewhere, no telephone numbers, no shouting.

wit_bindgen::generate!({ path: "../../wit/moderation", world: "moderation" });

use exports::clustertalk::moderation::moderator::{Action, Guest, Message, Score, Verdict};

/// Digits in a row that make a telephone number.
const NUMBER: usize = 7;
/// Letters, all of them capitals, that make a shout.
const SHOUT: usize = 12;

pub struct Moderator;

impl Guest for Moderator {
    fn review(message: Message) -> Result<Verdict, String> {
        let small = message.text.to_lowercase();
        if small.contains("t.me/") || small.contains("discord.gg/") {
            return Ok(verdict(Action::Block, "spam", None));
        }
        if let Some(masked) = without_numbers(&message.text) {
            return Ok(verdict(Action::Mask, "contact", Some(masked)));
        }
        let letters = || message.text.chars().filter(|letter| letter.is_alphabetic());
        if letters().count() >= SHOUT && letters().all(char::is_uppercase) {
            return Ok(verdict(Action::Flag, "shouting", None));
        }
        Ok(Verdict {
            scores: Vec::new(),
            ..verdict(Action::Allow, "", None)
        })
    }
}

/// The text with a word in the place of each long number; `None` if there is none.
fn without_numbers(text: &str) -> Option<String> {
    let is_long = |word: &str| word.bytes().filter(u8::is_ascii_digit).count() >= NUMBER;
    text.split(' ').any(is_long).then(|| {
        let words: Vec<&str> = text
            .split(' ')
            .map(|word| if is_long(word) { "[number]" } else { word })
            .collect();
        words.join(" ")
    })
}

fn verdict(action: Action, label: &str, replacement: Option<String>) -> Verdict {
    Verdict {
        action,
        replacement,
        scores: vec![Score {
            label: label.to_owned(),
            value: 1.0,
        }],
        rule: None,
        model: None,
        policy: None,
    }
}

// Only the component exports: a native linker refuses the contract's symbol names.
#[cfg(target_family = "wasm")]
export!(Moderator);
