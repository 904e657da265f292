//! Application variables and the `{{ name }}` templates that use them.

use std::collections::BTreeMap;

use toml::Spanned;

use super::manifest::RawVariable;
use crate::toml_file::{FileError, Locator, did_you_mean};

/// The value of each application variable.
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// A value given from outside wins over the default; a required one must be given.
    pub fn resolve(
        locator: &Locator,
        variables: &BTreeMap<Spanned<String>, RawVariable>,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, FileError> {
        let mut values = BTreeMap::new();
        for (name, variable) in variables {
            let value = given.get(name.get_ref()).or(variable.default.as_ref());
            let Some(value) = value else {
                let (reason, advice) = if variable.required {
                    (
                        format!("the variable `{}` has no value", name.get_ref()),
                        format!(
                            "set SPIN_VARIABLE_{} in the environment",
                            name.get_ref().to_uppercase()
                        ),
                    )
                } else {
                    (
                        format!("the variable `{}` has no default", name.get_ref()),
                        "give it a `default`, or write `required = true`".to_owned(),
                    )
                };
                return Err(locator.refuse(name.span(), reason, advice));
            };
            values.insert(name.get_ref().clone(), value.clone());
        }
        Ok(Self(values))
    }

    /// Replaces each `{{ name }}`.
    pub fn expand(
        &self,
        locator: &Locator,
        template: &Spanned<String>,
    ) -> Result<String, FileError> {
        let mut expanded = String::new();
        let mut rest = template.get_ref().as_str();
        while let Some((literal, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else {
                return Err(locator.refuse(
                    template.span(),
                    "`{{` without `}}`",
                    "write `{{ name }}`",
                ));
            };
            let name = name.trim();
            let Some(value) = self.0.get(name) else {
                return Err(locator.refuse(
                    template.span(),
                    format!("unknown variable `{name}`"),
                    did_you_mean(name, self.0.keys().map(String::as_str)),
                ));
            };
            expanded.push_str(literal);
            expanded.push_str(value);
            rest = tail;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    pub fn into_inner(self) -> BTreeMap<String, String> {
        self.0
    }
}
