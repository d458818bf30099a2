//! The columns of a report: their names, and which of them decide what.

use std::collections::HashMap;

use super::cost::{LISTS, NET, RESERVATION, unused_columns};
use super::{Asked, CostColumns, Dimension, Reduce, Wanted, tag_of, tagged};
use crate::domain::spend::Basis;

pub(super) const BILLED: &str = "line_item_unblended_cost";
pub(super) const AT: &str = "line_item_usage_start_date";
pub(super) const QUANTITY: &str = "line_item_usage_amount";
const RESOURCE: &str = "line_item_resource_id";

/// Columns that decide where a row is summed, and how it is read. Those of tags are more.
const SHARED: [&str; 14] = [
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_currency_code",
    "line_item_iam_principal",
    "pricing_unit",
    "product",
    "product_product_name",
    "resource_tags",
    "cost_category",
];

/// A column's name as CUR 2.0 writes it: `lineItem/UnblendedCost` is `line_item_unblended_cost`, and `reservation/ReservationARN` is
/// `reservation_reservation_a_r_n`. The keys of tags are those of their owner: of several capitals only the first begins a word.
pub(in super::super) fn column(name: &str) -> String {
    let mut column = String::with_capacity(name.len() + 8);
    let of_owner = name.starts_with("resourceTags/") || name.starts_with("costCategory/");
    let mut before = '_';
    for c in name.chars() {
        match c {
            '/' => column.push('_'),
            c if c.is_ascii_uppercase() => {
                if before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && !of_owner)
                {
                    column.push('_');
                }
                column.push(c.to_ascii_lowercase());
            }
            c => column.push(c),
        }
        before = c;
    }
    column
}

/// What stands behind the name of a further column of a tag, and before its place.
pub(super) const FURTHER: char = '*';

/// Adds the columns of tags of which `by_name` has one of the same name. Keys of tags that differ by their capitals alone are different ones at
/// AWS, each with a column of its own, and most rows have a value in one of them. Of several the first in the alphabet comes first, whatever
/// the order of the columns is.
pub(in super::super) fn keep_tags(by_name: &mut HashMap<String, usize>, names: &[String]) {
    let mut alike: HashMap<String, Vec<(&String, usize)>> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        let column = column(name);
        if tag_of(&column).is_some() && by_name.contains_key(&column) {
            alike.entry(column).or_default().push((name, at));
        }
    }
    for (column, mut tags) in alike {
        tags.sort();
        for (place, (_, at)) in tags.into_iter().enumerate() {
            let name = match place {
                0 => column.clone(),
                _ => format!("{column}{FURTHER}{place:06}"),
            };
            by_name.insert(name, at);
        }
    }
}

/// What is read of the columns of these names.
pub(in super::super) fn wanted(by_name: &HashMap<String, usize>) -> Option<Wanted> {
    let at = |name: &str| by_name.get(name).copied();
    let mut shared: Vec<usize> = SHARED.iter().filter_map(|name| at(name)).collect();
    let tags = by_name
        .iter()
        .filter(|(name, _)| tag_of(name).and_then(tagged).is_some());
    shared.extend(tags.map(|(_, at)| *at));
    let reduced: [(&str, Reduce); 2] = [(RESOURCE, model_of), (RESERVATION, whether_given)];
    let reduced = reduced
        .into_iter()
        .filter_map(|(name, reduce)| Some((at(name)?, reduce)));
    let mut wanted = Wanted {
        positions: Vec::new(),
        shared,
        reduced: reduced.collect(),
        costs: CostColumns {
            billed: at(BILLED)?,
            effective: at(NET),
            or_billed: true,
            lists: LISTS.map(|list| list.into_iter().filter_map(at).collect()),
        },
        at: at(AT)?,
        quantity: at(QUANTITY),
        rare: unused_columns().chain([QUANTITY]).filter_map(at).collect(),
    };
    wanted.arrange();
    Some(wanted)
}

/// Leaves of the columns of these names only those that are needed for what is asked.
pub(in super::super) fn narrow(by_name: &mut HashMap<String, usize>, asked: &Asked) {
    let billed_alone = asked.basis == Some(Basis::Billed);
    let any = |dimensions: &[Dimension]| dimensions.iter().any(|d| asked.dimensions.contains(d));
    let of_tags = [
        Dimension::Team,
        Dimension::Agent,
        Dimension::Workflow,
        Dimension::User,
        Dimension::Project,
    ];
    by_name.retain(|name, _| match name.as_str() {
        "line_item_line_item_type" => !billed_alone || asked.tokens || any(&[Dimension::Category]),
        "line_item_usage_type" => asked.tokens || any(&[Dimension::Model]),
        "pricing_unit" | QUANTITY => asked.tokens,
        "line_item_product_code" | "product" | "product_product_name" => any(&[Dimension::Service, Dimension::Model]),
        "line_item_usage_account_id" => any(&[Dimension::Account]),
        "line_item_iam_principal" => any(&[Dimension::User]),
        RESOURCE => any(&[Dimension::Model]),
        "resource_tags" | "cost_category" => any(&of_tags),
        NET | RESERVATION => !billed_alone,
        other if LISTS.as_flattened().contains(&other) || unused_columns().any(|name| name == other) => !billed_alone,
        other => match tag_of(other) {
            Some(tag) => tagged(tag).is_some_and(|(dimension, _)| any(&[dimension])),
            None => true,
        },
    });
    // Of a cost that is not asked for no sum is kept.
    if let Some(at) = by_name.get(BILLED).copied().filter(|_| billed_alone) {
        by_name.insert(NET.to_owned(), at);
    }
}

/// Of a resource as much as tells the model: most tell none, and there may be as many as rows. What is no text stays as it is.
fn model_of(resource: &[u8]) -> &[u8] {
    let tells = |at: usize| {
        let before = resource.get(..at).unwrap_or_default();
        before.ends_with(b"foundation-model") || before.ends_with(b"inference-profile")
    };
    if memchr::memchr_iter(b'/', resource).any(tells) || simdutf8::basic::from_utf8(resource).is_err() {
        resource
    } else {
        b""
    }
}

/// Of a reservation's name no more than that there is one.
fn whether_given(reservation: &[u8]) -> &[u8] {
    match reservation {
        [b'a', b'r', b'n', b':', ..] if simdutf8::basic::from_utf8(reservation).is_ok() => b"arn",
        other => other,
    }
}
