//! A bill whose columns are read each by itself, of each row no more than its place needs.

use std::fs::File;
use std::sync::Arc;

use csv::StringRecord;
use parquet::errors::Result;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::super::amount::Cost;
use super::super::bills::{Bills, Place};
use super::super::focus_tokens;
use super::super::line::Fault;
use super::super::memo::{Memo, Spread, Way};
use super::super::read::Run;
use super::super::table::Columns;
use super::super::wanted::{CostColumns, Wanted};
use super::cells::{Column, Role};
use super::chunk::Chunks;
use super::combine::{Combined, Met};
use super::tally::Tally;
use crate::domain::period::Hour;
use crate::domain::spend::TokenSums;

/// The columns of a bill and what is known of its rows.
pub(super) struct Bill {
    columns: Columns,
    /// In order of [`Wanted::positions`].
    pub(super) cells: Vec<Column>,
    /// Of these the ones that rows share.
    shared: Vec<usize>,
    /// Those that few rows need.
    rest: Vec<usize>,
    pub(super) costs: CostColumns,
    /// Whether the columns of [`CostColumns::lists`] are read of all rows: as soon as one needs them.
    listed: bool,
    pub(super) at: usize,
    /// The amount of usage.
    quantity: Option<usize>,
    /// Quantities with their units.
    counted: [(Option<usize>, Option<usize>); 2],
    /// Those that may name a kind of token, the first one first.
    kinds: Vec<usize>,
    pub(super) combined: Combined,
    /// Over all row groups, by the numbers of texts.
    memo: Memo,
    key: Vec<u8>,
    values: StringRecord,
    chunks: Arc<Chunks>,
    pub(super) tally: Tally,
}

impl Bill {
    /// None where a wanted column holds values of another kind, or lists.
    pub fn of(
        columns: &Columns,
        wanted: &Wanted,
        reader: &SerializedFileReader<File>,
        chunks: Arc<Chunks>,
    ) -> Option<Self> {
        let schema = reader.metadata().file_metadata().schema_descr();
        let named = |name: &str| {
            columns
                .position(name)
                .and_then(|at| wanted.positions.binary_search(&at).ok())
        };
        let amounts: Vec<usize> = wanted.costs.all().collect();
        let column = |root: &usize| {
            let role = match () {
                () if amounts.contains(root) => Role::Amount,
                () if wanted.rare.contains(root) => Role::RareAmount,
                () => Role::Text,
            };
            let mut leaves = (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == *root);
            let leaf = leaves.next()?;
            match role {
                // Perhaps a map.
                Role::Text if schema.column(leaf).path().parts().len() > 1 => Column::nested(schema, *root),
                Role::Text | Role::Amount | Role::RareAmount => Column::new(leaf, schema.column(leaf), role),
            }
        };
        let place = |at: usize| wanted.positions.binary_search(&at).ok();
        let costs = wanted.costs.places(&wanted.positions)?;
        let mut cells = wanted.positions.iter().map(column).collect::<Option<Vec<_>>>()?;
        let mut shared: Vec<usize> = wanted.shared.iter().filter_map(|at| place(*at)).collect();
        for (at, reduce) in &wanted.reduced {
            let at = place(*at)?;
            cells.get_mut(at)?.codes.reduce(*reduce);
            shared.push(at);
        }
        let at = place(wanted.at)?;
        let own = [Some(costs.billed), costs.effective, Some(at)];
        let rest = (0..cells.len()).filter(|at| !own.contains(&Some(*at)) && !shared.contains(at));
        Some(Bill {
            rest: rest.collect(),
            cells,
            shared,
            costs,
            listed: false,
            at,
            quantity: wanted.quantity.and_then(place),
            counted: focus_tokens::COUNTED.map(|(quantity, unit)| (named(quantity), named(unit))),
            kinds: focus_tokens::KIND.into_iter().filter_map(named).collect(),
            columns: columns.narrowed(wanted),
            combined: Combined::new(),
            memo: Memo::default(),
            key: Vec::new(),
            values: StringRecord::new(),
            chunks,
            tally: Tally::default(),
        })
    }

    /// Goes on with a row group.
    pub fn open(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        let chunks = &self.chunks;
        self.cells.iter_mut().try_for_each(|cell| cell.open(group, chunks))
    }

    /// Reads the next rows of a group, without the columns that only few rows need.
    pub fn read(&mut self, group: &dyn RowGroupReader, rows: usize) -> Result<()> {
        if self.cells.iter_mut().fold(false, |any, cell| cell.bounded() | any) {
            // The numbers of texts have another meaning now.
            self.memo = Memo::default();
            self.combined.clear();
        }
        for (at, cell) in self.cells.iter_mut().enumerate() {
            if self.rest.contains(&at) {
                cell.pass(rows);
            } else {
                cell.read(group, rows)?;
            }
        }
        let cells = &self.cells;
        self.combined
            .combine(self.shared.iter().filter_map(|at| cells.get(*at)), rows);
        Ok(())
    }

    /// Adds rows one by one, until `to` or one of which more is read than its costs and its hour: that one.
    pub fn known_rows(&mut self, bills: &mut Bills, from: usize, to: usize) -> Result<usize> {
        if from < to {
            self.tally.hand_over(bills);
        }
        let cells = &self.cells;
        let (Some(billed), Some(charged)) = (cells.get(self.costs.billed), cells.get(self.at)) else {
            return Ok(from);
        };
        let mut row = from;
        let mut hour: Option<(u32, Hour)> = None;
        let mut last: Option<(u64, Place, Spread)> = None;
        while row < to {
            let Some(billed) = billed.costs.amount(row) else { break };
            let key = self.combined.key(row);
            let (place, spread) = match last {
                Some((same, place, spread)) if same == key => (place, spread),
                _ => match self.combined.get(key) {
                    Some(met) if met.known.way == Way::Costs => (met.known.place, met.known.spread),
                    _ => break,
                },
            };
            last = Some((key, place, spread));
            if !self.reads(spread) {
                break;
            }
            let given = |at: usize| cells.get(at)?.costs.given(row);
            let Some(effective) = self.costs.effective(spread, billed, given) else {
                break;
            };
            let code = charged.codes.code(row);
            let now = match hour {
                Some((same, hour)) if same == code => hour,
                _ => match charged.known_hour(code) {
                    Some(hour) => hour,
                    None => break,
                },
            };
            hour = Some((code, now));
            // What does not fit is told with the row.
            if bills
                .put(place, now, Cost::Short(billed), Cost::Short(effective), None)
                .is_err()
            {
                break;
            }
            row += 1;
        }
        Ok(row)
    }

    /// Adds one of these rows, with whatever of it is known.
    pub fn row(
        &mut self,
        run: &mut Run<'_>,
        group: &dyn RowGroupReader,
        row: usize,
    ) -> Result<std::result::Result<(), Fault>> {
        let hour = match self.cells.get_mut(self.at) {
            Some(cell) => cell.hour(row)?,
            None => None,
        };
        let combination = self.combined.key(row);
        let mut met = self.combined.get(combination);
        if met.is_none() {
            met = self.recall(row)?;
            if let Some(met) = met {
                self.combined.insert(combination, met);
            }
        }
        let fast = met.filter(|met| met.known.way != Way::Row);
        if fast.is_some_and(|met| !self.reads(met.known.spread)) {
            self.read_lists(group)?;
        }
        let costs = fast.and_then(|met| {
            let given = |at: usize| self.cells.get(at)?.costs.given(row);
            let billed = given(self.costs.billed)??;
            Some((billed, self.costs.effective(met.known.spread, billed, given)?))
        });
        if let Some(((met, (billed, effective)), hour)) = fast.zip(costs).zip(hour) {
            let (billed, effective) = (Cost::Short(billed), Cost::Short(effective));
            let tokens = match met.known.way {
                Way::Tokens | Way::Counted(_) => self.tokens(group, row, met)?.map(Some),
                Way::Costs | Way::Row => Some(None),
            };
            // What does not fit, or cannot be read, is told below, with its column.
            if let Some(tokens) = tokens {
                let put = run.bills.put(met.known.place, hour, billed, effective, tokens.as_ref());
                if put.is_ok() {
                    return Ok(put);
                }
            }
        }
        if let Err(fault) = self.take(group, row)? {
            return Ok(Err(fault));
        }
        let found = match self.columns.add(run, &self.values) {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        if met.is_none() {
            // The key is still that of this row.
            let (_, hash) = self.memo.get(&self.key);
            self.memo.insert(&self.key, hash, found);
        }
        Ok(Ok(()))
    }

    /// Whether the columns are read in which an effective cost may stand.
    fn reads(&self, spread: Spread) -> bool {
        self.listed || self.costs.one() || !matches!(spread, Spread::Listed(_))
    }

    /// From these rows on reads the columns that lists name.
    fn read_lists(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        for at in self.costs.lists.iter().flatten() {
            if let Some(cell) = self.cells.get_mut(*at) {
                cell.need(group)?;
            }
        }
        let lists = &self.costs.lists;
        self.rest.retain(|at| !lists.iter().flatten().any(|other| other == at));
        self.listed = true;
        Ok(())
    }

    /// What is known of a row by its texts.
    pub(super) fn recall(&mut self, row: usize) -> Result<Option<Met>> {
        self.key.clear();
        for at in &self.shared {
            if let Some(cell) = self.cells.get_mut(*at) {
                self.key.extend_from_slice(&cell.number(row)?.to_le_bytes());
            }
        }
        let (Some(known), _) = self.memo.get(&self.key) else {
            return Ok(None);
        };
        let mut scales = [0; 2];
        for (slot, (_, unit)) in scales.iter_mut().zip(self.counted) {
            if let Some(cell) = unit.and_then(|at| self.cells.get_mut(at)) {
                *slot = cell
                    .text(row)?
                    .ok()
                    .and_then(|unit| focus_tokens::scale(&unit))
                    .unwrap_or(0);
            }
        }
        Ok(Some(Met { known, scales }))
    }

    /// The tokens of a row, by as few columns as tell them; none where what it says of them may not be one that can be read.
    pub(super) fn tokens(&mut self, group: &dyn RowGroupReader, row: usize, met: Met) -> Result<Option<TokenSums>> {
        let Met { known, scales } = met;
        let mut sums = TokenSums::default();
        if let Way::Counted(counted) = known.way {
            if let Some(cell) = self.quantity.and_then(|at| self.cells.get_mut(at)) {
                cell.need(group)?;
                return Ok(match cell.amount(row) {
                    Some(amount) => counted.tokens(amount.into()),
                    None => match cell.text(row)? {
                        Ok(text) if tells_nothing(&text) => Some(sums),
                        text => text.and_then(|text| counted.tokens_of_text(&text)).ok(),
                    },
                });
            }
            return Ok(Some(sums));
        }
        let (mut counted, mut unread) = (None, false);
        for ((quantity, _), scale) in self.counted.into_iter().zip(scales) {
            let Some(cell) = quantity.filter(|_| scale > 0).and_then(|at| self.cells.get_mut(at)) else {
                continue;
            };
            cell.need(group)?;
            counted = match cell.amount(row) {
                Some(amount) => focus_tokens::count_short(amount, scale),
                None => match cell.text(row)? {
                    Ok(text) if tells_nothing(&text) => continue,
                    text => text.and_then(|text| focus_tokens::count(&text, scale)).ok(),
                },
            };
            if counted.is_some() {
                break;
            }
            unread = true;
        }
        let Some(counted) = counted else {
            return Ok(Some(sums).filter(|_| !unread));
        };
        for at in &self.kinds {
            if let Some(cell) = self.cells.get_mut(*at) {
                cell.need(group)?;
                if let Some(bucket) = cell.bucket(row)? {
                    sums.set(bucket, counted);
                    break;
                }
            }
        }
        Ok(Some(sums))
    }

    /// What is wrong with the tokens of a row, by all of its texts; those of one with which nothing is are added to its sum.
    pub fn uncounted(
        &mut self,
        bills: &mut Bills,
        group: &dyn RowGroupReader,
        row: usize,
        slot: u32,
    ) -> Result<Option<Fault>> {
        if let Err(fault) = self.take(group, row)? {
            return Ok(Some(Fault {
                costs_count: true,
                ..fault
            }));
        }
        let tokens = self.columns.tokens(&self.values);
        if let Ok(tokens) = &tokens {
            bills.add_tokens(slot, tokens);
        }
        Ok(tokens.err())
    }

    /// Puts the texts of a row together.
    fn take(&mut self, group: &dyn RowGroupReader, row: usize) -> Result<std::result::Result<(), Fault>> {
        for at in &self.rest {
            if let Some(cell) = self.cells.get_mut(*at) {
                cell.need(group)?;
            }
        }
        self.values.clear();
        let mut fault = None;
        for cell in &mut self.cells {
            match cell.text(row)? {
                Ok(text) => self.values.push_field(&text),
                Err(reason) => {
                    self.values.push_field("");
                    fault = Some(Fault::whole(reason));
                }
            }
        }
        Ok(fault.map_or(Ok(()), Err))
    }

    /// The texts of the row that was put together last.
    pub fn last_row(&self) -> &[u8] {
        self.values.as_slice().as_bytes()
    }
}

/// Whether a text is that of no value.
fn tells_nothing(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("null")
}
