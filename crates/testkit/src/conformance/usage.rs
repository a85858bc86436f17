//! Usage: every task counts once, in the hour of its end.

use std::time::Duration;

use agenticai_domain::task::NewTask;
use agenticai_store::*;

use super::Lab;
use super::lab::{RunExt, child_of, completed, entry, run, spend};

impl Lab {
    /// Rolls up until so many ends are counted: what was created a moment ago is known in one round and counted in a
    /// later one, once every transaction has ended that is older. A few rounds more must not change it.
    async fn rolled_up(&self, ends: u64) {
        let counted = async || -> u64 {
            self.store.roll_up_usage(1_000).await.unwrap();
            let sums = self.usage(UsageBy::default()).await;
            sums.iter().map(|sum| sum.completed + sum.failed + sum.cancelled).sum()
        };
        for _ in 0..1_000 {
            if counted().await == ends {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..3 {
            assert_eq!(counted().await, ends);
        }
    }

    async fn usage(&self, by: UsageBy) -> Vec<UsageSum> {
        self.store.usage(self.tenant, 0, i64::MAX / 2 / HOUR_MS * HOUR_MS, by, 100).await.unwrap()
    }
}

fn ends(times: u64) -> Then {
    Then::End { end: completed("x"), spend: spend(times) }
}

/// A task counts when it has ended, once, however often it is looked at.
pub async fn a_task_counts_once_when_it_has_ended(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    lab.rolled_up(0).await;
    let at = lab.accept(worker, run(&claimed, 1, vec![entry("ends")]).then(ends(3))).await;
    for _ in 0..2 {
        lab.rolled_up(1).await;
        let by = UsageBy { span_ms: Some(HOUR_MS), agent: true, user: false };
        let sums = lab.usage(by).await;
        assert_eq!(sums.len(), 1, "{sums:?}");
        assert_eq!((sums[0].completed, sums[0].failed, sums[0].cancelled, sums[0].unpriced), (1, 0, 0, 0));
        assert_eq!((sums[0].spend, sums[0].from), (spend(3), Some(at / HOUR_MS * HOUR_MS)));
        assert_eq!(sums[0].agent, Some((lab.agent, "worker-bee".to_owned())));
    }
    let hour = at / HOUR_MS * HOUR_MS;
    let outside = [(0, hour), (hour + HOUR_MS, hour + 2 * HOUR_MS)];
    for (from, until) in outside {
        assert_eq!(lab.store.usage(lab.tenant, from, until, UsageBy::default(), 100).await.unwrap(), []);
    }
}

/// Sums are told apart by user; unknown costs are counted and not summed; ends from outside count too.
pub async fn sums_are_told_apart(lab: Lab) {
    let worker = lab.worker().await;
    for created_by in [Some(lab.owner.user), None] {
        lab.create(NewTask { created_by, ..lab.new_task() }).await;
        let claimed = lab.claim_one(worker).await;
        let mut consumed = spend(1);
        consumed.cost = created_by.and(consumed.cost);
        let end = Then::End { end: completed("x"), spend: consumed };
        lab.accept(worker, run(&claimed, 1, vec![entry("ends")]).then(end)).await;
    }
    let task = lab.create(lab.new_task()).await.head.id;
    cancel(lab.store.as_ref(), lab.tenant, task, "by the suite").await.unwrap();
    lab.rolled_up(3).await;
    let sums = lab.usage(UsageBy { user: true, ..UsageBy::default() }).await;
    let mine = sums.iter().find(|sum| sum.user == Some(lab.owner.user)).expect("the owner's");
    assert_eq!((mine.completed, mine.cancelled, mine.unpriced, mine.spend), (1, 0, 0, spend(1)));
    let nobodys = sums.iter().find(|sum| sum.user.is_none()).expect("nobody's");
    assert_eq!((nobodys.completed, nobodys.cancelled, nobodys.unpriced), (1, 1, 1));
    assert_eq!(sums.len(), 2);
    let all = lab.usage(UsageBy::default()).await;
    assert_eq!((all.len(), all[0].completed, all[0].spend.usage), (1, 2, spend(2).usage));
    let (other, _) = lab.other_tenant().await;
    let theirs = lab.store.usage(other, 0, HOUR_MS << 30, UsageBy::default(), 100).await.unwrap();
    assert_eq!(theirs, []);
}

/// What a child consumed is in its parent's sum, and counts once.
pub async fn a_childs_spend_counts_with_its_parent(lab: Lab) {
    let (worker, parent) = lab.running().await;
    let with = run(&parent, 1, vec![entry("a child")]).with_children(vec![child_of(&parent, 0)]);
    lab.accept(worker, with).await;
    let child = lab.claim_one(worker).await;
    lab.accept(worker, run(&child, 1, vec![entry("ends")]).then(ends(2))).await;
    lab.rolled_up(1).await;
    lab.accept(worker, run(&parent, 2, vec![entry("ends")]).then(ends(5))).await;
    lab.rolled_up(2).await;
    let sums = lab.usage(UsageBy::default()).await;
    assert_eq!((sums.len(), sums[0].completed, sums[0].spend), (1, 2, spend(5)));
}
