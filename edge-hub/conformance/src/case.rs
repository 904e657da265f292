//! One case: a name, the sentence of PROTOCOL.md that it holds, and what it does.

use std::{fmt, pin::Pin};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::context::{Context, Target};

pub type Outcome = Result<()>;

type Run = fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A case of a group.
pub struct Case {
    pub name: &'static str,
    /// The heading in PROTOCOL.md.
    pub section: &'static str,
    /// What stands there, letter by letter.
    pub sentence: &'static str,
    pub needs: &'static [Need],
    pub run: Run,
}

/// What a case needs beside an edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Users choose their names.
    Names,
    /// Users have tokens.
    Tokens,
    ServerKey,
    SecondEdge,
    /// The edge pings often enough to be waited for.
    FrequentPings,
}

/// The longest time between pings that is waited for.
const FREQUENT_MS: u64 = 6_000;

impl Need {
    pub fn is_met(self, target: &Target) -> bool {
        match self {
            Self::Names => target.issuer.is_none(),
            Self::Tokens => target.issuer.is_some(),
            Self::ServerKey => target.server_key.is_some(),
            Self::SecondEdge => target.second.is_some(),
            Self::FrequentPings => target.limits.ping_ms <= FREQUENT_MS,
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Names => "needs an edge where users choose their names: run without a secret",
            Self::Tokens => "needs --token-secret",
            Self::ServerKey => "needs --server-key",
            Self::SecondEdge => "needs --second",
            Self::FrequentPings => "needs an edge that pings at least every 6 s",
        })
    }
}

/// A case by the name of its function.
macro_rules! case {
    ($name:ident, $section:literal, $sentence:literal $(, $need:ident)*) => {
        $crate::case::Case {
            name: stringify!($name),
            section: $section,
            sentence: $sentence,
            needs: &[$($crate::case::Need::$need),*],
            run: |context| Box::pin($name(context)),
        }
    };
}
pub(crate) use case;

/// That a value is what it has to be.
pub fn same(what: &str, found: &Value, expected: impl Into<Value>) -> Outcome {
    let expected = expected.into();
    ensure!(*found == expected, "{what} is {found}, and not {expected}");
    Ok(())
}

/// That a frame is the error with this code, and says in words what is wrong.
pub fn refused(frame: &Value, code: &str) -> Outcome {
    ensure!(
        frame["type"] == "error" && frame["code"] == code,
        "answered with {frame} in the place of the error `{code}`"
    );
    ensure!(
        frame["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "an error without a message: {frame}"
    );
    Ok(())
}

/// That a frame is an error that names a time to wait.
pub fn refused_for_a_while(frame: &Value, code: &str) -> Result<u64> {
    refused(frame, code)?;
    match frame["retry_after_ms"].as_u64() {
        Some(pause) if pause > 0 => Ok(pause),
        _ => bail!("the error names no time to try again: {frame}"),
    }
}

/// That a value is a text of such letters and such a length.
pub fn letters(what: &str, value: &Value, length: usize, allowed: fn(&char) -> bool) -> Outcome {
    let text = value.as_str().unwrap_or_default();
    ensure!(
        text.chars().count() == length && text.chars().all(|c| allowed(&c)),
        "{what} is {value}"
    );
    Ok(())
}

/// A digit of the hexadecimal numbers that the protocol has.
pub fn is_hex(c: &char) -> bool {
    c.is_ascii_digit() || ('a'..='f').contains(c)
}
