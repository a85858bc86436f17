//! Waiting for news, and reading what the store knows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;

use agenticai_domain::engine::State;

use super::{DriveError, Driver, Finish};
use crate::patience::patiently;

impl Driver {
    /// Waits until there is something to plan with; `Some`: the driver is done.
    pub(super) async fn until_news(&mut self) -> Result<Option<Finish>, DriveError> {
        let draining = self.draining();
        let drained = self.shared.drained.is_cancelled();
        if drained {
            // Only `once` calls are given their own time.
            self.cut_off();
            if !self.outcomes.is_empty() {
                return Ok(None);
            }
        }
        if draining && self.flights.is_empty() && self.once_flights.is_empty() {
            return Ok(Some(Finish::Release));
        }
        let now = self.shared.clock.now();
        let due = [self.state.next_due(), self.head.deadline_at].into_iter().flatten().min();
        let due_in = due.map(|at| Duration::from_millis(at.saturating_sub(now).max(1).unsigned_abs()));
        let timer = async {
            match due_in {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let slot = self.slot.clone();
        tokio::select! {
            Some(flight) = self.flights.next(), if !self.flights.is_empty() => {
                self.landed(flight);
                self.take_landed();
            }
            Some(flight) = self.once_flights.next(), if !self.once_flights.is_empty() => {
                self.landed(flight);
                self.take_landed();
            }
            () = slot.news.notified() => return Box::pin(self.heard()).await,
            () = timer => {}
            () = self.shared.lease.dead.cancelled() => return Ok(Some(Finish::Lost)),
            () = self.shared.drain.cancelled(), if !draining => {}
            // Both come after draining has begun: until then nobody waits for them.
            () = self.shared.now.cancelled(), if draining => return Ok(Some(Finish::Release)),
            () = self.shared.drained.cancelled(), if draining && !drained => {}
        }
        Ok(None)
    }

    async fn heard(&mut self) -> Result<Option<Finish>, DriveError> {
        if self.slot.ended.swap(false, Ordering::AcqRel) {
            let seqs = self.shared.store.last_seqs(vec![self.head.id]).await;
            if matches!(seqs.as_deref(), Ok([(_, _, status)]) if status.is_terminal()) {
                return Ok(Some(Finish::Settled));
            }
        }
        if self.slot.inbox.swap(false, Ordering::AcqRel) {
            self.read_inbox().await?;
        }
        Ok(None)
    }

    pub(super) async fn reload(&mut self) -> Result<(), DriveError> {
        const PAGE: u32 = 1000;
        let mut state = State::new(&self.agent, &self.head);
        loop {
            let after = state.next_seq() - 1;
            let store = &self.shared.store;
            let (tenant, task) = (self.head.tenant, self.head.id);
            let page = patiently("a journal", || store.read_journal(tenant, task, after, PAGE)).await?;
            for recorded in &page {
                state.apply(&self.agent, recorded)?;
            }
            if page.len() < PAGE as usize {
                // Their times are the store's own: nothing is left to be confirmed.
                state.confirm(state.last_at());
                self.state = state;
                return Ok(());
            }
        }
    }

    pub(super) async fn read_inbox(&mut self) -> Result<(), DriveError> {
        let after = self.inbox.last().map_or(0, |m| m.id);
        let store = &self.shared.store;
        self.inbox.extend(patiently("an inbox", || store.inbox(self.head.id, after)).await?);
        Ok(())
    }
}
