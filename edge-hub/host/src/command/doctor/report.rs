//! What was found, as data.

use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The edge would start and work, and somebody should know.
    Warning,
    /// The edge would not start, would not work, or would lose messages.
    Error,
}

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $level:ident;)+) => {
        /// What can be found. A name stays what it is: scripts look for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level),+ }
            }
        }
    };
}

names! {
    /// Settings contradict each other or are out of range.
    Settings = "settings", Error;
    /// Neither tokens nor chosen names would let anyone in.
    NobodyMaySpeak = "nobody-may-speak", Error;
    /// An address cannot be listened on.
    Address = "address", Error;
    /// The process may not open enough files.
    Files = "files", Error;
    /// The data folder cannot be written.
    DataFolder = "data-folder", Error;
    /// The certificate or its key cannot be read.
    Certificate = "certificate", Error;
    /// The key is that of another certificate.
    CertificateKey = "certificate-key", Error;
    /// The certificate's time is over.
    CertificateExpired = "certificate-expired", Error;
    /// The certificate's time has not come.
    CertificateNotYetValid = "certificate-not-yet-valid", Error;
    /// The certificate's time is over soon.
    CertificateExpiresSoon = "certificate-expires-soon", Warning;
    /// The certificate is for other names than the pages'.
    CertificateNames = "certificate-names", Warning;
    /// Others on this machine can read the key.
    CertificateKeyReadable = "certificate-key-readable", Warning;
    /// Anyone who reaches the edge may speak under any name.
    AnonymousPublic = "anonymous-public", Warning;
    /// Names may be chosen beside tokens, so a chosen one may be that of a token's bearer.
    AnonymousBesideTokens = "anonymous-beside-tokens", Warning;
    /// Pages of any origin may use the edge.
    AnyOrigin = "any-origin", Warning;
    /// A whole text may not fit into a frame.
    LimitsFrame = "limits-frame", Warning;
    /// There is neither a Redis nor a server to start one.
    RedisMissing = "redis-missing", Error;
    /// The URL is not that of a Redis.
    RedisUrl = "redis-url", Error;
    /// No Redis answers.
    RedisUnreachable = "redis-unreachable", Error;
    /// Redis and the edge cannot prove themselves to each other.
    RedisCertificate = "redis-certificate", Error;
    /// Redis wants another password.
    RedisPassword = "redis-password", Error;
    /// Redis is older than the scripts need.
    RedisOld = "redis-old", Error;
    /// Redis is a replica.
    RedisReplica = "redis-replica", Error;
    /// A full Redis would remove rooms.
    RedisEviction = "redis-eviction", Error;
    /// A restart of Redis would lose messages.
    RedisAppendOnly = "redis-appendonly", Error;
    /// Redis is nearly full.
    RedisMemory = "redis-memory", Warning;
    /// Redis takes too few connections.
    RedisClients = "redis-clients", Warning;
    /// A failover would lose what no replica has.
    RedisReplicas = "redis-replicas", Warning;
    /// The clock of Redis is not that of this machine.
    RedisClock = "redis-clock", Warning;
    /// The user of the URL may not do what an edge does.
    RedisRights = "redis-rights", Error;
    /// Redis takes no writes now.
    RedisWrites = "redis-writes", Error;
    /// The log of a room cannot be read.
    LogDamaged = "log-damaged", Error;
    /// The manifest cannot be honoured.
    Manifest = "manifest", Error;
    /// A component may not connect to the Redis that it is given.
    RedisNotAllowed = "redis-not-allowed", Error;
    /// A component file is missing or no component.
    ComponentBroken = "component-broken", Error;
    /// A component that must be pure imports something.
    ComponentImports = "component-imports", Error;
    /// A component does not have the imports and exports of its contract.
    ComponentContract = "component-contract", Error;
    /// The application refuses its own variables.
    Variables = "variables", Error;
    /// The keys of an issuer lie where the application may not look.
    IssuerNotAllowed = "issuer-not-allowed", Error;
    /// The keys of an issuer cannot be loaded.
    IssuerUnreachable = "issuer-unreachable", Error;
    /// There is no key of the configured algorithm among them.
    IssuerKeys = "issuer-keys", Error;
    /// The collector of traces does not answer.
    Traces = "traces", Warning;
}

/// One finding.
#[derive(Debug)]
pub struct Finding {
    pub name: Name,
    /// What is the matter.
    sentence: String,
    /// What to do.
    advice: String,
}

impl Finding {
    pub fn new(name: Name, sentence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            sentence: sentence.into(),
            advice: advice.into(),
        }
    }
}

enum Line {
    Good(String),
    Bad(Finding),
}

/// Everything that was looked at, in that order.
#[derive(Default)]
pub struct Report(Vec<Line>);

impl Report {
    /// Something that is as it should be.
    pub fn good(&mut self, sentence: impl Into<String>) {
        self.0.push(Line::Good(sentence.into()));
    }

    pub fn find(&mut self, finding: Finding) {
        self.0.push(Line::Bad(finding));
    }

    pub fn count(&self, level: Level) -> usize {
        let findings = self.findings();
        findings
            .filter(|finding| finding.name.level() == level)
            .count()
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter_map(|line| match line {
            Line::Good(_) => None,
            Line::Bad(finding) => Some(finding),
        })
    }

    /// For people: one line each.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for line in &self.0 {
            text += &match line {
                Line::Good(sentence) => format!("ok    {sentence}\n"),
                Line::Bad(Finding {
                    name,
                    sentence,
                    advice,
                }) => format!(
                    "{} {}: {sentence}; {advice}\n",
                    match name.level() {
                        Level::Warning => "WARN ",
                        Level::Error => "BAD  ",
                    },
                    name.as_str()
                ),
            };
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings()
            .map(|finding| {
                json!({
                    "name": finding.name.as_str(),
                    "level": match finding.name.level() {
                        Level::Warning => "warning",
                        Level::Error => "error",
                    },
                    "sentence": finding.sentence,
                    "advice": finding.advice,
                })
            })
            .collect();
        let good: Vec<&str> = self
            .0
            .iter()
            .filter_map(|line| match line {
                Line::Good(sentence) => Some(sentence.as_str()),
                Line::Bad(_) => None,
            })
            .collect();
        json!({
            "errors": self.count(Level::Error),
            "warnings": self.count(Level::Warning),
            "findings": findings,
            "good": good,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_of_one_form() {
        let names: BTreeSet<&str> = Name::ALL.iter().map(|name| name.as_str()).collect();
        assert_eq!(names.len(), Name::ALL.len());
        for name in names {
            let good = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(name.bytes().all(good), "{name}");
        }
    }

    #[test]
    fn operators_are_told_of_each_finding() {
        let page = include_str!("../../../../../docs/operations.md");
        for name in Name::ALL {
            let level = match name.level() {
                Level::Warning => "warning",
                Level::Error => "error",
            };
            let row = format!("| `{}` | {level} |", name.as_str());
            assert!(page.contains(&row), "docs/operations.md has no row {row}");
        }
    }
}
