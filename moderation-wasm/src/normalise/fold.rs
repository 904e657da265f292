//! Folds single characters: case, Unicode's compatibility forms, and what is invisible.
//!
//! The build script shares this file, so that rules and texts are folded by the same code.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_canonical;

/// Lower case, compatibility forms replaced (fullwidth, mathematical, circled letters),
/// invisible characters and stray combining marks dropped. A mark that belongs to a letter
/// (`é`, in either encoding) stays: see [`without_marks`].
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // The second composition is for characters that only met when a mark between them went.
    text.chars()
        .filter(|&c| !is_invisible(c))
        .map(enclosed_letter)
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|&c| !is_invisible(c) && !is_stray_mark(c))
        .nfkc()
        .collect()
}

/// The letter below its marks: `é` is `e`.
pub fn without_marks(letter: char) -> char {
    let mut base = letter;
    let mut first = true;
    decompose_canonical(letter, |part| {
        if std::mem::take(&mut first) {
            base = part;
        }
    });
    base
}

/// Scripts that put no spaces between words: each character is a word, so that a rule's word
/// is a phrase of them and is found anywhere.
pub fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Squared, negative circled and regional indicator letters, which Unicode does not decompose.
fn enclosed_letter(c: char) -> char {
    let first = match c {
        '\u{1f150}'..='\u{1f169}' => 0x1f150,
        '\u{1f170}'..='\u{1f189}' => 0x1f170,
        '\u{1f1e6}'..='\u{1f1ff}' => 0x1f1e6,
        _ => return c,
    };
    u8::try_from(c as u32 - first).map_or(c, |offset| char::from(b'a' + offset))
}

/// Unicode's default ignorables: zero-width, bidirectional and variation controls, fillers, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Marks that no letter needs once composed: those shared by all scripts, Hebrew points,
/// Arabic vowel signs and the Arabic stretcher. Indic and Thai vowel signs are letters' parts.
fn is_stray_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{640}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}
