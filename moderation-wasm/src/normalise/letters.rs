//! Reads digits and symbols as letters where no rule's word says so: a guess for the model, which
//! weighs it, while a rule would take it for certain.

use super::fold::without_marks;
use super::reading;

/// A longer chunk is no disguised word. In letters.
const LONGEST: usize = 24;

/// Whether a word has letters, so that its digits may stand for letters too.
pub fn has_letter(word: &str) -> bool {
    word.bytes()
        .any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

/// The Latin letter that a character of a folded text most likely stands for, else itself.
pub fn plain(c: char) -> char {
    match c {
        'a'..='z' => c,
        '\0'..='\x7f' => reading::likeliest_letter(c),
        // Not of every script: `й` is not `и`, a Korean syllable is not its first part.
        '\u{370}'..='\u{3ff}' => without_marks(c),
        _ if reading::is_latin(c) => reading::plain_latin(c),
        _ => c,
    }
}

/// `b!tch` and `$tupid` as letters: a symbol stands where a letter would.
pub fn undisguised(chunk: &str) -> Option<String> {
    let mut letters = 0;
    let mut symbols = 0;
    let mut is_disguised = false;
    let mut before = None;
    for c in chunk.chars() {
        let follows_symbol = before.is_some_and(reading::is_leet_symbol);
        let follows_dollar = before == Some('$') && symbols == 1 && letters == 0;
        is_disguised |= c.is_alphabetic() && follows_symbol && (letters > 0 || follows_dollar);
        letters += usize::from(c.is_alphabetic());
        symbols += usize::from(reading::is_leet_symbol(c));
        before = Some(c);
    }
    let is_word = is_disguised && (2..=LONGEST).contains(&letters) && symbols <= letters;
    is_word.then(|| {
        let word = chunk.trim_end_matches(['!', '+', '|']);
        word.chars().map(plain).collect()
    })
}
