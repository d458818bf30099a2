//! What is asked of whom, and by what the answers are grouped.

use crate::adapters::files::admin::{About, Admin};

/// One question that a provider answers in pages.
pub(super) struct Question {
    pub about: About,
    pub path: &'static str,
    pub parameters: &'static str,
    /// Buckets of a page, the most that may be asked for.
    pub limit: u32,
    /// From the finest on: further parameters, and what is told of an answer to them. One that is refused is asked without.
    pub finer: &'static [Finer],
    /// What is told where the interface has no such question, as one that stands between may not; else that is a failure.
    pub unknown: Option<&'static str>,
}

/// Parameters that not everybody may give, and what their answer lacks.
pub(super) struct Finer {
    pub parameters: &'static str,
    pub header: Option<(&'static str, &'static str)>,
    pub lacks: Option<&'static str>,
}

const PLAIN: &[Finer] = &[Finer {
    parameters: "",
    header: None,
    lacks: None,
}];

/// Grouping by speed is asked for under a name of its own.
const FAST: Option<(&str, &str)> = Some(("anthropic-beta", "fast-mode-2026-02-01"));

const OPENAI: [Question; 4] = [
    Question {
        about: About::Usage,
        path: "/v1/organization/usage/completions",
        parameters: "bucket_width=1d&group_by[]=project_id&group_by[]=user_id&group_by[]=api_key_id&group_by[]=model\
            &group_by[]=batch&group_by[]=service_tier",
        limit: 31,
        finer: PLAIN,
        unknown: None,
    },
    Question {
        about: About::Usage,
        path: "/v1/organization/usage/embeddings",
        parameters: "bucket_width=1d&group_by[]=project_id&group_by[]=user_id&group_by[]=api_key_id&group_by[]=model",
        limit: 31,
        finer: PLAIN,
        unknown: None,
    },
    Question {
        about: About::Usage,
        path: "/v1/organization/usage/decisions",
        parameters: "bucket_width=1d&group_by[]=project_id&group_by[]=user_id&group_by[]=api_key_id&group_by[]=model\
            &group_by[]=batch&group_by[]=service_tier",
        limit: 31,
        finer: PLAIN,
        unknown: Some("usage of decisions is not told: the interface has no such question"),
    },
    Question {
        about: About::Costs,
        path: "/v1/organization/costs",
        parameters: "bucket_width=1d&group_by[]=project_id&group_by[]=line_item",
        limit: 180,
        finer: PLAIN,
        unknown: None,
    },
];

const ANTHROPIC: [Question; 2] = [
    Question {
        about: About::Usage,
        path: "/v1/organizations/usage_report/messages",
        parameters: "bucket_width=1d&group_by[]=model&group_by[]=api_key_id&group_by[]=workspace_id&group_by[]=service_tier\
            &group_by[]=context_window&group_by[]=inference_geo",
        limit: 31,
        finer: &[
            Finer {
                parameters: "&group_by[]=speed&group_by[]=account_id&group_by[]=service_account_id",
                header: FAST,
                lacks: None,
            },
            Finer {
                parameters: "&group_by[]=speed",
                header: FAST,
                lacks: Some("usage is told without its users: the interface refuses to group it by account"),
            },
            Finer {
                parameters: "",
                header: None,
                lacks: Some(
                    "usage is told without its speed and users, since the interface refuses to group it by them: \
                    calls in fast mode are charged at the price of standard ones, which is too little",
                ),
            },
        ],
        unknown: None,
    },
    Question {
        about: About::Costs,
        path: "/v1/organizations/cost_report",
        parameters: "bucket_width=1d&group_by[]=workspace_id&group_by[]=description",
        limit: 31,
        finer: PLAIN,
        unknown: None,
    },
];

/// What is asked of a provider.
pub(super) fn of(whose: Admin) -> &'static [Question] {
    match whose {
        Admin::Openai => &OPENAI,
        Admin::Anthropic => &ANTHROPIC,
    }
}

/// Whose usage a checkpoint of this key is of; none where it is of something else.
pub(super) fn whose_usage(key: &str) -> Option<Admin> {
    // Beside the day of the last answer the buckets are noted that are still open.
    let (path, _) = key.split_once(": ").unwrap_or((key, ""));
    let asks = |whose: &Admin| of(*whose).iter().any(|q| q.about == About::Usage && q.path == path);
    [Admin::Openai, Admin::Anthropic].into_iter().find(asks)
}
