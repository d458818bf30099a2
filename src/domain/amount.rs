//! Amounts of money as the owner writes them in settings and policies.

use std::fmt;

use rust_decimal::Decimal;

use super::money::{Currency, MoneyError, parse_decimal};

/// An amount as the owner writes it, and its currency where that is told: `"100"`, `"2000.50 EUR"`.
pub fn parse_amount(text: &str) -> Result<(Decimal, Option<Currency>), MoneyError> {
    let text = text.trim();
    let (number, unit) = text.split_once(' ').map_or((text, None), |(n, unit)| (n, Some(unit)));
    let wrong = |meant| MoneyError::Written {
        text: text.chars().take(40).collect(),
        meant,
    };
    let amount = parse_decimal(number).map_err(|_| wrong(meant(text).unwrap_or_else(|| "100 USD".to_owned())))?;
    let currency = |unit: &str| unit.parse().map_err(|error| meant(text).map_or(error, wrong));
    Ok((amount, unit.map(currency).transpose()?))
}

/// `$1,000` is `1000 USD`: a sign that stands for one currency, or its code, at either end, and commas between thousands.
fn meant(text: &str) -> Option<String> {
    let sign = [("$", "USD"), ("€", "EUR"), ("£", "GBP")];
    let sign = sign.into_iter().find(|(sign, _)| text.contains(sign));
    let bare = sign.map_or(text.to_owned(), |(sign, _)| text.replace(sign, " "));
    let is_code = |word: &&str| word.bytes().all(|b| b.is_ascii_alphabetic());
    let (codes, numbers): (Vec<&str>, Vec<&str>) = bare.split_whitespace().partition(is_code);
    let code = match (codes.as_slice(), sign) {
        ([code], _) => code.parse::<Currency>().ok()?,
        ([], Some((_, code))) => code.parse().ok()?,
        ([], None) => Currency::USD,
        _ => return None,
    };
    let [number] = numbers.as_slice() else { return None };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let grouped = whole.split(',').skip(1).all(|group| group.len() == 3) && !decimals.contains(',');
    let amount = parse_decimal(&number.replace(',', "")).ok().filter(|_| grouped)?;
    Some(format!("{amount} {code}"))
}

/// Reads an amount as text; a number gets told how it is written.
pub fn amount_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount in quotation marks such as `\"100 USD\"`")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    from.deserialize_str(Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_that_is_written_otherwise_is_told_as_it_should_be() {
        let read = |text| parse_amount(text).map(|(amount, unit)| format!("{amount} {unit:?}"));
        assert_eq!(read(" 2000.50 eur").unwrap(), "2000.50 Some(EUR)");
        assert_eq!(read("100").unwrap(), "100 None");
        for (text, told) in [
            ("$100", "`$100` is no amount, write `100 USD`"),
            ("1,000 USD", "`1,000 USD` is no amount, write `1000 USD`"),
            (
                "USD 1,234,567.50",
                "`USD 1,234,567.50` is no amount, write `1234567.50 USD`",
            ),
            ("5 €", "`5 €` is no amount, write `5 EUR`"),
            ("5 euros", "`euros` is not a currency code of three letters"),
            ("1.000,50 EUR", "`1.000,50 EUR` is no amount, write `100 USD`"),
            ("1,50 EUR", "`1,50 EUR` is no amount, write `100 USD`"),
            ("$5 EUR 6", "`$5 EUR 6` is no amount, write `100 USD`"),
            ("much", "`much` is no amount, write `100 USD`"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), told);
        }
    }
}
