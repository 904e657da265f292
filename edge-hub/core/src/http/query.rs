//! The query of a request, read once.

use super::Problem;
use crate::api::MOST_LIMIT;
use crate::ids::{Position, Seq, UserId, parse_seq};
use crate::protocol::ErrorCode;
use percent_encoding::percent_decode_str;

/// The parameters; those that nobody asks for are nobody's concern.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// # Errors
    /// A parameter stands twice, or is not UTF-8.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(bad("the query is not UTF-8"));
            };
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(bad("a parameter of the query stands twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let mut parameters = self.0.iter();
        let (_, value) = parameters.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Who asks, as somebody says who may.
    pub fn user(&self) -> Result<Option<UserId>, Problem> {
        self.text("user")
            .map(|user| UserId::parse(user).map_err(|_| Problem::new(ErrorCode::BadUser)))
            .transpose()
    }

    pub fn number(&self, name: &str) -> Result<Option<Seq>, Problem> {
        self.text(name)
            .map(|text| parse_seq(text).map_err(|error| bad(&format!("`{name}`: {error}"))))
            .transpose()
    }

    pub fn position(&self, name: &str) -> Result<Option<Position>, Problem> {
        self.text(name).map(position).transpose()
    }

    /// How many are asked for.
    pub fn limit(&self) -> Result<Option<usize>, Problem> {
        let limit = self.number("limit")?;
        limit
            .map(|limit| {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                (1..=MOST_LIMIT)
                    .contains(&limit)
                    .then_some(limit)
                    .ok_or_else(|| bad(&format!("`limit` is not from 1 to {MOST_LIMIT}")))
            })
            .transpose()
    }
}

/// A position as headers and queries have it.
pub fn position(text: &str) -> Result<Position, Problem> {
    text.parse()
        .map_err(|_| bad("a position is not of the form SEQ-TAG"))
}

/// A part of a path or query without its percent-encoding; `None` if that is not UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn bad(reason: &str) -> Problem {
    Problem::because(ErrorCode::BadFrame, reason)
}
