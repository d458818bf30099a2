//! The one statement that a source sends: a Cost and Usage Report summed by what the ledger tells apart. Its columns are those of the
//! report, so that its rows are read as rows of a report; its words are those that Athena and SQLite share.

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
    /// Products that are read, such as `AmazonBedrock`, with `%` for anything; none given, all.
    pub products: Vec<String>,
    /// Columns that dimensions are told by, such as the team by `resource_tags_user_team`.
    pub tags: BTreeMap<Dimension, String>,
    /// Whether the table has the columns of savings plans, reservations and net costs.
    pub amortized: bool,
}

/// Columns that rows are told apart by.
const KEYS: [&str; 7] = [
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_currency_code",
    "pricing_unit",
];

/// Columns that are summed up.
const SUMS: [&str; 2] = ["line_item_usage_amount", "line_item_unblended_cost"];

/// Columns that spread commitments over what they cover.
const AMORTIZED: [&str; 7] = [
    "line_item_net_unblended_cost",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
];

/// Rows without an invoice, under this name.
pub const OPEN: &str = "open_rows";

impl Table {
    /// Names have to be plain: they stand in the statement.
    ///
    /// # Errors
    /// Which name is none.
    pub fn check(&self) -> Result<(), String> {
        let names = [&self.database, &self.table, &self.partition];
        for name in names.into_iter().chain(self.tags.values()) {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain {
                return Err(format!("`{name}` is not the name of a database, table or column"));
            }
        }
        Ok(())
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
        keys.extend(KEYS.map(|key| (key.to_owned(), key.to_owned())));
        if self.amortized {
            let arn = "reservation_reservation_a_r_n";
            keys.push((arn.to_owned(), arn.to_owned()));
        }
        for (dimension, column) in &self.tags {
            keys.push((column.clone(), format!("resource_tags_user_{}", dimension.name())));
        }
        let mut text = "SELECT".to_owned();
        for (expression, name) in &keys {
            let _ = write!(text, " {expression} AS {name},");
        }
        let amortized: &[&str] = if self.amortized { &AMORTIZED } else { &[] };
        for sum in SUMS.iter().chain(amortized) {
            // Added up as decimals: sums of floats depend on their order.
            let _ = write!(text, " CAST(SUM(CAST({sum} AS DECIMAL(38, 12))) AS VARCHAR) AS {sum},");
        }
        let _ = write!(
            text,
            " SUM(CASE WHEN bill_invoice_id IS NULL OR bill_invoice_id = '' THEN 1 ELSE 0 END) AS {OPEN} FROM \"{}\".\"{}\"",
            self.database, self.table
        );
        let months: Vec<String> = months.iter().map(|month| quoted(month)).collect();
        let _ = write!(text, " WHERE {} IN ({})", self.partition, months.join(", "));
        if !self.products.is_empty() {
            let products: Vec<String> = self
                .products
                .iter()
                .map(|product| format!("line_item_product_code LIKE {}", quoted(product)))
                .collect();
            let _ = write!(text, " AND ({})", products.join(" OR "));
        }
        let grouped: Vec<&str> = keys.iter().map(|(expression, _)| expression.as_str()).collect();
        let _ = write!(text, " GROUP BY {} LIMIT {}", grouped.join(", "), MOST_ROWS + 1);
        text
    }
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
    }
}
