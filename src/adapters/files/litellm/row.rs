//! The fields of a LiteLLM row or payload that matter.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::object;
use super::super::scalar::Scalar;
use super::usage::Usage;

#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    pub request_id: Scalar<'a>,
    /// The payload's name of the request id.
    #[serde(borrow, default)]
    pub id: Scalar<'a>,
    #[serde(borrow, default)]
    pub litellm_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub spend: Option<&'a RawValue>,
    /// The payload's name of the spend.
    #[serde(borrow, default)]
    pub response_cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub total_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub prompt_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub completion_tokens: Scalar<'a>,
    #[serde(borrow, default, rename = "startTime")]
    pub start_time: Scalar<'a>,
    #[serde(borrow, default, rename = "endTime")]
    pub end_time: Scalar<'a>,
    /// Of its table, whose rows are filled in after they were begun.
    #[serde(borrow, default)]
    pub updated_at: Scalar<'a>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    #[serde(borrow, default)]
    pub custom_llm_provider: Scalar<'a>,
    #[serde(borrow, default)]
    pub user: Scalar<'a>,
    #[serde(borrow, default)]
    pub end_user: Scalar<'a>,
    #[serde(borrow, default)]
    pub team_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub session_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub call_type: Scalar<'a>,
    #[serde(borrow, default)]
    pub status: Scalar<'a>,
    #[serde(borrow, default)]
    pub cache_hit: Scalar<'a>,
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub request_tags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub api_base: Scalar<'a>,
    /// Of a payload; rows have it in their metadata.
    #[serde(borrow, default)]
    pub cost_breakdown: Option<&'a RawValue>,
    /// Of a payload, where its metadata has no usage object.
    #[serde(borrow, default)]
    pub hidden_params: Option<&'a RawValue>,
    /// The rows of a page.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, default)]
    pub user_api_key_team_alias: Scalar<'a>,
    #[serde(borrow, default)]
    pub user_api_key_project_alias: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub usage_object: Option<Usage<'a>>,
    /// The same in rows of versions that have no usage object.
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub additional_usage_values: Option<Usage<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub cost_breakdown: Option<Breakdown<'a>>,
    /// The models of the batch that a row sums up.
    #[serde(borrow, default)]
    pub batch_models: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
pub(super) struct Breakdown<'a> {
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub data_residency: Scalar<'a>,
    #[serde(borrow, default)]
    pub vertex_location: Scalar<'a>,
    #[serde(borrow, default)]
    pub tool_usage_cost: Option<&'a RawValue>,
}

/// What a payload says beside the answer.
#[derive(Deserialize, Default)]
pub(super) struct Hidden<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub usage_object: Option<Usage<'a>>,
    #[serde(borrow, default)]
    pub batch_models: Option<&'a RawValue>,
}

/// What a payload says the provider answered, for payloads without a usage object of their own.
#[derive(Deserialize, Default)]
pub(super) struct Response<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub usage: Option<Usage<'a>>,
}
