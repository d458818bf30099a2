//! Tells the format of a record by the keys that only it has, and that of a table by its header.

mod agents;
mod answer;
mod names;

use memchr::memmem;

use super::{FileFormat, apim, bedrock, joined, keys};

use self::agents::Message;

pub(super) use answer::{answer, is_logged, logged};
pub(super) use names::{by_header, by_path};

/// What is known of a record so far: which of the keys below were seen, and the values that matter.
#[derive(Default)]
struct Seen<'t> {
    keys: u64,
    kind: &'t [u8],
    object: &'t [u8],
    /// The values of keys that may be envelopes around the record, but for its message.
    inner: Vec<&'t [u8]>,
    /// Its message, where that is an object.
    message: Option<Message<'t>>,
    data: &'t [u8],
    /// Values that may hold an answer, under names that other things have, too, or as a text.
    logged: Vec<&'t [u8]>,
    /// A format of which a key was met that may also stand beside an answer.
    maybe: Option<FileFormat>,
    /// Whether `time` is an object, as in opencode's messages.
    timed: bool,
    /// What the values of some keys say of coding agents.
    signs: agents::Signs,
    /// Whether it began at seconds and nanoseconds, as spans of OpenTelemetry's SDK for JavaScript.
    in_parts: bool,
}

macro_rules! keys {
    ($($name:ident = $key:pat),* $(,)?) => {
        /// A key as one bit; 0 for one that does not matter.
        fn bit(key: &[u8]) -> u64 {
            match key { $($key => $name,)* _ => 0 }
        }
        keys!(@ 0; $($name)*);
    };
    (@ $at:expr; $name:ident $($rest:ident)*) => {
        const $name: u64 = 1 << $at;
        keys!(@ $at + 1; $($rest)*);
    };
    (@ $at:expr;) => {};
}

// The keys that tell formats apart.
keys!(
    REQUEST_ID = b"request_id",
    START_TIME = b"startTime",
    START_TIME_SNAKE = b"start_time",
    CUSTOM_LLM_PROVIDER = b"custom_llm_provider",
    TRACE_ID = b"trace_id",
    RESPONSE_COST = b"response_cost",
    PARENT_UUID = b"parentUuid",
    SESSION_ID = b"sessionId",
    MESSAGE = b"message",
    UUID = b"uuid",
    TYPE = b"type",
    PAYLOAD = b"payload",
    LEAF_UUID = b"leafUuid",
    TS = b"ts",
    MODEL = b"model",
    USAGE = b"usage",
    USAGE_METADATA = b"usageMetadata",
    CUSTOM_ID = b"custom_id",
    USAGE_DETAILS = b"usageDetails",
    PROVIDED_MODEL = b"provided_model_name",
    CALCULATED_TOTAL_COST = b"calculatedTotalCost",
    TRACE_CAMEL = b"traceId",
    REQUEST_CREATED_AT = b"request_created_at",
    CORRELATION_ID = b"CorrelationId",
    PROMPT_TOKENS = b"PromptTokens",
    RECORD_ID = b"recordId",
    ERROR = b"error",
    INPUT_TOKENS = b"input_tokens",
    OUTPUT_TOKENS = b"output_tokens",
    DEPLOYMENT_NAME = b"DeploymentName",
    MODEL_NAME = b"ModelName",
    SEQUENCE_NUMBER = b"SequenceNumber",
    TIME_GENERATED = b"TimeGenerated" | b"TimeGenerated [UTC]",
    SESSION_SNAKE = b"session_id",
    PARENT_TOOL = b"parent_tool_use_id",
    SUBTYPE = b"subtype",
    MODEL_USAGE = b"modelUsage",
    PARENT_ID = b"parentId",
    CWD = b"cwd",
    PROTOCOL_VERSION = b"protocol_version",
    SESSION_CAPITAL = b"sessionID",
    MESSAGE_CAPITAL = b"messageID",
    MODEL_CAPITAL = b"modelID",
    PROVIDER_CAPITAL = b"providerID",
    PROJECT_CAPITAL = b"projectID",
    DIRECTORY = b"directory",
    ROLE = b"role",
    DATA = b"data",
    PROJECT_HASH = b"projectHash",
    SYSTEM_PAYLOAD = b"systemPayload",
    TOKENS = b"tokens",
    MESSAGES = b"messages",
    TOTAL_COST_USD = b"total_cost_usd",
    COST_USD = b"cost_usd",
    SAY = b"say",
    UPDATED_AT = b"updated_at",
);

/// How deep a record may lie in envelopes such as `{"response":{"body":{…}}}`.
const ENVELOPES: u32 = 3;

/// The format of a JSON record.
pub(super) fn by_record(text: &str) -> Option<FileFormat> {
    match bedrock::exported(text) {
        Some(record) => by_record(record),
        None => match joined::of_text(text.trim()) {
            Some(record) => by_keys(record.as_bytes(), 0),
            None => by_keys(text.as_bytes(), 0),
        },
    }
}

fn by_keys(text: &[u8], depth: u32) -> Option<FileFormat> {
    let mut seen = Seen::default();
    let mut found = None;
    // Observations of a page, or of a trace.
    let langfuse = |value| {
        let keys: [&[u8]; 2] = [b"\"usageDetails\"", b"\"calculatedTotalCost\""];
        keys.into_iter().any(|key| memmem::find(value, key).is_some())
    };
    keys::each(text, |key, value| {
        if key == b"data" {
            seen.data = value;
        }
        let log = |value| memmem::find(value, b"ModelInvocationLog").is_some();
        match key {
            b"resourceSpans" | b"resource_spans" | b"resourceMetrics" | b"resource_metrics" | b"resourceLogs"
            | b"resource_logs" => found = Some(FileFormat::Otel),
            b"schemaType" if value.starts_with(b"\"ModelInvocationLog\"") => found = Some(FileFormat::Bedrock),
            b"message" | b"@message" if value.starts_with(b"\"") && log(value) => found = Some(FileFormat::Bedrock),
            b"accumulated_usage" => found = Some(FileFormat::Goose),
            b"accumulated_total_tokens" | b"accumulated_input_tokens" => seen.maybe = Some(FileFormat::Goose),
            b"events" | b"logEvents" if log(value) => found = Some(FileFormat::Bedrock),
            b"properties" if apim::is_properties(value) => found = Some(FileFormat::Apim),
            b"category" if value.starts_with(b"\"GatewayLlmLogs\"") => found = Some(FileFormat::Apim),
            b"records" if memmem::find(value, b"\"GatewayLlmLogs\"").is_some() => found = Some(FileFormat::Apim),
            b"ResultsByTime" if value.starts_with(b"[") => found = Some(FileFormat::CostExplorer),
            b"message" if value.starts_with(b"{") => {
                let message = Message::of(value);
                if message.is_of_kimi() {
                    found = Some(FileFormat::KimiCli);
                }
                seen.message = Some(message);
            }
            // Messages that Gemini CLI writes anew.
            b"$set" if agents::is_set_of_gemini(value) => found = Some(FileFormat::GeminiCli),
            b"stats" if agents::is_printed_by_gemini(value) => seen.maybe = Some(FileFormat::GeminiCli),
            // A session that opencode exported, or one of its messages with the parts.
            b"info" if agents::is_exported(value) => seen.maybe = Some(FileFormat::Opencode),
            b"time" if value.starts_with(b"{") => seen.timed = true,
            b"id" | b"v" | b"created" | b"agent" | b"tokenUsage" => seen.signs.note(key, value),
            b"startTime" if value.starts_with(b"[") => seen.in_parts = true,
            // Portkey's, whose rows may have no answer.
            b"ai_org" if value.starts_with(b"\"") => seen.maybe = Some(FileFormat::Body),
            b"type" => seen.kind = value,
            b"object" if value.starts_with(b"\"page\"") => found = Some(FileFormat::OpenaiAdmin),
            // Those of a page, collected without it.
            b"object" if value.starts_with(b"\"bucket\"") => found = Some(FileFormat::OpenaiAdmin),
            b"starting_at" if value.starts_with(b"\"") => seen.maybe = Some(FileFormat::AnthropicAdmin),
            b"object" => seen.object = value,
            b"data" if memmem::find(value, b"\"starting_at\"").is_some() => found = Some(FileFormat::AnthropicAdmin),
            b"data" | b"observations" if langfuse(value) => found = Some(FileFormat::Langfuse),
            b"data" if memmem::find(value, b"\"request_created_at\"").is_some() => found = Some(FileFormat::Helicone),
            // Gemini's, as Google's SDK for Python writes it.
            b"usage_metadata" if memmem::find(value, b"_token_count\"").is_some() => found = Some(FileFormat::Body),
            b"modelOutput" => found = Some(FileFormat::Body),
            b"data" if memmem::find(value, b"\"custom_llm_provider\"").is_some() => found = Some(FileFormat::Litellm),
            b"usage_info" if memmem::find(value, b"\"pages_processed\"").is_some() => found = Some(FileFormat::Body),
            b"meta" if agents::is_of_crush(value) => found = Some(FileFormat::Crush),
            b"meta" if memmem::find(value, b"billed_units").is_some() => found = Some(FileFormat::Body),
            b"response" | b"body" | b"result" | b"interaction" if value.starts_with(b"{") => seen.inner.push(value),
            key if answer::is_whole(key, value) => seen.inner.push(value),
            b"response" | b"body" | b"result" | b"message" | b"completion" | b"data" | b"payload" | b"event"
            | b"output"
                if matches!(value.first(), Some(b'{' | b'"')) =>
            {
                seen.logged.push(value);
            }
            key if is_logged(key) => seen.logged.push(value),
            _ => {}
        }
        let bit = bit(key);
        // A message that is text is a log's.
        if bit != 0 && (bit != MESSAGE || value.starts_with(b"{")) {
            seen.keys |= bit;
            found = found.or_else(|| seen.early());
        }
        found.is_none()
    });
    let around = |inner: &[u8]| depth < ENVELOPES && by_keys(inner, depth + 1) == Some(FileFormat::Body);
    let of_pi = seen.is_of_pi();
    let message = seen.message.as_ref().map(|message| message.text);
    let any_around = || seen.inner.iter().copied().any(around) || message.is_some_and(around);
    if let Some(maybe) = seen
        .maybe
        .or(of_pi.then_some(FileFormat::Pi))
        .filter(|_| found.is_none())
        && !seen.has(USAGE_METADATA)
        && !(seen.has(USAGE) && maybe != FileFormat::AnthropicAdmin)
        && !seen.inner.iter().copied().any(around)
        && (of_pi || !message.is_some_and(around))
    {
        return Some(maybe);
    }
    let found = found.or_else(|| seen.late().filter(|found| !seen.is_of_others(*found, text)));
    if found.is_some_and(|found| !seen.may_be_around(found)) {
        return found;
    }
    if any_around() {
        return Some(FileFormat::Body);
    }
    let logs = || {
        let mut values = seen
            .logged
            .iter()
            .copied()
            .chain(seen.inner.iter().copied())
            .chain(message);
        values.any(|value| answer(value).is_some())
    };
    match found.or_else(|| seen.agent()) {
        None if logs() => Some(FileFormat::Body),
        told => told.or_else(|| seen.may_be_agent()),
    }
}

/// Whether a value is this text.
fn is(value: &[u8], name: &str) -> bool {
    let text = value.strip_prefix(b"\"").and_then(|v| v.strip_prefix(name.as_bytes()));
    text.is_some_and(|rest| rest.starts_with(b"\""))
}

impl Seen<'_> {
    fn has(&self, keys: u64) -> bool {
        self.keys & keys == keys
    }

    /// What is certain, whatever follows.
    fn early(&self) -> Option<FileFormat> {
        if self.has(CUSTOM_LLM_PROVIDER) && (self.has(REQUEST_ID | START_TIME) || self.has(TRACE_ID | RESPONSE_COST)) {
            Some(FileFormat::Litellm)
        } else if self.has(PROJECT_HASH | SESSION_ID) || self.has(PARENT_UUID | SYSTEM_PAYLOAD) {
            Some(FileFormat::GeminiCli)
        } else if self.has(PARENT_UUID | SESSION_ID | MESSAGE) {
            // Qwen Code's have the outline of Claude Code's.
            match self.message.as_ref().is_some_and(Message::is_of_qwen) {
                true => Some(FileFormat::GeminiCli),
                false => Some(FileFormat::ClaudeCode),
            }
        } else if self.has(TS | MODEL) && (self.has(INPUT_TOKENS) || self.has(OUTPUT_TOKENS)) {
            Some(FileFormat::Plain)
        } else if self.has(USAGE_DETAILS) || self.has(CALCULATED_TOTAL_COST) {
            Some(FileFormat::Langfuse)
        } else if self.has(REQUEST_ID | REQUEST_CREATED_AT) {
            Some(FileFormat::Helicone)
        } else if self.has(CORRELATION_ID | PROMPT_TOKENS) && (self.has(TIME_GENERATED) || self.is_apim()) {
            Some(FileFormat::Apim)
        } else {
            None
        }
    }

    /// Whether it has what rows of a gateway's log say beside their counts.
    fn is_apim(&self) -> bool {
        let names = [DEPLOYMENT_NAME, MODEL_NAME, SEQUENCE_NUMBER];
        names.into_iter().any(|key| self.has(key))
    }

    /// Whether these keys may be those of whoever logged an answer in an envelope.
    fn may_be_around(&self, found: FileFormat) -> bool {
        found == FileFormat::Plain || (found == FileFormat::ClaudeCode && !self.has(MESSAGE))
    }

    /// Whether they are those of an answer, whatever its application has logged beside it.
    fn is_answer(&self) -> bool {
        let bodies = [
            "chat.completion",
            "chat.completion.chunk",
            "text_completion",
            "response",
        ];
        bodies.into_iter().any(|name| is(self.object, name))
            || (self.has(USAGE) && (is(self.kind, "message") || is(self.kind, "message_delta")))
            || (self.has(MESSAGE) && is(self.kind, "message_start"))
            || is(self.kind, "span.model_request_end")
    }

    /// What the keys tell together, when all are known.
    fn late(&self) -> Option<FileFormat> {
        let codex = [
            "session_meta",
            "turn_context",
            "event_msg",
            "response_item",
            "compacted",
        ];
        // Those of observations; the two other keys stand in many a log.
        let observations = [
            "GENERATION",
            "SPAN",
            "EVENT",
            "EMBEDDING",
            "AGENT",
            "TOOL",
            "CHAIN",
            "RETRIEVER",
            "EVALUATOR",
            "GUARDRAIL",
        ];
        let is_session = self.has(PARENT_UUID)
            || [MESSAGE, UUID, TYPE].into_iter().any(|key| self.has(SESSION_ID | key))
            || (self.has(LEAF_UUID) && is(self.kind, "summary"))
            || (is(self.kind, "progress") && agents::holds(self.data, b"message"));
        // What Claude Code prints.
        let is_printed = || {
            let cost = self.has(SUBTYPE) && (self.has(TOTAL_COST_USD) || self.has(COST_USD));
            (is(self.kind, "result") && (self.has(MODEL_USAGE) || cost))
                || (is(self.kind, "system") && self.has(SUBTYPE))
                || (self.has(PARENT_TOOL)
                    && ["assistant", "user", "stream_event"]
                        .into_iter()
                        .any(|name| is(self.kind, name)))
                // Of versions that do not say whose a message is.
                || (is(self.kind, "assistant") && !self.has(USAGE) && self.message.as_ref().is_some_and(Message::is_of_claude))
        };
        let is_exported = || self.has(PROVIDED_MODEL) || observations.into_iter().any(|name| is(self.kind, name));
        if self.has(USAGE_METADATA) {
            Some(FileFormat::Body)
        } else if self.is_of_kimi_code() {
            Some(FileFormat::KimiCli)
        } else if self.has(PAYLOAD) && codex.into_iter().any(|name| is(self.kind, name)) {
            Some(FileFormat::Codex)
        } else if self.has(SESSION_SNAKE) && is_printed() {
            Some(FileFormat::ClaudeCode)
        } else if self.is_answer() {
            Some(FileFormat::Body)
        } else if self.in_parts && self.has(TRACE_CAMEL | START_TIME) {
            Some(FileFormat::Otel)
        } else if (self.has(TRACE_CAMEL | START_TIME | TYPE) && (is_exported() || self.kind.starts_with(b"null")))
            || (self.has(TRACE_ID | START_TIME_SNAKE | TYPE) && is_exported())
        {
            Some(FileFormat::Langfuse)
        } else if self.has(USAGE) {
            Some(FileFormat::Body)
        } else if self.has(TRACE_ID | RESPONSE_COST) {
            Some(FileFormat::Litellm)
        } else if is_session {
            Some(FileFormat::ClaudeCode)
        } else if self.has(CUSTOM_ID) || self.has(RECORD_ID | ERROR) {
            Some(FileFormat::Body)
        } else if self.has(TS | MODEL) {
            Some(FileFormat::Plain)
        } else if self.has(CORRELATION_ID) && self.is_apim() {
            Some(FileFormat::Apim)
        } else {
            None
        }
    }
}
