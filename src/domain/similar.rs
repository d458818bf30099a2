//! What was probably meant by a name that is not known.

/// Characters of a name that is compared: nobody means a longer one by a slip, and comparing takes the product of two lengths.
const LONGEST: usize = 120;

/// The candidate that is close enough to be what was meant: at most a third of its characters differ, in any case of letters. Names of more
/// than 120 characters are compared with nothing.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let length = length(given)?;
    let lower = given.to_lowercase();
    let near = |candidate: &&'a str| {
        let other = self::length(candidate)?;
        let most = length.max(other) / 3;
        // So many have to be inserted or deleted at least.
        let steps = (length.abs_diff(other) <= most).then(|| distance(&lower, &candidate.to_lowercase()))?;
        (steps <= most).then(|| (steps, distance(given, candidate), *candidate))
    };
    candidates
        .iter()
        .filter_map(near)
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// How many characters a name has, if it is not too long.
fn length(name: &str) -> Option<usize> {
    let counted = name.chars().take(LONGEST + 1).count();
    (counted <= LONGEST).then_some(counted)
}

/// Edits (insert, delete, replace, swap of neighbours) from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(0);
    // Edits from the characters of `a` so far, one fewer, and two fewer, to each front of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let (mut above, mut second) = (Vec::new(), Vec::new());
    for (i, x) in a.iter().enumerate() {
        (second, above, row) = (above, row, second);
        row.clear();
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (at(&row, j) + 1)
                .min(at(&above, j + 1) + 1)
                .min(at(&above, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&second, j - 1) + 1);
            }
            row.push(best);
        }
    }
    at(&row, b.len())
}

/// What serde says of an unknown name, without the list of what would be valid: that is the hint's business.
#[must_use]
pub fn short(message: &str) -> &str {
    match message.split_once(", expected") {
        Some((head, _)) if message.starts_with("unknown") => head,
        _ => message,
    }
}

/// What was probably meant where serde says `unknown field` or `unknown variant`, else what is known there; nothing where a message
/// is of another kind or names no candidates.
#[must_use]
pub fn suggestion(message: &str) -> Option<String> {
    if !message.starts_with("unknown") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    match nearest(given, &known) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", known.join(", "))),
    }
}

/// What to write where a section of which there may be several has the brackets of one, in the words of TOML's errors, which show its line.
#[must_use]
pub fn doubled(error: &str) -> Option<String> {
    if !error.contains("invalid type: map, expected a sequence") {
        return None;
    }
    let shown = error.lines().filter_map(|line| line.split_once(" | "));
    let mut headers = shown.filter_map(|(_, text)| text.trim().strip_prefix('[')?.split_once(']'));
    let (section, _) = headers.find(|(section, _)| !section.starts_with('['))?;
    Some(format!("there may be several, so that it is written `[[{section}]]`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("naem", "name"), 1);
        assert_eq!(nearest("chanel", &["channel", "source"]), Some("channel"));
        assert_eq!(nearest("zzz", &["channel", "source"]), None);
        assert_eq!(nearest("CACHED", &["Cache", "Cached"]), Some("Cached"));
        assert_eq!(nearest("cachEd", &["CACHED", "Cached"]), Some("Cached"));
        assert_eq!(distance("abcdef", "abdcfe"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    /// A key of a record may have as many characters as a record has bytes.
    #[test]
    fn names_that_nobody_could_have_meant_are_not_compared() {
        let long = "x".repeat(5_000_000);
        assert_eq!(nearest("name", &[&long, "naem"]), Some("naem"));
        assert_eq!(nearest(&long, &[&long, "name"]), None);
        let (most, slip) = ("ä".repeat(LONGEST), "ä".repeat(LONGEST - 1));
        assert_eq!(nearest(&most, &[&slip]), Some(slip.as_str()));
    }
}
