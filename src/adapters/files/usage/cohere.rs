//! What Cohere bills, which stands beside what was used.

use serde::Deserialize;

use super::super::counts::Counts;
use super::super::line::Fault;
use super::super::media::Media;
use super::super::scalar::Scalar;
use super::Usage;

#[derive(Deserialize)]
pub(super) struct Billed<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    text_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
}

impl Usage<'_> {
    /// What is used and not billed (a preamble of the provider's own) is no spend. Tokens of images stand beside those of the input, unless the
    /// numbers say that these are both.
    pub(super) fn cohere(&self) -> Result<Counts, Fault> {
        let Some(billed) = &self.billed_units else {
            return Ok(Counts::default());
        };
        let text = billed.text_tokens.count("billed_units.text_tokens")?;
        let images = billed.image_tokens.count("billed_units.image_tokens")?;
        let input = match billed.input_tokens.is_null() {
            true => text,
            false => billed.input_tokens.count("billed_units.input_tokens")?,
        };
        let both = text > 0 && input == text.saturating_add(images);
        let media: Media = [0, 0, images, 0, 0];
        Ok(Counts {
            input: if both { input } else { input.saturating_add(images) },
            output: billed.output_tokens.count("billed_units.output_tokens")?,
            media,
            ..Counts::default()
        })
    }
}
