//! The tasks that a worker advances at once, and whose they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use agenticai_domain::ids::TenantId;
use agenticai_store::Wanted;

/// One place in so many is kept for tenants that hold less than their share: otherwise the long calls of one tenant
/// would make all others wait until one of them ends, whatever the order of claims.
const KEPT: usize = 20;

/// The places of a worker.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    total: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_tenant: HashMap<TenantId, u32>,
}

/// A place that is taken; dropped, it is free.
pub struct Place {
    places: Places,
    tenant: TenantId,
}

impl Places {
    /// So many, at least one.
    pub fn new(total: usize) -> Self {
        let inner = Inner { total: total.max(1), taken: Mutex::default(), freed: Notify::new() };
        Self(Arc::new(inner))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when a place is free.
    pub async fn free(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.taken().all < self.0.total {
                return;
            }
            freed.await;
        }
    }

    /// Returns when a place becomes free.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// What to ask for: as many tasks as there are places, `most` at most. Of the last places those tenants get none
    /// that hold their share already; a share is what all tenants that hold something, and one more, would get.
    pub fn wanted(&self, most: usize) -> Wanted {
        let taken = self.taken();
        let free = self.0.total.saturating_sub(taken.all).min(most);
        let kept = self.0.total / KEPT;
        let open = self.0.total.saturating_sub(taken.all).saturating_sub(kept);
        let share = self.0.total / (taken.by_tenant.len() + 1);
        let sated = match open {
            0 => taken.by_tenant.iter().filter(|(_, n)| **n as usize >= share).map(|(t, _)| *t).collect(),
            _ => Vec::new(),
        };
        let limit = if open > 0 { free.min(open) } else { free };
        Wanted {
            limit: limit as u32,
            busy: taken.by_tenant.iter().map(|(tenant, tasks)| (*tenant, *tasks)).collect(),
            sated,
            suspects: None,
        }
    }

    /// Takes a place for a task.
    pub fn take(&self, tenant: TenantId) -> Place {
        let mut taken = self.taken();
        taken.all += 1;
        *taken.by_tenant.entry(tenant).or_default() += 1;
        Place { places: self.clone(), tenant }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(tasks) = taken.by_tenant.get_mut(&self.tenant) {
            *tasks -= 1;
            if *tasks == 0 {
                taken.by_tenant.remove(&self.tenant);
            }
        }
        drop(taken);
        self.places.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(n: u128) -> TenantId {
        TenantId(Uuid::from_u128(n))
    }

    #[test]
    fn a_tenant_alone_leaves_the_last_places_to_others() {
        let places = Places::new(100);
        assert_eq!(places.wanted(256).limit, 95);
        let mine: Vec<Place> = (0..95).map(|_| places.take(tenant(1))).collect();
        let wanted = places.wanted(256);
        assert_eq!((wanted.limit, wanted.sated.as_slice()), (5, [tenant(1)].as_slice()));
        let theirs = places.take(tenant(2));
        let wanted = places.wanted(256);
        assert_eq!(
            (wanted.limit, wanted.sated.as_slice()),
            (4, [tenant(1)].as_slice()),
            "it is below its share"
        );
        drop(theirs);
        drop(mine);
        assert_eq!(places.wanted(10), Wanted { limit: 10, ..Wanted::default() });
    }

    #[tokio::test]
    async fn a_place_is_free_once_it_is_dropped() {
        let places = Places::new(1);
        let place = places.take(tenant(1));
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.free().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(place);
        assert!(waiting.await.is_ok());
    }
}
