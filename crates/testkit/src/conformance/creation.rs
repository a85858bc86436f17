//! Creating tasks.

use serde_json::json;
use uuid::Uuid;

use agenticai_domain::ids::{AgentId, TaskId, TenantId, UserId};
use agenticai_domain::task::{InputMessage, Role, TaskInput, TaskStatus};
use agenticai_domain::usage::Spend;
use agenticai_store::{AgentSelector, CreateTask, CreateTaskOutcome, StoreError, TaskFilter};

use super::Lab;
use super::lab::new_task;

/// Everything that was given is there, by the answer and by a look-up.
pub async fn a_created_task_reads_back(lab: Lab) {
    let before = lab.store.now().await.unwrap();
    let mut new = lab.new_task();
    new.input = TaskInput::Messages(vec![InputMessage {
        role: Role::User,
        content: agenticai_domain::task::Content::Text("hello".to_owned()),
    }]);
    new.priority = 9;
    new.timeout_ms = Some(60_000);
    new.depth = 2;
    new.metadata = json!({"customer": "7", "deep": {"n": [1, null]}}).as_object().unwrap().clone();
    new.created_by = Some(UserId(Uuid::new_v4()));
    new.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let row = lab.create(new.clone()).await;
    assert_eq!(lab.row(new.id).await, row, "the answer is what a look-up finds");
    let head = &row.head;
    assert_eq!(
        (head.id, head.tenant, head.agent, head.agent_version, head.priority, head.depth),
        (new.id, new.tenant, new.agent, 1, 9, 2)
    );
    assert_eq!(
        (&head.input, &head.traceparent, head.created_by),
        (&new.input, &new.traceparent, new.created_by)
    );
    assert_eq!(head.deadline_at, Some(head.created_at + 60_000));
    assert!((before..=lab.store.now().await.unwrap()).contains(&head.created_at));
    assert_eq!(
        (row.status, row.last_seq, row.started_at, row.completed_at),
        (TaskStatus::Pending, 0, None, None)
    );
    assert_eq!(
        (row.agent_name.as_str(), row.metadata, row.spend),
        ("worker-bee", new.metadata, Spend::default())
    );
    assert_eq!(lab.store.backlog().await.unwrap().0, 1, "it is ready at once");
}

/// The same key with the same body is the same task, whatever became of it.
pub async fn an_equal_request_finds_the_first_task(lab: Lab) {
    let first = lab.new_task();
    assert!(matches!(lab.create_with_key(first.clone(), "k", 1).await, CreateTaskOutcome::Created(_)));
    let worker = lab.worker().await;
    lab.claim_one(worker).await;
    let CreateTaskOutcome::Existing(row) = lab.create_with_key(lab.new_task(), "k", 1).await else {
        panic!("the key is known");
    };
    assert_eq!((row.head.id, row.status), (first.id, TaskStatus::Running), "as it stands");
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty(), "nothing was created");
}

/// The same key with another body is refused and names the task.
pub async fn another_body_under_a_key_is_a_conflict(lab: Lab) {
    let first = lab.new_task();
    lab.create_with_key(first.clone(), "k", 1).await;
    let outcome = lab.create_with_key(lab.new_task(), "k", 2).await;
    assert_eq!(outcome, CreateTaskOutcome::KeyConflict(first.id));
    assert_eq!(lab.store.count_tasks(lab.tenant, TaskFilter::default()).await.unwrap(), 1);
    assert!(matches!(lab.create_with_key(lab.new_task(), "K", 1).await, CreateTaskOutcome::Created(_)));
}

/// However they are batched, creators with one key make one task, and all hear of it.
pub async fn ten_creators_with_one_key_make_one_task(lab: Lab) {
    let creators = (0..10).map(|_| {
        let (store, task) = (lab.store.clone(), lab.new_task());
        let idempotency = Some(agenticai_store::Idempotency { key: "one".to_owned(), body: [1; 32] });
        tokio::spawn(async move {
            store.create_task(CreateTask { task, idempotency, thread: None }).await.unwrap()
        })
    });
    let (mut created, mut ids) = (0, Vec::new());
    for creator in creators.collect::<Vec<_>>() {
        match creator.await.unwrap() {
            CreateTaskOutcome::Created(row) => {
                created += 1;
                ids.push(row.head.id);
            }
            CreateTaskOutcome::Existing(row) => ids.push(row.head.id),
            conflict => panic!("all bodies are equal: {conflict:?}"),
        }
    }
    ids.dedup();
    assert_eq!((created, ids.len()), (1, 1));
    assert_eq!(lab.store.count_tasks(lab.tenant, TaskFilter::default()).await.unwrap(), 1);
}

/// Of concurrent creations with one key and different bodies one wins, and the others name it.
pub async fn concurrent_conflicts_name_one_winner(lab: Lab) {
    let (a, b, c) = tokio::join!(
        lab.create_with_key(lab.new_task(), "k", 1),
        lab.create_with_key(lab.new_task(), "k", 2),
        lab.create_with_key(lab.new_task(), "k", 3),
    );
    let outcomes = [a, b, c];
    let winners: Vec<TaskId> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            CreateTaskOutcome::Created(row) => Some(row.head.id),
            _ => None,
        })
        .collect();
    assert_eq!(winners.len(), 1);
    let conflicts = outcomes.iter().filter(|outcome| **outcome == CreateTaskOutcome::KeyConflict(winners[0]));
    assert_eq!(conflicts.count(), 2);
}

/// Two tenants may use one key.
pub async fn keys_of_tenants_are_their_own(lab: Lab) {
    let (other, agent) = lab.other_tenant().await;
    assert!(matches!(lab.create_with_key(lab.new_task(), "k", 1).await, CreateTaskOutcome::Created(_)));
    assert!(matches!(
        lab.create_with_key(new_task(other, agent), "k", 2).await,
        CreateTaskOutcome::Created(_)
    ));
}

/// A key finds its tenant's task as it stands, with the body that came first, even once the agent is deleted.
pub async fn a_key_finds_its_task(lab: Lab) {
    let (other, agent) = lab.other_tenant().await;
    let of_key = |tenant, key: &str| lab.store.task_by_key(tenant, key.to_owned());
    assert_eq!(of_key(lab.tenant, "k").await.unwrap(), None);
    let first = lab.new_task();
    lab.create_with_key(first.clone(), "k", 1).await;
    lab.create_with_key(lab.new_task(), "k", 2).await;
    lab.create(lab.new_task()).await;
    let worker = lab.worker().await;
    assert_eq!(lab.store.claim(worker, 10.into()).await.unwrap().len(), 2);
    assert!(lab.store.delete_agent(lab.tenant, AgentSelector::Id(lab.agent)).await.unwrap());

    let (row, body) = of_key(lab.tenant, "k").await.unwrap().expect("the key is known");
    assert_eq!((row.head.id, row.status, body), (first.id, TaskStatus::Running, [1; 32]));
    assert_eq!(row, lab.row(first.id).await);
    assert_eq!(of_key(lab.tenant, "K").await.unwrap(), None);
    assert_eq!(of_key(other, "k").await.unwrap(), None, "another tenant's key is none of its own");
    assert_eq!(of_key(TenantId(Uuid::new_v4()), "k").await.unwrap(), None);
    let theirs = new_task(other, agent);
    lab.create_with_key(theirs.clone(), "k", 3).await;
    let (row, body) = of_key(other, "k").await.unwrap().expect("the key is known");
    assert_eq!((row.head.id, body), (theirs.id, [3; 32]));
}

/// A creation that is sent again because its outcome was unknown is the same task; another tenant's id is refused.
pub async fn the_same_id_is_the_same_task(lab: Lab) {
    let task = lab.new_task();
    lab.create(task.clone()).await;
    let again = lab
        .store
        .create_task(CreateTask { task: task.clone(), idempotency: None, thread: None })
        .await
        .unwrap();
    assert!(matches!(again, CreateTaskOutcome::Existing(row) if row.head.id == task.id));
    let (other, agent) = lab.other_tenant().await;
    let mut stolen = new_task(other, agent);
    stolen.id = task.id;
    let refused = lab.store.create_task(CreateTask { task: stolen, idempotency: None, thread: None }).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(lab.store.task(other, task.id).await.unwrap(), None);
}

/// What refers to nothing is refused as data that would be refused again.
pub async fn unknown_agents_and_tenants_are_refused(lab: Lab) {
    let (_, theirs) = lab.other_tenant().await;
    let mut tasks = [lab.new_task(), lab.new_task(), lab.new_task(), lab.new_task()];
    tasks[0].agent = AgentId(Uuid::new_v4());
    tasks[1].agent_version = 2;
    tasks[2].tenant = TenantId(Uuid::new_v4());
    tasks[3].agent = theirs;
    for task in tasks {
        let outcome = lab.store.create_task(CreateTask { task, idempotency: None, thread: None }).await;
        assert!(matches!(outcome, Err(StoreError::Refused(_))), "{outcome:?}");
    }
}

/// A creation that is refused does not take those down that are committed together with it.
pub async fn a_refused_creation_leaves_its_neighbours_alone(lab: Lab) {
    let creations = (0..20).map(|i| {
        let (store, mut task) = (lab.store.clone(), lab.new_task());
        if i % 4 == 0 {
            task.agent_version = 99;
        }
        tokio::spawn(
            async move { store.create_task(CreateTask { task, idempotency: None, thread: None }).await },
        )
    });
    let mut refused = 0;
    for creation in creations.collect::<Vec<_>>() {
        match creation.await.unwrap() {
            Ok(CreateTaskOutcome::Created(row)) => assert_eq!(lab.row(row.head.id).await, *row),
            Err(StoreError::Refused(_)) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 5);
    assert_eq!(lab.store.count_tasks(lab.tenant, TaskFilter::default()).await.unwrap(), 15);
}

/// A tenant finds its own tasks only.
pub async fn tasks_belong_to_their_tenant(lab: Lab) {
    let (other, agent) = lab.other_tenant().await;
    let ours = lab.create(lab.new_task()).await;
    let theirs = lab.create(new_task(other, agent)).await;
    assert_eq!(lab.store.task(other, ours.head.id).await.unwrap(), None);
    assert_eq!(lab.store.task(lab.tenant, theirs.head.id).await.unwrap(), None);
    assert_eq!(lab.store.task(TenantId(Uuid::new_v4()), ours.head.id).await.unwrap(), None);
    assert!(lab.store.task(lab.tenant, TaskId(Uuid::new_v4())).await.unwrap().is_none());
}
