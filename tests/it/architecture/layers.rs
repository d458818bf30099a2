//! Finds which of our modules a source file uses, however the path is spelled.

/// Where a module may look: itself and what stands above it in `lib.rs`. `None`: anywhere.
fn allowed(layer: &str) -> Option<&'static [&'static str]> {
    match layer {
        "domain" => Some(&["domain"]),
        "ports" => Some(&["domain", "ports"]),
        "engine" => Some(&["domain", "ports", "engine"]),
        "adapters" => Some(&["domain", "ports", "adapters"]),
        "config" => Some(&["domain", "config"]),
        _ => None,
    }
}

/// The modules that the file at `path` (relative to `src/`, with `/`) uses and must not, in order of appearance.
pub fn violations(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let Some(layer) = module.first() else { return Vec::new() };
    let Some(allowed) = allowed(layer) else {
        return Vec::new();
    };
    let tokens = without_tests(tokens(source));
    let mut found: Vec<String> = used(&tokens, &module)
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    found.dedup();
    found
}

/// `domain/usage.rs` is `domain::usage`, `domain/mod.rs` is `domain`, `lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// Identifiers and single punctuation marks, `::` as one. Comments, strings and character literals are left out.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 1;
            i += 2;
            while i < chars.len() && depth > 0 {
                match (at(i), at(i + 1)) {
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    _ => i += 1,
                }
            }
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' {
            i = match (at(i + 1), at(i + 2)) {
                ('\\', _) => {
                    let mut end = i + 3;
                    while end < chars.len() && at(end) != '\'' {
                        end += 1;
                    }
                    end + 1
                }
                (_, '\'') => i + 3,
                _ => i + 1, // a lifetime
            };
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = chars.iter().take(i).skip(start).collect();
            let hashes = (i..chars.len()).take_while(|&j| at(j) == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                i += hashes + 1;
                while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|j| at(i + j) == '#')) {
                    i += 1;
                }
                i += hashes + 1;
            } else if word == "r" && hashes == 1 {
                i += 1; // a raw identifier: its name follows
            } else {
                tokens.push(word);
            }
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

/// Drops the items behind `#[cfg(test)]`: tests may use what they need.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        if tokens.iter().skip(i).take(MARK.len()).eq(MARK.iter()) {
            i = end_of_item(&tokens, i + MARK.len());
        } else {
            kept.push(token.clone());
            i += 1;
        }
    }
    kept
}

/// The position behind the item that starts at `i`, further attributes included.
fn end_of_item(tokens: &[String], mut i: usize) -> usize {
    let (mut depth, mut is_use) = (0_i32, false);
    while let Some(token) = tokens.get(i) {
        i += 1;
        match token.as_str() {
            "use" if depth == 0 => is_use = true,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token == "}" && !is_use {
                    break;
                }
            }
            ";" if depth == 0 => break,
            _ => {}
        }
    }
    i
}

/// The top-level modules that paths from the crate's root lead to. A glob or another name for the root is itself reported.
fn used(tokens: &[String], module: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let inside_path = i > 0 && tokens.get(i - 1).is_some_and(|before| before == "::");
        let next = tokens.get(i + 1).map(String::as_str);
        match token.as_str() {
            "crate" | "finops" if next == Some("::") => follow(tokens, i + 2, &[], &mut found),
            "crate" | "finops" if next == Some("as") => found.push("crate as".to_owned()),
            "super" if !inside_path && next == Some("::") => {
                let up = module.split_last().map_or(&[][..], |(_, parent)| parent);
                follow(tokens, i + 2, up, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Reads the rest of a path or of a `use` tree that starts at `i` in the module `base`; returns nothing, collects into `found`.
fn follow(tokens: &[String], i: usize, base: &[String], found: &mut Vec<String>) {
    let Some(token) = tokens.get(i) else { return };
    match token.as_str() {
        "{" => {
            let (mut at, mut depth) = (i + 1, 1_i32);
            let mut starts = true;
            while let Some(token) = tokens.get(at) {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if starts && depth == 1 {
                    follow(tokens, at, base, found);
                }
                starts = depth == 1 && token == ",";
                at += 1;
            }
        }
        "super" if tokens.get(i + 1).is_some_and(|next| next == "::") => {
            let up = base.split_last().map_or(&[][..], |(_, parent)| parent);
            follow(tokens, i + 2, up, found);
        }
        "self" if base.is_empty() => found.push("crate as".to_owned()),
        name if base.is_empty() => found.push(name.to_owned()),
        _ => {}
    }
}
