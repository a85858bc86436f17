//! What PostgreSQL's errors mean to a caller of the store.

use tokio_postgres::error::SqlState;

use crate::StoreError;

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // Broken in transit, or on a row that does not hold what was written into it.
            return match error.is_closed() {
                true => Self::Unavailable("the connection to the database is closed".to_owned()),
                false => Self::Unavailable(with_cause(&error)),
            };
        };
        let text = format!("{} ({})", db.message(), db.code().code());
        match db.code().code().get(..2) {
            // Data exceptions, violated constraints, limits of a row: they will fail again.
            Some("22" | "23" | "54") => Self::Refused(text),
            // Raised by this store's own functions.
            _ if *db.code() == SqlState::RAISE_EXCEPTION => Self::Refused(db.message().to_owned()),
            Some("42") => Self::Unreadable(format!(
                "{text}; the schema does not fit this program: run `agenticai migrate up`"
            )),
            _ => Self::Unavailable(text),
        }
    }
}

/// The error and what lies below it: the cause is what tells an operator where to look.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
