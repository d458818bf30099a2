//! Price books: the built-in one, policies, LiteLLM's and genai-prices' formats.
