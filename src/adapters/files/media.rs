//! Audio, images and video in the usage objects of OpenAI and Gemini: parts of input and output that are priced apart.

use serde::Deserialize;

use crate::domain::usage::Bucket;

use super::line::Fault;
use super::scalar::Scalar;

/// Counts in the order of [`Bucket::MEDIA`].
pub(super) type Media = [u64; Bucket::MEDIA.len()];

/// What of cached tokens in OpenAI's shape is no text.
#[derive(Deserialize, Default)]
pub(super) struct Cached<'a> {
    #[serde(borrow, default)]
    audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    video_tokens: Scalar<'a>,
}

/// Audio, images and video of the details of input and output in OpenAI's shape. They stand apart only where they are priced apart.
pub(super) fn openai(
    [audio, images, video]: [&Scalar<'_>; 3],
    [said, drawn]: [&Scalar<'_>; 2],
    cached: Option<&Cached<'_>>,
) -> Result<Media, Fault> {
    let none = Cached::default();
    let cached = cached.unwrap_or(&none);
    let fresh = |all: &Scalar<'_>, read: &Scalar<'_>, name: &str| -> Result<u64, Fault> {
        Ok(all.count(name)?.saturating_sub(read.count(name)?))
    };
    Ok([
        fresh(audio, &cached.audio_tokens, "audio_tokens")?,
        said.count("audio_tokens")?,
        fresh(images, &cached.image_tokens, "image_tokens")?,
        drawn.count("image_tokens")?,
        fresh(video, &cached.video_tokens, "video_tokens")?,
    ])
}

/// What is audio of a prompt, whether it was read from the cache or not, and of an answer.
pub(super) fn audio(heard: &Scalar<'_>, said: &Scalar<'_>, read: &Scalar<'_>) -> Result<Media, Fault> {
    let fresh = heard.count("input_audio_tokens")?;
    let fresh = fresh.saturating_sub(read.count("cache_audio_read_tokens")?);
    Ok([fresh, said.count("output_audio_tokens")?, 0, 0, 0])
}

/// The part of one of Gemini's counts that is text, audio, an image or video.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Modality<'a> {
    #[serde(borrow)]
    modality: Scalar<'a>,
    #[serde(borrow, alias = "token_count", alias = "tokens")]
    token_count: Scalar<'a>,
}

pub(super) type List<'a> = Option<&'a [Modality<'a>]>;

/// A modality by its name and by its number, which Google's older SDK for Python writes.
type Kind = (&'static str, u64);

const AUDIO: Kind = ("AUDIO", 4);
const IMAGE: Kind = ("IMAGE", 2);
const VIDEO: Kind = ("VIDEO", 3);
/// All that are known: what is text or a document is charged as input and output are.
const KINDS: [Kind; 5] = [("TEXT", 1), IMAGE, VIDEO, AUDIO, ("DOCUMENT", 5)];

impl Modality<'_> {
    fn is(&self, (name, number): Kind) -> bool {
        if let Scalar::Whole(told) = self.modality {
            return told == number;
        }
        // Python writes the name of the enum before it.
        let told = self.modality.str();
        let told = told.rsplit_once('.').map_or(told, |(_, last)| last);
        told.eq_ignore_ascii_case(name)
    }

    /// Whether it counts tokens of a modality that nobody here knows.
    pub fn is_unknown(&self) -> bool {
        !KINDS.into_iter().any(|kind| self.is(kind)) && self.token_count.count("").is_ok_and(|count| count > 0)
    }
}

fn part(list: List<'_>, modality: Kind) -> Result<u64, Fault> {
    let mut sum = 0_u64;
    for one in list.into_iter().flatten().filter(|one| one.is(modality)) {
        sum = sum.saturating_add(one.token_count.count("tokenCount")?);
    }
    Ok(sum)
}

/// Gemini's modalities of the prompt and of what tools added to it, of what was read from the cache, and of the answer.
pub(super) fn gemini([prompt, tools]: [List<'_>; 2], cached: List<'_>, answer: List<'_>) -> Result<Media, Fault> {
    let fresh = |modality| -> Result<u64, Fault> {
        let prompt = part(prompt, modality)?.saturating_sub(part(cached, modality)?);
        Ok(prompt.saturating_add(part(tools, modality)?))
    };
    Ok([
        fresh(AUDIO)?,
        part(answer, AUDIO)?,
        fresh(IMAGE)?,
        part(answer, IMAGE)?,
        fresh(VIDEO)?,
    ])
}
