//! What is done for the purse from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Purse;
use crate::quiet::warn_seldom;

/// A budget that was just created binds tasks of its tenant after this at the latest.
const REFRESH: Duration = Duration::from_secs(1);
/// What nobody has used for so long is given back.
const IDLE: Duration = Duration::from_secs(2);

/// Learns which tenants have budgets, and gives back what nobody uses.
pub async fn keep(purse: Arc<Purse>, over: CancellationToken) {
    let work = async {
        loop {
            let kept = async {
                purse.refresh().await?;
                purse.give_back_idle(IDLE).await
            };
            if let Err(error) = kept.await {
                warn_seldom!(%error, "budgets cannot be looked after");
            }
            tokio::time::sleep(REFRESH).await;
        }
    };
    over.run_until_cancelled(work).await;
}
