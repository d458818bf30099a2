//! Why reading ends early.

use std::io;

use crate::ports::{SourceError, StoreError};

/// Reading cannot go on: with this file, or at all.
pub(super) enum Stop {
    /// This file cannot be read.
    Io(io::Error),
    /// The ledger refused what was read.
    Store(StoreError),
}

impl Stop {
    /// The failure of the source as a whole.
    pub fn source(self) -> SourceError {
        match self {
            Stop::Store(error) => error.into(),
            Stop::Io(error) => SourceError::Read {
                what: "-".to_owned(),
                cause: error.to_string(),
                hint: "standard input was named as a source".to_owned(),
            },
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}
