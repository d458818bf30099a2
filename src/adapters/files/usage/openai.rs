//! Usage objects in OpenAI's shapes, and of the many who have them: input includes what was read from caches and written to them.

use super::super::counts::Counts;
use super::super::line::Fault;
use super::super::media;
use super::super::scalar::Scalar;
use super::details::Details;
use super::{Usage, first};

static NOTHING: Scalar<'static> = Scalar::Null;

impl Usage<'_> {
    /// The counts, of which parts may stand in the details that belong to their names, and beside them in those that belong to others'.
    pub(super) fn openai(
        &self,
        input: (&Scalar<'_>, &str),
        output: (&Scalar<'_>, &str),
        [details, beside]: [Option<&Details<'_>>; 2],
        [completion, other]: [Option<&Details<'_>>; 2],
        openai: bool,
    ) -> Result<Counts, Fault> {
        let none = Details::default();
        let (details, beside) = (details.unwrap_or(&none), beside.unwrap_or(&none));
        let (completion, other) = (completion.unwrap_or(&none), other.unwrap_or(&none));
        let own = self.is_of_pydantic();
        let pydantic = |count| if own { count } else { &NOTHING };
        // The same number under several names: never added up.
        let read = first(&[
            (&details.cached_tokens, "cached_tokens"),
            (&self.cache_read_input_tokens, "cache_read_input_tokens"),
            (&self.prompt_cache_hit_tokens, "prompt_cache_hit_tokens"),
            (&self.cached_tokens, "cached_tokens"),
            (&self.cached_input_tokens, "cached_input_tokens"),
            (&details.cached_read_tokens, "cached_read_tokens"),
            (&details.cache_read, "cache_read"),
            (
                &self.provider_cache_read_input_tokens,
                "provider_cache_read_input_tokens",
            ),
            (
                &self.tensorzero_provider_cache_read_input_tokens,
                "tensorzero_provider_cache_read_input_tokens",
            ),
            (&beside.cached_tokens, "cached_tokens"),
            (&beside.cached_read_tokens, "cached_read_tokens"),
            (&beside.cache_read, "cache_read"),
            (pydantic(&self.cache_read_tokens), "cache_read_tokens"),
        ])?;
        let written = first(&[
            (&details.cache_write_tokens, "cache_write_tokens"),
            (&details.cache_creation_tokens, "cache_creation_tokens"),
            (&self.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (&details.cached_creation_tokens, "cached_creation_tokens"),
            (&details.cached_write_tokens, "cached_write_tokens"),
            (&details.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (details.created(), "cache_creation"),
            (
                &self.provider_cache_write_input_tokens,
                "provider_cache_write_input_tokens",
            ),
            (
                &self.tensorzero_provider_cache_write_input_tokens,
                "tensorzero_provider_cache_write_input_tokens",
            ),
            (&beside.cache_write_tokens, "cache_write_tokens"),
            (&beside.cache_creation_tokens, "cache_creation_tokens"),
            (&beside.cached_creation_tokens, "cached_creation_tokens"),
            (&beside.cached_write_tokens, "cached_write_tokens"),
            (&beside.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (beside.created(), "cache_creation"),
            (pydantic(&self.cache_write_tokens), "cache_write_tokens"),
        ])?;
        let mut counts = Counts {
            input: input.0.count(input.1)?,
            read,
            output: output.0.count(output.1)?,
            reasoning: first(&[
                (&completion.reasoning_tokens, "reasoning_tokens"),
                (&other.reasoning_tokens, "reasoning_tokens"),
                (pydantic(&self.output_reasoning_tokens), "output_reasoning_tokens"),
            ])?,
            media: match own {
                true => media::audio(
                    &self.input_audio_tokens,
                    &self.output_audio_tokens,
                    &self.cache_audio_read_tokens,
                )?,
                false => media::openai(
                    [
                        given(&details.audio_tokens, &beside.audio_tokens),
                        given(&details.image_tokens, &beside.image_tokens),
                        given(&details.video_tokens, &beside.video_tokens),
                    ],
                    [
                        given(&completion.audio_tokens, &other.audio_tokens),
                        given(&completion.image_tokens, &other.image_tokens),
                    ],
                    details
                        .cached_tokens_details
                        .as_ref()
                        .or(beside.cached_tokens_details.as_ref()),
                )?,
            },
            total: self.total_tokens.count("total_tokens")?,
            ..Counts::default()
        };
        let ttl = details.cache_write_tokens_details.as_ref();
        if let Some(ttl) = ttl.or(beside.cache_write_tokens_details.as_ref()) {
            counts.write_30m = ttl.ttl_30m_tokens.count("ttl_30m_tokens")?;
            counts.write_12h = ttl.ttl_12h_tokens.count("ttl_12h_tokens")?;
        }
        let splits = [
            &details.cache_creation_token_details,
            &details.cached_write_token_details,
            &self.cache_creation,
            &beside.cache_creation_token_details,
            &beside.cached_write_token_details,
        ];
        // new-api, LangChain.
        counts.write_5m = first(&[
            (
                &self.claude_cache_creation_5_m_tokens,
                "claude_cache_creation_5_m_tokens",
            ),
            (&details.ephemeral_5m_input_tokens, "ephemeral_5m_input_tokens"),
            (&beside.ephemeral_5m_input_tokens, "ephemeral_5m_input_tokens"),
        ])?;
        counts.write_1h = first(&[
            (
                &self.claude_cache_creation_1_h_tokens,
                "claude_cache_creation_1_h_tokens",
            ),
            (&details.ephemeral_1h_input_tokens, "ephemeral_1h_input_tokens"),
            (&beside.ephemeral_1h_input_tokens, "ephemeral_1h_input_tokens"),
            (pydantic(&self.cache_write_1h_tokens), "cache_write_1h_tokens"),
        ])?;
        if let Some(split) = splits.into_iter().flatten().next() {
            split.read(&mut counts)?;
        }
        let rest = written.saturating_sub(counts.write_30m + counts.write_12h + counts.write_5m + counts.write_1h);
        let unsplit = if openai {
            &mut counts.write_30m
        } else {
            &mut counts.write_5m
        };
        *unsplit += rest;
        Ok(counts)
    }
}

/// The one that is given.
fn given<'s, 'a>(own: &'s Scalar<'a>, other: &'s Scalar<'a>) -> &'s Scalar<'a> {
    if own.is_null() { other } else { own }
}
