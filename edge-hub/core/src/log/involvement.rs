//! What an entry has to do with a user.

use crate::ids::UserId;
use serde_json::Value;

/// What an entry has to do with a user. Read from its JSON as it is, so that one of a kind or version
/// that this build does not know is found as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Involvement {
    /// He said or did it.
    Own,
    /// It is another's, and changes what he said: a reaction to it, or its deletion by a moderator.
    About,
    /// It is another's, and says that it mentions him, or answers him by his id.
    Named,
}

impl Involvement {
    /// `None` if it has nothing to do with him, or cannot be read.
    pub fn of(json: &[u8], user: &UserId) -> Option<Self> {
        let entry: Value = serde_json::from_slice(json).ok()?;
        let is_user = |value: &Value| value.as_str() == Some(user.as_str());
        let body = &entry["body"];
        let mentions = body["mentions"].as_array().map_or(&[][..], Vec::as_slice);
        if is_user(&body["user"]["id"]) {
            Some(Self::Own)
        } else if is_user(&entry["target"]["user"]) {
            Some(Self::About)
        } else if mentions.iter().any(is_user) || is_user(&body["reply_to"]["user"]) {
            Some(Self::Named)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_his_or_about_him_or_names_him() {
        use Involvement::{About, Named, Own};
        let ada = UserId::parse("ada").unwrap();
        for (json, expected) in [
            (r#"{"body":{"user":{"id":"ada"}}}"#, Some(Own)),
            (
                r#"{"kind":"poll","v":9,"target":{"user":"bob"},"body":{"user":{"id":"ada"}}}"#,
                Some(Own),
            ),
            (
                r#"{"target":{"user":"ada"},"body":{"user":{"id":"bob"}}}"#,
                Some(About),
            ),
            (
                r#"{"body":{"user":{"id":"bob"},"mentions":["eve","ada"]}}"#,
                Some(Named),
            ),
            (
                r#"{"body":{"user":{"id":"bob"},"reply_to":{"user":"ada","id":"m1"}}}"#,
                Some(Named),
            ),
            // What others say is theirs, and a name is no id.
            (
                r#"{"body":{"user":{"id":"bob","name":"ada"},"text":"ada"}}"#,
                None,
            ),
            (
                r#"{"target":{"position":{"seq":1}},"kind":"delete","hash":"x"}"#,
                None,
            ),
            ("ada", None),
        ] {
            let involvement = Involvement::of(json.as_bytes(), &ada);
            assert_eq!(involvement, expected, "{json}");
        }
    }
}
