//! Reads the lines that are read ahead together: they are known to be whole and to be text, and calls are taken off them by the dozen.

use super::line::LineFormat;
use super::position::Position;
use super::read::Run;
use super::records::{Behind, Record, Records};
use super::remember::PATIENCE;
use super::scan::{Line, Lines};
use super::sniff::Input;
use super::stop::Stop;

/// Events after which a large file gets a checkpoint of its own, so that an interrupted run does not start over.
const CHECKPOINT_EVENTS: u64 = 65_536;
/// What records yielded is handed over when there is so much of it: less than the nearest cache holds.
const HANDED_OVER: usize = 64;

impl Run<'_> {
    /// Reads the lines that are read ahead, up to one that has to be read by itself.
    pub fn lines_ahead(
        &mut self,
        records: &mut Records<Input<'_>>,
        name: &str,
        reader: &mut dyn LineFormat,
        mut position: Option<&mut Position>,
        since_checkpoint: &mut u64,
    ) -> Result<(), Stop> {
        let text = records.whole_lines();
        let (offset, newlines) = (records.offset, records.newlines);
        let mut lines = Lines::new(text, newlines);
        let mut read = 0;
        // Zero bytes before a line are passed over by who reads it by itself.
        let ends = |lines: &Lines<'_>| lines.rest().is_empty() || lines.rest().starts_with('\0');
        if !ends(&lines) && records.has_passed_zeros() {
            self.tell_zeros();
        }
        while !ends(&lines) {
            let (from, before) = (read, lines.since(newlines));
            let most = HANDED_OVER.saturating_sub(self.out.held());
            reader.calls(&mut lines, most, &mut self.context, &mut self.out);
            let is_left = lines.since(newlines) - before < most as u64 && !ends(&lines);
            let at = offset + (text.len() - lines.rest().len()) as u64;
            if is_left && let Some(line) = lines.take() {
                let refused = self.refused;
                self.line(line, at, name, reader);
                if self.refused > refused
                    && let Some(position) = position.as_deref_mut()
                {
                    position.refuse(at, line.text.as_bytes());
                }
            }
            read = text.len() - lines.rest().len();
            let count = lines.since(newlines);
            self.progress.lines += count - before;
            self.progress.bytes += (read - from) as u64;
            let at = || records.behind(offset + read as u64, newlines + count);
            self.go_on(name, position.as_deref(), at, reader, since_checkpoint)?;
        }
        self.context.forms.forget_compared();
        let (count, left) = (lines.since(newlines), lines.rest().len());
        records.pass(read, count, left);
        Ok(())
    }

    /// Tells that zero bytes were passed over before a record.
    pub fn tell_zeros(&mut self) {
        let about = "places in files that are filled with zero bytes, where a writer went on behind what was cut off: passed over";
        self.sink.warn(about, 1);
    }

    /// Reads a line that is whole.
    fn line(&mut self, line: Line<'_>, at: u64, name: &str, reader: &mut dyn LineFormat) {
        let text = trimmed(line.text);
        if text.len() != line.text.len() || text.is_empty() {
            self.context.forms.forget_compared();
        }
        if text.is_empty() {
            return;
        }
        let record = Record {
            bytes: line.text.as_bytes(),
            at,
            line: line.number,
            ended: true,
            too_long: false,
            broken: false,
        };
        self.text(text, &record, name, reader);
    }

    /// Hands over what was read so far, where that is enough or the time is used up, and keeps how far the file is read.
    pub fn go_on<'b>(
        &mut self,
        name: &str,
        position: Option<&Position>,
        at: impl FnOnce() -> Behind<'b>,
        reader: &dyn LineFormat,
        since_checkpoint: &mut u64,
    ) -> Result<(), Stop> {
        // Also where no call is among what is read.
        let is_late = self.looks_up() && self.returns && self.sink.enough();
        if self.out.held() < HANDED_OVER && !is_late {
            return Ok(());
        }
        *since_checkpoint += self.hand_over()?;
        if is_late {
            // What waits is priced when a run ends.
            *since_checkpoint = (*since_checkpoint).max(PATIENCE);
        }
        if *since_checkpoint >= CHECKPOINT_EVENTS && self.traces_ready(*since_checkpoint)? {
            *since_checkpoint = 0;
            self.pause(name, position, &at(), || reader.save())?;
        }
        Ok(())
    }
}

/// [`Record::trimmed`] of a text.
fn trimmed(text: &str) -> &str {
    let text = text.trim_ascii();
    match text.strip_suffix(',').map(str::trim_ascii_end) {
        Some(object) if object.starts_with('{') && object.ends_with('}') => object,
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests;
