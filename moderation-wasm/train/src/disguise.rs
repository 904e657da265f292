//! Writes a text as people write it to get past a filter.

use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disguise {
    Leet,
    Lookalikes,
    Invisible,
    Spaced,
    Stretched,
}

impl Disguise {
    pub const ALL: [Disguise; 5] = [
        Disguise::Leet,
        Disguise::Lookalikes,
        Disguise::Invisible,
        Disguise::Spaced,
        Disguise::Stretched,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Disguise::Leet => "leet",
            Disguise::Lookalikes => "lookalikes",
            Disguise::Invisible => "invisible",
            Disguise::Spaced => "spaced",
            Disguise::Stretched => "stretched",
        }
    }

    /// The text with about `percent` of its words of three letters and more disguised.
    pub fn apply(self, text: &str, percent: u32, random: &mut Random) -> String {
        let word = |word: &str| {
            let is_word = word.chars().filter(|c| c.is_alphabetic()).count() >= 3;
            match is_word && !word.contains("://") && random.chance(percent) {
                true => self.word(word, random),
                false => word.to_owned(),
            }
        };
        text.split(' ').map(word).collect::<Vec<String>>().join(" ")
    }

    fn word(self, word: &str, random: &mut Random) -> String {
        let length = word.chars().count();
        match self {
            Disguise::Leet => swapped(word, &LEET, random),
            Disguise::Lookalikes => swapped(word, &LOOKALIKES, random),
            Disguise::Invisible => {
                let signs = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{ad}'];
                let sign = *random.pick(&signs);
                word.chars().flat_map(|c| [c, sign]).collect()
            }
            Disguise::Spaced => {
                let gap = *random.pick(&[" ", " ", ".", "-", "_", "*"]);
                let letters: Vec<String> = word.chars().map(String::from).collect();
                letters.join(gap)
            }
            Disguise::Stretched => {
                let at = random.below(length);
                let times = 3 + random.below(4);
                let stretch = |(index, c): (usize, char)| {
                    let times = if index == at && c.is_alphabetic() {
                        times
                    } else {
                        1
                    };
                    std::iter::repeat_n(c, times)
                };
                word.chars().enumerate().flat_map(stretch).collect()
            }
        }
    }
}

type Swaps = [(char, &'static [char])];

const LEET: [(char, &[char]); 10] = [
    ('a', &['4', '@']),
    ('b', &['8']),
    ('e', &['3']),
    ('g', &['9']),
    ('i', &['1', '!']),
    ('l', &['1']),
    ('o', &['0']),
    ('s', &['5', '$']),
    ('t', &['7']),
    ('z', &['2']),
];

const LOOKALIKES: [(char, &[char]); 12] = [
    ('a', &['а', 'ɑ', 'á']),
    ('c', &['с', 'ϲ']),
    ('e', &['е', 'é', 'ë']),
    ('h', &['һ']),
    ('i', &['і', 'í', 'ı']),
    ('j', &['ј']),
    ('k', &['к']),
    ('o', &['о', 'ο', 'ö']),
    ('p', &['р']),
    ('s', &['ѕ']),
    ('u', &['ս', 'ü']),
    ('y', &['у']),
];

/// One letter at least, and about half of the others.
fn swapped(word: &str, swaps: &Swaps, random: &mut Random) -> String {
    let places: Vec<usize> = word
        .chars()
        .enumerate()
        .filter(|(_, c)| swaps.iter().any(|swap| swap.0 == c.to_ascii_lowercase()))
        .map(|(index, _)| index)
        .collect();
    if places.is_empty() {
        return word.to_owned();
    }
    let certain = *random.pick(&places);
    let swap = |(index, c): (usize, char)| {
        let options = swaps.iter().find(|swap| swap.0 == c.to_ascii_lowercase());
        match options {
            Some(swap) if index == certain || random.chance(40) => *random.pick(swap.1),
            _ => c,
        }
    };
    word.chars().enumerate().map(swap).collect()
}
