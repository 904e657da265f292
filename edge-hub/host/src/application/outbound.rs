//! Where a component may connect to: `allowed_outbound_hosts`.

use toml::Spanned;
use url::Url;

use super::template::Values;
use crate::toml_file::{FileError, Locator};

/// The list of one component; an empty one allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    scheme: Pattern,
    host: HostPattern,
    /// None: any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Exactly(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Any,
    Exactly(String),
    /// With its leading dot.
    Below(String),
}

impl AllowedHosts {
    pub(super) fn check(
        locator: &Locator,
        values: &Values,
        list: &[Spanned<String>],
    ) -> Result<Self, FileError> {
        let mut hosts = Vec::with_capacity(list.len());
        for entry in list {
            let written = values.expand(locator, entry)?;
            let host = AllowedHost::parse(&written).map_err(|reason| {
                locator.refuse(
                    entry.span(),
                    format!("`{written}` is not an allowed host: {reason}"),
                    "write SCHEME://HOST:PORT, each of which may be `*`",
                )
            })?;
            hosts.push(host);
        }
        Ok(Self(hosts))
    }

    /// Whether a connection to this address (a URL) is allowed. A user, password or path in it
    /// does not matter.
    pub fn allows(&self, address: &str) -> bool {
        Url::parse(address).is_ok_and(|url| {
            let port = url.port().or_else(|| default_port(url.scheme()));
            url.host_str().is_some_and(|host| {
                self.0
                    .iter()
                    .any(|allowed| allowed.allows(url.scheme(), host, port))
            })
        })
    }
}

impl AllowedHost {
    fn parse(written: &str) -> Result<Self, String> {
        let (scheme, rest) = written.split_once("://").ok_or("it has no scheme")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err("it has a path or a network range".to_owned());
        }
        if rest.contains('@') {
            return Err("it has a user or a password".to_owned());
        }
        // An IPv6 host has colons of its own, inside brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            Some("*") => None,
            Some(port) => Some(
                port.parse()
                    .map_err(|_| format!("`{port}` is not a port"))?,
            ),
            None => Some(default_port(scheme).ok_or("the scheme has no port of its own")?),
        };
        let host = match host {
            "*" => HostPattern::Any,
            "" => return Err("it has no host".to_owned()),
            "self" | "self.alt" => return Err("calls to itself are not supported".to_owned()),
            _ => match host.strip_prefix('*') {
                Some(domain) if domain.starts_with('.') && !domain.contains('*') => {
                    HostPattern::Below(domain.to_owned())
                }
                None if !host.contains(['*', '{']) => HostPattern::Exactly(host.to_owned()),
                _ => return Err("a `*` may stand only for the first part of a host".to_owned()),
            },
        };
        let scheme = match scheme {
            "*" => Pattern::Any,
            scheme if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Pattern::Exactly(scheme.to_owned())
            }
            scheme => return Err(format!("`{scheme}` is not a scheme")),
        };
        Ok(Self { scheme, host, port })
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let scheme_matches = match &self.scheme {
            Pattern::Any => true,
            Pattern::Exactly(allowed) => allowed == scheme,
        };
        let host_matches = match &self.host {
            HostPattern::Any => true,
            HostPattern::Exactly(allowed) => allowed == host,
            HostPattern::Below(suffix) => host.ends_with(suffix),
        };
        scheme_matches && host_matches && (self.port.is_none() || self.port == port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "redis" | "rediss" => Some(6379),
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_hosts_match_scheme_host_and_port() {
        #[rustfmt::skip]
        let cases = [
            ("redis://*:*",              "redis://127.0.0.1:6390",             true),
            ("redis://*:*",              "redis://:secret@db.example:6379/3",  true),
            ("redis://*:*",              "rediss://db.example",                false),
            ("redis://*:*",              "http://db.example:6379",             false),
            ("redis://10.0.0.5",         "redis://10.0.0.5",                   true),
            ("redis://10.0.0.5",         "redis://10.0.0.5:6379/1",            true),
            ("redis://10.0.0.5",         "redis://10.0.0.5:6380",              false),
            ("redis://[::1]:6379",       "redis://[::1]:6379",                 true),
            ("https://*.example.com",    "https://keys.example.com/jwks",      true),
            ("https://*.example.com",    "https://example.com/jwks",           false),
            ("https://*.example.com",    "https://badexample.com",             false),
            ("https://id.example/",      "https://id.example/jwks",            true),
            ("https://id.example",       "https://id.example@evil.example",    false),
            ("*://*:*",                  "http://anything.example:81",         true),
            ("redis://*:*",              "not a url",                          false),
        ];
        for (allowed, address, expected) in cases {
            let hosts = AllowedHosts(vec![AllowedHost::parse(allowed).expect(allowed)]);
            assert_eq!(hosts.allows(address), expected, "{allowed} for {address}");
        }
        assert!(!AllowedHosts::default().allows("redis://127.0.0.1:6379"));
    }
}
