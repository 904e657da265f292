//! The text of a manifest as Spin defines it (version 2), before anything is followed.
//!
//! Every key that Spin knows is listed: those that we read, those that only concern other tools,
//! and those that we must refuse because the application would misbehave without them.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, de::IgnoredAny};
use toml::Spanned;

use super::limits::RawLimits;
use crate::toml_file::{FileError, Locator, did_you_mean};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    spin_manifest_version: Spanned<i64>,
    pub application: RawApplication,
    #[serde(default)]
    pub variables: BTreeMap<Spanned<String>, RawVariable>,
    pub trigger: RawTriggers,
    #[serde(default)]
    pub component: BTreeMap<Spanned<String>, RawComponent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApplication {
    pub name: String,
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "authors")]
    _authors: IgnoredAny,
    #[serde(default, rename = "targets")]
    _targets: IgnoredAny,
    /// Settings of other triggers; `[application.trigger.http]` knows only `base`.
    #[serde(default)]
    trigger: BTreeMap<Spanned<String>, IgnoredAny>,
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVariable {
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default)]
    pub required: bool,
    pub default: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTriggers {
    #[serde(default)]
    pub http: Vec<RawHttpTrigger>,
    #[serde(default)]
    pub websocket: Vec<RawWebSocketTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttpTrigger {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    pub route: Spanned<toml::Value>,
    pub component: Option<Spanned<toml::Value>>,
    pub static_response: Option<Spanned<IgnoredAny>>,
    pub executor: Option<Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebSocketTrigger {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    pub route: Spanned<toml::Value>,
    pub component: Option<Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawComponent {
    source: Spanned<toml::Value>,
    #[serde(default)]
    pub variables: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub dependencies: BTreeMap<Spanned<String>, Spanned<RawDependency>>,
    #[serde(default)]
    pub tool: RawTool,

    #[serde(default)]
    pub build: Option<IgnoredAny>,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "targets")]
    _targets: IgnoredAny,
    // Another profile is chosen by a flag of Spin's that this host does not have.
    #[serde(default, rename = "profile")]
    _profile: IgnoredAny,
    // Without `files` there is nothing to exclude.
    #[serde(default, rename = "exclude_files")]
    _exclude_files: IgnoredAny,

    files: Option<Spanned<Vec<IgnoredAny>>>,
    environment: Option<Spanned<BTreeMap<String, IgnoredAny>>>,
    key_value_stores: Option<Spanned<Vec<IgnoredAny>>>,
    sqlite_databases: Option<Spanned<Vec<IgnoredAny>>>,
    ai_models: Option<Spanned<Vec<IgnoredAny>>>,
    allowed_http_hosts: Option<Spanned<Vec<IgnoredAny>>>,
    dependencies_inherit_configuration: Option<Spanned<bool>>,
}

/// Tables of other tools are theirs; ours is checked like the rest.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawTool {
    pub clustertalk: Option<RawLimits>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawDependency {
    Table(BTreeMap<String, toml::Value>),
    /// A version to take from a registry.
    Version(IgnoredAny),
}

impl Manifest {
    pub fn parse(locator: &Locator) -> Result<Self, FileError> {
        let manifest: Self =
            toml::from_str(locator.text).map_err(|error| explain(locator, &error))?;
        if *manifest.spin_manifest_version.get_ref() != 2 {
            return Err(locator.refuse(
                manifest.spin_manifest_version.span(),
                "only version 2 of Spin's manifest is known",
                "write `spin_manifest_version = 2`",
            ));
        }
        if let Some((kind, _)) = manifest.application.trigger.first_key_value() {
            return Err(locator.refuse(
                kind.span(),
                format!(
                    "settings for all `{}` triggers are not supported",
                    kind.get_ref()
                ),
                "remove this table; write whole routes instead of a base",
            ));
        }
        Ok(manifest)
    }
}

impl RawComponent {
    /// Refuses what would give the component less than it was written for.
    pub fn refuse_unsupported(&self, locator: &Locator) -> Result<(), FileError> {
        let lists = [
            ("files", &self.files, "put the files into the component"),
            (
                "key_value_stores",
                &self.key_value_stores,
                "keep the data in Redis",
            ),
            (
                "sqlite_databases",
                &self.sqlite_databases,
                "keep the data in Redis",
            ),
            (
                "ai_models",
                &self.ai_models,
                "put the model into a component",
            ),
            (
                "allowed_http_hosts",
                &self.allowed_http_hosts,
                "use `allowed_outbound_hosts`",
            ),
        ];
        for (key, value, advice) in lists {
            if let Some(value) = value.as_ref().filter(|value| !value.get_ref().is_empty()) {
                return Err(not_supported(locator, value.span(), key, advice));
            }
        }
        if let Some(value) = &self.environment
            && !value.get_ref().is_empty()
        {
            let advice = "pass it by `[component.ID.variables]`";
            return Err(not_supported(locator, value.span(), "environment", advice));
        }
        if let Some(value) = &self.dependencies_inherit_configuration
            && *value.get_ref()
        {
            return Err(not_supported(
                locator,
                value.span(),
                "dependencies_inherit_configuration",
                "remove it: a dependency runs in a store of its own and has no permissions",
            ));
        }
        Ok(())
    }

    pub fn local_source(&self, locator: &Locator) -> Result<Spanned<String>, FileError> {
        match self.source.get_ref() {
            toml::Value::String(path) => Ok(Spanned::new(self.source.span(), path.clone())),
            _ => Err(locator.refuse(
                self.source.span(),
                "a component from a registry or a URL is not supported",
                "download it and write `source = \"PATH\"`",
            )),
        }
    }
}

impl RawDependency {
    pub fn local_path(
        &self,
        locator: &Locator,
        span: Range<usize>,
    ) -> Result<Spanned<String>, FileError> {
        let advice = "download the component and write `{ path = \"PATH\" }`";
        let Self::Table(table) = self else {
            return Err(locator.refuse(
                span,
                "a dependency from a registry is not supported",
                advice,
            ));
        };
        for key in table.keys() {
            match key.as_str() {
                "path" => {}
                "version"
                | "registry"
                | "package"
                | "url"
                | "digest"
                | "component"
                | "export"
                | "inherit_configuration" => {
                    return Err(locator.refuse(
                        span,
                        format!("`{key}` of a dependency is not supported"),
                        advice,
                    ));
                }
                other => {
                    return Err(locator.refuse(
                        span,
                        format!("unknown key `{other}` of a dependency"),
                        did_you_mean(other, ["path"]),
                    ));
                }
            }
        }
        match table.get("path") {
            Some(toml::Value::String(path)) => Ok(Spanned::new(span, path.clone())),
            _ => Err(locator.refuse(span, "a dependency needs a path", advice)),
        }
    }
}

fn not_supported(locator: &Locator, span: Range<usize>, key: &str, advice: &str) -> FileError {
    locator.refuse(
        span,
        format!("`{key}` is not supported by this host"),
        advice,
    )
}

/// Serde's sentence for an unknown key lists the known ones; ours points to the nearest.
fn explain(locator: &Locator, error: &toml::de::Error) -> FileError {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field")
        && let Some(key) = quoted.next()
    {
        let known: Vec<&str> = quoted.collect();
        if known == ["http", "websocket"] {
            return locator.refuse(
                span,
                format!("a trigger of the type `{key}` is not supported"),
                "this host serves `[[trigger.http]]` and `[[trigger.websocket]]`",
            );
        }
        return locator.refuse(
            span,
            format!("unknown key `{key}`"),
            did_you_mean(key, known),
        );
    }
    let reason = message.lines().collect::<Vec<_>>().join(" ");
    locator.refuse(span, reason, "see Spin's manifest reference (version 2)")
}
