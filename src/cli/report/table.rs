//! Reports for people: an aligned table with sparklines and trends.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::shown_name;
use super::sparks::{BY_DAY, below_zero, narrowed};
use crate::cli::text::{self, Align, Column, Cut, Room, count, counted, money, money_to, paint, tokens};
use crate::domain::money::Money;
use crate::domain::percent::percent_change;
use crate::domain::spend::Sums;
use crate::domain::usage::Bucket;
use crate::engine::report::{Axis, AxisValue, Report, Row, Section};

/// How it may look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal.
    pub room: Room,
    /// More than ASCII.
    pub unicode: bool,
    /// Colour.
    pub color: bool,
    /// Days after it have no bars.
    pub now: DateTime<Utc>,
}

/// Bars of a sparkline, the widest first: a narrow terminal gets fewer.
const SPARK_BARS: [usize; 4] = [31, 16, 11, 8];

/// All kinds of cache writes together.
pub fn cache_writes(sums: &Sums) -> i128 {
    [
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::CacheWrite30m,
        Bucket::CacheWrite12h,
    ]
    .map(|bucket| sums.tokens.get(bucket))
    .iter()
    .sum()
}

/// Audio, images and video together.
fn media(sums: &Sums) -> i128 {
    Bucket::MEDIA.map(|bucket| sums.tokens.get(bucket)).iter().sum()
}

/// The report as text, with a line break at its end.
pub fn draw(report: &Report, look: Look) -> String {
    let mut out = paint(&title(report), 1, look.color);
    out.push('\n');
    for section in &report.sections {
        out.push('\n');
        if section.rows.is_empty() {
            out.push_str("no spend\n");
            continue;
        }
        out.push_str(&body(report, section, look));
        out.push('\n');
        if let Some(line) = unpriced(section) {
            out.push_str(&paint(&line, 33, look.color));
            out.push('\n');
        }
    }
    for note in &report.estimates {
        out.push_str(&format!("estimate: {}\n", text::clean(note)));
    }
    for note in &report.notes {
        out.push_str(&format!("note: {}\n", text::clean(note)));
    }
    out
}

/// What the report is about, in one line.
pub fn title(report: &Report) -> String {
    let query = &report.query;
    let day = |at: DateTime<Utc>| {
        let local = at.with_timezone(&query.zone);
        if local.time() == chrono::NaiveTime::MIN {
            local.date_naive().to_string()
        } else {
            at.to_rfc3339_opts(SecondsFormat::Secs, true)
        }
    };
    let last = query.period.end - TimeDelta::seconds(1);
    let by: Vec<&str> = query.by.iter().map(|axis| axis.name()).collect();
    format!(
        "{} spend by {}, {} to {} ({})",
        query.basis.name(),
        by.join(", "),
        day(query.period.start),
        last.with_timezone(&query.zone).date_naive(),
        query.zone.name()
    )
}

/// What is not in the totals, in one line.
pub fn unpriced(section: &Section) -> Option<String> {
    let sums = &section.total.sums;
    (sums.unpriced_events > 0).then(|| {
        format!(
            "unpriced: {}, {} tokens, not in these totals; at most {} more",
            counted(sums.unpriced_events.unsigned_abs(), "call"),
            tokens(sums.unpriced_tokens),
            money(Money::new(sums.unpriced_worst_case, section.currency))
        )
    })
}

fn body(report: &Report, section: &Section, look: Look) -> String {
    let by = &report.query.by;
    let timeless = !by.iter().any(|axis| axis.is_time());
    let days = days_until(report, look.now);
    let before = section.rows.iter().chain([&section.total]);
    let tells = |row: &Row| !row.previous.cost.is_zero() && row.is_comparable();
    let trend = report.compares && before.into_iter().any(tells);
    let all = &section.total.sums;
    let mut columns: Vec<Column> = by.iter().map(|axis| name_column(*axis)).collect();
    let mut figure = |wanted: bool, header: &str, drop_order: u8| {
        if wanted {
            columns.push(Column {
                header: header.to_owned(),
                align: Align::Right,
                drop_order,
                cut: Cut::Never,
            });
        }
        wanted
    };
    let wanted = Wanted {
        calls: figure(true, report.counted(), 2),
        input: figure(all.tokens.total() > 0, "input", 6),
        read: figure(all.tokens.get(Bucket::CacheRead) > 0, "cache read", 7),
        write: figure(cache_writes(all) > 0, "cache write", 8),
        output: figure(all.tokens.total() > 0, "output", 5),
        media: figure(media(all) != 0, "media", 9),
        unpriced: figure(all.unpriced_events > 0, "unpriced", 3),
        cost: figure(true, "cost", 0),
        trend: figure(trend, "trend", 1),
        spark: timeless && days > 1,
    };
    if wanted.spark {
        columns.push(Column {
            header: BY_DAY.to_owned(),
            align: Align::Left,
            drop_order: 4,
            cut: Cut::Never,
        });
    }
    let places = if all.cost.abs() < Decimal::TEN { 4 } else { 2 };
    let draw_row = |row: &Row, mut cells: Vec<String>, bars: usize| {
        cells.extend(wanted.figures(row, section, places));
        if wanted.spark {
            let spent = row.daily.series(days);
            cells.push(text::sparkline(&narrowed(&spent, bars), look.unicode));
        }
        cells
    };
    let draw_all = |bars: usize| -> Vec<Vec<String>> {
        let body = section.rows.iter().map(|row| {
            let pairs = by.iter().zip(&row.key);
            let names = pairs.map(|(axis, value)| shown_name(*axis, section, value));
            draw_row(row, names.collect(), bars)
        });
        let mut names = vec![String::new(); by.len()];
        if let Some(first) = names.first_mut() {
            *first = "total".to_owned();
        }
        body.chain([draw_row(&section.total, names, bars)]).collect()
    };
    let mut rows = Vec::new();
    for bars in SPARK_BARS {
        rows = draw_all(bars);
        if !wanted.spark || text::natural_width(&columns, &rows) <= look.room.width {
            break;
        }
    }
    let mut out = text::table(&columns, &rows, 1, look.room, look.unicode);
    if wanted.spark && out.lines().next().is_some_and(|header| header.ends_with(BY_DAY)) {
        out.extend(below_zero(report, section, days, look.unicode).map(|line| format!("\n{line}")));
    }
    out
}

/// Days of the period that have begun.
pub fn days_until(report: &Report, now: DateTime<Utc>) -> usize {
    let query = &report.query;
    let all = report.sections.first().map_or(0, |section| section.days);
    if now >= query.period.end || now < query.period.start {
        return all;
    }
    let day = |at: DateTime<Utc>| at.with_timezone(&query.zone).date_naive();
    let begun = (day(now) - day(query.period.start)).num_days() + 1;
    usize::try_from(begun).unwrap_or(all).min(all)
}

fn name_column(axis: Axis) -> Column {
    Column {
        header: axis.name().to_owned(),
        align: Align::Left,
        drop_order: 0,
        cut: if axis.is_time() { Cut::Never } else { Cut::Name },
    }
}

/// Which columns have something to say.
#[derive(Clone, Copy)]
struct Wanted {
    calls: bool,
    input: bool,
    read: bool,
    write: bool,
    output: bool,
    media: bool,
    unpriced: bool,
    cost: bool,
    trend: bool,
    spark: bool,
}

impl Wanted {
    fn figures(self, row: &Row, section: &Section, places: u32) -> Vec<String> {
        let sums = &row.sums;
        let bucket = |bucket| tokens(sums.tokens.get(bucket));
        // What nobody could price did not cost nothing.
        let cost = if sums.cost.is_zero() && sums.unpriced_events > 0 {
            "unpriced".to_owned()
        } else {
            money_to(Money::new(sums.cost, section.currency), places)
        };
        // A single day says nothing about another single day.
        let timed = row
            .key
            .iter()
            .any(|value| matches!(value, AxisValue::Date(_) | AxisValue::Hour(_)));
        let trend = if timed || !row.is_comparable() {
            String::new()
        } else {
            percent_change(row.previous.cost, sums.cost)
        };
        let cells = [
            (self.calls, count(sums.events)),
            (self.input, bucket(Bucket::InputUncached)),
            (self.read, bucket(Bucket::CacheRead)),
            (self.write, tokens(cache_writes(sums))),
            (self.output, bucket(Bucket::Output)),
            (self.media, tokens(media(sums))),
            (self.unpriced, count(sums.unpriced_events)),
            (self.cost, cost),
            (self.trend, trend),
        ];
        cells
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, cell)| cell)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::period::Period;
    use crate::domain::spend::{Basis, TokenSums};
    use crate::engine::report::ReportQuery;

    fn row(key: &[&str], cost: &str, previous: &str) -> Row {
        let mut tokens = TokenSums::default();
        tokens.set(Bucket::InputUncached, 1_234_567);
        tokens.set(Bucket::CacheRead, 98_765_432);
        tokens.set(Bucket::CacheWrite5m, 4_321);
        tokens.set(Bucket::Output, 45_678);
        let cost: Decimal = cost.parse().unwrap();
        Row {
            key: key.iter().map(|name| AxisValue::Name((*name).into())).collect(),
            sums: Sums {
                events: 1_234,
                tokens,
                cost,
                unpriced_events: 2,
                unpriced_tokens: 5_000,
                unpriced_worst_case: "0.5".parse().unwrap(),
                ..Sums::default()
            },
            previous: Sums {
                cost: previous.parse().unwrap(),
                ..Sums::default()
            },
            daily: (0..30).map(|day| cost * Decimal::from(day % 7)).collect(),
        }
    }

    fn drawn(width: usize, unicode: bool) -> String {
        let at = |text: &str| text.parse().unwrap();
        let query = ReportQuery {
            is_late: false,
            by: vec!["team".parse().unwrap(), "model".parse().unwrap()],
            period: Period::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")),
            previous: Period::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")),
            basis: Basis::Metered,
            filters: Vec::new(),
            top: None,
            zone: Tz::UTC,
            tokens: true,
        };
        let section = Section {
            currency: Currency::USD,
            rows: vec![
                row(&["search", "claude-sonnet-4-5-20250929"], "1234.5", "1000"),
                row(&["", "evil\u{1b}[31m|name"], "0.004", "0"),
            ],
            gone: Vec::new(),
            total: row(&[], "1234.504", "1000"),
            days: 30,
        };
        let report = Report {
            query,
            sections: vec![section],
            compares: true,
            estimates: Vec::new(),
            notes: Vec::new(),
        };
        let look = Look {
            room: Room { width, cut: true },
            unicode,
            color: false,
            now: at("2026-11-24T12:00:00Z"),
        };
        draw(&report, look)
    }

    #[test]
    fn a_wide_terminal_gets_everything() {
        insta::assert_snapshot!(drawn(140, true), @r#"
        metered spend by team, model, 2026-11-01 to 2026-11-30 (UTC)

        team       model                       calls  input  cache read  cache write  output  unpriced       cost  trend  by day
        ─────────  ──────────────────────────  ─────  ─────  ──────────  ───────────  ──────  ────────  ─────────  ─────  ────────────────────────
        search     claude-sonnet-4-5-20250929  1,234  1.23M       98.8M        4.32k   45.7k         2  $1,234.50  +23 %   ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃
        (no team)  evil?[31m|name              1,234  1.23M       98.8M        4.32k   45.7k         2     <$0.01    new   ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃
        ─────────  ──────────────────────────  ─────  ─────  ──────────  ───────────  ──────  ────────  ─────────  ─────  ────────────────────────
        total                                  1,234  1.23M       98.8M        4.32k   45.7k         2  $1,234.50  +23 %   ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃▅▆▇█ ▂▃
        unpriced: 2 calls, 5.00k tokens, not in these totals; at most $0.5000 more
        "#);
    }

    #[test]
    fn a_narrow_terminal_gets_what_matters() {
        insta::assert_snapshot!(drawn(60, true), @r#"
        metered spend by team, model, 2026-11-01 to 2026-11-30 (UTC)

        team       model                            cost  trend
        ─────────  ──────────────────────────  ─────────  ─────
        search     claude-sonnet-4-5-20250929  $1,234.50  +23 %
        (no team)  evil?[31m|name                 <$0.01    new
        ─────────  ──────────────────────────  ─────────  ─────
        total                                  $1,234.50  +23 %
        unpriced: 2 calls, 5.00k tokens, not in these totals; at most $0.5000 more
        "#);
        assert!(
            drawn(60, true)
                .lines()
                .skip(2)
                .all(|line| line.chars().count() <= 60 || line.starts_with("unpriced"))
        );
    }

    #[test]
    fn without_unicode_it_is_ascii() {
        insta::assert_snapshot!(drawn(120, false), @r#"
        metered spend by team, model, 2026-11-01 to 2026-11-30 (UTC)

        team       model                       calls  input  cache read  output  unpriced       cost  trend  by day
        ---------  --------------------------  -----  -----  ----------  ------  --------  ---------  -----  --------
        search     claude-sonnet-4-5-20250929  1,234  1.23M       98.8M   45.7k         2  $1,234.50  +23 %  :#=+*=@:
        (no team)  evil?[31m|name              1,234  1.23M       98.8M   45.7k         2     <$0.01    new  :#=+*=@:
        ---------  --------------------------  -----  -----  ----------  ------  --------  ---------  -----  --------
        total                                  1,234  1.23M       98.8M   45.7k         2  $1,234.50  +23 %  :#=+*=@:
        unpriced: 2 calls, 5.00k tokens, not in these totals; at most $0.5000 more
        "#);
        assert!(drawn(120, false).is_ascii());
    }
}
