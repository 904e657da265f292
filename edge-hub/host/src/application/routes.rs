//! Which component answers which path, by Spin's rules.
//!
//! Part by part from the left a literal beats a `:parameter`, which beats the trailing `/...`; so an
//! exact route wins over a wildcard and the longest wildcard over shorter ones. A slash at the
//! end does not matter, and `/api/...` is also `/api`.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{
    Component,
    manifest::{RawHttpTrigger, RawWebSocketTrigger},
};
use crate::toml_file::{FileError, Locator, did_you_mean};

/// The routes of an application.
#[derive(Debug, Default)]
pub struct Routes {
    /// The most specific first.
    http: Vec<Route>,
    /// Likewise.
    websocket: Vec<Route>,
}

/// The kinds of trigger of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// A `[[trigger.http]]`.
    pub http: bool,
    /// A `[[trigger.websocket]]`.
    pub websocket: bool,
}

#[derive(Debug)]
struct Route {
    parts: Vec<Part>,
    component: String,
}

/// In the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Literal(String),
    Parameter,
    /// Only at the end.
    Rest,
}

impl Routes {
    /// The component that answers a plain request for `path` (no query).
    pub fn http(&self, path: &str) -> Option<&str> {
        find(&self.http, path)
    }

    /// The component whose WebSocket handler takes an upgrade request for `path`: a
    /// `[[trigger.websocket]]` if the manifest has any, else the component of the HTTP route.
    /// Whether it exports a handler is for the sandbox to say.
    pub fn websocket(&self, path: &str) -> Option<&str> {
        if self.websocket.is_empty() {
            self.http(path)
        } else {
            find(&self.websocket, path)
        }
    }

    /// Which triggers name this component.
    pub fn triggers(&self, component: &str) -> Triggers {
        let names = |routes: &[Route]| routes.iter().any(|route| route.component == component);
        Triggers {
            http: names(&self.http),
            websocket: names(&self.websocket),
        }
    }
}

fn find<'a>(routes: &'a [Route], path: &str) -> Option<&'a str> {
    let path: Vec<&str> = split(path).collect();
    routes
        .iter()
        .find(|route| route.matches(&path))
        .map(|route| route.component.as_str())
}

/// The parts between slashes, without the empty ones at both ends.
fn split(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_matches('/');
    path.split('/').filter(move |_| !path.is_empty())
}

impl Route {
    fn matches(&self, path: &[&str]) -> bool {
        let mut path = path.iter();
        for part in &self.parts {
            match (part, path.next()) {
                (Part::Rest, _) => return true,
                (Part::Literal(literal), Some(piece)) if literal == piece => {}
                (Part::Parameter, Some(_)) => {}
                _ => return false,
            }
        }
        path.next().is_none()
    }
}

pub(super) struct RoutesBuilder<'a> {
    locator: &'a Locator<'a>,
    components: &'a BTreeMap<String, Component>,
    routes: Routes,
}

impl<'a> RoutesBuilder<'a> {
    pub fn new(locator: &'a Locator<'a>, components: &'a BTreeMap<String, Component>) -> Self {
        Self {
            locator,
            components,
            routes: Routes::default(),
        }
    }

    pub fn http(&mut self, trigger: &RawHttpTrigger) -> Result<(), FileError> {
        if let Some(answer) = &trigger.static_response {
            return Err(self.locator.refuse(
                answer.span(),
                "a static response is not supported",
                "let a component answer",
            ));
        }
        if let Some(executor) = &trigger.executor {
            let kind = executor
                .get_ref()
                .get("type")
                .and_then(|kind| kind.as_str());
            if !matches!(kind, Some("http" | "spin")) {
                return Err(self.locator.refuse(
                    executor.span(),
                    "this executor is not supported",
                    "remove it: components are called by wasi:http",
                ));
            }
        }
        let route = self.route(&trigger.route, trigger.component.as_ref())?;
        add(self.locator, &mut self.routes.http, route, &trigger.route)
    }

    pub fn websocket(&mut self, trigger: &RawWebSocketTrigger) -> Result<(), FileError> {
        let route = self.route(&trigger.route, trigger.component.as_ref())?;
        add(
            self.locator,
            &mut self.routes.websocket,
            route,
            &trigger.route,
        )
    }

    pub fn build(mut self) -> Routes {
        self.routes.http.sort_by(|a, b| a.parts.cmp(&b.parts));
        self.routes.websocket.sort_by(|a, b| a.parts.cmp(&b.parts));
        self.routes
    }

    fn route(
        &self,
        route: &Spanned<toml::Value>,
        component: Option<&Spanned<toml::Value>>,
    ) -> Result<Route, FileError> {
        let Some(component) = component else {
            return Err(self.locator.refuse(
                route.span(),
                "the trigger names no component",
                "add `component = \"ID\"`",
            ));
        };
        let Some(id) = component.get_ref().as_str() else {
            return Err(self.locator.refuse(
                component.span(),
                "a component inside a trigger is not supported",
                "give it a `[component.ID]` of its own and write `component = \"ID\"`",
            ));
        };
        if !self.components.contains_key(id) {
            return Err(self.locator.refuse(
                component.span(),
                format!("there is no component `{id}`"),
                did_you_mean(id, self.components.keys().map(String::as_str)),
            ));
        }
        Ok(Route {
            parts: self.parts(route)?,
            component: id.to_owned(),
        })
    }

    fn parts(&self, route: &Spanned<toml::Value>) -> Result<Vec<Part>, FileError> {
        let refuse =
            |reason: &str, advice: &str| Err(self.locator.refuse(route.span(), reason, advice));
        let Some(written) = route.get_ref().as_str() else {
            return refuse(
                "a private route is not supported",
                "write a path such as \"/api/...\"",
            );
        };
        if !written.starts_with('/') {
            return refuse(
                "a route begins with `/`",
                "write a path such as \"/api/...\"",
            );
        }
        let mut parts = Vec::new();
        for piece in split(written) {
            if parts.last() == Some(&Part::Rest) {
                return refuse(
                    "`...` may stand only at the end of a route",
                    "cut what follows it",
                );
            }
            parts.push(match piece {
                "..." | "*" => Part::Rest,
                "" => return refuse("a route has no empty parts", "remove the doubled slash"),
                _ if piece.starts_with(':') => Part::Parameter,
                _ => Part::Literal(piece.to_owned()),
            });
        }
        Ok(parts)
    }
}

fn add(
    locator: &Locator,
    routes: &mut Vec<Route>,
    route: Route,
    written: &Spanned<toml::Value>,
) -> Result<(), FileError> {
    if let Some(other) = routes.iter().find(|other| other.parts == route.parts) {
        return Err(locator.refuse(
            written.span(),
            format!(
                "the route {} is taken by `{}`",
                written.get_ref(),
                other.component
            ),
            "remove one of the two triggers",
        ));
    }
    routes.push(route);
    Ok(())
}
