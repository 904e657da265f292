//! Splits a folded text into links and words.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use super::fold::{fold, is_spaceless};
use super::letters;
use super::reading;
use super::vocabulary::Vocabulary;
use crate::hash;

include!(concat!(env!("OUT_DIR"), "/domains.rs"));

/// What a space counts where a sign counts one: in `s*p*a*m t*o*o` it parts words.
const SPACE: usize = 2;

/// Longest name in the domain name system, in bytes.
const HOST_BYTES: usize = 253;

pub enum Piece<'a> {
    Link(Link<'a>),
    Word(Word<'a>),
}

pub struct Link<'a> {
    pub host: &'a str,
    /// The host or a domain above it is listed.
    pub phishing: bool,
}

pub struct Word<'a> {
    pub text: Cow<'a, str>,
    /// Signs between this word and what is before it; a space counts for two.
    pub gap: usize,
}

pub struct Split<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// See [`super::Normalised::disguised`].
    pub disguised: Vec<String>,
}

/// The links and words of a folded text in order.
pub fn split<'a>(vocabulary: &Vocabulary, text: &'a str) -> Split<'a> {
    let mut splitter = Splitter {
        vocabulary,
        split: Split {
            pieces: Vec::with_capacity(text.len() / 4),
            disguised: Vec::new(),
        },
        gap: 0,
    };
    for field in text.split(char::is_whitespace) {
        // A link ends where the field ends: a path is no sentence.
        match find_link(field) {
            Some((before, link)) => {
                splitter.split_words(&field[..before]);
                splitter.push(Piece::Link(link));
            }
            None => splitter.split_words(field),
        }
        splitter.gap += SPACE;
    }
    splitter.split
}

struct Splitter<'a, 'v> {
    vocabulary: &'v Vocabulary,
    split: Split<'a>,
    gap: usize,
}

impl<'a> Splitter<'a, '_> {
    fn split_words(&mut self, mut text: &'a str) {
        while let Some(first) = text.chars().next() {
            let length = match is_spaceless(first) {
                true => first.len_utf8(),
                false => text.find(|c| !is_chunk_character(c)).unwrap_or(text.len()),
            };
            let (chunk, rest) = text.split_at(length);
            if chunk.is_empty() {
                self.gap += 1;
                text = &text[first.len_utf8()..];
            } else {
                self.push_chunk(chunk);
                text = rest;
            }
        }
    }

    /// A chunk is one word if its symbols read as letters, else several between the symbols.
    fn push_chunk(&mut self, chunk: &'a str) {
        if let Some(word) = read_symbols(self.vocabulary, chunk) {
            self.push_word(Cow::Borrowed(word));
            return;
        }
        if chunk.contains(reading::is_leet_symbol) {
            self.split.disguised.extend(letters::undisguised(chunk));
        }
        for (index, part) in chunk.split(reading::is_leet_symbol).enumerate() {
            self.gap += usize::from(index > 0);
            let word = without_apostrophes(part);
            if !word.is_empty() {
                let plain = reading::without_lookalikes(&word);
                self.push_word(plain.map_or(word, Cow::Owned));
            }
        }
    }

    fn push_word(&mut self, text: Cow<'a, str>) {
        let gap = self.gap;
        self.push(Piece::Word(Word { text, gap }));
    }

    fn push(&mut self, piece: Piece<'a>) {
        self.split.pieces.push(piece);
        self.gap = 0;
    }
}

/// What may stand within a word: letters, their marks, digits, leet symbols, apostrophes.
fn is_chunk_character(c: char) -> bool {
    if c.is_ascii_alphanumeric() {
        return true;
    }
    let is_letter = c.is_alphanumeric() || (!c.is_ascii() && is_combining_mark(c));
    (is_letter && !is_spaceless(c)) || is_apostrophe(c) || reading::is_leet_symbol(c)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2bc}' | '\u{2018}' | '\u{2019}')
}

/// `don't` is one word.
fn without_apostrophes(word: &str) -> Cow<'_, str> {
    match word.contains(is_apostrophe) {
        true => Cow::Owned(fold(&word.replace(is_apostrophe, ""))),
        false => Cow::Borrowed(word),
    }
}

/// `$pam` and `a$$!`: the mark at the end may be a letter or not.
fn read_symbols(vocabulary: &Vocabulary, chunk: &str) -> Option<&'static str> {
    if !chunk.contains(reading::is_leet_symbol) {
        return None;
    }
    let chunk = without_apostrophes(chunk);
    let chunk = reading::without_lookalikes(&chunk).map_or(chunk, Cow::Owned);
    let sentence = chunk.trim_end_matches('!');
    let inner = sentence.trim_matches(reading::is_leet_symbol);
    let spellings = [&chunk, sentence, inner];
    let id = spellings
        .into_iter()
        .find_map(|spelling| reading::read_leet(vocabulary, spelling))?;
    Some(vocabulary.word(id))
}

/// The host of the first link of a folded field, and where the link begins, if nothing but an
/// address follows the host.
pub fn only_link(field: &str) -> Option<(usize, &str)> {
    let (before, link) = find_link(field)?;
    let host = before + field[before..].find(link.host)?;
    let after = &field[host + link.host.len()..];
    let is_address = after.trim_end_matches(['.', ',', '!', ')', ';']).is_empty()
        || after.starts_with(['/', '?', '#']);
    is_address.then_some((before, link.host))
}

/// The first link of a field, and where it begins.
fn find_link(field: &str) -> Option<(usize, Link<'_>)> {
    // A host needs a dot, and most words have none.
    if !field.contains('.') {
        return None;
    }
    let mut before = None;
    for (start, c) in field.char_indices() {
        // Within a name there is no other, and what follows an `@` is a mail address.
        let begins = !before.is_some_and(|c| is_host_character(c) || c == '@');
        if begins
            && is_host_character(c)
            && let Some(link) = link_at(&field[start..])
        {
            return Some((start, link));
        }
        before = Some(c);
    }
    None
}

fn link_at(text: &str) -> Option<Link<'_>> {
    let after_scheme = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match after_scheme {
        Some(address) => {
            let authority = address.split(['/', '?', '#', '\\']).next()?;
            let host = authority.rsplit('@').next()?;
            let host = host_at(host)?;
            Some(Link {
                host,
                phishing: is_phishing(host),
            })
        }
        None => {
            let host = host_at(text)?;
            let is_mail_user = text[host.len()..].starts_with('@');
            let phishing = is_phishing(host);
            let (_, top) = host.rsplit_once('.')?;
            let is_domain = host.starts_with("www.") || TOP_LEVEL_DOMAINS.contains(&top);
            (!is_mail_user && (phishing || is_domain)).then_some(Link { host, phishing })
        }
    }
}

/// A dotted name at the beginning.
fn host_at(text: &str) -> Option<&str> {
    let end = text.find(|c| !is_host_character(c)).unwrap_or(text.len());
    let host = text[..end].trim_end_matches(['.', '-']);
    let is_dotted = host.contains('.') && host.split('.').all(|label| !label.is_empty());
    (is_dotted && host.len() <= HOST_BYTES).then_some(host)
}

fn is_host_character(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '.'
}

fn is_phishing(host: &str) -> bool {
    let parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
    std::iter::once(host).chain(parents).any(|domain| {
        let hash = hash::domain(domain);
        let bucket = (hash >> 32) as usize;
        let bounds = DOMAIN_BUCKETS[bucket] as usize..DOMAIN_BUCKETS[bucket + 1] as usize;
        DOMAINS[bounds].binary_search(&(hash as u32)).is_ok()
    })
}
