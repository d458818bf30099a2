//! Names as those write them who keep answers: the seller before the model, and who answered beside it.

use serde::Deserialize;

use super::super::scalar::Scalar;
use super::super::seller;
use super::super::usage::Usage;
use super::keepers;
use super::record::Record;

impl<'a> Record<'a> {
    /// Takes names for what they mean.
    pub(super) fn in_plain_names(&mut self, text: &'a str) {
        if self.usage.as_ref().is_some_and(Usage::is_of_pydantic) {
            self.take_from_pydantic(text);
        }
        let name = self.model.str();
        let plain = name.trim();
        let parts = match plain.starts_with("tensorzero::") {
            true => keepers::shorthand(plain),
            false => seller::before(plain),
        };
        let (seller, model) = parts.unwrap_or(("", plain));
        if model.len() < name.len() {
            let model = Scalar::Text(model.to_owned().into());
            if self.provider.is_null() && !seller.is_empty() {
                self.provider = Scalar::Text(seller.into());
            }
            self.model = model;
        }
    }

    /// The names in a message of Pydantic AI's.
    fn take_from_pydantic(&mut self, text: &'a str) {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(borrow, default)]
            model_name: Scalar<'a>,
            #[serde(borrow, default)]
            provider_name: Scalar<'a>,
            #[serde(borrow, default)]
            provider_response_id: Scalar<'a>,
        }
        let Ok(message) = serde_json::from_str::<Message<'a>>(text) else {
            return;
        };
        for (own, told) in [
            (&mut self.model, message.model_name),
            (&mut self.provider, message.provider_name),
            (&mut self.id, message.provider_response_id),
        ] {
            if own.is_null() {
                *own = told;
            }
        }
    }
}
