//! Reads that outlast a store that does not answer.

use std::time::Duration;

use agenticai_store::StoreError;

const PAUSE: Duration = Duration::from_millis(250);

/// Reads again for as long as the store does not answer; any other outcome is the reader's.
pub async fn patiently<T, R>(what: &str, mut read: impl FnMut() -> R) -> Result<T, StoreError>
where
    R: Future<Output = Result<T, StoreError>>,
{
    loop {
        match read().await {
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(%why, what, "the store did not answer; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            decided => return decided,
        }
    }
}
