//! What the head of a request says.

use super::request::Refusal;

/// What the headers say about the body and the connection.
pub(super) struct Head {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub authorization: String,
    pub from_page: bool,
    pub keep_alive: bool,
    pub length: Option<usize>,
    pub chunked: bool,
    pub encoding: String,
    pub expects: bool,
}

impl Head {
    /// What these headers say.
    pub fn of(request: &httparse::Request<'_, '_>) -> Result<Self, Refusal> {
        let wrong = |reason| Refusal::Answer(400, reason);
        let text = |name: &str| {
            let header = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            header.map_or("", |h| std::str::from_utf8(h.value).unwrap_or("").trim())
        };
        let chunked = text("transfer-encoding");
        if !(chunked.is_empty() || chunked.eq_ignore_ascii_case("chunked")) {
            return Err(Refusal::Answer(501, "this transfer encoding is not understood"));
        }
        let lengths = request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case("content-length"));
        let length = match (lengths.count(), text("content-length")) {
            (0, _) => None,
            // Two lengths, or a length beside chunks, are how requests are smuggled.
            (1, length) if chunked.is_empty() => Some(length.parse().map_err(|_| wrong("the length is no number"))?),
            _ => return Err(wrong("the length is given twice")),
        };
        let closes = text("connection").eq_ignore_ascii_case("close") || request.version == Some(0);
        Ok(Head {
            method: request.method.unwrap_or("").to_owned(),
            path: path_of(request.path.unwrap_or("")).to_owned(),
            content_type: text("content-type")
                .split(';')
                .next()
                .unwrap_or("")
                .trim()
                .to_ascii_lowercase(),
            authorization: text("authorization").to_owned(),
            from_page: !text("origin").is_empty(),
            keep_alive: !closes,
            length,
            chunked: !chunked.is_empty(),
            encoding: text("content-encoding").to_ascii_lowercase(),
            expects: text("expect").eq_ignore_ascii_case("100-continue"),
        })
    }
}

/// The path of a target, which may be a whole address, without what is asked of it and the slash at its end.
fn path_of(target: &str) -> &str {
    let target = target.split('?').next().unwrap_or("");
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        _ => target,
    };
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(path) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_in_a_whole_address_and_with_a_slash_behind_it() {
        for (target, path) in [
            ("/v1/traces", "/v1/traces"),
            ("/v1/traces/?x=1", "/v1/traces"),
            ("http://host:4318/v1/traces", "/v1/traces"),
            ("http://host", "/"),
            ("/", "/"),
            ("*", "*"),
            ("/a://b/c", "/a://b/c"),
            ("", ""),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }
}
