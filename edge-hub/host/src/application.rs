//! `spin.toml` as one checked model.
//!
//! [`Application::load`] reads a Spin manifest (version 2), follows its templates and files, and
//! either returns what this host will run or refuses it with the line, the reason and what to do.
//! Nothing is silently ignored but what only concerns other tools (authors, build commands, …).

mod limits;
mod manifest;
mod outbound;
mod routes;
mod template;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub use self::{
    limits::{Caps, FailPolicy, MAX_MEMORY_BYTES},
    outbound::AllowedHosts,
    routes::{Routes, Triggers},
};
use self::{
    manifest::{Manifest, RawComponent, RawDependency},
    routes::RoutesBuilder,
    template::Values,
};
use crate::toml_file::{FileError, Locator};

/// The contracts that a dependency may fulfil here.
pub const MODERATOR: &str = "clustertalk:moderation/moderator@1.0.0";
/// See [`MODERATOR`].
pub const RECORDER: &str = "clustertalk:analytics/recorder@1.0.0";

/// A manifest that this host can honour wholly.
#[derive(Debug)]
pub struct Application {
    /// `application.name`.
    pub name: String,
    /// Which component answers which path.
    pub routes: Routes,
    /// By their ids in the manifest.
    pub components: BTreeMap<String, Component>,
    /// Every application variable with its value.
    pub variables: BTreeMap<String, String>,
}

/// A component and all that it is given.
#[derive(Debug)]
pub struct Component {
    /// The file with the component.
    pub source: PathBuf,
    /// What `fermyon:spin/variables` answers to it.
    pub variables: BTreeMap<String, String>,
    /// Where it may connect to.
    pub allowed_hosts: AllowedHosts,
    /// Its memory and time: `[component.ID.tool.clustertalk]`.
    pub caps: Caps,
    /// The component behind the import [`MODERATOR`].
    pub moderation: Option<Dependency>,
    /// The component behind the import [`RECORDER`].
    pub analytics: Option<Dependency>,
}

/// A pure component behind an import of another one; it runs in a store of its own.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The file with the component.
    pub path: PathBuf,
    /// Its own memory and time.
    pub caps: Caps,
    /// What happens when it fails.
    pub fail: FailPolicy,
    /// How many calls one instance serves; 0 gives each call a fresh one.
    pub reuse: u32,
    /// Moderators that are asked before this one, in this order.
    pub before: Vec<Dependency>,
}

impl Application {
    /// Reads and checks the manifest at `path`. `given` holds values for application variables by
    /// name (`redis_url`, …), which win over the manifest's defaults.
    ///
    /// # Errors
    /// The first thing that this host cannot honour.
    pub fn load(path: &Path, given: &BTreeMap<String, String>) -> Result<Self, FileError> {
        let text = fs::read_to_string(path).map_err(|error| FileError {
            path: path.to_owned(),
            line: None,
            reason: format!("cannot be read: {error}"),
            advice: "give the path of a spin.toml".to_owned(),
        })?;
        Self::parse(&text, path, given)
    }

    /// [`Application::load`] for a manifest already read; `path` is where it stands.
    ///
    /// # Errors
    /// As [`Application::load`].
    pub fn parse(
        text: &str,
        path: &Path,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, FileError> {
        let locator = Locator { path, text };
        let manifest = Manifest::parse(&locator)?;
        let values = Values::resolve(&locator, &manifest.variables, given)?;
        let directory = path.parent().unwrap_or(Path::new("."));

        let mut components = BTreeMap::new();
        for (id, raw) in &manifest.component {
            let component = Component::check(&locator, directory, &values, id.get_ref(), raw)?;
            components.insert(id.get_ref().clone(), component);
        }

        let mut routes = RoutesBuilder::new(&locator, &components);
        for trigger in &manifest.trigger.http {
            routes.http(trigger)?;
        }
        for trigger in &manifest.trigger.websocket {
            routes.websocket(trigger)?;
        }
        Ok(Self {
            name: manifest.application.name,
            routes: routes.build(),
            components,
            variables: values.into_inner(),
        })
    }
}

impl Component {
    fn check(
        locator: &Locator,
        directory: &Path,
        values: &Values,
        id: &str,
        raw: &RawComponent,
    ) -> Result<Self, FileError> {
        raw.refuse_unsupported(locator)?;
        let build = match &raw.build {
            Some(_) => format!("build it: `cargo xtask build {id}`"),
            None => "build it first, or correct the path".to_owned(),
        };

        let source = raw.local_source(locator)?;
        let source = existing_file(locator, directory, &source, &build)?;
        let variables = raw
            .variables
            .iter()
            .map(|(name, template)| Ok((name.clone(), values.expand(locator, template)?)))
            .collect::<Result<_, FileError>>()?;
        let allowed_hosts = AllowedHosts::check(locator, values, &raw.allowed_outbound_hosts)?;
        let ours = raw.tool.clustertalk.as_ref();
        let caps = Caps::check_component(locator, ours)?;

        let mut moderation = None;
        let mut analytics = None;
        for (import, dependency) in &raw.dependencies {
            let slot = match import.get_ref().as_str() {
                MODERATOR => &mut moderation,
                RECORDER => &mut analytics,
                other => {
                    return Err(locator.refuse(
                        import.span(),
                        format!("`{other}` is not a contract that this host can link"),
                        format!("only `{MODERATOR}` and `{RECORDER}` can be dependencies here"),
                    ));
                }
            };
            let settings = ours.and_then(|ours| ours.dependency(import.get_ref()));
            *slot = Some(Dependency::check(
                locator,
                directory,
                &build,
                (import.get_ref(), dependency),
                settings,
            )?);
        }
        if let Some(ours) = ours {
            ours.refuse_settings_without_dependency(locator, &raw.dependencies)?;
        }
        Ok(Self {
            source,
            variables,
            allowed_hosts,
            caps,
            moderation,
            analytics,
        })
    }
}

impl Dependency {
    fn check(
        locator: &Locator,
        directory: &Path,
        build: &str,
        (import, raw): (&str, &toml::Spanned<RawDependency>),
        settings: Option<&limits::RawDependencyLimits>,
    ) -> Result<Self, FileError> {
        let path = raw.get_ref().local_path(locator, raw.span())?;
        let path = existing_file(locator, directory, &path, build)?;
        let mut dependency = limits::check_dependency(locator, import, settings, path)?;
        for (path, member) in limits::check_chain(locator, import, settings)? {
            let path = existing_file(locator, directory, path, build)?;
            let member = limits::check_dependency(locator, import, Some(member), path)?;
            dependency.before.push(member);
        }
        Ok(dependency)
    }
}

/// Resolves a path of the manifest, which is relative to the manifest's own folder.
fn existing_file(
    locator: &Locator,
    directory: &Path,
    written: &toml::Spanned<String>,
    advice: &str,
) -> Result<PathBuf, FileError> {
    let path = directory.join(written.get_ref());
    if path.is_file() {
        return Ok(path);
    }
    Err(locator.refuse(
        written.span(),
        format!("the file `{}` does not exist", written.get_ref()),
        advice,
    ))
}

#[cfg(test)]
mod tests;
