//! Which months of a bill are asked for: what is known of the readings before decides.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};

use crate::ports::{Checkpoint, Checkpoints};

/// The checkpoint of the first month that was asked for.
pub(super) const FROM: &str = "from";
/// Months that are asked for at most.
const MOST: u32 = 36;
/// Days after its end when a month of which nothing came is closed though nothing came after it either.
const WAIT: i64 = 62;

/// The first day of a day's month.
pub(super) fn first_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// What the readings before left.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// When it was read last.
    pub asked: Option<DateTime<Utc>>,
    /// The first month that was asked for: until one is closed, all since then are open.
    from: Option<NaiveDate>,
    /// The last month that is invoiced, with all before it.
    closed: Option<NaiveDate>,
    /// The bills of the months that were read last.
    pub told: Vec<String>,
}

impl Read {
    /// From the checkpoints.
    pub fn of(known: &Checkpoints) -> Self {
        let text = |key: &str| known.get(key).and_then(|Checkpoint(at)| std::str::from_utf8(at).ok());
        let told = text("told").into_iter().flat_map(str::lines);
        Read {
            asked: text("asked").and_then(|at| at.parse().ok()),
            from: text(FROM).and_then(|day| day.parse().ok()).map(first_of),
            closed: text("closed").and_then(|day| day.parse().ok()).map(first_of),
            told: told.map(str::to_owned).collect(),
        }
    }

    /// The months that have to be read, oldest first: of the first reading so many.
    pub fn open(&self, today: NaiveDate, first: u32) -> Vec<NaiveDate> {
        let this = first_of(today);
        let first = this - Months::new(first.clamp(1, MOST) - 1);
        // Earlier builds did not keep where they began: of what they asked for last, the month before may have been open.
        let asked = || self.asked.map(|at| first_of(at.date_naive()) - Months::new(1));
        let from = self
            .closed
            .unwrap_or_else(|| self.from.or_else(asked).map_or(first, |from| from.min(first)));
        let mut month = from.max(this - Months::new(MOST - 1)).min(this);
        let mut open = Vec::new();
        while month <= this {
            open.push(month);
            month = month + Months::new(1);
        }
        open
    }

    /// The first day that was not final when it was read last: days are with the invoice of their month. AWS fills in the last ones of a
    /// month after its end.
    pub fn settled(&self, months: &[NaiveDate], now: DateTime<Utc>) -> NaiveDate {
        let asked = first_of(self.asked.unwrap_or(now).date_naive());
        let invoiced = self.closed.map(|closed| closed + Months::new(1));
        invoiced
            .or(months.first().copied())
            .map_or(asked, |first| first.min(asked))
    }

    /// The last month that is closed now, where it is a later one than before.
    pub fn closed(
        &self,
        months: &[NaiveDate],
        today: NaiveDate,
        seen: &BTreeSet<NaiveDate>,
        uninvoiced: &BTreeSet<NaiveDate>,
    ) -> Option<NaiveDate> {
        let closes = |month: &&NaiveDate| {
            let known = self.closed.is_some_and(|closed| **month <= closed);
            let end = **month + Months::new(1);
            let over = end <= today && !uninvoiced.contains(*month);
            // Nothing was billed in it, if a later one has rows.
            let empty = || seen.iter().any(|other| other > *month) || (today - end).num_days() > WAIT;
            known || (over && (seen.contains(*month) || empty()))
        };
        let last = months.iter().take_while(closes).last().copied();
        last.filter(|last| self.closed.is_none_or(|closed| closed < *last))
    }

    /// The bills that were told before of these months and are not now: those of a month that has rows, which come to nothing, and those
    /// of one that has none.
    pub fn untold(
        &self,
        months: &[NaiveDate],
        told: &BTreeSet<String>,
        seen: &BTreeSet<NaiveDate>,
    ) -> (Vec<String>, Vec<String>) {
        let month = |identity: &str| {
            let (_, day) = identity.rsplit_once('/')?;
            day.parse().ok().map(first_of)
        };
        let of_months = self.told.iter().filter(|identity| !told.contains(*identity));
        let of_months = of_months.filter_map(|identity| Some((identity.clone(), month(identity)?)));
        let of_months = of_months.filter(|(_, month)| months.contains(month));
        let (gone, silent): (Vec<_>, Vec<_>) = of_months.partition(|(_, month)| seen.contains(month));
        let names = |list: Vec<(String, NaiveDate)>| list.into_iter().map(|(identity, _)| identity).collect();
        (names(gone), names(silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn named(months: &[NaiveDate]) -> Vec<String> {
        months.iter().map(|month| month.format("%Y-%m").to_string()).collect()
    }

    fn read(asked: Option<&str>, closed: Option<&str>) -> Read {
        Read {
            asked: asked.map(|at| format!("{at}T00:00:00Z").parse().unwrap()),
            from: None,
            closed: closed.map(day),
            told: Vec::new(),
        }
    }

    #[test]
    fn days_are_final_once_their_month_is_invoiced() {
        let now = "2026-11-02T12:00:00Z".parse().unwrap();
        for (asked, closed, settled) in [
            (None, None, "2026-10-01"),
            (Some("2026-11-02"), None, "2026-10-01"),
            (Some("2026-11-02"), Some("2026-09-01"), "2026-10-01"),
            (Some("2026-11-02"), Some("2026-10-01"), "2026-11-01"),
            (Some("2026-10-30"), Some("2026-10-01"), "2026-10-01"),
        ] {
            let read = read(asked, closed);
            let months = read.open(day("2026-11-02"), 2);
            assert_eq!(read.settled(&months, now), day(settled), "{asked:?} {closed:?}");
        }
    }

    #[test]
    fn the_months_that_are_asked_for_begin_where_the_invoices_ended() {
        for (asked, closed, today, expected) in [
            (None, None, "2026-11-03", &["2026-10", "2026-11"][..]),
            // Refunds come after the invoice.
            (
                Some("2026-11-07"),
                Some("2026-10-01"),
                "2026-11-08",
                &["2026-10", "2026-11"],
            ),
            // Nothing was invoiced when it was read last, and then nobody read.
            (
                Some("2026-06-05"),
                None,
                "2026-09-01",
                &["2026-05", "2026-06", "2026-07", "2026-08", "2026-09"],
            ),
            (Some("2026-12-05"), Some("2026-12-01"), "2026-11-08", &["2026-11"]),
        ] {
            assert_eq!(named(&read(asked, closed).open(day(today), 2)), expected);
        }
        assert_eq!(
            read(Some("2016-06-05"), None).open(day("2026-11-03"), 2).len(),
            MOST as usize
        );
    }

    #[test]
    fn all_months_since_the_first_reading_are_open_until_one_is_invoiced() {
        let open = |from: Option<&str>, asked: &str, today: &str, first| {
            let read = Read {
                from: from.map(day),
                ..read(Some(asked), None)
            };
            named(&read.open(day(today), first))
        };
        let [april, may, june] = ["2026-04", "2026-05", "2026-06"];
        assert_eq!(open(Some("2026-05-01"), "2026-06-02", "2026-06-03", 1), [may, june]);
        assert_eq!(
            open(Some("2026-04-01"), "2026-06-02", "2026-06-03", 2),
            [april, may, june]
        );
        // The settings ask for more now.
        assert_eq!(
            open(Some("2026-05-01"), "2026-06-02", "2026-06-03", 3),
            [april, may, june]
        );
        // An earlier build told when it asked, and no more.
        assert_eq!(open(None, "2026-06-02", "2026-06-03", 1), [may, june]);
    }

    #[test]
    fn a_month_closes_when_it_is_invoiced_or_has_nothing_to_invoice() {
        let before = read(Some("2027-01-20"), Some("2026-11-01"));
        let closed = |seen: &[&str], uninvoiced: &[&str], today: &str| {
            let set = |days: &[&str]| days.iter().map(|text| day(text)).collect();
            let months = before.open(day(today), 2);
            before.closed(&months, day(today), &set(seen), &set(uninvoiced))
        };
        let [november, december, january] = ["2026-11-01", "2026-12-01", "2027-01-01"];
        // The report may still be on its way.
        assert_eq!(closed(&[november], &[], "2027-01-20"), None);
        assert_eq!(
            closed(&[november, january], &[january], "2027-01-20"),
            Some(day(december))
        );
        assert_eq!(closed(&[november, january], &[], "2027-02-20"), Some(day(january)));
        assert_eq!(closed(&[november], &[], "2027-03-20"), Some(day(december)));
        // A refund that has no invoice yet opens nothing that was closed.
        assert_eq!(
            closed(&[november, december], &[november], "2027-01-20"),
            Some(day(december))
        );
    }

    #[test]
    fn a_bill_that_is_told_no_more_comes_to_nothing_where_its_month_is_there() {
        let mut before = read(None, None);
        before.told = [
            "cur/aws/1/2026-10-01",
            "cur/aws/1/2026-11-01",
            "cur/aws/2/2026-11-01",
            "cur/aws/1/2026-09-01",
        ]
        .map(str::to_owned)
        .into();
        let months = [day("2026-10-01"), day("2026-11-01")];
        let told = BTreeSet::from(["cur/aws/2/2026-11-01".to_owned()]);
        let (gone, silent) = before.untold(&months, &told, &BTreeSet::from([day("2026-11-01")]));
        assert_eq!(
            (gone, silent),
            (
                vec!["cur/aws/1/2026-11-01".to_owned()],
                vec!["cur/aws/1/2026-10-01".to_owned()]
            )
        );
    }
}
