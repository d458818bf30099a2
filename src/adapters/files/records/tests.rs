//! How records are cut, whatever stands between them.

use super::*;

#[test]
fn lines_are_cut_whatever_their_ends() {
    let mut records = Records::new(&b"a\r\n\nb"[..], 0, 0);
    let mut seen = Vec::new();
    while let Some(r) = records.line().unwrap() {
        seen.push((r.bytes.to_vec(), r.line, r.ended));
    }
    assert_eq!(
        seen,
        [(b"a".to_vec(), 1, true), (vec![], 2, true), (b"b".to_vec(), 3, false)]
    );
    assert_eq!(records.offset, 5);
}

#[test]
fn a_line_beyond_the_limit_is_passed_over() {
    let text = io::repeat(b'x').take(100 << 20).chain(&b"\n{}\n"[..]);
    let mut records = Records::new(text, 0, 0);
    let long = records.line().unwrap().unwrap();
    assert!(long.too_long && long.ended);
    assert_eq!(long.bytes.len(), Rejection::RAW_LIMIT);
    let next = records.line().unwrap().unwrap();
    assert_eq!((next.bytes, next.line), (&b"{}"[..], 2));
    assert_eq!(records.offset, (100 << 20) + 4);
    assert!(records.buffer.len() < 2 << 20);
}

#[test]
fn a_broken_value_ends_before_one_that_begins_on_its_last_line() {
    for between in [", ", "\t", ""] {
        let text = format!("[{{\n \"a\": ?\n}}{between}{{\n \"b\": 1\n}}]\n");
        let mut records = Records::new(text.as_bytes(), 0, 0);
        let broken = records.value().unwrap().unwrap();
        assert_eq!(
            (broken.bytes, broken.broken),
            (&b"{\n \"a\": ?\n}"[..], true),
            "{between:?}"
        );
        let whole = records.value().unwrap().unwrap();
        assert_eq!(
            (whole.bytes, whole.line, whole.broken),
            (&b"{\n \"b\": 1\n}"[..], 3, false)
        );
        assert!(records.value().unwrap().is_none());
    }
}

#[test]
fn values_may_span_lines_and_stand_in_an_array() {
    let mut records = Records::new(&b"[\n {\"a\": \"}\\\"\",\n  \"b\": [1]},\n {}\n]\n"[..], 0, 0);
    let first = records.value().unwrap().unwrap();
    assert_eq!((first.line, first.ended), (2, true));
    assert!(first.bytes.ends_with(b"[1]}"));
    let second = records.value().unwrap().unwrap();
    assert_eq!((second.line, second.bytes), (4, &b"{}"[..]));
    assert!(records.value().unwrap().is_none());
}
