//! The public keys of an issuer (RFC 7517), and what they say of a signature.

use super::issuer::{Algorithm, Secret};
use super::token::base64url;
use p256::ecdsa::signature::Verifier;
use rsa::BoxedUint;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

/// Bytes of a set behind a URL; more is not read.
pub const SET_BYTES: usize = 64 << 10;
/// Keys of a set; the rest is passed over.
const KEYS: usize = 64;
/// Shorter ones are broken, longer ones only cost time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The keys of one issuer, as they stand in its JWKS. What is of another kind is passed over: a set
/// may hold keys for other purposes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct KeySet(Vec<Key>);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<Value>,
}

impl From<Written> for KeySet {
    fn from(Written { keys }: Written) -> Self {
        let keys = keys.into_iter().take(KEYS);
        Self(keys.filter_map(|key| Key::deserialize(key).ok()).collect())
    }
}

/// What should be a set of keys is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set of at most 64 KiB")]
pub struct KeysError;

impl KeySet {
    /// Reads a JWKS document.
    pub fn parse(json: &str) -> Result<Self, KeysError> {
        if json.len() > SET_BYTES {
            return Err(KeysError);
        }
        serde_json::from_str(json).map_err(|_| KeysError)
    }

    /// Whether some key is of the kind that the algorithm needs.
    pub(super) fn serve(&self, algorithm: Algorithm) -> bool {
        self.0.iter().any(|key| key.serves(algorithm))
    }

    /// The key that a token names. One that names none means the only key there is.
    fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&Key> {
        let mut keys = self.0.iter().filter(|key| key.serves(algorithm));
        match kid {
            Some(kid) => keys.find(|key| key.kid.as_deref() == Some(kid)),
            None => keys.next().filter(|_| keys.next().is_none()),
        }
    }
}

/// What an issuer's signatures are held against.
#[derive(Clone, Copy)]
pub(super) enum Keys<'k> {
    Secret(&'k Secret),
    Set(&'k KeySet),
}

impl Keys<'_> {
    /// Whether the signature is that of the named key; `None` if there is no such key.
    pub fn verify(
        self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        Some(match self {
            Self::Secret(secret) => secret.verify(signed, signature),
            Self::Set(keys) => {
                let key = keys.find(algorithm, kid)?;
                key.verify(algorithm, signed, signature).is_some()
            }
        })
    }
}

impl Key {
    fn serves(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            // Whoever reads the set would know the secret.
            Algorithm::HS256 => return false,
            Algorithm::EdDSA => ("OKP", Some("Ed25519")),
            Algorithm::ES256 => ("EC", Some("P-256")),
            Algorithm::RS256 => ("RSA", None),
        };
        let verifies = |operations: &Vec<String>| operations.iter().any(|name| name == "verify");
        (self.kty.as_str(), self.crv.as_deref()) == kind
            && self
                .purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(verifies)
            && self
                .alg
                .as_deref()
                .is_none_or(|alg| alg == algorithm.name())
    }

    /// `None` also for a key that is none.
    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Option<()> {
        match algorithm {
            Algorithm::HS256 => None,
            Algorithm::EdDSA => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&number(&self.x)?).ok()?;
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                // The strict one: with a key of small order some signatures fit any message.
                key.verify_strict(signed, &signature).ok()
            }
            Algorithm::ES256 => {
                let (x, y): ([u8; 32], [u8; 32]) = (number(&self.x)?, number(&self.y)?);
                let point = [&[4], &x[..], &y[..]].concat();
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
                key.verify(signed, &signature).ok()
            }
            Algorithm::RS256 => {
                let (n, e) = (bytes(&self.n)?, bytes(&self.e)?);
                let whole = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
                let key = rsa::PublicKey::new_with_size_limits(whole(&n), whole(&e), RSA_BITS);
                let key = rsa::pkcs1v15::VerifyingKey::<Sha256>::new(key.ok()?);
                let signature = rsa::pkcs1v15::Signature::try_from(signature).ok()?;
                key.verify(signed, &signature).ok()
            }
        }
    }
}

fn bytes(field: &Option<String>) -> Option<Vec<u8>> {
    base64url(field.as_deref()?)
}

fn number<const LENGTH: usize>(field: &Option<String>) -> Option<[u8; LENGTH]> {
    bytes(field)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signed examples of the standards, made by others.
    #[test]
    fn the_examples_of_the_standards_verify() {
        // RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.4.
        const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let rsa = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
        let ec = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
        let okp =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (algorithm, key, signed, signature) in [
            (
                Algorithm::RS256,
                rsa,
                format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                Algorithm::ES256,
                ec,
                format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                Algorithm::EdDSA,
                okp,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ] {
            let set = KeySet::parse(&format!(r#"{{"keys":[{key}]}}"#)).unwrap();
            let mut signature = base64url(signature).unwrap();
            let verify = |signature: &[u8]| {
                Keys::Set(&set).verify(algorithm, None, signed.as_bytes(), signature)
            };
            assert_eq!(verify(&signature), Some(true), "{algorithm:?}");
            signature[40] ^= 1;
            assert_eq!(verify(&signature), Some(false), "{algorithm:?}");
        }
    }

    #[test]
    fn a_key_for_something_else_is_passed_over() {
        let serves = |fields: &str| {
            let key = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256"{fields}}}]}}"#);
            KeySet::parse(&key).unwrap().serve(Algorithm::ES256)
        };
        assert!(serves(""));
        assert!(serves(r#","use":"sig","alg":"ES256","key_ops":["verify"]"#));
        assert!(!serves(r#","use":"enc""#));
        assert!(!serves(r#","alg":"ES384""#));
        assert!(!serves(r#","key_ops":["sign"]"#));
        assert!(!serves(r#","kid":7"#));
        let oct = KeySet::parse(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#).unwrap();
        assert!(!oct.serve(Algorithm::HS256));
    }

    #[test]
    fn a_token_without_kid_needs_a_set_of_one_key() {
        let key = |kid: &str| format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}"}}"#);
        let one = KeySet::parse(&format!(r#"{{"keys":[{}]}}"#, key("a"))).unwrap();
        let two = KeySet::parse(&format!(r#"{{"keys":[{},{}]}}"#, key("a"), key("b"))).unwrap();
        let finds = |set: &KeySet, kid| set.find(Algorithm::ES256, kid).is_some();
        assert!(finds(&one, None) && finds(&one, Some("a")) && !finds(&one, Some("b")));
        assert!(!finds(&two, None) && finds(&two, Some("b")));
    }
}
