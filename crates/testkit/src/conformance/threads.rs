//! Threads: at most one task of each is active, and whose turn comes next is decided with the commit that ends it.

use std::collections::HashSet;

use agenticai_domain::ids::{TaskId, TenantId, ThreadId};
use agenticai_domain::task::TaskStatus;
use agenticai_domain::thread::{IfActive, MOST_QUEUED};
use agenticai_store::*;
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, cancelled, completed, entry, run, spend, wait};

use IfActive::{Interrupt, Queue, Reject, Replace};

impl Lab {
    /// A new thread.
    pub(super) async fn thread(&self, name: Option<&str>) -> ThreadRow {
        match self.store.create_thread(new_thread(self.tenant, name)).await.unwrap() {
            CreateThread::Stored(row) => *row,
            CreateThread::NameTaken => panic!("a new name is free"),
        }
    }

    /// A thread as it stands.
    async fn thread_row(&self, id: ThreadId) -> ThreadRow {
        self.store.thread(self.tenant, ThreadSelector::Id(id)).await.unwrap().expect("the thread exists")
    }

    async fn try_in(&self, thread: ThreadId, if_active: IfActive) -> CreateTaskOutcome {
        let thread = Some(InThread { id: thread, if_active });
        self.store.create_task(CreateTask { task: self.new_task(), idempotency: None, thread }).await.unwrap()
    }

    /// Creates a task in a thread.
    pub(super) async fn create_in(&self, thread: ThreadId, if_active: IfActive) -> TaskRow {
        match self.try_in(thread, if_active).await {
            CreateTaskOutcome::Created(row) => *row,
            other => panic!("the thread took no task: {other:?}"),
        }
    }

    /// Nothing is ready.
    async fn nothing_is_ready(&self, worker: WorkerId) {
        assert_eq!(self.store.claim(worker, 10.into()).await.unwrap(), []);
        assert_eq!(self.store.backlog().await.unwrap().0, 0);
    }

    /// The only task that is ready, which must be this one.
    async fn claim_this(&self, worker: WorkerId, task: TaskId) -> Claimed {
        let claimed = self.claim_one(worker).await;
        assert_eq!(claimed.head.id, task);
        claimed
    }

    /// Ends a claimed task by its last entry.
    async fn finish(&self, worker: WorkerId, claimed: &Claimed) {
        let end = Then::End { end: completed("done"), spend: spend(1) };
        let first = claimed.last_seq + 1;
        self.accept(worker, run(claimed, first, vec![entry("last")]).then(end)).await;
    }

    /// Cancels whatever the threads' rows say is to be cancelled; answers what that was.
    async fn sweep(&self) -> Vec<TaskId> {
        let superseded = self.store.superseded(100).await.unwrap();
        for (tenant, task) in &superseded {
            cancel(self.store.as_ref(), *tenant, *task, "superseded").await.unwrap();
        }
        superseded.into_iter().map(|(_, task)| task).collect()
    }
}

fn new_thread(tenant: TenantId, name: Option<&str>) -> NewThread {
    NewThread { id: ThreadId(Uuid::now_v7()), tenant, name: name.map(str::to_owned), created_by: None }
}

fn place(row: &TaskRow) -> Option<u32> {
    row.thread.as_ref().expect("it belongs to a thread").place
}

/// What was written is there, by id and by name, and sent again it is the same.
pub async fn a_thread_reads_back(lab: Lab) {
    let new = NewThread { created_by: Some(lab.owner.user), ..new_thread(lab.tenant, Some("talk")) };
    let CreateThread::Stored(row) = lab.store.create_thread(new.clone()).await.unwrap() else {
        panic!("a new name is free");
    };
    assert_eq!((row.id, row.tenant, row.name.as_deref()), (new.id, lab.tenant, Some("talk")));
    assert_eq!((row.active, row.created_by), (None, Some(lab.owner.user)));
    assert!(row.queue.is_empty() && row.superseded.is_empty() && row.created_at > 0);
    for which in [ThreadSelector::Id(row.id), ThreadSelector::from("talk")] {
        assert_eq!(lab.store.thread(lab.tenant, which).await.unwrap().as_ref(), Some(&*row));
    }
    assert_eq!(lab.store.create_thread(new).await.unwrap(), CreateThread::Stored(row));
    let taken = lab.store.create_thread(new_thread(lab.tenant, Some("talk"))).await.unwrap();
    assert_eq!(taken, CreateThread::NameTaken);
    // Nameless ones are as many as anybody wants.
    lab.thread(None).await;
    lab.thread(None).await;
    assert_eq!(lab.store.thread(lab.tenant, ThreadSelector::from("talk2")).await.unwrap(), None);
}

/// Newest first, each once.
pub async fn threads_are_paged(lab: Lab) {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(lab.thread(None).await.id);
    }
    made.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = lab.store.list_threads(lab.tenant, cursor, 2).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    let refused = lab.store.list_threads(lab.tenant, Some("7".to_owned()), 2).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
}

/// Tasks run one after another, in the order of their creation, and say where they stand.
pub async fn tasks_of_a_thread_take_turns(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(lab.create_in(thread, Queue).await);
    }
    let ids: Vec<TaskId> = tasks.iter().map(|row| row.head.id).collect();
    assert_eq!(tasks.iter().map(place).collect::<Vec<_>>(), [None, Some(1), Some(2)]);
    assert!(tasks.iter().all(|row| row.status == TaskStatus::Pending));
    let named = tasks[1].thread.as_ref().map(|thread| (thread.id, thread.name.as_deref()));
    assert_eq!(named, Some((thread, Some("talk"))));
    let worker = lab.worker().await;
    for turn in 0..3 {
        let row = lab.thread_row(thread).await;
        assert_eq!((row.active, &row.queue[..]), (Some(ids[turn]), &ids[turn + 1..]));
        let claimed = lab.claim_this(worker, ids[turn]).await;
        assert!(claimed.in_thread);
        lab.nothing_is_ready(worker).await;
        lab.finish(worker, &claimed).await;
        assert_eq!(place(&lab.row(ids[turn]).await), None);
    }
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.thread_row(thread).await.active, None);
    // It begins anew.
    let next = lab.create_in(thread, Reject).await.head.id;
    lab.claim_this(worker, next).await;
}

/// Waits, hand-backs and the death of a worker do not end a turn.
pub async fn a_turn_lasts_until_the_end(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let first = lab.create_in(thread, Queue).await.head.id;
    let second = lab.create_in(thread, Queue).await.head.id;
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, first).await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.row(first).await.status, TaskStatus::Waiting);
    lab.signal(first, "go").await;
    lab.claim_this(worker, first).await;
    lab.store.release(worker, vec![first]).await.unwrap();
    lab.claim_this(worker, first).await;
    assert_eq!(lab.kill(worker).await, 1);
    let heir = lab.worker().await;
    let claimed = lab.claim_this(heir, first).await;
    lab.nothing_is_ready(heir).await;
    assert_eq!(lab.thread_row(thread).await.active, Some(first));
    lab.finish(heir, &claimed).await;
    lab.claim_this(heir, second).await;
}

/// An end from outside gives the next one its turn, once, however many try and whatever the worker still sends.
pub async fn a_cancel_hands_the_thread_on_once(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(lab.create_in(thread, Queue).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, ids[0]).await;
    let mut cancels = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, tenant, task) = (lab.store.clone(), lab.tenant, ids[0]);
        cancels.spawn(async move { cancel(store.as_ref(), tenant, task, "no more").await.unwrap() });
    }
    let ended = cancels.join_all().await;
    let won = |o: &&CancelOutcome| matches!(o, CancelOutcome::Cancelled { in_thread: true, .. });
    assert_eq!(ended.iter().filter(won).count(), 1);
    let end = Then::End { end: completed("too late"), spend: spend(1) };
    let late = lab.append(worker, run(&claimed, 1, vec![entry("a")]).then(end)).await;
    assert!(!matches!(late, AppendOutcome::Accepted { .. }), "{late:?}");
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, &row.queue[..]), (Some(ids[1]), &ids[2..]));
    // One that is ready, and one that waits for something.
    lab.end(ids[1]).await;
    let claimed = lab.claim_this(worker, ids[2]).await;
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).then(wait(0, None))).await;
    cancel(lab.store.as_ref(), lab.tenant, ids[2], "no more").await.unwrap();
    lab.claim_this(worker, ids[3]).await;
}

/// The run that ends a task and the cancel of the next one in the queue meet: nobody is lost, nobody runs twice.
pub async fn ends_and_cancels_of_one_thread_meet(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let worker = lab.worker().await;
    for _ in 0..10 {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(lab.create_in(thread, Queue).await.head.id);
        }
        let claimed = lab.claim_this(worker, ids[0]).await;
        let (store, tenant, second) = (lab.store.clone(), lab.tenant, ids[1]);
        let cancelling =
            tokio::spawn(async move { cancel(store.as_ref(), tenant, second, "no more").await.unwrap() });
        lab.finish(worker, &claimed).await;
        cancelling.await.unwrap();
        assert_eq!(lab.row(second).await.status, TaskStatus::Cancelled);
        let claimed = lab.claim_this(worker, ids[2]).await;
        lab.finish(worker, &claimed).await;
        let row = lab.thread_row(thread).await;
        assert_eq!((row.active, row.queue.len(), row.superseded.len()), (None, 0, 0));
    }
}

/// A task that waits for its turn can be cancelled; those behind it move up.
pub async fn a_queued_task_can_be_cancelled(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(lab.create_in(thread, Queue).await.head.id);
    }
    lab.end(ids[1]).await;
    assert_eq!(lab.row(ids[1]).await.status, TaskStatus::Cancelled);
    assert_eq!(lab.seqs(ids[1]).await, [1]);
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue), (Some(ids[0]), vec![ids[2]]));
    assert_eq!(place(&lab.row(ids[2]).await), Some(1));
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, ids[0]).await;
    lab.finish(worker, &claimed).await;
    lab.claim_this(worker, ids[2]).await;
}

/// With `reject` nothing is created while a task is active, and the client's key stays free.
pub async fn reject_creates_nothing_while_one_is_active(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let active = lab.create_in(thread, Reject).await.head.id;
    let refused = lab.new_task();
    let create = CreateTask {
        task: refused.clone(),
        idempotency: Some(Idempotency { key: "k".to_owned(), body: [1; 32] }),
        thread: Some(InThread { id: thread, if_active: Reject }),
    };
    let outcome = lab.store.create_task(create.clone()).await.unwrap();
    assert_eq!(outcome, CreateTaskOutcome::ThreadBusy(active));
    assert_eq!(lab.store.task(lab.tenant, refused.id).await.unwrap(), None);
    assert_eq!(lab.store.task_by_key(lab.tenant, "k".to_owned()).await.unwrap(), None);
    lab.end(active).await;
    assert!(matches!(lab.store.create_task(create).await.unwrap(), CreateTaskOutcome::Created(_)));
    assert_eq!(lab.thread_row(thread).await.active, Some(refused.id));
}

/// With `interrupt` the active task is to be cancelled; the new one starts after its end, before those that wait.
pub async fn interrupt_goes_before_the_queue(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let active = lab.create_in(thread, Queue).await.head.id;
    let queued = lab.create_in(thread, Queue).await.head.id;
    let worker = lab.worker().await;
    lab.claim_this(worker, active).await;
    let urgent = lab.create_in(thread, Interrupt).await;
    assert_eq!(place(&urgent), Some(1));
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.superseded), (Some(active), vec![active]));
    assert_eq!(row.queue, [urgent.head.id, queued]);
    // Not before the old one's last entry.
    lab.nothing_is_ready(worker).await;
    assert_eq!(lab.sweep().await, [active]);
    assert_eq!(lab.row(active).await.status, TaskStatus::Cancelled);
    let claimed = lab.claim_this(worker, urgent.head.id).await;
    lab.nothing_is_ready(worker).await;
    lab.finish(worker, &claimed).await;
    lab.claim_this(worker, queued).await;
    assert_eq!(lab.sweep().await, []);
}

/// With `replace` the active task and all that wait are to be cancelled; the new one starts after the active one's end.
pub async fn replace_clears_the_queue(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(lab.create_in(thread, Queue).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.claim_this(worker, old[0]).await;
    let new = lab.create_in(thread, Replace).await;
    assert_eq!(place(&new), Some(1));
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue), (Some(old[0]), vec![new.head.id]));
    let as_set = |tasks: Vec<TaskId>| tasks.into_iter().collect::<HashSet<_>>();
    assert_eq!(as_set(row.superseded), as_set(old.clone()));
    assert!(old[1..].iter().all(|task| *task != new.head.id));
    lab.nothing_is_ready(worker).await;
    // The active one may end by itself before anybody cancels it; those that waited do not get its turn.
    lab.finish(worker, &claimed).await;
    let claimed = lab.claim_this(worker, new.head.id).await;
    lab.nothing_is_ready(worker).await;
    assert_eq!(as_set(lab.sweep().await), as_set(old[1..].to_vec()));
    for task in &old[1..] {
        assert_eq!(lab.row(*task).await.status, TaskStatus::Cancelled);
    }
    assert_eq!(lab.row(new.head.id).await.status, TaskStatus::Running);
    lab.finish(worker, &claimed).await;
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.queue.len(), row.superseded.len()), (None, 0, 0));
}

/// Whoever created a task and died before it cancelled those that gave way left that to any worker.
pub async fn a_forgotten_cancel_is_found(lab: Lab) {
    let mut expected = HashSet::new();
    for if_active in [Interrupt, Replace] {
        let thread = lab.thread(None).await.id;
        expected.insert(lab.create_in(thread, Queue).await.head.id);
        let queued = lab.create_in(thread, Queue).await.head.id;
        if if_active == Replace {
            expected.insert(queued);
        }
        lab.create_in(thread, if_active).await;
    }
    let found = lab.store.superseded(100).await.unwrap();
    assert!(found.iter().all(|(tenant, _)| *tenant == lab.tenant));
    assert_eq!(found.iter().map(|(_, task)| *task).collect::<HashSet<_>>(), expected);
    assert_eq!(lab.store.superseded(1).await.unwrap().len(), 1);
    assert_eq!(lab.sweep().await.len(), 3);
    assert_eq!(lab.store.superseded(100).await.unwrap(), []);
}

/// Sixteen creators at once: one task is active at any time, all run, in the order in which they were committed.
pub async fn concurrent_creators_form_one_queue(lab: Lab) {
    const CREATORS: usize = 16;
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for n in 0..CREATORS {
        let (store, task) = (lab.store.clone(), lab.new_task());
        creators.spawn(async move {
            // Some arrive later than others.
            tokio::time::sleep(std::time::Duration::from_millis(n as u64 % 4)).await;
            let thread = Some(InThread { id: thread, if_active: Queue });
            let id = task.id;
            let outcome = store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap();
            assert!(matches!(outcome, CreateTaskOutcome::Created(_)), "{outcome:?}");
            id
        });
    }
    // Two workers take whatever is ready meanwhile.
    let mut order = Vec::new();
    let workers = [lab.worker().await, lab.worker().await];
    let mut made: HashSet<TaskId> = HashSet::new();
    while order.len() < CREATORS {
        while let Some(id) = creators.try_join_next() {
            made.insert(id.unwrap());
        }
        for (worker, other) in [(workers[0], workers[1]), (workers[1], workers[0])] {
            let claimed = lab.store.claim(worker, 10.into()).await.unwrap();
            assert!(claimed.len() <= 1, "two tasks of a thread were ready");
            let Some(claimed) = claimed.first() else { continue };
            assert_eq!(
                lab.store.claim(other, 10.into()).await.unwrap(),
                [],
                "two tasks of a thread were ready"
            );
            let before = lab.thread_row(thread).await;
            assert_eq!(before.active, Some(claimed.head.id));
            lab.finish(worker, claimed).await;
            let after = lab.thread_row(thread).await;
            assert_eq!(after.active, before.queue.first().copied().or(after.active));
            order.push(claimed.head.id);
        }
        tokio::task::yield_now().await;
    }
    made.extend(creators.join_all().await);
    assert_eq!(order.iter().copied().collect::<HashSet<_>>(), made);
    // Lists are in the order of commits, newest first.
    let filter = TaskFilter { thread: Some(thread), ..TaskFilter::default() };
    let page = lab.store.list_tasks(lab.tenant, filter, None, 100).await.unwrap();
    let mut listed: Vec<TaskId> = page.items.iter().map(|row| row.head.id).collect();
    listed.reverse();
    assert_eq!(order, listed);
}

/// Ten who must not wait: one gets in.
pub async fn concurrent_rejects_let_one_in(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (store, task) = (lab.store.clone(), lab.new_task());
        let thread = Some(InThread { id: thread, if_active: Reject });
        creators.spawn(async move {
            store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap()
        });
    }
    let outcomes = creators.join_all().await;
    let active = lab.thread_row(thread).await.active.expect("one got in");
    let refused = outcomes.iter().filter(|outcome| **outcome == CreateTaskOutcome::ThreadBusy(active));
    assert_eq!(refused.count(), 9);
}

/// A request that is sent again is the same task, whatever the thread is doing, and disturbs nobody.
pub async fn a_repeated_request_joins_once(lab: Lab) {
    let thread = lab.thread(None).await.id;
    for if_active in IfActive::ALL {
        let active = lab.thread_row(thread).await.active;
        if let Some(active) = active.filter(|_| if_active == Reject) {
            lab.end(active).await;
        }
        let create = |body| CreateTask {
            task: lab.new_task(),
            idempotency: Some(Idempotency { key: if_active.as_str().to_owned(), body: [body; 32] }),
            thread: Some(InThread { id: thread, if_active }),
        };
        let CreateTaskOutcome::Created(first) = lab.store.create_task(create(1)).await.unwrap() else {
            panic!("it is created");
        };
        let before = lab.thread_row(thread).await;
        let CreateTaskOutcome::Existing(again) = lab.store.create_task(create(1)).await.unwrap() else {
            panic!("it was there before");
        };
        assert_eq!((again.head.id, &again.thread), (first.head.id, &first.thread));
        let conflict = lab.store.create_task(create(2)).await.unwrap();
        assert_eq!(conflict, CreateTaskOutcome::KeyConflict(first.head.id));
        // The same id without a key is the same request, too.
        let resent = CreateTask {
            task: agenticai_domain::task::NewTask { id: first.head.id, ..lab.new_task() },
            idempotency: None,
            ..create(1)
        };
        assert!(matches!(lab.store.create_task(resent).await.unwrap(), CreateTaskOutcome::Existing(_)));
        assert_eq!(lab.thread_row(thread).await, before);
    }
}

/// A queue is bounded; whoever replaces it needs no place in it.
pub async fn a_full_thread_takes_no_more(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let mut creators = tokio::task::JoinSet::new();
    for _ in 0..=MOST_QUEUED {
        let (store, task) = (lab.store.clone(), lab.new_task());
        let thread = Some(InThread { id: thread, if_active: Queue });
        creators.spawn(async move {
            store.create_task(CreateTask { task, idempotency: None, thread }).await.unwrap()
        });
    }
    let outcomes = creators.join_all().await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, CreateTaskOutcome::Created(_))));
    assert_eq!(lab.thread_row(thread).await.queue.len(), MOST_QUEUED as usize);
    for if_active in [Queue, Interrupt] {
        assert_eq!(lab.try_in(thread, if_active).await, CreateTaskOutcome::ThreadFull);
    }
    lab.create_in(thread, Replace).await;
    assert_eq!(lab.thread_row(thread).await.superseded.len(), MOST_QUEUED as usize + 1);
}

/// A thread with a task that has not ended stays; one without goes, and its tasks stay.
pub async fn a_busy_thread_is_not_deleted(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let which = || ThreadSelector::from("talk");
    let task = lab.create_in(thread, Queue).await.head.id;
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::Active(task));
    lab.end(task).await;
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::Deleted);
    assert_eq!(lab.store.delete_thread(lab.tenant, which()).await.unwrap(), DeleteThread::NotFound);
    assert_eq!(lab.row(task).await.thread, None);
    assert_eq!(lab.try_in(thread, Queue).await, CreateTaskOutcome::NoThread);
    // Its name is free.
    assert_ne!(lab.thread(Some("talk")).await.id, thread);
}

/// Tasks that wait for their turn are pending in every list and count, and a thread's list holds them all.
pub async fn queued_tasks_are_listed(lab: Lab) {
    let thread = lab.thread(None).await.id;
    let alone = lab.create(lab.new_task()).await.head.id;
    let done = lab.create_in(thread, Queue).await.head.id;
    lab.end(done).await;
    let mut open = Vec::new();
    for if_active in [Queue, Queue, Replace] {
        open.push(lab.create_in(thread, if_active).await.head.id);
    }
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, 10.into()).await.unwrap();
    assert_eq!(claimed.len(), 2, "the one without a thread, and the thread's active one");
    let by = |thread, status: &[TaskStatus]| TaskFilter {
        thread,
        status: status.to_vec(),
        ..TaskFilter::default()
    };
    let cases = [
        (by(None, &[]), vec![alone, done, open[0], open[1], open[2]]),
        (by(None, &[TaskStatus::Pending]), vec![open[1], open[2]]),
        (by(None, &[TaskStatus::Running]), vec![alone, open[0]]),
        (by(Some(thread), &[]), vec![done, open[0], open[1], open[2]]),
        (by(Some(thread), &[TaskStatus::Pending]), vec![open[1], open[2]]),
        (by(Some(thread), &[TaskStatus::Running, TaskStatus::Cancelled]), vec![done, open[0]]),
        (by(Some(ThreadId(Uuid::now_v7())), &[]), vec![]),
    ];
    for (filter, mut expected) in cases {
        expected.reverse();
        let page = lab.store.list_tasks(lab.tenant, filter.clone(), None, 100).await.unwrap();
        let listed: Vec<TaskId> = page.items.iter().map(|row| row.head.id).collect();
        assert_eq!(listed, expected, "{filter:?}");
        let count = lab.store.count_tasks(lab.tenant, filter).await.unwrap();
        assert_eq!(count, expected.len() as u64);
    }
}

/// Nobody sees, joins or deletes another tenant's thread; names are each tenant's own.
pub async fn threads_belong_to_their_tenant(lab: Lab) {
    let thread = lab.thread(Some("talk")).await.id;
    let mine = lab.create_in(thread, Queue).await.head.id;
    let (other, agent) = lab.other_tenant().await;
    for which in [ThreadSelector::Id(thread), ThreadSelector::from("talk")] {
        assert_eq!(lab.store.thread(other, which.clone()).await.unwrap(), None);
        assert_eq!(lab.store.delete_thread(other, which).await.unwrap(), DeleteThread::NotFound);
    }
    assert_eq!(lab.store.list_threads(other, None, 10).await.unwrap().items, []);
    let refused = lab.store.list_threads(other, Some(thread.to_string()), 10).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    let task = super::lab::new_task(other, agent);
    let in_mine = Some(InThread { id: thread, if_active: Replace });
    let outcome =
        lab.store.create_task(CreateTask { task, idempotency: None, thread: in_mine }).await.unwrap();
    assert_eq!(outcome, CreateTaskOutcome::NoThread);
    let filter = TaskFilter { thread: Some(thread), ..TaskFilter::default() };
    assert_eq!(lab.store.list_tasks(other, filter, None, 10).await.unwrap().items, []);
    let row = lab.thread_row(thread).await;
    assert_eq!((row.active, row.superseded.len()), (Some(mine), 0));
    // A thread with that id cannot be made by another, nor can one be taken over.
    let same_id = NewThread { id: thread, ..new_thread(other, None) };
    assert_eq!(lab.store.create_thread(same_id).await.unwrap(), CreateThread::NameTaken);
    let theirs = lab.store.create_thread(new_thread(other, Some("talk"))).await.unwrap();
    assert!(matches!(theirs, CreateThread::Stored(_)));
    let ended = lab.store.end_task(other, mine, 1, cancelled(), spend(0)).await.unwrap();
    assert_eq!(ended, EndOutcome::NotFound);
}
