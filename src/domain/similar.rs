//! What was probably meant by a name that is not known.

/// The candidate that is close enough to be what was meant: at most a third of its characters differ, in any case of letters.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = given.to_lowercase();
    candidates
        .iter()
        .map(|candidate| {
            let steps = distance(&lower, &candidate.to_lowercase());
            (steps, distance(given, candidate), *candidate)
        })
        .filter(|(steps, _, candidate)| *steps * 3 <= candidate.chars().count().max(given.chars().count()))
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |rows: &[Vec<usize>], i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let left = row.last().copied().unwrap_or(0) + 1;
            let mut best = left
                .min(at(&rows, i, j + 1) + 1)
                .min(at(&rows, i, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&rows, i - 1, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    at(&rows, a.len(), b.len())
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
    }
}
