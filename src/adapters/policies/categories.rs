//! Which charge categories a budget counts.

use std::collections::BTreeMap;

use super::Patterns;
use crate::domain::dimension::Dimension;
use crate::domain::focus::{CATEGORIES as ALL, category};
use crate::domain::label::Label;

/// Those that `categories` names, else those that the scope asks for, else usage alone, so that a credit masks nothing.
pub(super) fn counted(named: Vec<String>, scope: &BTreeMap<Dimension, Patterns>) -> Result<Vec<String>, String> {
    if let Some(unknown) = named.iter().find(|name| category(name).is_none()) {
        let known = ALL.join(", ");
        return Err(format!(
            "`categories`: `{unknown}` is no charge category of FOCUS; known are {known}"
        ));
    }
    let Some(asked) = scope.get(&Dimension::Category).map(Patterns::all) else {
        let usage = || vec!["Usage".to_owned()];
        return Ok(if named.is_empty() { usage() } else { named });
    };
    let meant = |category: &str| {
        asked
            .iter()
            .any(|p| Dimension::Category.is_like(p, Label::new(category)))
    };
    if named.is_empty() {
        let met: Vec<String> = ALL.into_iter().filter(|c| meant(c)).map(str::to_owned).collect();
        return match met.is_empty() {
            true => Err(format!(
                "`scope.category`: `{}` is no charge category of FOCUS; known are {}",
                asked.join("`, `"),
                ALL.join(", ")
            )),
            false => Ok(met),
        };
    }
    if !named.iter().any(|c| meant(c)) {
        return Err(format!(
            "`scope.category` asks for `{}` and `categories` counts {}, so that nothing would count: leave `categories` out",
            asked.join("`, `"),
            named.join(", ")
        ));
    }
    Ok(named)
}
