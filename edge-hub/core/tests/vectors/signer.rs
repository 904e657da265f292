//! Makes the tokens of the vectors, good ones and bad ones, with the keys that are made for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clustertalk_core::auth::{Issuers, KeySet};
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa;
use rsa::BoxedUint;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;

/// One token: what a good one of an issuer would be, and what is different.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The issuer, by the first label of its name.
    #[serde(rename = "as")]
    by: String,
    #[serde(default)]
    header: Map<String, Value>,
    #[serde(default)]
    claims: Map<String, Value>,
    header_text: Option<String>,
    claims_text: Option<String>,
    /// What it is signed with, if not the issuer's own key.
    key: Option<String>,
    change: Option<Change>,
    /// The whole size; the claim `PAD` fills it.
    bytes: Option<usize>,
    /// The whole token, as it stands here.
    token: Option<String>,
}

/// What happens to a token after it was signed.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Bearer,
    Der,
    FlippedBit,
    FourthPart,
    LineBreak,
    LongerSignature,
    OtherClaims,
    OtherHeader,
    OtherS,
    Padded,
    PlainBase64,
    SPlusOrder,
    ShorterSignature,
    SpaceBehind,
    StrayBits,
    WithoutSignaturePart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    #[serde(rename = "why")]
    _why: String,
    identity: Value,
    identity_secrets: BTreeMap<String, String>,
    pem_of_rs_1: String,
    private: BTreeMap<String, Value>,
}

impl Keys {
    pub fn read() -> Self {
        let text = include_str!("../../../protocol/vectors/keys_for_tests_only.json");
        serde_json::from_str(text).expect("the keys")
    }

    pub fn issuers(&self) -> Issuers {
        let secrets = json!(self.identity_secrets).to_string();
        Issuers::parse(&self.identity.to_string(), &secrets).expect("good issuers")
    }

    /// The public halves of some keys, as an issuer shows them.
    pub fn set(&self, names: &[String]) -> KeySet {
        let keys: Vec<Value> = names.iter().map(|name| self.public(name)).collect();
        KeySet::parse(&json!({ "keys": keys }).to_string()).expect("a set")
    }

    fn public(&self, name: &str) -> Value {
        let mut key = self.private[name].clone();
        key.as_object_mut()
            .expect("an object")
            .retain(|field, _| ["kty", "crv", "x", "y", "n", "e", "kid"].contains(&field.as_str()));
        key
    }

    fn issuer(&self, label: &str) -> &Value {
        let name = format!("https://{label}.example");
        let issuers = self.identity.as_array().expect("a list");
        issuers
            .iter()
            .find(|issuer| issuer["issuer"] == *name)
            .unwrap_or_else(|| panic!("no issuer {label}"))
    }

    pub fn sign(&self, order: &Order) -> String {
        if let Some(token) = &order.token {
            return token.clone();
        }
        let Some(bytes) = order.bytes else {
            return self.sign_padded(order, 0);
        };
        // Four letters of a token are three bytes of its claims.
        let padding = (bytes - self.sign_padded(order, 0).len()) * 3 / 4;
        (padding.saturating_sub(3)..padding + 4)
            .map(|padding| self.sign_padded(order, padding))
            .find(|token| token.len() == bytes)
            .expect("a token of this size")
    }

    fn sign_padded(&self, order: &Order, padding: usize) -> String {
        let issuer = self.issuer(&order.by);
        let own_key = match order.by.as_str() {
            "hs" => "secret".to_owned(),
            "url" => "es-1".to_owned(),
            label => format!("{label}-1"),
        };
        let mut header = json!({"alg": issuer["algorithm"], "typ": "JWT"});
        if own_key != "secret" {
            header["kid"] = own_key.as_str().into();
        }
        let claims = json!({"iss": issuer["issuer"], "aud": "chat", "sub": "ada", "exp": 2000});
        let header = match &order.header_text {
            Some(text) => text.clone(),
            None => self.merged(header, &order.header).to_string(),
        };
        let claims = match &order.claims_text {
            Some(text) => text.clone(),
            None => self.merged(claims, &order.claims).to_string(),
        };
        let claims = claims.replace("PAD", &"x".repeat(padding));
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let key = order.key.as_deref().unwrap_or(&own_key);
        let signature = self.signature(key, &signed);
        match order.change {
            Some(change) => changed(change, &signed, signature),
            None => format!("{signed}.{}", encode(signature)),
        }
    }

    /// `null` takes a field away; a public key may be named.
    fn merged(&self, mut whole: Value, fields: &Map<String, Value>) -> Value {
        let object = whole.as_object_mut().expect("an object");
        for (name, value) in fields {
            let key = value.as_str().and_then(|text| text.strip_prefix("jwk of "));
            match (key, value) {
                (Some(key), _) => object.insert(name.clone(), self.public(key)),
                (None, Value::Null) => object.remove(name),
                (None, value) => object.insert(name.clone(), value.clone()),
            };
        }
        whole
    }

    fn signature(&self, key: &str, signed: &str) -> Vec<u8> {
        let mac = |secret: &[u8]| {
            let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
            mac.chain_update(signed).finalize().into_bytes().to_vec()
        };
        match key {
            "nobody" => Vec::new(),
            "zeros" => vec![0; 64],
            "secret" => mac(self.identity_secrets["https://hs.example"].as_bytes()),
            "empty secret" => mac(b""),
            "pem of rs-1" => mac(self.pem_of_rs_1.as_bytes()),
            _ => match key.strip_prefix("jwk of ") {
                Some(key) => mac(self.public(key).to_string().as_bytes()),
                None => sign(&self.private[key], signed.as_bytes()),
            },
        }
    }
}

fn sign(key: &Value, signed: &[u8]) -> Vec<u8> {
    let bytes = |field: &str| decode(key[field].as_str().expect("a field of the key"));
    match key["kty"].as_str() {
        Some("EC") => {
            let key = ecdsa::SigningKey::from_slice(&bytes("d")).expect("a key");
            let signature: ecdsa::Signature = key.sign(signed);
            signature.to_bytes().to_vec()
        }
        Some("OKP") => {
            let seed: [u8; 32] = bytes("d").try_into().expect("32 bytes");
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            ed25519_dalek::Signer::sign(&key, signed).to_vec()
        }
        Some("RSA") => {
            let number = |field: &str| BoxedUint::from_be_slice_vartime(&bytes(field));
            let key = rsa::PrivateKey::from_components(
                number("n"),
                number("e"),
                number("d"),
                vec![number("p"), number("q")],
            );
            let key = rsa::pkcs1v15::SigningKey::<Sha256>::new(key.expect("a key"));
            key.sign(signed).to_vec()
        }
        kind => panic!("no such key: {kind:?}"),
    }
}

fn changed(change: Change, signed: &str, mut signature: Vec<u8>) -> String {
    let good = format!("{signed}.{}", encode(&signature));
    let (header, claims) = signed.split_once('.').expect("two parts");
    let with = |signature: &[u8]| format!("{signed}.{}", encode(signature));
    let ecdsa = |bytes: &[u8]| ecdsa::Signature::from_slice(bytes).expect("a signature");
    let token = match change {
        Change::Bearer => format!("Bearer {good}"),
        Change::Der => with(ecdsa(&signature).to_der().as_bytes()),
        Change::FlippedBit => {
            signature[20] ^= 4;
            with(&signature)
        }
        Change::FourthPart => format!("{good}.AAAA"),
        Change::LineBreak => format!("{header}\n.{claims}.{}", encode(&signature)),
        Change::LongerSignature => {
            signature.push(0);
            with(&signature)
        }
        Change::OtherClaims => {
            let other = String::from_utf8(decode(claims)).expect("JSON");
            let other = encode(other.replace("ada", "bob"));
            format!("{header}.{other}.{}", encode(&signature))
        }
        Change::OtherHeader => {
            let other = String::from_utf8(decode(header)).expect("JSON");
            let other = encode(other.replace("JWT", "jwt"));
            format!("{other}.{claims}.{}", encode(&signature))
        }
        Change::OtherS => {
            let (r, s) = ecdsa(&signature).split_scalars();
            let other = ecdsa::Signature::from_scalars(r, -s).expect("a signature");
            with(&other.to_bytes())
        }
        Change::Padded => format!("{good}=="),
        Change::PlainBase64 => format!(
            "{signed}.{}",
            encode(&signature).replace('-', "+").replace('_', "/")
        ),
        Change::SPlusOrder => {
            add_order(&mut signature[32..]);
            with(&signature)
        }
        Change::ShorterSignature => with(&signature[..signature.len() - 1]),
        Change::SpaceBehind => format!("{good} "),
        Change::StrayBits => {
            // 64 bytes leave four bits of the last letter unused: A, Q, g or w.
            let last = good.chars().next_back().expect("a letter");
            format!("{}{}", &good[..good.len() - 1], char::from(last as u8 + 1))
        }
        Change::WithoutSignaturePart => signed.to_owned(),
    };
    assert_ne!(token, good, "the change changes something");
    token
}

/// Adds the order of Ed25519's group (RFC 8032), little-endian: the same scalar, written larger.
fn add_order(scalar: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, added) in scalar.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(added) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "it still fits");
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
