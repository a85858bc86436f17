//! What can go wrong in a store.

/// The result of a store's operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What can go wrong. Outcomes that a caller expects (a conflict, a refused run) are values, not errors.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer; whether a write went in is unknown. Send the same again.
    #[error("the database did not answer: {0}")]
    Unavailable(String),
    /// The store refused the data itself; sending it again would not help.
    #[error("the database refused the data: {0}")]
    Refused(String),
    /// What is stored cannot be read by this program.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
    /// The store lacks what it had confirmed: it was restored to an earlier point.
    #[error("the database was restored to an earlier point: {0}")]
    WentBack(String),
    /// The store is being shut down.
    #[error("the store is closed")]
    Closed,
}
