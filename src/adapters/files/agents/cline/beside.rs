//! What lies beside the messages of a task or a session: which models were asked, and in which folder.
//!
//! ```text
//! tasks/ID/task_metadata.json             model_usage: Cline, from when on which model
//! tasks/ID/api_conversation_history.json  <model>…</model> in what Roo Code and Kilo Code tell a model of where it is
//! tasks/ID/history_item.json              workspace: Roo Code
//! state/taskHistory.json                  cwdOnTaskInitialization: Cline
//! sessions/ID/ID.json                     cwd: Cline CLI
//! ```

use std::fs::File;
use std::io::Read;
use std::path::Path;

use memchr::memmem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::super::super::records::RECORD_LIMIT;

/// What was found; empty where nothing was.
#[derive(Default)]
pub(super) struct Beside {
    /// The name of the task's folder, which is its id.
    pub task: String,
    /// Where the task was begun.
    pub folder: String,
    /// In the order of their times.
    models: Vec<Model>,
}

/// Which model was asked from a time on.
struct Model {
    from_ms: i64,
    provider: String,
    model: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    model_usage: Vec<Used>,
}

#[derive(Deserialize)]
struct Used {
    ts: i64,
    #[serde(default)]
    model_provider_id: String,
    #[serde(default)]
    model_id: String,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(default)]
    ts: Option<i64>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    workspace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    id: String,
    #[serde(default)]
    cwd_on_task_initialization: String,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    cwd: String,
}

impl Beside {
    /// Looks beside a file. What cannot be read there is not known; what is read counts all the same.
    pub fn of(file: &Path) -> Self {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(own), Some(folder)) = (name(file), file.parent()) else {
            return Beside::default();
        };
        let id = name(folder).unwrap_or_default();
        if own.ends_with(".messages.json") {
            let manifest: Option<Manifest> = parsed(&folder.join(format!("{id}.json")));
            return Beside {
                folder: manifest.map(|manifest| manifest.cwd).unwrap_or_default(),
                ..Beside::default()
            };
        }
        if own != "ui_messages.json" {
            return Beside::default();
        }
        let metadata: Option<Metadata> = parsed(&folder.join("task_metadata.json"));
        let used = metadata.map(|metadata| metadata.model_usage).unwrap_or_default();
        let mut models: Vec<Model> = used
            .into_iter()
            .map(|used| Model {
                from_ms: used.ts,
                provider: used.model_provider_id,
                model: used.model_id,
            })
            .collect();
        if models.is_empty() {
            models = told(&folder.join("api_conversation_history.json"));
        }
        Beside {
            folder: begun_in(folder, &id),
            task: id,
            models,
        }
    }

    /// The provider and the model that were asked at a time; empty where that is not known.
    pub fn model(&self, at_ms: i64) -> (&str, &str) {
        let before = self.models.iter().rev().find(|model| model.from_ms <= at_ms);
        let found = before.or_else(|| self.models.first());
        found.map_or(("", ""), |found| (found.provider.as_str(), found.model.as_str()))
    }
}

/// Where a task was begun.
fn begun_in(folder: &Path, id: &str) -> String {
    let item: Option<Item> = parsed(&folder.join("history_item.json"));
    if let Some(item) = item.filter(|item| !item.workspace.is_empty()) {
        return item.workspace;
    }
    let storage = folder.parent().and_then(Path::parent);
    let known: Option<Vec<Known>> = storage.and_then(|storage| parsed(&storage.join("state/taskHistory.json")));
    let own = known.into_iter().flatten().find(|known| known.id == id);
    own.map(|own| own.cwd_on_task_initialization).unwrap_or_default()
}

/// The models that requests name among what they tell a model of where it is. A request is noted before it is made, and this is written
/// while it is made: it holds from the one before it on.
fn told(history: &Path) -> Vec<Model> {
    let Some(text) = text(history) else { return Vec::new() };
    let mut models: Vec<Model> = Vec::new();
    let mut from_ms = i64::MIN;
    for message in serde_json::from_str::<Vec<Told<'_>>>(&text).unwrap_or_default() {
        let named = message.content.and_then(|content| model_in(content.get()));
        let (Some(at), Some(named)) = (message.ts, named) else {
            continue;
        };
        if models.last().is_none_or(|last| last.model != named) {
            models.push(Model {
                from_ms,
                provider: String::new(),
                model: named.to_owned(),
            });
        }
        from_ms = at.saturating_add(1);
    }
    models
}

/// The model in a text as JSON writes it. What people and tools say stands before it.
fn model_in(content: &str) -> Option<&str> {
    const BEGIN: &str = "</name>\\n<model>";
    let at = memmem::rfind(content.as_bytes(), BEGIN.as_bytes())?;
    let (model, _) = content.get(at + BEGIN.len()..)?.split_once("</model>")?;
    let plain = !model.is_empty() && !model.contains(['\\', '"', '<']);
    plain.then_some(model)
}

fn text(path: &Path) -> Option<String> {
    // What is no file may be a pipe, at which one would wait.
    let file = path.metadata().ok().filter(|found| found.is_file())?;
    let limit = u64::try_from(RECORD_LIMIT).unwrap_or(u64::MAX);
    let mut text = String::new();
    let read = File::open(path).ok()?.take(limit).read_to_string(&mut text);
    (file.len() <= limit && read.is_ok()).then_some(text)
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&text(path)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_of_a_request_is_what_was_told_last_to_it_and_not_what_it_read() {
        for (content, model) in [
            (
                r#"[{"type":"text","text":"<slug>code</slug>\n<name>Code</name>\n<model>gpt-5</model>\n"}]"#,
                Some("gpt-5"),
            ),
            (
                r#"[{"text":"</name>\n<model>old</model>"},{"text":"</name>\n<model>x/y-1.5</model>"}]"#,
                Some("x/y-1.5"),
            ),
            (r#"[{"text":"<model>gpt-5</model>"}]"#, None),
            (r#"[{"text":"</name>\n<model>\"gpt-5</model>"}]"#, None),
            (r#"[{"text":"</name>\n<model>gpt-5"#, None),
        ] {
            assert_eq!(model_in(content), model, "{content}");
        }
    }
}
