//! How requests to wake are signed: as webhooks of common services are.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether the signature is `sha256=` and the HMAC-SHA256 of the body under the secret, in hex.
pub fn is_signed(secret: &[u8], signature: &str, body: &[u8]) -> bool {
    let Some(signature) = signature.strip_prefix("sha256=").and_then(from_hex) else {
        return false;
    };
    Hmac::<Sha256>::new_from_slice(secret)
        .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_secret_signs() {
        // From RFC 4231, test case 2.
        let signature = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert!(is_signed(b"Jefe", signature, body));
        assert!(!is_signed(b"Jeff", signature, body));
        assert!(!is_signed(b"Jefe", signature, b"something else"));
        assert!(!is_signed(b"Jefe", "5bdc", body));
        assert!(!is_signed(b"Jefe", "sha256=zz", body));
    }
}
