//! What every store has to fulfil, as one suite of named cases.
//!
//! A case is a function that is given a fresh store and panics where the store breaks a promise of its traits. A store
//! is put under the suite with [`conformance_tests!`](crate::conformance_tests), which makes one test of each case:
//!
//! ```ignore
//! async fn open() -> Box<dyn agenticai_testkit::conformance::Fixture> { … }
//! agenticai_testkit::conformance_tests!(open);
//! ```
//!
//! That the cases can fail is shown by [`faults`]: stores that are broken on purpose, each in one way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
pub mod lab;

pub mod agents;
pub mod budgets;
pub mod children;
pub mod creation;
pub mod ending;
pub mod faults;
pub mod fencing;
pub mod firings;
pub mod identity;
pub mod journal;
pub mod leases;
pub mod lists;
pub mod payloads;
pub mod restores;
pub mod schedules;
pub mod threads;
pub mod usage;
pub mod waiting;

use std::pin::Pin;
use std::sync::Arc;

use agenticai_domain::ids::TenantId;
use agenticai_store::Store;
use async_trait::async_trait;

pub use lab::Lab;

/// A fresh, empty store and what it needs to live; dropped, it is cleaned up.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store. Nothing was written to it yet.
    fn store(&self) -> Arc<dyn Store>;
    /// One more tenant with a user, by whatever way the store's operator has.
    async fn add_tenant(&self) -> TenantId;
}

/// A case with its name.
#[derive(Clone, Copy)]
pub struct Case {
    /// As in `fencing::a_dead_worker_cannot_append`.
    pub name: &'static str,
    /// Runs it on a fresh store.
    pub run: fn(Lab) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The case of a name.
pub fn case(name: &str) -> Case {
    *CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case `{name}`"))
}

/// Hands the names of all cases to a macro, with what that macro wants for itself: the one list of them.
#[macro_export]
#[doc(hidden)]
macro_rules! conformance_cases {
    ($macro:path $(, $mine:tt)*) => {
        $macro! {
            [$($mine)*]
            identity {
                the_first_tenant_is_made_once
                keys_are_told_apart
                a_lost_key_is_replaced
                more_tenants_are_created
            }
            agents {
                versions_count_from_one
                a_taken_name_is_refused
                an_equal_version_is_not_stored_again
                a_deleted_agent_frees_its_name_and_its_tasks_go_on
                lists_are_paged_by_name
                versions_are_paged_by_number
                agents_belong_to_their_tenant
            }
            creation {
                a_created_task_reads_back
                an_equal_request_finds_the_first_task
                another_body_under_a_key_is_a_conflict
                ten_creators_with_one_key_make_one_task
                concurrent_conflicts_name_one_winner
                keys_of_tenants_are_their_own
                a_key_finds_its_task
                the_same_id_is_the_same_task
                unknown_agents_and_tenants_are_refused
                a_refused_creation_leaves_its_neighbours_alone
                tasks_belong_to_their_tenant
            }
            journal {
                entries_read_back_in_order
                a_resent_run_is_recognized
                a_resent_run_is_recognized_by_its_number_alone
                a_gap_is_refused
                runs_are_accepted_each_by_itself
                a_run_is_accepted_whole_or_not_at_all
                a_run_without_entries_must_wait
                only_wait_and_end_touch_the_row
                times_and_epochs_never_fall
                last_seqs_tells_what_exists
                late_results_are_kept_beside_the_journal
                journals_belong_to_their_tenant
            }
            fencing {
                a_dead_worker_cannot_append
                a_dead_workers_committed_run_is_still_its_own
                a_released_task_is_fenced
                a_stale_epoch_is_fenced
                another_workers_task_is_fenced
                an_unknown_task_is_fenced
                takeover_hands_over_everything_once
                takeover_leaves_live_workers_alone
                appends_and_death_are_ordered
            }
            leases {
                beats_move_the_counter
                a_worker_that_moved_is_not_declared_dead
                death_is_final
                a_retired_worker_holds_nothing
                claims_are_exclusive
                urgent_tasks_go_first
                claims_leave_newer_formats_alone
                a_claim_tells_where_the_task_stands
                a_worker_can_ask_what_it_holds
                release_hands_back
                the_backlog_is_counted
                the_clock_never_goes_back
            }
            waiting {
                a_signal_before_its_wait_is_kept
                a_signal_between_look_and_wait_refuses_the_wait
                a_refused_wait_writes_nothing
                a_signal_wakes_a_waiting_task
                a_duplicate_changes_nothing
                messages_are_numbered_without_holes
                concurrent_duplicates_are_delivered_once
                a_task_that_ended_takes_no_messages
                a_wait_without_entries_is_recognized
                timers_wake_when_due
                a_deadline_ends_a_wait
                a_signal_stops_the_timer
                inboxes_belong_to_their_tenant
            }
            ending {
                an_end_is_final
                the_last_entry_ends_it
                an_end_from_outside_is_an_entry
                a_cancel_overtakes_the_worker
                a_cancel_loses_to_an_entry
                two_cancels_end_it_once
                ready_and_waiting_tasks_are_ended_too
                ends_belong_to_their_tenant
            }
            children {
                children_come_with_their_run
                a_refused_run_makes_no_children
                a_child_is_created_once
                an_ended_child_tells_its_parent_once
                a_cancelled_child_tells_its_parent
                a_waiting_parent_is_woken
                a_parent_that_ended_hears_nothing
                orphans_are_found
            }
            lists {
                newest_first_and_every_task_once
                pages_hold_still_under_insertion
                filters_select
                metadata_is_matched_as_text
                a_foreign_cursor_is_refused
                tenants_do_not_see_each_other
            }
            payloads {
                sizes_around_the_bound_of_blobs
                nul_bytes_and_quotes_survive
                large_runs_keep_their_order
                large_inputs_ends_and_messages
            }
            restores {
                what_has_not_ended_is_paused
                released_tasks_go_on
                a_released_wait_hears_what_came_meanwhile
                paused_tasks_can_be_cancelled
                a_paused_thread_stays_in_order
                what_comes_after_a_restore_is_not_paused
                occurrences_from_before_a_restore_are_paused
                paused_tasks_are_listed
            }
            schedules {
                a_schedule_reads_back
                a_taken_schedule_name_is_refused
                the_same_id_is_the_same_schedule
                a_change_raises_the_revision
                schedules_belong_to_their_tenant
                schedules_are_paged_by_name
                a_deleted_schedule_leaves_its_tasks
                due_schedules_are_found
            }
            threads {
                a_thread_reads_back
                threads_are_paged
                tasks_of_a_thread_take_turns
                a_turn_lasts_until_the_end
                a_cancel_hands_the_thread_on_once
                ends_and_cancels_of_one_thread_meet
                a_queued_task_can_be_cancelled
                reject_creates_nothing_while_one_is_active
                interrupt_goes_before_the_queue
                replace_clears_the_queue
                a_forgotten_cancel_is_found
                concurrent_creators_form_one_queue
                concurrent_rejects_let_one_in
                a_repeated_request_joins_once
                a_full_thread_takes_no_more
                a_busy_thread_is_not_deleted
                queued_tasks_are_listed
                threads_belong_to_their_tenant
            }
            budgets {
                a_budget_reads_back
                budgets_are_paged_by_name
                a_child_is_paid_for_by_its_parents_budgets
                concurrent_draws_stay_within_the_limit
                what_is_granted_shrinks_towards_the_limit
                what_is_given_back_can_be_drawn
                a_run_is_paid_for_once
                a_dead_workers_slice_is_settled
                a_new_period_begins_with_nothing_spent
                limits_can_be_changed
                budgets_belong_to_their_tenant
            }
            usage {
                a_task_counts_once_when_it_has_ended
                sums_are_told_apart
                a_childs_spend_counts_with_its_parent
            }
            firings {
                firing_creates_a_task_and_moves_on
                firing_twice_creates_one_task
                ten_schedulers_create_one_task
                a_stale_decision_is_refused
                firing_may_pass_over_everything
                skip_creates_none_while_a_task_is_open
                queue_starts_in_order_after_the_end
                a_full_queue_skips
                replace_waits_for_the_old_task
                a_paused_schedule_starts_nothing
                a_firing_without_a_task_is_recorded
                a_trigger_sent_again_is_the_same_firing
                old_firings_are_forgotten
            }
        }
    };
}

macro_rules! list {
    ([] $($module:ident { $($name:ident)* })*) => {
        /// Every case.
        pub const CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($module), "::", stringify!($name)),
                run: |lab| Box::pin($module::$name(lab)),
            },
        )*)*];
    };
}
use list as conformance_list;
crate::conformance_cases!(conformance_list);

/// Makes one test of every case. `$open` names a function `async fn() -> Box<dyn Fixture>`.
#[macro_export]
macro_rules! conformance_tests {
    ($open:ident) => {
        $crate::conformance_cases!($crate::conformance_test_functions, $open);
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! conformance_test_functions {
    ([$open:ident] $($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    let lab = $crate::conformance::Lab::new(super::$open().await).await;
                    $crate::conformance::$module::$name(lab).await;
                }
            )*
        })*
    };
}
