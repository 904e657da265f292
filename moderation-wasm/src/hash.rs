//! The hashes of the built tables; shared with the build script, which makes them.

/// Bits of [`domain`]: enough that a domain that is not listed is taken for one of 22,000
/// once in fifty million.
pub const DOMAIN_BITS: u32 = 40;

/// The hash by which listed domains are kept.
pub fn domain(name: &str) -> u64 {
    let full = fnv1a(name.bytes().map(u64::from));
    (full ^ (full >> DOMAIN_BITS)) & ((1 << DOMAIN_BITS) - 1)
}

/// The place of a word among `places`, a power of two, by its squeezed spelling.
pub fn place(squeezed: impl Iterator<Item = char>, places: usize) -> usize {
    let full = fnv1a(squeezed.map(u64::from));
    (full ^ (full >> 32)) as usize & (places - 1)
}

/// The tables are public, so nothing is gained by a hash with a key: what a place holds is
/// bounded when the tables are made, not by the texts.
fn fnv1a(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        (hash ^ part).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
