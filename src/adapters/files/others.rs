//! What the other sources of a run read: a session may be a fork of one that lies there.

use std::path::PathBuf;

use super::discover::discover;
use super::{FileFormat, FileSource, Spans};

/// The paths of other sources, and the folders that these start at.
#[derive(Clone, Default)]
pub(super) struct Others(Vec<(Vec<String>, PathBuf)>);

impl Others {
    /// Their files as they are now. What cannot be looked into is told where it is read.
    pub fn files(&self, env: fn(&str) -> Option<String>) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for (paths, base) in &self.0 {
            if let Ok(search) = discover(paths, base, env) {
                let found = search.found.into_iter().filter(|found| found.metadata.is_file());
                files.extend(found.map(|found| found.path));
            }
        }
        files
    }
}

impl FileSource {
    /// Makes the sources of a run known to each other.
    pub fn acquaint(sources: &mut [FileSource]) {
        let may_hold_sessions = |format: Option<FileFormat>| format.is_none_or(|format| format == FileFormat::Codex);
        let of = |source: &FileSource| {
            let options = &source.options;
            may_hold_sessions(options.format).then(|| (options.paths.clone(), options.base.clone()))
        };
        let all: Vec<_> = sources.iter().map(of).collect();
        for (own, source) in sources.iter_mut().enumerate() {
            let others = all.iter().enumerate().filter(|(at, _)| *at != own);
            source.others = Others(others.filter_map(|(_, place)| place.clone()).collect());
        }
        let spans = Spans::of(sources.iter().map(|source| source.options.name.as_str()));
        sources.iter_mut().for_each(|source| source.spans = spans.clone());
    }

    /// What is known of traces, for a further source of the run.
    #[must_use]
    pub fn spans(&self) -> Spans {
        self.spans.clone()
    }
}
