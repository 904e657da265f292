//! Joins letters that were written apart: `s p a m`, `s.p.a.m`, `s-p-a-m`.

use super::fold::{fold, is_spaceless};
use super::reading::{self, Reading};
use super::split::{Piece, Word};
use super::vocabulary::{Vocabulary, runs};

/// Fewer letters in a row are initials, or an article beside a variable.
const SPACED_LETTERS: usize = 3;

/// Letters in a row make one word, whatever stands between them; where some gaps are wider
/// than others the wide ones are kept as the gaps between words.
pub fn join_spaced_letters<'a>(vocabulary: &Vocabulary, pieces: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    let mut joined = Vec::with_capacity(pieces.len());
    let mut letters = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Word(word) if is_letter(&word.text) => letters.push(word),
            other => {
                push_letters(vocabulary, &mut letters, &mut joined);
                joined.push(other);
            }
        }
    }
    push_letters(vocabulary, &mut letters, &mut joined);
    joined
}

/// One letter or digit, or one letter stretched.
fn is_letter(text: &str) -> bool {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if is_spaceless(first) => false,
        Some(first) if first.is_alphabetic() => letters.all(|letter| letter == first),
        Some(first) => first.is_numeric() && letters.next().is_none(),
        None => false,
    }
}

fn push_letters<'a>(
    vocabulary: &Vocabulary,
    letters: &mut Vec<Word<'a>>,
    joined: &mut Vec<Piece<'a>>,
) {
    if !is_spelled_out(letters) {
        joined.extend(letters.drain(..).map(Piece::Word));
        return;
    }
    let gaps = letters.iter().skip(1).map(|letter| letter.gap);
    let narrow = gaps.min().unwrap_or(0);
    let words = letters.chunk_by(|_, next| next.gap <= narrow).map(join);

    // Words of one letter that now stand in a row would be joined by a second look: do it now.
    let mut singles = Vec::new();
    for word in words {
        match is_letter(&word.text) {
            true => singles.push(word),
            false => {
                push_singles(vocabulary, &mut singles, joined);
                joined.push(Piece::Word(without_neighbours(vocabulary, word)));
            }
        }
    }
    push_singles(vocabulary, &mut singles, joined);
    letters.clear();
}

fn push_singles<'a>(
    vocabulary: &Vocabulary,
    singles: &mut Vec<Word<'a>>,
    joined: &mut Vec<Piece<'a>>,
) {
    if is_spelled_out(singles) {
        joined.push(Piece::Word(without_neighbours(vocabulary, join(singles))));
        singles.clear();
    } else {
        joined.extend(singles.drain(..).map(Piece::Word));
    }
}

fn is_spelled_out(letters: &[Word<'_>]) -> bool {
    let is_alphabetic = |word: &Word<'_>| word.text.starts_with(char::is_alphabetic);
    letters.len() >= SPACED_LETTERS && letters.iter().any(is_alphabetic)
}

fn join<'a>(letters: &[Word<'a>]) -> Word<'a> {
    // Folded again: parts of a letter that stood apart (Korean jamo) become one.
    let text = fold(
        &letters
            .iter()
            .map(|letter| letter.text.as_ref())
            .collect::<String>(),
    );
    Word {
        text: reading::without_lookalikes(&text).unwrap_or(text).into(),
        gap: letters[0].gap,
    }
}

/// An `a`, `i` or `u` beside spaced letters may be a word of its own (`i s p a m u`): it goes,
/// if the whole is no word of the rules and the rest is one.
fn without_neighbours<'a>(vocabulary: &Vocabulary, word: Word<'a>) -> Word<'a> {
    let is_known = |text: &&str| matches!(reading::read(vocabulary, text), Reading::Known(_));
    let text = word.text.as_ref();
    let lone = ['a', 'i', 'u'];
    let head = text.strip_prefix(lone);
    let tail = text.strip_suffix(lone);
    let both = head.and_then(|rest| rest.strip_suffix(lone));
    let known = [Some(text), head, tail, both]
        .into_iter()
        .flatten()
        .filter(|rest| runs(rest).nth(1).is_some())
        .find(is_known);
    match known {
        Some(rest) => Word {
            text: rest.to_owned().into(),
            gap: word.gap,
        },
        None => word,
    }
}
