use super::files::run_all;
use super::signer::{Keys, Order};
use clustertalk_core::auth::{Step, TokenError, Verification};
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    case: String,
    #[serde(flatten)]
    order: Order,
    /// The keys behind the issuer's URL, and those when it is asked anew.
    loaded: Option<Vec<String>>,
    refreshed: Option<Vec<String>>,
    proves: Option<Value>,
    refused: Option<String>,
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

#[test]
fn token_vectors_hold() {
    let keys = Keys::read();
    let issuers = keys.issuers();
    run_all("tokens", |name, vector: Vector| {
        for case in vector.cases {
            let name = format!("{name}: {}", case.case);
            let mut verification = Verification::new(keys.sign(&case.order));
            let mut step = verification.begin(NOW, &issuers);
            for (names, again) in [(&case.loaded, false), (&case.refreshed, true)] {
                let Some(names) = names else { continue };
                match step {
                    Step::LoadKeys { url, refresh } => {
                        assert_eq!(url.to_string(), "https://url.example/keys", "{name}");
                        assert_eq!(refresh, again, "{name}");
                    }
                    other => panic!("{name}: no keys were asked for: {other:?}"),
                }
                step = verification.keys_loaded(NOW, &issuers, &keys.set(names));
            }
            let (proves, refused) = match step {
                Step::Proved(identity) => {
                    let access = &identity.access;
                    let proof = access.proof.as_ref().expect("a token stands behind it");
                    let proves = json!({
                        "user": identity.user, "role": access.role, "rooms": access.rooms,
                        "expires_at": proof.expires_at,
                    });
                    (Some(proves), None)
                }
                Step::Refused(error) => (None, Some(code(&error))),
                Step::LoadKeys { .. } => panic!("{name}: keys are asked for once more"),
            };
            assert_eq!(refused, case.refused.as_deref(), "{name}");
            assert_eq!(proves, case.proves, "{name}");
        }
    });
}

fn code(error: &TokenError) -> &'static str {
    match error {
        TokenError::NoIssuers => "no_issuers",
        TokenError::TooLarge => "too_large",
        TokenError::Form(_) => "form",
        TokenError::Issuer => "issuer",
        TokenError::Algorithm => "algorithm",
        TokenError::Type => "type",
        TokenError::Critical => "critical",
        TokenError::UnknownKey => "unknown_key",
        TokenError::Signature => "signature",
        TokenError::Audience => "audience",
        TokenError::Expired => "expired",
        TokenError::NotYet => "not_yet",
        TokenError::Claim(_) => "claim",
        TokenError::Rooms(_) => "rooms",
        TokenError::AnotherUser => "another_user",
    }
}
