//! Reads that outlast a store that does not answer.

use std::time::Duration;

use agenticai_store::StoreError;

use crate::quiet::warn_seldom;

const PAUSE: Duration = Duration::from_millis(250);

/// Reads again for as long as the store does not answer; any other outcome is the reader's.
pub async fn patiently<T, R>(what: &str, mut read: impl FnMut() -> R) -> Result<T, StoreError>
where
    R: Future<Output = Result<T, StoreError>>,
{
    loop {
        match read().await {
            Err(StoreError::Unavailable(why)) => {
                warn_seldom!(%why, what, "the store did not answer; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            decided => return decided,
        }
    }
}
