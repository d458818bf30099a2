//! The one statement that a source sends: a Cost and Usage Report summed by what the ledger tells apart. Its columns are those of the
//! report, so that its rows are read as rows of a report; its words are those that Athena and SQLite share, but for `element_at`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::dimension::Dimension;

/// Rows that an answer may have. More are no summary.
pub const MOST_ROWS: usize = 200_000;

/// What a statement is made from.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// The column of its partitions, whose values are months: `2026-10`.
    pub partition: String,
    /// The column with the names of products, or the key of one, such as `product['product_name']`; empty where there is none.
    pub product_name: String,
    /// Products that are read by code or name, such as `AmazonBedrock`, with `%` for anything; none given, all.
    pub products: Vec<String>,
    /// Columns that dimensions are told by, or keys of one, such as the team by `resource_tags['user_team']`.
    pub tags: BTreeMap<Dimension, String>,
    /// Whether the table has the columns of savings plans and reservations.
    pub amortized: bool,
    /// Whether it has the columns of costs after discounts.
    pub net: bool,
}

/// Columns that rows are told apart by.
const KEYS: [&str; 7] = [
    "bill_payer_account_id",
    ACCOUNT,
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_currency_code",
    "pricing_unit",
];

/// The account of a row.
const ACCOUNT: &str = "line_item_usage_account_id";

/// Columns that are summed up as they are.
const SUMS: [&str; 2] = ["line_item_usage_amount", BILLED];

const BILLED: &str = "line_item_unblended_cost";
const NET: &str = "line_item_net_unblended_cost";

/// Columns of costs that stand for others, the first that a row has counts: what is covered by a savings plan, and by a reservation. The
/// first two are of costs after discounts.
const LISTS: [[&str; 2]; 2] = [
    [
        "savings_plan_net_savings_plan_effective_cost",
        "savings_plan_savings_plan_effective_cost",
    ],
    ["reservation_net_effective_cost", "reservation_effective_cost"],
];

/// Columns that tell how much of a commitment was not used.
const TOTAL: &str = "savings_plan_total_commitment_to_date";
const USED: &str = "savings_plan_used_commitment";
const UPFRONT: &str = "reservation_unused_amortized_upfront_fee_for_billing_period";
const RECURRING: &str = "reservation_unused_recurring_fee";

/// The same of a reservation after discounts.
const NET_UPFRONT: &str = "reservation_net_unused_amortized_upfront_fee_for_billing_period";
const NET_RECURRING: &str = "reservation_net_unused_recurring_fee";

/// Columns of a savings plan's commitment after discounts and before them: of what recurs, and of what was paid at once.
const DISCOUNTED: [[&str; 2]; 2] = [
    [
        "savings_plan_net_recurring_commitment_for_billing_period",
        "savings_plan_recurring_commitment_for_billing_period",
    ],
    [
        "savings_plan_net_amortized_upfront_commitment_for_billing_period",
        "savings_plan_amortized_upfront_commitment_for_billing_period",
    ],
];

/// The last hour of a row's day that has usage, under this name; nothing where the column has days.
pub const LAST_HOUR: &str = "last_hour";

/// Rows without an invoice, under this name.
pub const OPEN: &str = "open_rows";

/// A column, or `column['key']` for one of the keys of a map, as the statement has it.
fn expression(column: &str) -> Option<String> {
    let (name, key) = match column.strip_suffix("']").and_then(|front| front.split_once("['")) {
        Some((name, key)) => (name, Some(key)),
        None => (column, None),
    };
    let sane = key.is_none_or(|key| !key.is_empty() && !key.contains(char::is_control));
    let expression = match key {
        Some(key) => format!("element_at({name}, {})", quoted(key)),
        None => name.to_owned(),
    };
    (is_plain(name) && sane).then_some(expression)
}

impl Table {
    /// Names have to be plain: they stand in the statement.
    ///
    /// # Errors
    /// Which name is none.
    pub fn check(&self) -> Result<(), String> {
        let names = [&self.database, &self.table, &self.partition];
        if let Some(name) = names.into_iter().find(|name| !is_plain(name)) {
            return Err(format!("`{name}` is not the name of a database, table or column"));
        }
        let named = Some(&self.product_name).filter(|name| !name.is_empty());
        match self
            .tags
            .values()
            .chain(named)
            .find(|column| expression(column).is_none())
        {
            Some(column) => Err(format!(
                "`{column}` is neither a column nor a key of one, as in `product['product_name']`"
            )),
            None => Ok(()),
        }
    }

    /// The columns that are summed up, each with what is added up of a row. A row that lacks one counts as it does when the report is read
    /// as a file: by the next column that tells its cost.
    fn sums(&self) -> Vec<(&'static str, String)> {
        let mut sums: Vec<(&str, String)> = SUMS.map(|sum| (sum, decimal(sum))).into();
        let net: &[&str] = if self.net { &[NET] } else { &[] };
        let own: Vec<&str> = net.iter().copied().chain([BILLED]).collect();
        let of = |columns: &[&str]| {
            let all: Vec<String> = columns.iter().chain(&own).map(|column| decimal(column)).collect();
            match all.as_slice() {
                [one] => one.clone(),
                many => format!("COALESCE({})", many.join(", ")),
            }
        };
        if self.net {
            sums.push((NET, of(&[])));
        }
        if self.amortized {
            for [net, gross] in LISTS {
                sums.push((gross, if self.net { of(&[net, gross]) } else { of(&[gross]) }));
            }
            let [total, used] = [TOTAL, USED].map(|column| match self.net {
                true => discounted(column),
                false => decimal(column),
            });
            sums.push((TOTAL, format!("COALESCE({total}, {})", of(&[]))));
            sums.push((USED, format!("CASE WHEN {TOTAL} IS NOT NULL THEN {used} END")));
            let [upfront, recurring] = [(NET_UPFRONT, UPFRONT), (NET_RECURRING, RECURRING)].map(|(net, gross)| {
                let gross = decimal(gross);
                match self.net {
                    true => format!("COALESCE({}, {gross})", decimal(net)),
                    false => gross,
                }
            });
            let none = format!("CASE WHEN {recurring} IS NULL THEN {} END", of(&[]));
            sums.push((UPFRONT, format!("COALESCE({upfront}, {none})")));
            sums.push((RECURRING, recurring));
        }
        sums
    }

    /// The statement for these months.
    #[must_use]
    pub fn statement(&self, months: &[String]) -> String {
        let mut keys: Vec<(String, String)> = vec![
            (
                "CAST(bill_billing_period_start_date AS VARCHAR)".to_owned(),
                "bill_billing_period_start_date".to_owned(),
            ),
            (
                "SUBSTR(CAST(line_item_usage_start_date AS VARCHAR), 1, 10)".to_owned(),
                "line_item_usage_start_date".to_owned(),
            ),
            // Models are told by their resource; other resources would make as many rows as there are.
            (
                "CASE WHEN line_item_resource_id LIKE '%bedrock%' THEN line_item_resource_id ELSE '' END".to_owned(),
                "line_item_resource_id".to_owned(),
            ),
        ];
        keys.extend(KEYS.map(|key| {
            let expression = match self.tags.get(&Dimension::Account).filter(|_| key == ACCOUNT) {
                // The settings ask for it, and a row that lacks it has its own.
                Some(tag) => format!("COALESCE(NULLIF({}, ''), {key})", expression(tag).unwrap_or_default()),
                None => key.to_owned(),
            };
            (expression, key.to_owned())
        }));
        let product = expression(&self.product_name);
        // What the Marketplace sells has a code that says nothing.
        keys.extend(
            product
                .iter()
                .map(|name| (name.clone(), "product_product_name".to_owned())),
        );
        if self.amortized {
            let arn = "reservation_reservation_a_r_n";
            keys.push((arn.to_owned(), arn.to_owned()));
        }
        for (dimension, column) in self.tags.iter().filter(|(of, _)| **of != Dimension::Account) {
            let column = expression(column).unwrap_or_default();
            keys.push((column, format!("resource_tags_user_{}", dimension.name())));
        }
        let mut text = "SELECT".to_owned();
        for (expression, name) in &keys {
            let _ = write!(text, " {expression} AS {name},");
        }
        for (name, sum) in self.sums() {
            let _ = write!(text, " CAST(SUM({sum}) AS VARCHAR) AS {name},");
        }
        let _ = write!(
            text,
            " MAX(SUBSTR(CAST(line_item_usage_start_date AS VARCHAR), 12, 2)) AS {LAST_HOUR},"
        );
        let _ = write!(
            text,
            " SUM(CASE WHEN bill_invoice_id IS NULL OR bill_invoice_id = '' THEN 1 ELSE 0 END) AS {OPEN} FROM \"{}\".\"{}\"",
            self.database, self.table
        );
        let months: Vec<String> = months.iter().map(|month| quoted(month)).collect();
        let _ = write!(text, " WHERE {} IN ({})", self.partition, months.join(", "));
        if !self.products.is_empty() {
            let code = "line_item_product_code".to_owned();
            let columns: Vec<&String> = [&code].into_iter().chain(&product).collect();
            let like = |product: &String| {
                let product = quoted(product);
                columns.iter().map(move |column| format!("{column} LIKE {product}"))
            };
            let products: Vec<String> = self.products.iter().flat_map(like).collect();
            let _ = write!(text, " AND ({})", products.join(" OR "));
        }
        let grouped: Vec<&str> = keys.iter().map(|(expression, _)| expression.as_str()).collect();
        let _ = write!(text, " GROUP BY {} LIMIT {}", grouped.join(", "), MOST_ROWS + 1);
        text
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Added up as decimals: sums of floats depend on their order.
fn decimal(column: &str) -> String {
    format!("CAST({column} AS DECIMAL(38, 12))")
}

/// The same of a commitment, with the part that discounts leave of it.
fn discounted(column: &str) -> String {
    let parts = DISCOUNTED.map(|[net, gross]| format!("{} / NULLIF({}, 0)", decimal(net), decimal(gross)));
    let part = format!("COALESCE({}, {})", parts.join(", "), decimal("1"));
    format!("CAST({} * {part} AS DECIMAL(38, 12))", decimal(column))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_settings_ends_a_name_or_a_text() {
        let table = |name: &str| Table {
            database: "billing".to_owned(),
            table: name.to_owned(),
            partition: "billing_period".to_owned(),
            products: vec!["O'Brien' OR 1=1 --".to_owned()],
            ..Table::default()
        };
        assert!(table("cur\" ; DROP").check().is_err() && table("").check().is_err() && table("cur_2").check().is_ok());
        let text = table("cur").statement(&["2026-10".to_owned()]);
        assert!(text.contains("LIKE 'O''Brien'' OR 1=1 --'"), "{text}");
        assert!(text.contains("WHERE billing_period IN ('2026-10') AND"), "{text}");
        let tagged = |column: &str| Table {
            tags: BTreeMap::from([(Dimension::Team, column.to_owned())]),
            ..table("cur")
        };
        for wrong in ["", "a b", "a['b", "a['']", "['b']", "a, b['c']"] {
            assert!(tagged(wrong).check().is_err(), "{wrong}");
        }
        let text = tagged("resource_tags['user_o'brien']");
        assert!(text.check().is_ok());
        let text = text.statement(&["2026-10".to_owned()]);
        assert!(
            text.contains(" element_at(resource_tags, 'user_o''brien') AS resource_tags_user_team,"),
            "{text}"
        );
        // Which tags of a report do not name by themselves.
        let account = Table {
            tags: BTreeMap::from([(Dimension::Account, "resource_tags['user_account']".to_owned())]),
            ..table("cur")
        };
        let text = account.statement(&["2026-10".to_owned()]);
        let tagged = "COALESCE(NULLIF(element_at(resource_tags, 'user_account'), ''), line_item_usage_account_id)";
        assert!(
            text.contains(&format!(" {tagged} AS line_item_usage_account_id,")),
            "{text}"
        );
        assert_eq!(text.matches(tagged).count(), 2, "it is grouped by, too: {text}");
    }
}
