//! Numbers of JSON documents, read from their text.
