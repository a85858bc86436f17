//! Faults that the suite must find.
//!
//! A suite that nothing can fail proves nothing. [`Broken`] stands before a sound store and breaks one promise of its
//! traits; [`Fault::ALL`] names the cases that must fail then. [`check`] holds the suite to it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use agenticai_domain::ids::TenantId;
use agenticai_store::Store;

use super::broken::Broken;
use super::{Fixture, Lab, case};
use crate::front::Fronted;

/// A promise that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whoever appends, under whatever epoch, is taken for the owner.
    EpochIgnored,
    /// Declaring a worker dead is answered and not done.
    DeathNotWritten,
    /// A wait is accepted without a look at the inbox.
    InboxNotChecked,
    /// The entries of a run go in one by one.
    RunNotAtomic,
    /// Children are created before it is known whether their run goes in.
    ChildrenApart,
    /// A resent run is not recognized.
    ResendForgotten,
    /// A message is delivered as often as it is sent.
    DedupeMissing,
    /// A cancel replaces an end that was there.
    TerminalOverwritten,
    /// Ends of children do not reach their parents.
    ParentDeliveryLost,
    /// Idempotency keys are not looked at.
    KeysIgnored,
    /// A claimed task stays ready.
    ClaimedTwice,
    /// A task is shown to any tenant.
    TenantIgnored,
    /// The time at which a wait ends is not stored.
    TimerLost,
    /// A page begins at the top, whatever the cursor says.
    CursorIgnored,
    /// An occurrence is fired by everybody who asks, each time as a task of its own.
    FiringRepeated,
    /// A schedule is fired whatever became of it since that was decided.
    StaleFiring,
    /// A waiting firing is taken for one that nothing is in the way of.
    OverlapIgnored,
    /// Tasks are created beside their threads.
    ThreadForgotten,
    /// A task that interrupts waits like any other.
    InterruptQueued,
    /// Nobody is told which tasks gave way to newer ones.
    SupersededForgotten,
    /// A slice grows whatever the budget's limit says.
    LimitIgnored,
    /// What a run costs is taken from no slice.
    ChargeForgotten,
    /// What had not ended goes on after a restore.
    PauseForgotten,
    /// Whichever tasks are to be released, all are.
    ReleasedTooMany,
}

impl Fault {
    /// Every fault, with cases that must find it.
    pub const ALL: [(Self, &[&str]); 24] = [
        (Self::EpochIgnored, &["fencing::a_stale_epoch_is_fenced", "fencing::a_released_task_is_fenced"]),
        (Self::DeathNotWritten, &["fencing::a_dead_worker_cannot_append", "leases::death_is_final"]),
        (Self::InboxNotChecked, &["waiting::a_signal_between_look_and_wait_refuses_the_wait"]),
        (
            Self::RunNotAtomic,
            &["waiting::a_refused_wait_writes_nothing", "journal::a_run_is_accepted_whole_or_not_at_all"],
        ),
        (Self::ChildrenApart, &["children::a_refused_run_makes_no_children"]),
        (
            Self::ResendForgotten,
            &["journal::a_resent_run_is_recognized", "waiting::a_wait_without_entries_is_recognized"],
        ),
        (
            Self::DedupeMissing,
            &["waiting::a_duplicate_changes_nothing", "waiting::concurrent_duplicates_are_delivered_once"],
        ),
        (Self::TerminalOverwritten, &["ending::an_end_is_final"]),
        (Self::ParentDeliveryLost, &["children::an_ended_child_tells_its_parent_once"]),
        (
            Self::KeysIgnored,
            &["creation::ten_creators_with_one_key_make_one_task", "creation::a_key_finds_its_task"],
        ),
        (Self::ClaimedTwice, &["leases::claims_are_exclusive"]),
        (Self::TenantIgnored, &["creation::tasks_belong_to_their_tenant"]),
        (Self::TimerLost, &["waiting::timers_wake_when_due"]),
        (Self::CursorIgnored, &["lists::newest_first_and_every_task_once"]),
        (
            Self::FiringRepeated,
            &["firings::firing_twice_creates_one_task", "firings::ten_schedulers_create_one_task"],
        ),
        (Self::StaleFiring, &["firings::a_stale_decision_is_refused"]),
        (
            Self::OverlapIgnored,
            &[
                "firings::queue_starts_in_order_after_the_end",
                "firings::replace_waits_for_the_old_task",
                "firings::a_paused_schedule_starts_nothing",
            ],
        ),
        (
            Self::ThreadForgotten,
            &[
                "threads::tasks_of_a_thread_take_turns",
                "threads::concurrent_creators_form_one_queue",
                "threads::reject_creates_nothing_while_one_is_active",
            ],
        ),
        (Self::InterruptQueued, &["threads::interrupt_goes_before_the_queue"]),
        (
            Self::SupersededForgotten,
            &["threads::a_forgotten_cancel_is_found", "threads::replace_clears_the_queue"],
        ),
        (
            Self::LimitIgnored,
            &["budgets::concurrent_draws_stay_within_the_limit", "budgets::limits_can_be_changed"],
        ),
        (
            Self::ChargeForgotten,
            &["budgets::a_run_is_paid_for_once", "budgets::a_dead_workers_slice_is_settled"],
        ),
        (
            Self::PauseForgotten,
            &[
                "restores::what_has_not_ended_is_paused",
                "restores::a_released_wait_hears_what_came_meanwhile",
            ],
        ),
        (Self::ReleasedTooMany, &["restores::released_tasks_go_on"]),
    ];
}

/// Runs the cases that must find each fault, against a store of `open` that has it, and panics where one does not.
pub async fn check<O>(open: impl Fn() -> O)
where
    O: Future<Output = Box<dyn Fixture>>,
{
    for (fault, cases) in Fault::ALL {
        for name in cases {
            let fixture = BrokenFixture { store: Arc::new(Fronted(Broken::new(open().await, fault))) };
            let lab = Lab::new(Box::new(fixture)).await;
            // A store that hands out a task for ever may keep a case busy for ever: that is found, too.
            let case = tokio::spawn((case(name).run)(lab));
            let ended = tokio::time::timeout(Duration::from_secs(60), case).await;
            assert!(!matches!(ended, Ok(Ok(()))), "`{name}` did not find {fault:?}");
        }
    }
}

struct BrokenFixture {
    store: Arc<Fronted<Broken>>,
}

#[async_trait]
impl Fixture for BrokenFixture {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn add_tenant(&self) -> TenantId {
        self.store.0.add_tenant().await
    }
}
