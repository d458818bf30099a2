//! Records of coding agents that no single key tells.

use memchr::memmem;

use super::{
    CWD, DATA, DIRECTORY, FileFormat, MESSAGE, MESSAGE_CAPITAL, MESSAGES, MODEL, MODEL_CAPITAL, PARENT_ID, PARENT_UUID,
    PROJECT_CAPITAL, PROTOCOL_VERSION, PROVIDER_CAPITAL, ROLE, SAY, SESSION_CAPITAL, SESSION_ID, SESSION_SNAKE, Seen,
    TOKENS, TS, UPDATED_AT, bit, is, keys,
};

/// The message of a record.
pub(super) struct Message<'t> {
    /// From its beginning on.
    pub text: &'t [u8],
    role: &'t [u8],
    kind: &'t [u8],
    usage: Option<&'t [u8]>,
    parts: bool,
    payload: bool,
    timed: bool,
}

impl<'t> Message<'t> {
    pub fn of(text: &'t [u8]) -> Self {
        let mut message = Message {
            text,
            role: b"",
            kind: b"",
            usage: None,
            parts: false,
            payload: false,
            timed: false,
        };
        keys::each(text, |key, value| {
            match key {
                b"role" => message.role = value,
                b"type" => message.kind = value,
                b"usage" if value.starts_with(b"{") => message.usage = Some(value),
                b"parts" => message.parts = true,
                b"payload" => message.payload = true,
                b"timestamp" => message.timed = true,
                _ => {}
            }
            true
        });
        message
    }

    /// Whether it is one of Qwen Code's, which are Gemini's.
    pub fn is_of_qwen(&self) -> bool {
        self.parts || is(self.role, "model")
    }

    /// Whether it tells what an answer of Kimi CLI, or of a subagent of its, used.
    pub fn is_of_kimi(&self) -> bool {
        self.payload && (is(self.kind, "StatusUpdate") || is(self.kind, "SubagentEvent"))
    }

    /// Whether it is an answer that Claude Code prints.
    pub fn is_of_claude(&self) -> bool {
        self.usage.is_some_and(|usage| holds(usage, b"input_tokens"))
    }

    /// Whether it may be one of pi's: what others count has other names. Droid's have no time of their own, and nothing that counts.
    fn is_of_pi(&self) -> bool {
        let counted = || {
            let counts: [&[u8]; 2] = [b"\"input_tokens\"", b"\"prompt_tokens\""];
            let text = keys::value(self.text);
            counts.into_iter().any(|key| memmem::find(text, key).is_some())
        };
        self.role.starts_with(b"\"")
            && match self.usage {
                Some(usage) => holds(usage, b"input") || holds(usage, b"output"),
                None => self.timed && !counted(),
            }
    }
}

/// Whether an object has this key.
pub(super) fn holds(object: &[u8], key: &[u8]) -> bool {
    let mut held = false;
    keys::each(object, |name, _| {
        held |= name == key;
        !held
    });
    held
}

/// Whether a value holds messages that Gemini CLI writes anew.
pub(super) fn is_set_of_gemini(value: &[u8]) -> bool {
    let value = keys::value(value);
    holds(value, b"messages") && memmem::find(value, b"\"gemini\"").is_some()
}

/// What the values of keys say that other records have, too.
#[derive(Default)]
pub(super) struct Signs {
    /// `id` is that of a thread of Amp's.
    thread: bool,
    /// It is counted how often it was written, or told when it was begun.
    kept: bool,
    /// `agent` is one of a session of Cline's.
    member: bool,
    /// `tokenUsage` is what a session of Droid's used so far.
    sum: bool,
}

impl Signs {
    pub fn note(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"id" => self.thread |= value.starts_with(b"\"T-"),
            b"v" | b"created" => self.kept |= value.first().is_some_and(u8::is_ascii_digit),
            b"agent" => self.member |= ["lead", "subagent", "teammate"].into_iter().any(|name| is(value, name)),
            b"tokenUsage" => {
                let value = keys::value(value);
                self.sum |= holds(value, b"inputTokens") && holds(value, b"cacheCreationTokens");
            }
            _ => {}
        }
    }
}

/// Whether a value is what Gemini CLI prints that its models used.
pub(super) fn is_printed_by_gemini(value: &[u8]) -> bool {
    let value = keys::value(value);
    let counts: [&[u8]; 2] = [b"\"candidates\"", b"\"input_tokens\""];
    holds(value, b"models") && counts.into_iter().any(|key| memmem::find(value, key).is_some())
}

/// Whether a value is what Crush prints of a session: others keep counts under `meta`, too.
pub(super) fn is_of_crush(value: &[u8]) -> bool {
    let told: [&[u8]; 4] = [b"uuid", b"cost", b"created", b"completion_tokens"];
    value.starts_with(b"{") && told.into_iter().all(|key| holds(keys::value(value), key))
}

/// Whether a value is a session or a message of opencode.
pub(super) fn is_exported(value: &[u8]) -> bool {
    let mut seen = Seen::default();
    keys::each(value, |key, _| {
        seen.keys |= bit(key);
        true
    });
    seen.has(PROJECT_CAPITAL | DIRECTORY) || seen.has(SESSION_CAPITAL | ROLE)
}

impl Seen<'_> {
    fn is(&self, kind: &str) -> bool {
        is(self.kind, kind)
    }

    /// Whether it may be a message of pi's, in its sessions or as it prints them.
    pub(super) fn is_of_pi(&self) -> bool {
        let printed = ["message_start", "message_update", "message_end", "turn_end"];
        let may = (self.is("message") && self.has(PARENT_ID)) || printed.into_iter().any(|kind| self.is(kind));
        may && self.message.as_ref().is_some_and(Message::is_of_pi)
    }

    /// Whether it was taken for a line of Claude Code by keys that others have for their sessions, too, and counts tokens itself: those lines
    /// leave that to the message.
    pub(super) fn is_of_others(&self, found: FileFormat, text: &[u8]) -> bool {
        let mut counts = false;
        if found == FileFormat::ClaudeCode && self.has(SESSION_ID) && !self.has(PARENT_UUID) {
            keys::each(text, |name, _| {
                counts |= memmem::find(name, b"oken").is_some();
                !counts
            });
        }
        counts
    }

    /// Whether it is a line of Kimi Code that tells of a message what it used, which another line tells, too.
    pub(super) fn is_of_kimi_code(&self) -> bool {
        (self.is("agent.message.appended") && self.has(MESSAGE)) || self.is("context.append_loop_event")
    }

    /// The coding agent whose own record it is.
    pub(super) fn agent(&self) -> Option<FileFormat> {
        if self.is("session") && self.has(CWD) {
            Some(FileFormat::Pi)
        } else if self.has(MODEL_CAPITAL | PROVIDER_CAPITAL)
            || (self.has(SESSION_CAPITAL | ROLE) && self.timed)
            || self.has(SESSION_CAPITAL | MESSAGE_CAPITAL)
            || self.has(PROJECT_CAPITAL | DIRECTORY)
        {
            Some(FileFormat::Opencode)
        } else if (self.is("session.usage_record") || self.is("session.start")) && self.has(DATA) {
            Some(FileFormat::CopilotCli)
        } else if self.is("metadata") && self.has(PROTOCOL_VERSION) {
            Some(FileFormat::KimiCli)
        } else if self.is("gemini") && self.has(TOKENS) {
            Some(FileFormat::GeminiCli)
        } else if (self.is("say") && self.has(TS | SAY))
            || (self.signs.member && self.has(SESSION_ID | UPDATED_AT | MESSAGES))
        {
            Some(FileFormat::Cline)
        } else if self.signs.thread && self.signs.kept && self.has(MESSAGES) {
            Some(FileFormat::Amp)
        } else if self.signs.sum {
            Some(FileFormat::Droid)
        } else {
            None
        }
    }

    /// The coding agent whose record it is unless it holds an answer of somebody else's log. None of these tells a call's usage.
    pub(super) fn may_be_agent(&self) -> Option<FileFormat> {
        let copilot = ["session.", "assistant.", "user.", "tool.", "hook.", "subagent."];
        let front = |name: &str| {
            self.kind
                .strip_prefix(b"\"")
                .is_some_and(|kind| kind.starts_with(name.as_bytes()))
        };
        let shorter = self.is("compaction") || self.is("branch_summary");
        if (self.is("agent_end") && self.has(MESSAGES)) || (shorter && self.has(PARENT_ID)) {
            Some(FileFormat::Pi)
        } else if self.is("init") && self.has(SESSION_SNAKE | MODEL) {
            Some(FileFormat::GeminiCli)
        } else if self.has(DATA | PARENT_ID) && copilot.into_iter().any(front) {
            Some(FileFormat::CopilotCli)
        } else {
            None
        }
    }
}
