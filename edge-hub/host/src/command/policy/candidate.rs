//! The moderation that is asked: the application's, another file, or one with a policy that is tried.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clustertalk_policy::PutError;

use crate::{
    application::Dependency,
    command::application_without_edge,
    config::{Moderator, Tried},
    policy::{Explainer, Moderation},
    sandbox::Runtime,
};

/// Texts may be longer than messages, so that the time of one is not that of the manifest.
const TIME: Duration = Duration::from_secs(2);
/// Without a manifest's word an instance serves as many.
const REUSE: u32 = 1_000;

/// A component to ask, with what the manifest says of it.
pub struct Candidate {
    dependency: Dependency,
    runtime: Arc<Runtime>,
    /// Of a component with a policy that is only tried: the file goes with this.
    _tried: Option<TriedFile>,
}

struct TriedFile(PathBuf);

impl Drop for TriedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Candidate {
    pub fn new(tried: &Tried, variables: &BTreeMap<String, String>) -> Result<Self> {
        let Tried { moderator, policy } = tried;
        match policy {
            None => Self::of(moderator, variables),
            Some(file) => Self::with(moderator, &super::read(file)?, variables),
        }
    }

    /// The component as it is.
    pub fn of(moderator: &Moderator, variables: &BTreeMap<String, String>) -> Result<Self> {
        Ok(Self {
            dependency: dependency(moderator, variables)?,
            runtime: Arc::new(Runtime::start(&moderator.data)?),
            _tried: None,
        })
    }

    /// The component with another policy; its file is left as it is.
    pub fn with(
        moderator: &Moderator,
        policy: &clustertalk_policy::Policy,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut candidate = Self::of(moderator, variables)?;
        let component = with_policy(&candidate.dependency.path, policy)?;
        let file = moderator
            .data
            .join(format!("policy-{}.wasm", process::id()));
        fs::write(&file, component)
            .with_context(|| format!("{} cannot be written", file.display()))?;
        candidate.dependency.path.clone_from(&file);
        candidate._tried = Some(TriedFile(file));
        Ok(candidate)
    }

    pub async fn moderation(&self) -> Result<Moderation> {
        Ok(Moderation::load(self.runtime.clone(), &self.dependency).await?)
    }

    /// It says why, if the component can.
    pub async fn explainer(&self) -> Result<Explainer> {
        Ok(Explainer::load(self.runtime.clone(), &self.dependency).await?)
    }
}

/// The application's moderation with those before it, or the given one alone with the caps of that.
fn dependency(moderator: &Moderator, variables: &BTreeMap<String, String>) -> Result<Dependency> {
    let mut dependency = in_manifest(&moderator.manifest, variables)?;
    if let Some(component) = &moderator.component {
        dependency.path.clone_from(component);
        dependency.before.clear();
    }
    let mut before = std::mem::take(&mut dependency.before);
    for member in before.iter_mut().chain([&mut dependency]) {
        member.caps.deadline = TIME;
        member.reuse = member.reuse.max(REUSE);
    }
    dependency.before = before;
    Ok(dependency)
}

/// The moderation of an application.
pub fn in_manifest(manifest: &Path, variables: &BTreeMap<String, String>) -> Result<Dependency> {
    let application = application_without_edge(manifest, variables)?;
    let components = application.components.into_values();
    let mut found = components.filter_map(|component| component.moderation);
    found.next().with_context(|| {
        let manifest = manifest.display();
        format!("{manifest} has no component that depends on a moderation")
    })
}

/// A component file's content with a policy in it.
pub fn with_policy(file: &Path, policy: &clustertalk_policy::Policy) -> Result<Vec<u8>> {
    let name = file.display();
    let mut component = fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    match clustertalk_policy::put(&mut component, &policy.bytes) {
        Ok(()) => Ok(component),
        Err(PutError::NoPlace) => bail!(
            "{name} has no place for a policy: only the moderation that comes with this version has one; another \
             moderator has to bring its own rules"
        ),
        Err(PutError::TooLarge(bytes)) => bail!("the policy has {bytes} bytes, which is too much"),
    }
}
