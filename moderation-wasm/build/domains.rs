//! The lists of domains: top-level ones as they are, phishing ones as hashes.

use crate::Source;
use crate::hash::{DOMAIN_BITS, domain};

/// Hashes are kept in buckets by their upper bits, which then need not be stored.
const LOWER_BITS: u32 = 32;
const BUCKETS: u64 = 1 << (DOMAIN_BITS - LOWER_BITS);

pub fn compile(top_level: &Source, phishing: &Source) -> Result<String, String> {
    let top_level = lines(top_level, |name| {
        name.bytes().all(|b| b.is_ascii_lowercase())
    })?;
    let is_domain = |name: &str| {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        name.contains('.') && name.bytes().all(allowed)
    };
    let domains = lines(phishing, is_domain)?;
    let mut hashes: Vec<u64> = domains.into_iter().map(domain).collect();
    hashes.sort_unstable();
    hashes.dedup();

    let bucket_start = |bucket| hashes.partition_point(|hash| hash >> LOWER_BITS < bucket);
    let buckets: Vec<usize> = (0..=BUCKETS).map(bucket_start).collect();
    let lower: Vec<u32> = hashes.iter().map(|&hash| hash as u32).collect();
    Ok(format!(
        "static TOP_LEVEL_DOMAINS: [&str; {}] = {top_level:?};\n\
         static DOMAIN_BUCKETS: [u32; {}] = {buckets:?};\n\
         static DOMAINS: [u32; {}] = {lower:?};\n",
        top_level.len(),
        buckets.len(),
        lower.len(),
    ))
}

/// One name a line; `#` begins a comment.
fn lines(source: &Source, allowed: impl Fn(&str) -> bool) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !allowed(line) {
            return Err(format!(
                "{}:{}: `{line}` is no domain",
                source.name,
                index + 1
            ));
        }
        names.push(line);
    }
    Ok(names)
}
