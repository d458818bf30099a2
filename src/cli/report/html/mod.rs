//! A report as one HTML file: no script, nothing loaded from anywhere, readable in light and dark, wide and narrow.

mod chart;

use chrono::SecondsFormat;
use rust_decimal::Decimal;

use super::table::{Look, cache_writes, days_until, title, unpriced};
use super::{records, shown_name};
use crate::cli::text::{self, count, money, tokens};
use crate::domain::money::Money;
use crate::domain::percent::percent_change;
use crate::domain::usage::Bucket;
use crate::engine::report::{AxisValue, Report, Row, Section};

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the file: show it. No script runs and nothing is fetched, whatever a name in it says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Names up to this length stay on one line.
const SHORT: usize = 36;

/// The report as a document.
pub fn draw(report: &Report, look: Look) -> String {
    let heading = title(report);
    let (what, when) = heading
        .split_once(", 2")
        .map_or((heading.as_str(), String::new()), |(what, when)| {
            (what, format!("2{when}"))
        });
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{}</h1>\n<p class=\"faint\">{}</p>\n</header>\n<main>\n",
        escaped(&heading),
        escaped(&capitalised(what)),
        escaped(&when),
    );
    for section in &report.sections {
        if report.sections.len() > 1 {
            out.push_str(&format!("<h2>{}</h2>\n", section.currency));
        }
        if section.rows.is_empty() {
            out.push_str("<p>No spend.</p>\n");
            continue;
        }
        out.push_str(&figures(report, section));
        if let Some(line) = unpriced(section) {
            out.push_str(&format!(
                "<p class=\"note\" role=\"note\">{}</p>\n",
                escaped(&capitalised(&line))
            ));
        }
        out.push_str(&chart::by_day(report, section, look.now));
        out.push_str(&table(report, section, look));
    }
    let estimates = report.estimates.iter().map(|note| ("Estimate", note));
    for (what, note) in estimates.chain(report.notes.iter().map(|note| ("Note", note))) {
        let line = escaped(&format!("{what}: {}", text::clean(note)));
        out.push_str(&format!("<p class=\"note\" role=\"note\">{line}</p>\n"));
    }
    out.push_str(&format!(
        "</main>\n<footer>\n<p>finops {}, as of {}. Amounts are rounded for display; the file holds the exact ones.</p>\n\
         </footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        look.now.to_rfc3339_opts(SecondsFormat::Secs, true),
    ));
    out
}

/// Text that is only text, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// An amount for people, with the exact one for programs.
fn amount(value: Decimal, section: &Section) -> String {
    let shown = money(Money::new(value, section.currency));
    format!("<data value=\"{}\">{}</data>", records::exact(value), escaped(&shown))
}

/// What a row cost; what nobody could price did not cost nothing.
fn cost(row: &Row, section: &Section) -> String {
    if row.sums.cost.is_zero() && row.sums.unpriced_events > 0 {
        "<span class=\"none\">unpriced</span>".to_owned()
    } else {
        amount(row.sums.cost, section)
    }
}

/// The change since the period before, in words for those who see no colour.
fn trend(row: &Row) -> String {
    let change = percent_change(row.previous.cost, row.sums.cost);
    let class = match row.sums.cost.cmp(&row.previous.cost) {
        _ if change == "0 %" => "none",
        std::cmp::Ordering::Greater => "more",
        std::cmp::Ordering::Less => "less",
        std::cmp::Ordering::Equal => "none",
    };
    if change.is_empty() || !row.is_comparable() {
        String::new()
    } else {
        format!("<span class=\"{class}\">{}</span>", escaped(&change))
    }
}

fn figures(report: &Report, section: &Section) -> String {
    let (total, sums) = (&section.total, &section.total.sums);
    let mut out = "<dl class=\"figures\">\n".to_owned();
    let mut figure = |class: &str, what: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("<div{class}><dt>{what}</dt><dd>{value}</dd></div>\n"));
        }
    };
    let what = format!("Total, {}", report.query.basis.name());
    figure(" class=\"main\"", &what, amount(sums.cost, section));
    if report.compares {
        figure("", "Against the period before", trend(total));
    }
    figure("", counted(report), count(sums.events));
    if sums.tokens.total() > 0 {
        figure("", "Tokens", tokens(sums.tokens.total()));
    }
    if sums.unpriced_events > 0 {
        figure("", "Calls without a price", count(sums.unpriced_events));
    }
    out + "</dl>\n"
}

/// What is counted, as a heading.
fn counted(report: &Report) -> &'static str {
    if report.counted() == "calls" {
        "Calls"
    } else {
        "Records"
    }
}

/// A column after the names: its heading, its class, and a row's cell.
type Cells<'a> = Vec<(&'static str, &'static str, Box<dyn Fn(&Row) -> String + 'a>)>;

fn columns<'a>(report: &'a Report, section: &'a Section, look: Look) -> Cells<'a> {
    let all = &section.total.sums;
    let mut columns: Cells<'a> = vec![(counted(report), "", Box::new(|row| count(row.sums.events)))];
    let mut bucket = |name, bucket: Bucket| {
        if all.tokens.get(bucket) > 0 {
            columns.push((name, "", Box::new(move |row| tokens(row.sums.tokens.get(bucket)))));
        }
    };
    bucket("Input", Bucket::InputUncached);
    bucket("Cache read", Bucket::CacheRead);
    if cache_writes(all) > 0 {
        columns.push(("Cache write", "", Box::new(|row| tokens(cache_writes(&row.sums)))));
    }
    if all.tokens.get(Bucket::Output) > 0 {
        columns.push((
            "Output",
            "",
            Box::new(|row| tokens(row.sums.tokens.get(Bucket::Output))),
        ));
    }
    if all.unpriced_events > 0 {
        columns.push(("Unpriced", "", Box::new(|row| count(row.sums.unpriced_events))));
    }
    columns.push(("Cost", "cost", Box::new(|row| cost(row, section))));
    columns.push(("Share", "share", Box::new(|row| chart::share(row, section))));
    let timed = report.query.by.iter().any(|axis| axis.is_time());
    if report.compares && !timed && !section.total.previous.cost.is_zero() {
        columns.push(("Trend", "trend", Box::new(trend)));
    }
    let days = days_until(report, look.now);
    if !timed && days > 1 {
        columns.push(("By day", "days", Box::new(move |row| chart::sparkline(row, days))));
    }
    columns
}

fn table(report: &Report, section: &Section, look: Look) -> String {
    let by = &report.query.by;
    let columns = columns(report, section, look);
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Spend\" tabindex=\"0\">\n<table class=\"report\" role=\"table\">\n\
         <caption>{}</caption>\n<thead role=\"rowgroup\">\n<tr role=\"row\">",
        escaped(&capitalised(&title(report)))
    );
    for axis in by {
        let name = escaped(&capitalised(axis.name()));
        out.push_str(&format!(
            "<th scope=\"col\" role=\"columnheader\" class=\"name\">{name}</th>"
        ));
    }
    for (name, class, _) in &columns {
        out.push_str(&format!(
            "<th scope=\"col\" role=\"columnheader\" class=\"{class}\">{name}</th>"
        ));
    }
    out.push_str("</tr>\n</thead>\n<tbody role=\"rowgroup\">\n");
    let cells = |out: &mut String, row: &Row| {
        for (name, class, cell) in &columns {
            let cell = cell(row);
            out.push_str(&format!(
                "<td role=\"cell\" class=\"{class}\" data-label=\"{name}\">{cell}</td>"
            ));
        }
        out.push_str("</tr>\n");
    };
    for row in &section.rows {
        out.push_str("<tr role=\"row\">");
        for (axis, value) in by.iter().zip(&row.key) {
            let name = escaped(&shown_name(*axis, section, value));
            let name = match value {
                AxisValue::Date(_) | AxisValue::Hour(_) => format!("<time datetime=\"{name}\">{name}</time>"),
                AxisValue::Name(_) | AxisValue::NoDetail | AxisValue::Other if name.len() <= SHORT => {
                    format!("<span class=\"short\">{name}</span>")
                }
                AxisValue::Name(_) | AxisValue::NoDetail | AxisValue::Other => name,
            };
            out.push_str(&format!(
                "<th scope=\"row\" role=\"rowheader\" class=\"name\">{name}</th>"
            ));
        }
        cells(&mut out, row);
    }
    let span = by.len().max(1);
    out.push_str(&format!(
        "</tbody>\n<tfoot role=\"rowgroup\">\n<tr role=\"row\"><th scope=\"row\" role=\"rowheader\" class=\"name\" colspan=\"{span}\">Total</th>"
    ));
    cells(&mut out, &section.total);
    out + "</tfoot>\n</table>\n</div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let evil = "\"><script>alert('1')</script>&amp;";
        let safe = escaped(evil);
        assert!(!safe.contains(['<', '>', '"', '\'']));
        assert_eq!(
            safe,
            "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;"
        );
    }
}
