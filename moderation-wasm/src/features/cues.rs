//! What tells spam from talk beside words: links, money, numbers to call, capitals, emoji.

use super::hosts;
use crate::normalise::{Normalised, Token};
use crate::verdict::{Action, Finding, Label};

/// One thing that a text shows or not. New ones go to the end: the weights are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cue {
    UpTo10Characters,
    UpTo25Characters,
    UpTo50Characters,
    UpTo100Characters,
    UpTo200Characters,
    UpTo400Characters,
    Longer,
    /// Of at least eight letters, this share is capitals.
    ThirdCapitals,
    MostlyCapitals,
    AllCapitals,
    OneExclamation,
    TwoExclamations,
    ManyExclamations,
    OneEmoji,
    FewEmoji,
    ManyEmoji,
    /// Emoji of offers: money, gifts, rockets, pointing hands.
    OfferEmoji,
    /// Emoji that advances are made with.
    SuggestiveEmoji,
    OneLink,
    TwoLinks,
    ManyLinks,
    PhishingLink,
    Shortener,
    Invite,
    CommonHost,
    OnlyCommonHosts,
    CheapDomain,
    Imitation,
    NumericHost,
    HyphenatedHost,
    /// A path such as `/claim` or `?ref=`.
    LuringPath,
    /// A currency sign beside digits.
    Money,
    Percent,
    /// Nine digits or more that look like a number to call.
    Telephone,
    LongNumber,
    ManyNumbers,
    /// `@everyone`, `@here`.
    CallsEveryone,
    Mention,
    /// Of at least six words, this share was said before.
    ThirdRepeated,
    MostlyRepeated,
    /// Letters stretched to four or more.
    Stretched,
    /// Zero-width characters, bidirectional controls.
    Invisible,
    /// Mathematical, fullwidth or enclosed letters.
    StyledLetters,
    DisguisedWord,
    /// Three lines or more.
    ManyLines,
    LongUnbroken,
    OnlyLink,
    /// A rule found the label: one word that says it all counts in a text of any length.
    RuleSpam,
    RuleScam,
    RuleToxic,
    RuleSevereToxic,
    RuleHate,
    RuleThreat,
    RuleSexual,
}

impl Cue {
    pub const COUNT: usize = Cue::RuleSexual as usize + 1;
    pub const ALL: [Cue; Cue::COUNT] = [
        Cue::UpTo10Characters,
        Cue::UpTo25Characters,
        Cue::UpTo50Characters,
        Cue::UpTo100Characters,
        Cue::UpTo200Characters,
        Cue::UpTo400Characters,
        Cue::Longer,
        Cue::ThirdCapitals,
        Cue::MostlyCapitals,
        Cue::AllCapitals,
        Cue::OneExclamation,
        Cue::TwoExclamations,
        Cue::ManyExclamations,
        Cue::OneEmoji,
        Cue::FewEmoji,
        Cue::ManyEmoji,
        Cue::OfferEmoji,
        Cue::SuggestiveEmoji,
        Cue::OneLink,
        Cue::TwoLinks,
        Cue::ManyLinks,
        Cue::PhishingLink,
        Cue::Shortener,
        Cue::Invite,
        Cue::CommonHost,
        Cue::OnlyCommonHosts,
        Cue::CheapDomain,
        Cue::Imitation,
        Cue::NumericHost,
        Cue::HyphenatedHost,
        Cue::LuringPath,
        Cue::Money,
        Cue::Percent,
        Cue::Telephone,
        Cue::LongNumber,
        Cue::ManyNumbers,
        Cue::CallsEveryone,
        Cue::Mention,
        Cue::ThirdRepeated,
        Cue::MostlyRepeated,
        Cue::Stretched,
        Cue::Invisible,
        Cue::StyledLetters,
        Cue::DisguisedWord,
        Cue::ManyLines,
        Cue::LongUnbroken,
        Cue::OnlyLink,
        Cue::RuleSpam,
        Cue::RuleScam,
        Cue::RuleToxic,
        Cue::RuleSevereToxic,
        Cue::RuleHate,
        Cue::RuleThreat,
        Cue::RuleSexual,
    ];
}

/// The cues of a text, each a bit by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cues(u64);

const _: () = assert!(Cue::COUNT <= u64::BITS as usize);

impl Cues {
    fn set(&mut self, cue: Cue, holds: bool) {
        self.0 |= u64::from(holds) << cue as u8;
    }

    pub fn has(self, cue: Cue) -> bool {
        self.0 >> cue as u8 & 1 == 1
    }

    /// The numbers of the cues that hold, lowest first.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let number = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            (number < Cue::COUNT).then_some(number)
        })
    }
}

/// The cues of a text, as it was typed, as it was normalised, and as the rules see it. Linear in
/// the text.
pub fn cues(text: &str, normalised: &Normalised, by_rules: &[Finding]) -> Cues {
    let mut cues = Cues::default();
    characters(text, &mut cues);
    fields(text, &mut cues);
    links(normalised, &mut cues);
    repetition(normalised, &mut cues);
    for finding in by_rules {
        rule(finding, &mut cues);
    }
    cues.set(Cue::DisguisedWord, !normalised.disguised.is_empty());
    cues
}

fn rule(finding: &Finding, cues: &mut Cues) {
    let cue = match finding.label {
        Label::Spam => Cue::RuleSpam,
        Label::Scam => Cue::RuleScam,
        Label::Toxic if finding.score >= Action::Mask.score() => Cue::RuleSevereToxic,
        Label::Toxic => Cue::RuleToxic,
        Label::Hate => Cue::RuleHate,
        Label::Threat => Cue::RuleThreat,
        Label::Sexual => Cue::RuleSexual,
        Label::SelfHarm | Label::Own(_) => return,
    };
    cues.set(cue, true);
}

/// What single characters and their runs show.
fn characters(text: &str, cues: &mut Cues) {
    let mut characters = 0_usize;
    let mut letters = 0_usize;
    let mut capitals = 0_usize;
    let mut exclamations = 0_usize;
    let mut emoji = 0_usize;
    let mut lines = 1_usize;
    let mut numbers = 0_usize;
    let mut run = 0_usize;
    let mut digits = Digits::default();
    let mut before = '\0';
    for c in text.chars() {
        characters += 1;
        run = if c == before { run + 1 } else { 1 };
        if c.is_ascii() {
            match c {
                'a'..='z' => letters += 1,
                'A'..='Z' => {
                    letters += 1;
                    capitals += 1;
                }
                '!' => exclamations += 1,
                '\n' => lines += 1,
                '%' => cues.set(Cue::Percent, before.is_ascii_digit()),
                '0'..='9' => {
                    numbers += usize::from(!before.is_ascii_digit());
                    cues.set(Cue::Money, before == '$');
                }
                '$' => cues.set(Cue::Money, before.is_ascii_digit()),
                _ => {}
            }
        } else {
            letters += usize::from(c.is_alphabetic());
            capitals += usize::from(c.is_uppercase());
            other_character(c, before, &mut emoji, cues);
        }
        if c.is_ascii_digit() && matches!(before, '€' | '£' | '¥' | '₹' | '₽' | '₿' | '₦')
        {
            cues.set(Cue::Money, true);
        }
        cues.set(Cue::Stretched, run >= 4 && c.is_alphabetic());
        digits.follow(c, cues);
        before = c;
    }
    digits.end(cues);

    let length = match characters {
        0..=10 => Cue::UpTo10Characters,
        11..=25 => Cue::UpTo25Characters,
        26..=50 => Cue::UpTo50Characters,
        51..=100 => Cue::UpTo100Characters,
        101..=200 => Cue::UpTo200Characters,
        201..=400 => Cue::UpTo400Characters,
        _ => Cue::Longer,
    };
    cues.set(length, true);
    if letters >= 8 {
        cues.set(Cue::AllCapitals, capitals * 20 >= letters * 19);
        cues.set(Cue::MostlyCapitals, capitals * 3 >= letters * 2);
        cues.set(Cue::ThirdCapitals, capitals * 3 >= letters);
    }
    counted(
        exclamations,
        [
            Cue::OneExclamation,
            Cue::TwoExclamations,
            Cue::ManyExclamations,
        ],
        [1, 2, 3],
        cues,
    );
    counted(
        emoji,
        [Cue::OneEmoji, Cue::FewEmoji, Cue::ManyEmoji],
        [1, 2, 4],
        cues,
    );
    cues.set(Cue::ManyNumbers, numbers >= 4);
    cues.set(Cue::ManyLines, lines >= 3);
}

/// The last of three cues whose lowest count is reached.
fn counted(count: usize, three: [Cue; 3], lowest: [usize; 3], cues: &mut Cues) {
    let reached = lowest.iter().rposition(|&lowest| count >= lowest);
    if let Some(index) = reached {
        cues.set(three[index], true);
    }
}

fn other_character(c: char, before: char, emoji: &mut usize, cues: &mut Cues) {
    match c {
        '€' | '£' | '¥' | '₹' | '₽' | '₿' | '₦' => {
            cues.set(Cue::Money, before.is_ascii_digit());
        }
        '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}'
        | '\u{ad}' => cues.set(Cue::Invisible, true),
        '\u{1d400}'..='\u{1d7ff}'
        | '\u{ff21}'..='\u{ff5a}'
        | '\u{24b6}'..='\u{24e9}'
        | '\u{1f130}'..='\u{1f189}' => cues.set(Cue::StyledLetters, true),
        '\u{2190}'..='\u{21ff}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}'
        | '\u{1f000}'..='\u{1faff}' => {
            *emoji += 1;
            let offer = "💰💸🤑💵💲💎🚀🔥🎁🎉✅👉👇⬇🏆🎰📈🆓⚡📲💯";
            cues.set(Cue::OfferEmoji, offer.contains(c));
            cues.set(Cue::SuggestiveEmoji, "🍆🍑💦🔞😏😈👅💋🥵🍒".contains(c));
        }
        _ => {}
    }
}

/// Digits in a row, as numbers to call are written: with single signs between them.
#[derive(Default)]
struct Digits {
    count: usize,
    /// What stands before the first, if it is a sign of a number to call.
    lead: bool,
    signs: usize,
    plus: bool,
}

impl Digits {
    fn follow(&mut self, c: char, cues: &mut Cues) {
        match c {
            '0'..='9' => {
                if self.count == 0 {
                    self.lead = c == '0' || self.plus;
                }
                self.count += 1;
                self.signs = 0;
            }
            '+' => {
                self.end(cues);
                self.plus = true;
            }
            ' ' | '-' | '.' | '(' | ')' if self.signs < 2 => self.signs += 1,
            _ => self.end(cues),
        }
    }

    fn end(&mut self, cues: &mut Cues) {
        cues.set(Cue::Telephone, self.count >= 9 && self.lead);
        cues.set(Cue::LongNumber, self.count >= 7);
        *self = Digits::default();
    }
}

/// What is between spaces.
fn fields(text: &str, cues: &mut Cues) {
    for field in text.split_ascii_whitespace() {
        if let Some(name) = field.strip_prefix('@') {
            let everyone = ["everyone", "here", "all", "channel"];
            cues.set(Cue::CallsEveryone, everyone.contains(&name));
            cues.set(
                Cue::Mention,
                name.starts_with(|c: char| c.is_alphanumeric()),
            );
        }
        if field.len() > 40 {
            cues.set(Cue::LongUnbroken, true);
        }
        if let Some(dot) = field.find('.')
            && let Some(slash) = field[dot..].find(['/', '?'])
        {
            let path = &field.as_bytes()[dot + slash..];
            cues.set(Cue::LuringPath, is_luring(&path[..path.len().min(64)]));
        }
    }
}

fn is_luring(path: &[u8]) -> bool {
    const LURES: &[&[u8]] = &[
        b"airdrop", b"bonus", b"claim", b"free", b"gift", b"invite", b"login", b"nitro", b"promo",
        b"ref=", b"reward", b"verify", b"win",
    ];
    let is_at = |lure: &&[u8]| {
        path.windows(lure.len())
            .any(|part| part.eq_ignore_ascii_case(lure))
    };
    LURES.iter().any(is_at)
}

fn links(normalised: &Normalised, cues: &mut Cues) {
    let mut count = 0;
    let mut common = 0;
    let words = normalised.text.split(' ').zip(&normalised.tokens);
    for (word, token) in words {
        if !matches!(token, Token::Link | Token::PhishingLink) {
            continue;
        }
        count += 1;
        // A text of nothing but links costs no more than other texts.
        if count > 16 {
            continue;
        }
        let name = word.strip_prefix("http://").unwrap_or(word);
        let host = hosts::look(name);
        common += usize::from(host.common);
        cues.set(Cue::PhishingLink, matches!(token, Token::PhishingLink));
        cues.set(Cue::Shortener, host.shortener);
        cues.set(Cue::Invite, host.invite);
        cues.set(Cue::CommonHost, host.common);
        cues.set(Cue::CheapDomain, host.cheap);
        cues.set(Cue::Imitation, host.imitation);
        cues.set(Cue::NumericHost, host.address);
        cues.set(Cue::HyphenatedHost, !host.common && name.contains('-'));
    }
    counted(
        count,
        [Cue::OneLink, Cue::TwoLinks, Cue::ManyLinks],
        [1, 2, 3],
        cues,
    );
    cues.set(Cue::OnlyCommonHosts, count > 0 && common == count);
    cues.set(Cue::OnlyLink, count > 0 && normalised.tokens.len() == count);
}

/// How many words were said before, counted by 512 places of their hashes.
fn repetition(normalised: &Normalised, cues: &mut Cues) {
    let mut seen = [0_u64; 8];
    let mut words = 0;
    let mut repeated = 0;
    for word in normalised.text.split(' ').take(256) {
        let hash = word.bytes().fold(0_u32, |hash, byte| {
            (hash.rotate_left(5) ^ u32::from(byte)).wrapping_mul(0x9e37_79b1)
        });
        let place = hash >> 23;
        let bit = 1 << (place & 63);
        let block = &mut seen[(place >> 6) as usize];
        words += 1;
        repeated += usize::from(*block & bit != 0);
        *block |= bit;
    }
    if words >= 6 {
        cues.set(Cue::ThirdRepeated, repeated * 3 >= words);
        cues.set(Cue::MostlyRepeated, repeated * 3 >= words * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::normalise;

    fn has(text: &str, cue: Cue) -> bool {
        cues(text, &normalise(text), &[]).has(cue)
    }

    #[test]
    fn a_number_to_call_is_no_date() {
        for text in [
            "call 0871 277 8108",
            "+44 298 3647184",
            "(0)20 7946 0000 00",
        ] {
            assert!(has(text, Cue::Telephone), "{text}");
        }
        for text in ["2024-01-15 10:20", "pid 123456789", "version 1.2.3"] {
            assert!(!has(text, Cue::Telephone), "{text}");
        }
    }

    #[test]
    fn money_is_a_sign_beside_digits() {
        assert!(has("only $5", Cue::Money));
        assert!(has("5€ each", Cue::Money));
        assert!(has("£350 award", Cue::Money));
        assert!(!has("echo $HOME", Cue::Money));
    }

    #[test]
    fn numbers_of_cues_are_those_that_hold() {
        let text = "@everyone WIN FREE NITRO!!! https://dlscord-nitro.ru/claim";
        let cues = cues(text, &normalise(text), &[]);
        let numbers: Vec<usize> = cues.numbers().collect();
        for cue in [
            Cue::CallsEveryone,
            Cue::ManyExclamations,
            Cue::Imitation,
            Cue::LuringPath,
        ] {
            assert!(numbers.contains(&(cue as usize)), "{cue:?}");
        }
        assert!(numbers.is_sorted());
        assert!(!numbers.contains(&(Cue::CommonHost as usize)));
    }
}
