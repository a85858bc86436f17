//! What SQLite's errors mean to a caller of the store.

use rusqlite::ErrorCode;

use agenticai_domain::journal::EnvelopeError;

use crate::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            // The data broke a rule of the schema: it will do so again.
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
                Self::Refused(text)
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Unreadable(text),
            Some(ErrorCode::DiskFull) => {
                Self::Unavailable(format!("{text}; free some space on the disk of the data directory"))
            }
            Some(_) => Self::Unavailable(text),
            // A column that does not hold what was written into it.
            None => Self::Unreadable(text),
        }
    }
}

impl From<EnvelopeError> for StoreError {
    fn from(error: EnvelopeError) -> Self {
        Self::Unreadable(error.to_string())
    }
}
