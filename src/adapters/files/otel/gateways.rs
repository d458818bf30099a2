//! What gateways mean by the spans that they send: OpenRouter (Broadcast) and Cloudflare's AI Gateway.

use super::super::counts::Counts;
use super::super::line::Output;
use super::super::scalar::Scalar;
use super::super::thoughts::Thoughts;
use super::super::{host, seller};
use super::attributes::Attributes;

const OPENROUTER: &str = "openrouter";

const CLOUDFLARE: &str = "calls that Cloudflare's AI Gateway traces: spans do not tell what of the input was cached, which is charged as uncached";

impl Attributes<'_> {
    /// Takes what gateways tell in words of their own for what the conventions mean by it. Whether the span is of one of them.
    pub(super) fn take_over_gateway(&mut self, scope: &str) -> bool {
        if scope == OPENROUTER {
            // What became of a request is told below it, as calls of the same words that used nothing.
            if self.claude_span.str() == "span" && !self.has_usage() {
                self.operation = Scalar::Null;
            } else {
                // It names the maker of the model.
                self.provider = Scalar::Text(OPENROUTER.into());
            }
            return true;
        }
        if !self.cloudflare.is_null() && self.provider.is_null() {
            self.provider = match self.cloudflare.str() {
                // Its own names for some.
                "aws-bedrock" => Scalar::Text("bedrock".into()),
                "grok" => Scalar::Text("xai".into()),
                "perplexity-ai" => Scalar::Text("perplexity".into()),
                _ => self.cloudflare.clone(),
            };
            return true;
        }
        false
    }

    /// Who sold a call: who is said to have, but of what others tell of OpenRouter's the id of the answer is OpenRouter's.
    pub(super) fn sold<'s>(&self, told: &'s str) -> &'s str {
        let by_id = self.response_id.str().starts_with("gen-") && (told.is_empty() || !seller::known(told).is_empty());
        if by_id { OPENROUTER } else { told }
    }

    /// Who sold a call of OpenAI's client, which calls whomever it asks by its own name: the host that was asked, where it is known who sells there.
    /// What the counts of another mean that the conventions leave open is told by that.
    pub(super) fn sold_at_host<'s>(&self, told: &'s str, counts: &mut Counts) -> &'s str {
        let seller = match told {
            "openai" => host::seller(self.server.str()),
            _ => "",
        };
        match seller {
            "" | "openai" => return told,
            "azure" => {}
            _ => counts.keep_for_minutes(),
        }
        if self.is_gemini(seller) {
            counts.thoughts = Thoughts::Rest;
        }
        seller
    }

    /// Tells what the spans of a gateway do not tell.
    pub(super) fn tell_of_gateway(&self, out: &mut Output) {
        if !self.cloudflare.is_null() && self.read.is_null() {
            out.warnings.push(CLOUDFLARE);
        }
    }
}
