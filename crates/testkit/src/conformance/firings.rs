//! Firing schedules: one task for an occurrence, and what happens while the task before is open.

use agenticai_domain::schedule::{Firing, FiringState, MOST_QUEUED, Overlap, task_of, task_of_trigger};
use agenticai_domain::task::TaskStatus;
use agenticai_store::*;

use super::lab::Lab;
use super::schedules::{change, states, stored};

/// The task is there, ready, and the schedule says so.
pub async fn firing_creates_a_task_and_moves_on(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let due = row.next_fire_at.unwrap();
    let firing = lab.fire_next(row.id).await;
    assert_eq!((firing.task, firing.due_at), (task_of(row.id, due), due));
    assert_eq!((firing.state, firing.triggered, &firing.why), (FiringState::Created, false, &None));
    let task = lab.row(firing.task).await;
    assert_eq!((task.status, task.head.agent), (TaskStatus::Pending, lab.agent));
    let after = lab.schedule_row(row.id).await;
    assert_eq!((after.next_fire_at, after.last_fire_at), (Some(due + 1_000), Some(due)));
    assert_eq!((after.last_task, after.revision), (Some(firing.task), row.revision));
    assert_eq!(lab.store.firings(lab.tenant, row.id, 10).await.unwrap(), [firing]);
    let worker = lab.worker().await;
    assert_eq!(lab.claim_one(worker).await.head.id, task.head.id);
}

/// A scheduler that died behind the commit, and its successor with the same decision.
pub async fn firing_twice_creates_one_task(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let fire = lab.fire_of(&row, 1);
    assert!(matches!(lab.store.fire(fire.clone()).await.unwrap(), FireOutcome::Fired(_)));
    lab.end(fire.firings[0].id).await;
    assert_eq!(lab.store.fire(fire).await.unwrap(), FireOutcome::Moved);
    assert_eq!(lab.tasks().await, 1);
    assert_eq!(lab.store.firings(lab.tenant, row.id, 10).await.unwrap().len(), 1);
    // Also where the schedule was set back: the id of the task is that of the occurrence.
    stored(lab.change(&row, change(&row, None, row.next_fire_at)).await);
    assert_eq!(lab.fire_next(row.id).await.state, FiringState::Created);
    assert_eq!(lab.tasks().await, 1);
}

/// However many schedulers decide alike, one of them fires.
pub async fn ten_schedulers_create_one_task(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let mut schedulers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (store, fire) = (lab.store.clone(), lab.fire_of(&row, 3));
        schedulers.spawn(async move { store.fire(fire).await.unwrap() });
    }
    let outcomes = schedulers.join_all().await;
    let fired = outcomes.into_iter().filter(|outcome| matches!(outcome, FireOutcome::Fired(_))).count();
    assert_eq!((fired, lab.tasks().await), (1, 1));
    assert_eq!(lab.store.firings(lab.tenant, row.id, 10).await.unwrap().len(), 3);
}

/// What was decided before a change, a pause or a deletion is not done after it.
pub async fn a_stale_decision_is_refused(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let changed = stored(lab.change(&row, change(&row, None, row.next_fire_at)).await);
    assert_eq!(lab.store.fire(lab.fire_of(&row, 1)).await.unwrap(), FireOutcome::Moved);
    lab.pause(&changed).await;
    assert_eq!(lab.store.fire(lab.fire_of(&row, 1)).await.unwrap(), FireOutcome::Moved);
    assert_eq!(lab.tasks().await, 0);
}

/// After a long outage there may be nothing to fire; the schedule goes on all the same, or ends.
pub async fn firing_may_pass_over_everything(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let fire = |row: &ScheduleRow, to| Fire {
        tenant: lab.tenant,
        schedule: row.id,
        advance: Some(Advance { revision: row.revision, from: row.next_fire_at.unwrap(), to }),
        firings: Vec::new(),
    };
    let to = row.next_fire_at.map(|at| at + 30_000);
    assert_eq!(lab.store.fire(fire(&row, to)).await.unwrap(), FireOutcome::Fired(Vec::new()));
    let moved = lab.schedule_row(row.id).await;
    assert_eq!((moved.next_fire_at, moved.last_fire_at), (to, None));
    lab.store.fire(fire(&moved, None)).await.unwrap();
    assert_eq!(lab.schedule_row(row.id).await.next_fire_at, None);
    assert!(lab.store.due_schedules(10).await.unwrap().is_empty());
}

/// `skip`: one open task, and the firing in between is on record.
pub async fn skip_creates_none_while_a_task_is_open(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let FireOutcome::Fired(fired) = lab.store.fire(lab.fire_of(&row, 3)).await.unwrap() else {
        panic!("it was due")
    };
    assert_eq!(states(&fired), [FiringState::Created, FiringState::Skipped, FiringState::Skipped]);
    let why = fired[1].why.clone().unwrap();
    assert!(why.contains(&fired[0].task.to_string()), "it names the task in the way: {why}");
    assert_eq!((lab.tasks().await, lab.queued().await), (1, None));
    lab.end(fired[0].task).await;
    assert_eq!(lab.fire_next(row.id).await.state, FiringState::Created);
    let newest = lab.store.firings(lab.tenant, row.id, 2).await.unwrap();
    assert_eq!(states(&newest), [FiringState::Created, FiringState::Skipped], "newest first");
}

/// `queue`: in their order, each after the end of the one before, and nothing overtakes those that wait.
pub async fn queue_starts_in_order_after_the_end(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let FireOutcome::Fired(fired) = lab.store.fire(lab.fire_of(&row, 3)).await.unwrap() else {
        panic!("it was due")
    };
    assert_eq!(states(&fired), [FiringState::Created, FiringState::Queued, FiringState::Queued]);
    assert_eq!(lab.queued().await, None, "the task before is open");
    assert_eq!(lab.start(row.id, &fired[1]).await, None);
    lab.end(fired[0].task).await;
    assert_eq!(lab.queued().await, Some((fired[1].task, None)));
    let fourth = lab.fire_next(row.id).await;
    assert_eq!(fourth.state, FiringState::Queued, "others wait before it");
    assert_eq!(lab.start(row.id, &fired[2]).await, None, "not before its turn");
    // Two schedulers, and one that was killed behind the commit: one start.
    let (one, two) = tokio::join!(lab.start(row.id, &fired[1]), lab.start(row.id, &fired[1]));
    let started: Vec<Firing> = [one, two].into_iter().flatten().collect();
    assert_eq!(states(&started), [FiringState::Created]);
    assert_eq!(lab.start(row.id, &fired[1]).await, None);
    assert_eq!(lab.schedule_row(row.id).await.last_task, Some(fired[1].task));
    assert_eq!((lab.tasks().await, lab.queued().await), (2, None));
    lab.end(fired[1].task).await;
    assert_eq!(lab.queued().await, Some((fired[2].task, None)));
    assert!(lab.start(row.id, &fired[2]).await.is_some());
    lab.end(fired[2].task).await;
    assert!(lab.start(row.id, &fourth).await.is_some());
    assert_eq!(lab.tasks().await, 4);
}

/// A queue has an end.
pub async fn a_full_queue_skips(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let all = i64::from(MOST_QUEUED) + 2;
    let FireOutcome::Fired(fired) = lab.store.fire(lab.fire_of(&row, all)).await.unwrap() else {
        panic!("it was due")
    };
    let queued = fired.iter().filter(|firing| firing.state == FiringState::Queued).count();
    assert_eq!((queued, fired.last().unwrap().state), (MOST_QUEUED as usize, FiringState::Skipped));
}

/// `replace`: the newest firing waits for the end of the old task, and the store names the task to be cancelled.
pub async fn replace_waits_for_the_old_task(lab: Lab) {
    let row = lab.schedule(Overlap::Replace).await;
    let old = lab.fire_next(row.id).await;
    let second = lab.fire_next(row.id).await;
    assert_eq!(second.state, FiringState::Queued);
    assert_eq!(lab.queued().await, Some((second.task, Some(old.task))));
    let third = lab.fire_next(row.id).await;
    let states = states(&lab.store.firings(lab.tenant, row.id, 10).await.unwrap());
    assert_eq!(states, [FiringState::Queued, FiringState::Replaced, FiringState::Created]);
    assert_eq!(lab.queued().await, Some((third.task, Some(old.task))));
    assert_eq!(lab.start(row.id, &third).await, None, "the old task has not ended");
    lab.end(old.task).await;
    assert_eq!(lab.queued().await, Some((third.task, None)));
    assert_eq!(lab.start(row.id, &second).await, None);
    assert_eq!(lab.start(row.id, &third).await.unwrap().state, FiringState::Created);
    assert_eq!((lab.tasks().await, lab.queued().await), (2, None));
}

/// A pause holds what waits, too.
pub async fn a_paused_schedule_starts_nothing(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let first = lab.fire_next(row.id).await;
    let second = lab.fire_next(row.id).await;
    let paused = lab.pause(&row).await;
    lab.end(first.task).await;
    assert_eq!((lab.queued().await, lab.start(row.id, &second).await), (None, None));
    stored(lab.change(&row, change(&paused, None, Some(i64::MAX))).await);
    assert_eq!(lab.queued().await, Some((second.task, None)));
    assert!(lab.start(row.id, &second).await.is_some());
}

/// A firing whose task cannot be is on record, with the reason; the next one is not held up by it.
pub async fn a_firing_without_a_task_is_recorded(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let mut fire = lab.fire_of(&row, 3);
    fire.firings[0].task = Err("there is no agent `gone`".to_owned());
    fire.firings[1].task.as_mut().unwrap().agent_version = 99;
    let FireOutcome::Fired(fired) = lab.store.fire(fire).await.unwrap() else { panic!("it was due") };
    assert_eq!(states(&fired), [FiringState::Failed, FiringState::Failed, FiringState::Created]);
    assert_eq!(fired[0].why.as_deref(), Some("there is no agent `gone`"));
    assert!(fired[1].why.as_deref().is_some_and(|why| why.contains("99")), "{:?}", fired[1]);
    assert_eq!(lab.tasks().await, 1);
    // The same of one that has waited.
    let queued = lab.fire_next(row.id).await;
    lab.end(fired[2].task).await;
    let new = NewFiring { id: queued.task, due_at: queued.due_at, task: Err("no more".to_owned()) };
    let started = lab.store.start_queued(lab.tenant, row.id, new).await.unwrap().unwrap();
    assert_eq!((started.state, started.why.as_deref()), (FiringState::Failed, Some("no more")));
    assert_eq!((lab.queued().await, lab.tasks().await), (None, 1));
}

/// A trigger moves nothing, obeys `overlap`, and is the same however often it is sent.
pub async fn a_trigger_sent_again_is_the_same_firing(lab: Lab) {
    let row = lab.schedule(Overlap::Skip).await;
    let fired = lab.store.fire(lab.trigger(row.id, "a")).await.unwrap();
    let FireOutcome::Fired(firings) = &fired else { panic!("it was not fired: {fired:?}") };
    assert_eq!((states(firings), firings[0].triggered), (vec![FiringState::Created], true));
    assert_eq!(lab.store.fire(lab.trigger(row.id, "a")).await.unwrap(), fired);
    let FireOutcome::Fired(other) = lab.store.fire(lab.trigger(row.id, "b")).await.unwrap() else {
        panic!("it was not fired")
    };
    assert_eq!(states(&other), [FiringState::Skipped]);
    assert_eq!((lab.tasks().await, lab.schedule_row(row.id).await.next_fire_at), (1, row.next_fire_at));
    lab.pause(&row).await;
    lab.end(firings[0].task).await;
    let FireOutcome::Fired(paused) = lab.store.fire(lab.trigger(row.id, "c")).await.unwrap() else {
        panic!("a paused schedule can be triggered")
    };
    assert_eq!(states(&paused), [FiringState::Created]);
}

/// The record does not grow for ever, and what waits is never forgotten.
pub async fn old_firings_are_forgotten(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    lab.fire_next(row.id).await;
    let queued = lab.fire_next(row.id).await;
    for key in 0..3 {
        let mut fire = lab.trigger(row.id, "");
        fire.firings = (0..60)
            .map(|n| {
                let id = task_of_trigger(row.id, &format!("{key}-{n}"));
                NewFiring { id, due_at: n, task: Err("no task".to_owned()) }
            })
            .collect();
        lab.store.fire(fire).await.unwrap();
    }
    let kept = lab.store.firings(lab.tenant, row.id, 1_000).await.unwrap();
    assert!((100..=110).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().map(|firing| firing.task), Some(queued.task));
}
