//! Schedules as rows, and shorthands for cases about firing them.

use agenticai_domain::ids::{ScheduleId, TaskId, TenantId};
use agenticai_domain::schedule::{
    CatchUp, Firing, FiringState, Overlap, ScheduleSpec, task_of, task_of_trigger,
};
use agenticai_domain::task::{NewTask, TaskInput, TaskStatus};
use agenticai_store::*;
use serde_json::{Map, json};
use uuid::Uuid;

use super::lab::{Lab, cancelled, new_task, spend};

/// A schedule of every second.
pub(super) fn spec(name: &str, overlap: Overlap) -> ScheduleSpec {
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
    pub(super) async fn schedule(&self, overlap: Overlap) -> ScheduleRow {
        let due = self.store.now().await.unwrap() - 60_000;
        self.schedule_named("every-second", overlap, Some(due)).await
    }

    pub(super) async fn schedule_named(
        &self,
        name: &str,
        overlap: Overlap,
        next: Option<i64>,
    ) -> ScheduleRow {
        stored(self.store.create_schedule(new_schedule(self.tenant, name, overlap, next)).await.unwrap())
    }

    pub(super) async fn change(&self, row: &ScheduleRow, change: ChangeSchedule) -> PutSchedule {
        self.store.change_schedule(self.tenant, row.id, change).await.unwrap()
    }

    pub(super) async fn pause(&self, row: &ScheduleRow) -> ScheduleRow {
        stored(self.change(row, change(row, None, None)).await)
    }

    pub(super) async fn schedule_row(&self, id: ScheduleId) -> ScheduleRow {
        self.store
            .schedule(self.tenant, ScheduleSelector::Id(id))
            .await
            .unwrap()
            .expect("the schedule exists")
    }

    /// Fires the next occurrence as a scheduler would.
    pub(super) async fn fire_next(&self, id: ScheduleId) -> Firing {
        let row = self.schedule_row(id).await;
        match self.store.fire(self.fire_of(&row, 1)).await.unwrap() {
            FireOutcome::Fired(mut firings) if firings.len() == 1 => firings.remove(0),
            other => panic!("one firing was asked for: {other:?}"),
        }
    }

    /// The next `count` occurrences, a second apart.
    pub(super) fn fire_of(&self, row: &ScheduleRow, count: i64) -> Fire {
        let from = row.next_fire_at.expect("an occurrence follows");
        let advance = Advance { revision: row.revision, from, to: Some(from + count * 1_000) };
        let firings = (0..count).map(|n| self.firing(row.id, from + n * 1_000)).collect();
        Fire { tenant: self.tenant, schedule: row.id, advance: Some(advance), firings }
    }

    pub(super) fn firing(&self, schedule: ScheduleId, due_at: i64) -> NewFiring {
        let id = task_of(schedule, due_at);
        NewFiring { id, due_at, task: Ok(NewTask { id, ..new_task(self.tenant, self.agent) }) }
    }

    pub(super) fn trigger(&self, schedule: ScheduleId, key: &str) -> Fire {
        let id = task_of_trigger(schedule, key);
        let task = Ok(NewTask { id, ..new_task(self.tenant, self.agent) });
        let firings = vec![NewFiring { id, due_at: 5, task }];
        Fire { tenant: self.tenant, schedule, advance: None, firings }
    }

    pub(super) async fn start(&self, schedule: ScheduleId, firing: &Firing) -> Option<Firing> {
        let new = self.firing(schedule, firing.due_at);
        self.store.start_queued(self.tenant, schedule, NewFiring { id: firing.task, ..new }).await.unwrap()
    }

    /// The waiting firing of the only schedule that has one to show, and the task in its way.
    pub(super) async fn queued(&self) -> Option<(TaskId, Option<TaskId>)> {
        let queued = self.store.queued_firings(10).await.unwrap();
        assert!(queued.len() <= 1, "one for a schedule: {queued:?}");
        queued.first().map(|queued| (queued.firing.task, queued.blocked_by))
    }

    pub(super) async fn end(&self, task: TaskId) {
        let outcome = self.store.end_task(self.tenant, task, 1, cancelled(), spend(0)).await.unwrap();
        assert_eq!(outcome, EndOutcome::Ended);
    }

    pub(super) async fn tasks(&self) -> u64 {
        self.store.count_tasks(self.tenant, TaskFilter::default()).await.unwrap()
    }
}

pub(super) fn new_schedule(tenant: TenantId, name: &str, overlap: Overlap, next: Option<i64>) -> NewSchedule {
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
pub(super) fn change(row: &ScheduleRow, spec: Option<ScheduleSpec>, next: Option<i64>) -> ChangeSchedule {
    ChangeSchedule { revision: row.revision, spec, paused: next.is_none(), next_fire_at: next }
}

pub(super) fn stored(put: PutSchedule) -> ScheduleRow {
    match put {
        PutSchedule::Stored(row) => *row,
        other => panic!("the schedule was not stored: {other:?}"),
    }
}

pub(super) fn states(firings: &[Firing]) -> Vec<FiringState> {
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
