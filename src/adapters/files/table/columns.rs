//! The columns of a bill, as far as its format needs them.

use std::collections::HashMap;

use csv::StringRecord;

use crate::domain::spend::{Basis, TokenSums};

use super::super::FileFormat;
use super::super::asked::Asked;
use super::super::cur;
use super::super::focus::{self, Row};
use super::super::focus_tokens;
use super::super::line::Fault;
use super::super::memo::Known;
use super::super::read::Run;
use super::super::wanted::{CostColumns, Wanted};

/// The columns of a bill, however its rows are stored.
pub struct Columns {
    format: FileFormat,
    by_name: HashMap<String, usize>,
    /// One that is read and is there twice: which of the two counts, nobody knows.
    twice: Option<String>,
}

impl Columns {
    /// Columns of these names, as far as they are needed.
    pub fn new(format: FileFormat, names: &[String], asked: Option<&Asked>) -> Self {
        let name = |name: &String| match format == FileFormat::Cur {
            true => cur::column(name),
            false => focus::column(name).to_owned(),
        };
        let mut by_name: HashMap<String, usize> = names.iter().enumerate().map(|(at, n)| (name(n), at)).collect();
        if format == FileFormat::Cur {
            cur::keep_tags(&mut by_name, names);
        }
        if let Some(asked) = asked.filter(|_| format == FileFormat::Cur) {
            cur::narrow(&mut by_name, asked);
        }
        if let Some(asked) = asked.filter(|_| format == FileFormat::Focus) {
            by_name.retain(|name, _| asked.needs(name));
            let costs = match asked.basis {
                Some(Basis::Billed) => Some(("BilledCost", "EffectiveCost")),
                Some(Basis::Effective) => Some(("EffectiveCost", "BilledCost")),
                Some(Basis::Metered | Basis::BilledFilled) | None => None,
            };
            // Of a cost that is not asked for no sum is kept.
            if let Some((asked, other)) = costs
                && let Some(at) = by_name.get(asked).copied()
                && let Some(other) = by_name.get_mut(other)
            {
                *other = at;
            }
        }
        let twice = names
            .iter()
            .enumerate()
            .find(|(at, one)| decides(format, one) && names.iter().skip(at + 1).any(|other| same(format, one, other)));
        Columns {
            format,
            by_name,
            twice: twice.map(|(_, name)| name.clone()),
        }
    }

    /// What is read of these columns, where rows of the same texts are summed alike.
    pub fn wanted(&self) -> Option<Wanted> {
        if self.twice.is_some() {
            return None;
        }
        if self.format == FileFormat::Cur {
            return cur::wanted(&self.by_name);
        }
        let own = ["BilledCost", "EffectiveCost", "ChargePeriodStart"];
        let at = |name: &&str| self.by_name.get(*name).copied();
        let [billed, effective, charged] = own.each_ref().map(at);
        let counted = focus_tokens::COUNTED.iter().map(|(quantity, _)| quantity);
        let mut wanted = Wanted {
            positions: focus_tokens::READ.iter().filter_map(at).collect(),
            shared: focus::SHARED.iter().filter_map(at).collect(),
            reduced: Vec::new(),
            costs: CostColumns {
                billed: billed?,
                effective: Some(effective?),
                or_billed: false,
                lists: [const { Vec::new() }; 2],
            },
            at: charged?,
            quantity: None,
            rare: counted.filter_map(at).collect(),
        };
        wanted.arrange();
        Some(wanted)
    }

    /// The same columns for rows that hold only the `wanted` of them.
    pub fn narrowed(&self, wanted: &Wanted) -> Columns {
        let by_name = self.by_name.iter();
        let by_name = by_name.filter_map(|(name, at)| Some((name.clone(), wanted.positions.binary_search(at).ok()?)));
        Columns {
            format: self.format,
            by_name: by_name.collect(),
            twice: None,
        }
    }

    /// Where the column of a name is.
    #[cfg(feature = "parquet")]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The tokens of a row.
    pub fn tokens(&self, values: &StringRecord) -> Result<TokenSums, Fault> {
        let row = Row {
            columns: &self.by_name,
            values,
        };
        match self.format == FileFormat::Cur {
            true => cur::tokens(&row),
            false => focus_tokens::tokens(&row),
        }
    }

    /// Adds a row to its bill.
    pub fn add(&self, run: &mut Run<'_>, values: &StringRecord) -> Result<Known, Fault> {
        if let Some(name) = &self.twice {
            return Err(Fault::field(name, "given twice"));
        }
        let row = Row {
            columns: &self.by_name,
            values,
        };
        let (options, bills, context) = (run.options, &mut run.bills, &mut run.context);
        let add = match self.format == FileFormat::Cur {
            true => cur::add,
            false => focus::add,
        };
        add(bills, &row, &options.defaults, options.name, context)
    }
}

/// Whether what a row costs, whose it is or when it was charged is told by a column.
fn decides(format: FileFormat, name: &str) -> bool {
    match format == FileFormat::Cur {
        true => ["line_item_", "bill_", "savings_plan_", "reservation_", "pricing_"]
            .iter()
            .any(|front| cur::column(name).starts_with(front)),
        false => focus::reads(focus::column(name)),
    }
}

/// Whether two names are of one column.
fn same(format: FileFormat, one: &str, other: &str) -> bool {
    one == other || (format == FileFormat::Focus && focus::column(one) == focus::column(other))
}
