//! Spans that are saved together, as bytes: the number of the first, the runs in which they were met last, and the spans.

use super::super::node::{Node, SpanKey};
use super::super::saved::take;
use super::super::split::Splits;

/// Marks, beside the number, that the runs follow. An earlier version left them out.
const WITH_RUNS: u64 = 1 << 48;

/// A part that was saved.
pub(super) struct Part<'b> {
    /// The number of its first span.
    pub first: u64,
    /// The runs in which its spans were met last, each with how many there are of it in a row.
    runs: Vec<(u32, u16)>,
    spans: &'b [u8],
}

impl<'b> Part<'b> {
    /// Writes spans from a number on.
    pub fn save<'s>(first: u64, spans: impl Iterator<Item = &'s (SpanKey, Node)>) -> Vec<u8> {
        let (mut runs, mut bytes, mut splits): (Vec<(u32, u16)>, _, _) = (Vec::new(), Vec::new(), Splits::default());
        for (key, node) in spans {
            match runs.last_mut() {
                Some((run, many)) if *run == node.run && *many < u16::MAX => *many += 1,
                Some(_) | None => runs.push((node.run, 1)),
            }
            node.save(*key, &mut splits, &mut bytes);
        }
        let mut saved = (first | WITH_RUNS).to_le_bytes().to_vec();
        saved.extend(u16::try_from(runs.len()).unwrap_or(u16::MAX).to_le_bytes());
        for (run, many) in runs {
            saved.extend(run.to_le_bytes());
            saved.extend(many.to_le_bytes());
        }
        saved.extend(bytes);
        saved
    }

    /// Begins to read one; nothing of what is damaged.
    pub fn begin(mut bytes: &'b [u8]) -> Option<Self> {
        let number = u64::from_le_bytes(take(&mut bytes)?);
        let mut runs = Vec::new();
        if number & WITH_RUNS != 0 {
            for _ in 0..u16::from_le_bytes(take(&mut bytes)?) {
                let run = u32::from_le_bytes(take(&mut bytes)?);
                runs.push((run, u16::from_le_bytes(take(&mut bytes)?)));
            }
        }
        let part = Part {
            first: number & !WITH_RUNS,
            runs,
            spans: bytes,
        };
        Some(part).filter(|part| part.first >> 48 == 0)
    }

    /// The last run in which one of its spans was met.
    pub fn last_run(&self) -> u32 {
        self.runs.iter().map(|(run, _)| *run).max().unwrap_or_default()
    }

    /// Its spans, as far as they can be read.
    pub fn spans(self) -> impl Iterator<Item = (SpanKey, Node)> {
        let (mut splits, mut bytes) = (Splits::default(), self.spans);
        let runs = self.runs.into_iter();
        let mut runs = runs.flat_map(|(run, many)| std::iter::repeat_n(run, usize::from(many)));
        std::iter::from_fn(move || {
            let (key, mut node) = Node::load(&mut splits, &mut bytes)?;
            node.run = runs.next().unwrap_or_default();
            Some((key, node))
        })
    }
}
