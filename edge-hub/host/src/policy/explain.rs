//! A moderation that says why: for operators, never asked by the hub.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lift};

use super::pure::{Contract, Pure};
use crate::{
    application::Dependency,
    sandbox::{
        Digest, LoadError, Runtime,
        moderator::{Action, Message, Verdict},
    },
};

const EXPLAINER: &str = "clustertalk:moderation/explainer@1.0.0";

/// See `components/wit/moderation`.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub struct Explanation {
    pub verdict: Verdict,
    pub policy: String,
    pub normalised: String,
    pub findings: Vec<Finding>,
    pub features: Vec<Feature>,
    pub thresholds: Vec<Thresholds>,
}

#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub struct Finding {
    pub label: String,
    pub score: f32,
    pub rule: Option<String>,
    pub action: Action,
}

#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub struct Feature {
    pub label: String,
    pub what: String,
    pub weight: f32,
}

#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub struct Thresholds {
    pub label: String,
    pub flag: f32,
    pub mask: f32,
    pub block: f32,
}

/// Asks a moderation component why.
pub struct Explainer {
    component: Pure<Message, Explanation>,
}

impl Explainer {
    /// Loads and checks the component.
    ///
    /// # Errors
    /// It cannot be run here, imports something, or does not say why.
    pub async fn load(runtime: Arc<Runtime>, dependency: &Dependency) -> Result<Self, LoadError> {
        let contract = Contract {
            interface: EXPLAINER,
            function: "explain",
        };
        Ok(Self {
            component: Pure::load("moderation".to_owned(), contract, runtime, dependency).await?,
        })
    }

    /// # Errors
    /// The component failed.
    pub async fn explain(&self, message: Message) -> Result<Explanation, String> {
        let (result, _) = self.component.call(message, Ok).await;
        result.map_err(|error| error.to_string())
    }

    pub fn digest(&self) -> Digest {
        self.component.digest()
    }
}
