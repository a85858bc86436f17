//! Schedules: one task for an occurrence, and what happens while the task before is open.

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::schedule::{
    CatchUp, Firing, FiringState, MOST_QUEUED, Overlap, ScheduleSpec, task_of, task_of_trigger,
};
use agenticai_domain::task::{NewTask, TaskInput, TaskStatus};
use agenticai_store::*;
use serde_json::{Map, json};
use uuid::Uuid;

use super::lab::{Lab, cancelled, new_task, spend};

/// A schedule of every second.
fn spec(name: &str, overlap: Overlap) -> ScheduleSpec {
    ScheduleSpec {
        name: name.to_owned(),
        agent: "worker-bee".to_owned(),
        agent_version: Some(1),
        input: TaskInput::Text("do \"it\" \u{0} again".to_owned()),
        priority: Some(7),
        timeout_seconds: Some(60),
        metadata: Map::from_iter([("team".to_owned(), json!("red"))]),
        cron: "* * * * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        overlap,
        catch_up: CatchUp::All,
        catch_up_window_seconds: Some(3600),
    }
}

impl Lab {
    /// A schedule whose next occurrence was a minute ago.
    async fn schedule(&self, overlap: Overlap) -> ScheduleRow {
        let due = self.store.now().await.unwrap() - 60_000;
        self.schedule_named("every-second", overlap, Some(due)).await
    }

    async fn schedule_named(&self, name: &str, overlap: Overlap, next: Option<i64>) -> ScheduleRow {
        stored(self.store.create_schedule(new_schedule(self.tenant, name, overlap, next)).await.unwrap())
    }

    async fn change(&self, row: &ScheduleRow, change: ChangeSchedule) -> PutSchedule {
        self.store.change_schedule(self.tenant, row.id, change).await.unwrap()
    }

    async fn pause(&self, row: &ScheduleRow) -> ScheduleRow {
        stored(self.change(row, change(row, None, None)).await)
    }

    async fn schedule_row(&self, id: ScheduleId) -> ScheduleRow {
        self.store
            .schedule(self.tenant, ScheduleSelector::Id(id))
            .await
            .unwrap()
            .expect("the schedule exists")
    }

    /// Fires the next occurrence as a scheduler would.
    async fn fire_next(&self, id: ScheduleId) -> Firing {
        let row = self.schedule_row(id).await;
        match self.store.fire(self.fire_of(&row, 1)).await.unwrap() {
            FireOutcome::Fired(mut firings) if firings.len() == 1 => firings.remove(0),
            other => panic!("one firing was asked for: {other:?}"),
        }
    }

    /// The next `count` occurrences, a second apart.
    fn fire_of(&self, row: &ScheduleRow, count: i64) -> Fire {
        let from = row.next_fire_at.expect("an occurrence follows");
        let advance = Advance { revision: row.revision, from, to: Some(from + count * 1_000) };
        let firings = (0..count).map(|n| self.firing(row.id, from + n * 1_000)).collect();
        Fire { tenant: self.tenant, schedule: row.id, advance: Some(advance), firings }
    }

    fn firing(&self, schedule: ScheduleId, due_at: i64) -> NewFiring {
        let id = task_of(schedule, due_at);
        NewFiring { id, due_at, task: Ok(NewTask { id, ..new_task(self.tenant, self.agent) }) }
    }

    fn trigger(&self, schedule: ScheduleId, key: &str) -> Fire {
        let id = task_of_trigger(schedule, key);
        let task = Ok(NewTask { id, ..new_task(self.tenant, self.agent) });
        let firings = vec![NewFiring { id, due_at: 5, task }];
        Fire { tenant: self.tenant, schedule, advance: None, firings }
    }

    async fn start(&self, schedule: ScheduleId, firing: &Firing) -> Option<Firing> {
        let new = self.firing(schedule, firing.due_at);
        self.store.start_queued(self.tenant, schedule, NewFiring { id: firing.task, ..new }).await.unwrap()
    }

    /// The waiting firing of the only schedule that has one to show, and the task in its way.
    async fn queued(&self) -> Option<(TaskId, Option<TaskId>)> {
        let queued = self.store.queued_firings(10).await.unwrap();
        assert!(queued.len() <= 1, "one for a schedule: {queued:?}");
        queued.first().map(|queued| (queued.firing.task, queued.blocked_by))
    }

    async fn end(&self, task: TaskId) {
        let outcome = self.store.end_task(self.tenant, task, 1, cancelled(), spend(0)).await.unwrap();
        assert_eq!(outcome, EndOutcome::Ended);
    }

    async fn tasks(&self) -> u64 {
        self.store.count_tasks(self.tenant, TaskFilter::default()).await.unwrap()
    }
}

fn new_schedule(tenant: TenantId, name: &str, overlap: Overlap, next: Option<i64>) -> NewSchedule {
    NewSchedule {
        id: ScheduleId(Uuid::now_v7()),
        tenant,
        spec: spec(name, overlap),
        paused: next.is_none(),
        next_fire_at: next,
        created_by: None,
    }
}

/// A change of a row; without a next occurrence it is paused.
fn change(row: &ScheduleRow, spec: Option<ScheduleSpec>, next: Option<i64>) -> ChangeSchedule {
    ChangeSchedule { revision: row.revision, spec, paused: next.is_none(), next_fire_at: next }
}

fn stored(put: PutSchedule) -> ScheduleRow {
    match put {
        PutSchedule::Stored(row) => *row,
        other => panic!("the schedule was not stored: {other:?}"),
    }
}

fn states(firings: &[Firing]) -> Vec<FiringState> {
    firings.iter().map(|firing| firing.state).collect()
}

/// What was written is what is read, by id and by name.
pub async fn a_schedule_reads_back(lab: Lab) {
    let before = lab.store.now().await.unwrap();
    let mut new = new_schedule(lab.tenant, "nightly", Overlap::Replace, Some(5));
    new.created_by = Some(lab.owner.user);
    let row = stored(lab.store.create_schedule(new.clone()).await.unwrap());
    assert_eq!((row.id, row.tenant, &row.spec), (new.id, lab.tenant, &new.spec));
    assert_eq!((row.revision, row.paused, row.next_fire_at), (1, false, Some(5)));
    assert_eq!((row.last_fire_at, row.last_task, row.created_by), (None, None, new.created_by));
    assert!(row.created_at >= before && row.updated_at == row.created_at);
    assert_eq!(lab.schedule_row(row.id).await, row);
    let named = lab.store.schedule(lab.tenant, ScheduleSelector::from("nightly")).await.unwrap();
    assert_eq!(named, Some(row));
    assert_eq!(lab.store.schedule(lab.tenant, ScheduleSelector::from("daily")).await.unwrap(), None);
}

/// A name has one schedule in a tenant, when it is made and when it is renamed.
pub async fn a_taken_schedule_name_is_refused(lab: Lab) {
    let first = lab.schedule_named("a", Overlap::Skip, Some(5)).await;
    let second = new_schedule(lab.tenant, "a", Overlap::Skip, Some(5));
    assert_eq!(lab.store.create_schedule(second).await.unwrap(), PutSchedule::NameTaken);
    let other = lab.schedule_named("b", Overlap::Skip, Some(5)).await;
    let rename = change(&other, Some(spec("a", Overlap::Queue)), Some(9));
    assert_eq!(lab.change(&other, rename).await, PutSchedule::NameTaken);
    assert_eq!(lab.schedule_row(other.id).await, other, "nothing of the change is kept");
    assert_eq!(lab.schedule_row(first.id).await, first);
}

/// The creator chose the id, so the same id is the same request.
pub async fn the_same_id_is_the_same_schedule(lab: Lab) {
    let new = new_schedule(lab.tenant, "a", Overlap::Skip, Some(5));
    let first = stored(lab.store.create_schedule(new.clone()).await.unwrap());
    assert_eq!(stored(lab.store.create_schedule(new).await.unwrap()), first);
}

/// A change is a new revision; what is not said stays, and of two changes to one revision the second is refused.
pub async fn a_change_raises_the_revision(lab: Lab) {
    let row = lab.schedule_named("a", Overlap::Skip, Some(5)).await;
    let paused = lab.pause(&row).await;
    assert_eq!((paused.revision, paused.paused, paused.next_fire_at), (2, true, None));
    assert_eq!(paused.spec, row.spec);
    let late = change(&row, Some(spec("b", Overlap::Queue)), Some(9));
    assert_eq!(lab.change(&row, late).await, PutSchedule::Moved);
    assert_eq!(lab.schedule_row(row.id).await, paused, "nothing of the change is kept");
    let changed = stored(lab.change(&row, change(&paused, Some(spec("b", Overlap::Queue)), Some(9))).await);
    assert_eq!((changed.revision, changed.paused, changed.next_fire_at), (3, false, Some(9)));
    assert_eq!((&changed.spec, changed.created_at), (&spec("b", Overlap::Queue), row.created_at));
    let nobody = ScheduleRow { id: ScheduleId(Uuid::now_v7()), ..changed };
    assert_eq!(lab.change(&nobody, change(&nobody, None, None)).await, PutSchedule::NotFound);
}

/// Nobody sees, changes, fires or removes another tenant's schedule; names are each tenant's own.
pub async fn schedules_belong_to_their_tenant(lab: Lab) {
    let (other, _) = lab.other_tenant().await;
    let row = lab.schedule(Overlap::Queue).await;
    let which = ScheduleSelector::Id(row.id);
    assert_eq!(lab.store.schedule(other, which.clone()).await.unwrap(), None);
    assert!(lab.store.list_schedules(other, None, 10).await.unwrap().items.is_empty());
    let changed = lab.store.change_schedule(other, row.id, change(&row, None, None)).await.unwrap();
    assert_eq!(changed, PutSchedule::NotFound);
    assert!(!lab.store.delete_schedule(other, which).await.unwrap());
    let fire = Fire { tenant: other, ..lab.fire_of(&row, 1) };
    assert_eq!(lab.store.fire(fire).await.unwrap(), FireOutcome::NotFound);
    lab.fire_next(row.id).await;
    assert!(lab.store.firings(other, row.id, 10).await.unwrap().is_empty());
    let queued = lab.fire_next(row.id).await;
    let start = lab.store.start_queued(other, row.id, lab.firing(row.id, queued.due_at)).await.unwrap();
    assert_eq!(start, None);
    let same_name = new_schedule(other, "every-second", Overlap::Skip, None);
    stored(lab.store.create_schedule(same_name).await.unwrap());
}

/// Every schedule once, by name.
pub async fn schedules_are_paged_by_name(lab: Lab) {
    for name in ["c", "a", "e", "b", "d"] {
        lab.schedule_named(name, Overlap::Skip, None).await;
    }
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = lab.store.list_schedules(lab.tenant, cursor, 2).await.unwrap();
        names.extend(page.items.into_iter().map(|row| row.spec.name));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

/// A schedule goes with its waiting firings; tasks stay, and the name is free.
pub async fn a_deleted_schedule_leaves_its_tasks(lab: Lab) {
    let row = lab.schedule(Overlap::Queue).await;
    let task = lab.fire_next(row.id).await.task;
    lab.fire_next(row.id).await;
    assert!(lab.store.delete_schedule(lab.tenant, ScheduleSelector::from("every-second")).await.unwrap());
    assert!(!lab.store.delete_schedule(lab.tenant, ScheduleSelector::Id(row.id)).await.unwrap());
    assert_eq!(lab.store.schedule(lab.tenant, ScheduleSelector::Id(row.id)).await.unwrap(), None);
    assert_eq!(lab.store.fire(lab.fire_of(&row, 1)).await.unwrap(), FireOutcome::NotFound);
    lab.end(task).await;
    assert_eq!(lab.queued().await, None);
    assert!(lab.store.due_schedules(10).await.unwrap().is_empty());
    assert_eq!((lab.tasks().await, lab.row(task).await.status), (1, TaskStatus::Cancelled));
    lab.schedule(Overlap::Skip).await;
}

/// What has come is due, the most overdue first; what is paused or to come is not.
pub async fn due_schedules_are_found(lab: Lab) {
    assert_eq!(lab.store.next_occurrence_in().await.unwrap(), None);
    let now = lab.store.now().await.unwrap();
    lab.schedule_named("paused", Overlap::Skip, None).await;
    assert_eq!(lab.store.next_occurrence_in().await.unwrap(), None);
    lab.schedule_named("future", Overlap::Skip, Some(now + 3_600_000)).await;
    let wait = lab.store.next_occurrence_in().await.unwrap().unwrap();
    assert!((3_500_000..=3_600_000).contains(&wait), "{wait}");
    lab.schedule_named("late", Overlap::Skip, Some(now - 1_000)).await;
    lab.schedule_named("later", Overlap::Skip, Some(now - 2_000)).await;
    assert_eq!(lab.store.next_occurrence_in().await.unwrap(), Some(0));
    let names = |rows: Vec<ScheduleRow>| rows.into_iter().map(|row| row.spec.name).collect::<Vec<_>>();
    assert_eq!(names(lab.store.due_schedules(10).await.unwrap()), ["later", "late"]);
    assert_eq!(names(lab.store.due_schedules(1).await.unwrap()), ["later"]);
}

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
