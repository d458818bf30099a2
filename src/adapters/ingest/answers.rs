//! What is answered: refusals, and what became of a body in the words of its sender's protocol.

use std::io;

use super::request::Connection;
use crate::adapters::files::{PostKind, Posted};

/// Refuses, and says that nothing more is sent.
pub(super) fn refuse(connection: &mut Connection, status: u16, reason: &str) -> io::Result<()> {
    let more = match status {
        401 => "www-authenticate: Bearer\r\n",
        429 | 503 => "retry-after: 1\r\n",
        405 => "allow: POST\r\n",
        _ => "",
    };
    let (content_type, body) = match connection.in_protobuf {
        true => ("application/x-protobuf", status_of(reason)),
        false => {
            let body = serde_json::json!({"code": status, "message": reason});
            ("application/json", body.to_string().into_bytes())
        }
    };
    let headers = format!("content-type: {content_type}\r\n{more}");
    connection.answer(status, &headers, &body, false)?;
    connection.stream.shutdown(std::net::Shutdown::Write)
}

/// What a body is, by where it was sent to and as what.
pub(super) fn kind(path: &str, content_type: &str) -> Option<PostKind> {
    match (path, content_type) {
        ("/v1/traces", "application/json") => Some(PostKind::JsonTraces),
        ("/v1/traces", _) if is_protobuf(content_type) => Some(PostKind::ProtobufTraces),
        (
            "/v1/usage",
            "application/json" | "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines",
        ) => Some(PostKind::Records),
        _ => None,
    }
}

/// Whether a body is said to be protobuf.
pub(super) fn is_protobuf(content_type: &str) -> bool {
    matches!(content_type, "application/x-protobuf" | "application/protobuf")
}

/// The answer that the sender's protocol expects, with what was not usable.
pub(super) fn success(kind: PostKind, posted: &Posted) -> (&'static str, Vec<u8>) {
    let message = posted.first.as_deref().unwrap_or("");
    match kind {
        PostKind::JsonTraces => {
            let body = if posted.rejected == 0 {
                serde_json::json!({})
            } else {
                serde_json::json!({"partialSuccess": {"rejectedSpans": posted.rejected.to_string(), "errorMessage": message}})
            };
            ("application/json", body.to_string().into_bytes())
        }
        PostKind::ProtobufTraces => ("application/x-protobuf", partial_success(posted.rejected, message)),
        PostKind::Records => {
            let body =
                serde_json::json!({"accepted": posted.accepted, "rejected": posted.rejected, "error": posted.first});
            ("application/json", body.to_string().into_bytes())
        }
    }
}

/// A refusal as OTLP wants it, whose codes are those of HTTP.
fn status_of(reason: &str) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    prost::Message::encode_to_vec(&Status {
        message: reason.to_owned(),
    })
}

fn partial_success(rejected: u64, message: &str) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Response {
        #[prost(message, optional, tag = "1")]
        partial_success: Option<Partial>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Partial {
        #[prost(int64, tag = "1")]
        rejected_spans: i64,
        #[prost(string, tag = "2")]
        error_message: String,
    }
    let partial = Partial {
        rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: message.to_owned(),
    };
    let response = Response {
        partial_success: (rejected > 0).then_some(partial),
    };
    prost::Message::encode_to_vec(&response)
}
