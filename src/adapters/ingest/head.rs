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
        let encodings = named(request, "transfer-encoding");
        // Lines of one name are one list.
        let chunked = match encodings.as_slice() {
            [] => false,
            [one] if one.trim_ascii().eq_ignore_ascii_case(b"chunked") => true,
            _ => return Err(Refusal::Answer(501, "this transfer encoding is not understood")),
        };
        let length = match named(request, "content-length").as_slice() {
            [] => None,
            // Two lengths, or a length beside chunks, are how requests are smuggled.
            [length] if !chunked => Some(number(length).ok_or_else(|| wrong("the length is no number"))?),
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
            chunked,
            encoding: text("content-encoding").to_ascii_lowercase(),
            expects: text("expect").eq_ignore_ascii_case("100-continue"),
        })
    }
}

/// The values of all headers of a name.
fn named<'b>(request: &httparse::Request<'_, 'b>, name: &str) -> Vec<&'b [u8]> {
    let headers = request.headers.iter();
    let headers = headers.filter(|header| header.name.eq_ignore_ascii_case(name));
    headers.map(|header| header.value).collect()
}

/// A number of digits alone.
fn number(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
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

    /// What these headers say of the body: its length and whether it is chunked, or the status of the refusal.
    fn body(headers: &[(&str, &[u8])]) -> Result<(Option<usize>, bool), u16> {
        let mut headers: Vec<_> = headers
            .iter()
            .map(|&(name, value)| httparse::Header { name, value })
            .collect();
        let mut request = httparse::Request::new(&mut headers);
        request.version = Some(1);
        match Head::of(&request) {
            Ok(head) => Ok((head.length, head.chunked)),
            Err(Refusal::Answer(status, _)) => Err(status),
            Err(_) => Err(0),
        }
    }

    #[test]
    fn where_a_body_ends_is_said_once_and_in_one_way() {
        let (te, cl) = ("Transfer-Encoding", "Content-Length");
        assert_eq!(body(&[]), Ok((None, false)));
        assert_eq!(body(&[(cl, b" 17 ")]), Ok((Some(17), false)));
        assert_eq!(body(&[(te, b"Chunked ")]), Ok((None, true)));
        for wrong in [
            &b""[..],
            b"+17",
            b"-0",
            b"0x11",
            b"1 7",
            b"17,17",
            b"1\xff",
            b"99999999999999999999999",
        ] {
            assert_eq!(body(&[(cl, wrong)]), Err(400), "{wrong:?}");
        }
        assert_eq!(body(&[(cl, b"17"), (cl, b"17")]), Err(400));
        let wrong: [&[&[u8]]; 7] = [
            &[b""],
            &[b"gzip"],
            &[b"chunked\xff"],
            &[b"chunked, chunked"],
            &[b"", b"chunked"],
            &[b"chunked", b"gzip"],
            &[b"chunked", b""],
        ];
        // Whatever stands beside it: a length does not make an encoding that is not understood one that may be passed over.
        for lines in wrong {
            let mut headers: Vec<_> = lines.iter().map(|line| (te, *line)).collect();
            assert_eq!(body(&headers), Err(501), "{lines:?}");
            headers.push((cl, b"17"));
            assert_eq!(body(&headers), Err(501), "{lines:?}");
        }
        assert_eq!(body(&[(te, b"chunked"), (cl, b"17")]), Err(400));
    }

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
