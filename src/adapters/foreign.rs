//! Foreign names in messages for people: they stay on their line and are read in the direction that they are written in.

/// Whether a character could forge a line or turn the direction of writing: control characters, line separators, and the marks,
/// embeddings and isolates of bidirectional text.
pub fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
