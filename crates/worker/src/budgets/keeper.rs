//! What is done for the purse from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Purse;

/// A budget that was just created binds tasks of its tenant after this at the latest.
const REFRESH: Duration = Duration::from_secs(1);
/// What nobody has used for so long is given back.
const IDLE: Duration = Duration::from_secs(2);

/// Learns which tenants have budgets, and gives back what nobody uses.
pub async fn keep(purse: Arc<Purse>, over: CancellationToken) {
    let work = async {
        let mut silent = false;
        loop {
            let kept = async {
                purse.refresh().await?;
                purse.give_back_idle(IDLE).await
            };
            match kept.await {
                Ok(()) => silent = false,
                Err(error) => {
                    // Once for each time that the store is away.
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!(%error, "budgets cannot be looked after");
                    }
                }
            }
            tokio::time::sleep(REFRESH).await;
        }
    };
    over.run_until_cancelled(work).await;
}
