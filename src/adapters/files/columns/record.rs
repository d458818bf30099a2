//! Foreign JSON records: the values of the keys that the settings name, also of those within others.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object::KeyText;
use super::{Columns, Told, keys};

/// Records of a file that are looked through for what may be meant by a key that none has had so far.
const LOOKED_THROUGH: usize = 64;

/// Reads foreign JSON records.
pub(in super::super) struct Mapped {
    columns: Arc<Columns>,
    /// What is known of each wanted key by the records of the file so far.
    met: Vec<Met>,
    looked_through: usize,
    /// Keys that were there, and what records have in their place.
    renamed: Vec<String>,
    told: Told,
    /// Whether reading goes on where it stood before.
    goes_on: bool,
}

/// What the records of a file so far tell of a key.
#[derive(Clone, Default)]
struct Met {
    is_there: bool,
    /// The one that they have in its place.
    instead: Option<String>,
    /// The one that comes next to it.
    nearest: Option<String>,
    /// Of one that was there: what might be taken for it, and stood beside it in the first record of this run that had it.
    beside: Option<Vec<String>>,
    /// Records without it that were looked through since.
    lacked: usize,
}

impl Mapped {
    pub fn new(columns: Arc<Columns>) -> Self {
        Mapped {
            met: vec![Met::default(); columns.wanted.len()],
            columns,
            looked_through: 0,
            renamed: Vec::new(),
            told: Told::default(),
            goes_on: false,
        }
    }

    /// Notes which keys a record has; a fault where it has another in place of one that no record so far has had: that is no 0. Answers what
    /// it has in place of those that records before it had.
    fn meet(&mut self, cells: &[Option<Cow<'_, str>>], text: &str) -> Result<Vec<(usize, String)>, Fault> {
        let (mut lacks, mut may_be_renamed) = (false, false);
        for (met, cell) in self.met.iter_mut().zip(cells) {
            met.is_there |= cell.is_some();
            lacks |= !met.is_there;
            may_be_renamed |= met.is_there && (cell.is_none() || met.beside.is_none());
        }
        let renamed = match may_be_renamed {
            true => self.look_for_renamed(cells, text),
            false => Vec::new(),
        };
        if !lacks {
            return Ok(renamed);
        }
        if self.looked_through < LOOKED_THROUGH {
            self.looked_through += 1;
            self.look_through(text);
        }
        for ((met, cell), name) in self.met.iter().zip(cells).zip(&self.columns.wanted) {
            if let (false, None, Some(instead)) = (met.is_there, cell, &met.instead) {
                return Err(instead_of(name, instead));
            }
        }
        Ok(renamed)
    }

    /// Keys that were there and have another name now. What stood beside one is another thing.
    fn look_for_renamed(&mut self, cells: &[Option<Cow<'_, str>>], text: &str) -> Vec<(usize, String)> {
        let columns = &self.columns;
        let (mut found, mut renamed) = (None, Vec::new());
        for (at, ((met, cell), name)) in self.met.iter_mut().zip(cells).zip(&columns.wanted).enumerate() {
            let is_looked_for = match (cell, &met.beside, &met.instead) {
                (Some(_), beside, _) => beside.is_none(),
                (None, _, Some(instead)) => text.contains(instead.rsplit('.').next().unwrap_or(instead)),
                (None, ..) => met.lacked < LOOKED_THROUGH,
            };
            if !met.is_there || !is_looked_for {
                continue;
            }
            if !columns.counts(at) {
                met.beside = Some(Vec::new());
                met.lacked = LOOKED_THROUGH;
                continue;
            }
            let found = found.get_or_insert_with(|| keys::paths(text));
            let slips = found
                .iter()
                .filter(|path| keys::is_slip(name, path) && !columns.wanted.contains(path));
            if cell.is_some() {
                met.beside = Some(slips.cloned().collect());
                continue;
            }
            met.lacked += 1;
            let beside = met.beside.as_deref().unwrap_or_default();
            if let Some(slip) = slips.into_iter().find(|slip| !beside.contains(slip)) {
                met.instead = Some(slip.clone());
                renamed.push((at, slip.clone()));
            }
        }
        renamed
    }

    /// Tells at the end of the file what records have in place of keys that others have.
    fn tell_renamed(&mut self, renamed: Vec<(usize, String)>) {
        for (at, instead) in renamed {
            let name = self.columns.wanted.get(at).map_or("", String::as_str);
            let told = format!("`{name}` (`{instead}`)");
            if self.renamed.len() < LOOKED_THROUGH && !self.renamed.contains(&told) {
                self.renamed.push(told);
            }
        }
    }

    fn look_through(&mut self, text: &str) {
        let found = keys::paths(text);
        let wanted = &self.columns.wanted;
        let others: Vec<&str> = found.iter().map(String::as_str).collect();
        let others: Vec<&str> = others
            .into_iter()
            .filter(|path| !wanted.iter().any(|name| name == path))
            .collect();
        for (at, (met, name)) in self
            .met
            .iter_mut()
            .zip(wanted)
            .enumerate()
            .filter(|(_, (met, _))| !met.is_there)
        {
            if met.instead.is_none() && self.columns.counts(at) {
                let slip = others.iter().find(|path| keys::is_slip(name, path));
                met.instead = slip.map(|path| (*path).to_owned());
            }
            if met.nearest.is_none() {
                met.nearest = Some(keys::but(name, &others)).filter(|near| !near.is_empty());
            }
        }
    }
}

impl LineFormat for Mapped {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let cells = cells(text, &self.columns.wanted).map_err(|e| Fault::json(&e))?;
        let renamed = self.meet(&cells, text)?;
        let cells: Vec<Cow<'_, str>> = cells.into_iter().map(Option::unwrap_or_default).collect();
        let before = out.events.len();
        self.columns.observe(&cells, number, &mut self.told, context, out)?;
        // An answer has a question.
        let asks_nothing = |tokens: crate::domain::usage::Tokens| tokens.prompt() == 0 && tokens.total() > 0;
        let asks_nothing = out.events.get(before).is_some_and(|event| asks_nothing(event.tokens));
        if asks_nothing
            && let Some((at, instead)) = renamed.iter().find(|(at, _)| self.columns.asked().any(|a| a == *at))
        {
            out.events.truncate(before);
            let name = self.columns.wanted.get(*at).map_or("", String::as_str);
            return Err(instead_of(name, instead));
        }
        self.tell_renamed(renamed);
        if asks_nothing
            && let Some(at) = self
                .columns
                .asked()
                .find(|at| self.met.get(*at).is_some_and(|met| !met.is_there))
        {
            out.events.truncate(before);
            let name = self.columns.wanted.get(at).map_or("", String::as_str);
            let near = self
                .met
                .get(at)
                .and_then(|met| met.nearest.as_deref())
                .unwrap_or_default();
            return Err(Fault::field(name, format!("no record so far has such a key{near}")));
        }
        Ok(())
    }

    fn save(&self) -> String {
        let met = self.met.iter().zip(&self.columns.wanted);
        let names: Vec<&str> = met
            .filter(|(met, _)| met.is_there)
            .map(|(_, name)| name.as_str())
            .collect();
        serde_json::to_string(&names).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.goes_on = true;
        // Of what a version read that kept no names nobody knows what was missing.
        let names: Option<Vec<String>> = serde_json::from_str(state).ok();
        for (met, name) in self.met.iter_mut().zip(&self.columns.wanted) {
            met.is_there |= names.as_ref().is_none_or(|names| names.contains(name));
        }
    }

    fn untold(&self) -> Option<String> {
        let met = self.met.iter().zip(&self.columns.wanted);
        let never = met.filter(|(met, _)| !met.is_there && met.instead.is_none());
        let never: Vec<String> = never
            .map(|(met, name)| format!("`{name}`{}", met.nearest.as_deref().unwrap_or_default()))
            .collect();
        // Told once of a file, not with each line that is written to it.
        let never = (!never.is_empty() && self.looked_through > 0 && !self.goes_on).then(|| {
            let names = never.join("; ");
            format!("keys that `[source.columns]` names and no record of a file has, so that they are absent: {names}")
        });
        let renamed = (!self.renamed.is_empty()).then(|| {
            let names = self.renamed.join("; ");
            format!(
                "keys that some records of a file seem to have by another name, so that they are absent there: {names}"
            )
        });
        let told = [never, renamed].into_iter().flatten();
        told.reduce(|one, other| format!("{one}; {other}"))
    }
}

/// A fault for a key that has another in its place.
fn instead_of(name: &str, instead: &str) -> Fault {
    Fault::field(name, format!("no such key, the nearest is `{instead}`"))
}

/// What a record says under the wanted keys; nothing under those that it does not have.
fn cells<'de>(text: &'de str, wanted: &[String]) -> Result<Vec<Option<Cow<'de, str>>>, serde_json::Error> {
    let mut found: Vec<Option<Found<'de>>> = vec![None; wanted.len()];
    let level = Level {
        wanted,
        front: "",
        found: &mut found,
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(level).and_then(|()| parser.end())?;
    Ok(found.into_iter().map(|found| found.map(|found| found.text)).collect())
}

#[derive(Clone)]
struct Found<'de> {
    text: Cow<'de, str>,
    /// Whether the record itself has a key of this name, which comes before one within others.
    flat: bool,
}

/// An object of a record, and the path to it with a dot at its end.
struct Level<'l, 'de> {
    wanted: &'l [String],
    front: &'l str,
    found: &'l mut [Option<Found<'de>>],
}

impl<'de> Visitor<'de> for Level<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let flat = self.front.is_empty();
        while let Some(key) = map.next_key_seed(KeyText)? {
            let (mut named, mut within) = (None, false);
            for (at, wanted) in self.wanted.iter().enumerate() {
                let rest = wanted.strip_prefix(self.front);
                match rest.and_then(|rest| rest.strip_prefix(key.as_ref())) {
                    Some("") => named = Some(at),
                    Some(rest) => within |= rest.starts_with('.'),
                    None => {}
                }
            }
            if named.is_none() && !within {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            // Numbers keep their digits.
            let raw: &'de RawValue = map.next_value()?;
            let Some(slot) = named.and_then(|at| self.found.get_mut(at)) else {
                if raw.get().starts_with('{') {
                    let level = Level {
                        wanted: self.wanted,
                        front: &format!("{}{key}.", self.front),
                        found: &mut *self.found,
                    };
                    let mut parser = serde_json::Deserializer::from_str(raw.get());
                    parser.deserialize_map(level).map_err(A::Error::custom)?;
                }
                continue;
            };
            match slot {
                Some(found) if found.flat == flat => {
                    return Err(A::Error::custom(format!("`{}{key}` is given twice", self.front)));
                }
                Some(found) if found.flat => continue,
                Some(_) | None => {}
            }
            let text = match raw.get() {
                "null" => "".into(),
                text if text.starts_with('"') => Cow::Owned(serde_json::from_str(text).map_err(A::Error::custom)?),
                text if text.starts_with(['{', '[']) => {
                    let name = format!("`{}{key}` is neither text nor a number", self.front);
                    return Err(A::Error::custom(name));
                }
                text => text.into(),
            };
            *slot = Some(Found { text, flat });
        }
        Ok(())
    }
}
