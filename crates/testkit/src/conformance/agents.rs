//! Agents and their versions.

use agenticai_domain::ids::AgentId;
use agenticai_store::{AgentSelector, CreateAgent, PutAgent};

use super::Lab;
use super::lab::new_agent;

fn named(name: &str) -> AgentSelector {
    AgentSelector::Name(name.to_owned())
}

/// Versions count from 1 and never change; the newest is given where none is named.
pub async fn versions_count_from_one(lab: Lab) {
    let mut second = new_agent(lab.tenant, "worker-bee");
    second.spec.instructions = Some("Otherwise.".to_owned());
    let PutAgent::Stored(stored) = lab.store.put_agent(second.clone()).await.unwrap() else {
        panic!("another specification is another version");
    };
    assert_eq!((stored.id, stored.version), (lab.agent, 2));
    let newest = lab.store.agent(lab.tenant, named("worker-bee"), None).await.unwrap();
    assert_eq!(newest.as_ref(), Some(&stored), "the newest reads back as it was answered");
    let first = lab.store.agent(lab.tenant, AgentSelector::Id(lab.agent), Some(1)).await.unwrap().unwrap();
    assert_eq!((first.version, first.spec), (1, new_agent(lab.tenant, "worker-bee").spec));
    assert_eq!(lab.store.agent(lab.tenant, named("worker-bee"), Some(3)).await.unwrap(), None);
    let PutAgent::Stored(other) = lab.store.put_agent(new_agent(lab.tenant, "other")).await.unwrap() else {
        panic!("a free name is a new agent");
    };
    assert_eq!(other.version, 1);
}

/// A name is created once.
pub async fn a_taken_name_is_refused(lab: Lab) {
    assert_eq!(
        lab.store.create_agent(new_agent(lab.tenant, "worker-bee")).await.unwrap(),
        CreateAgent::Exists
    );
    assert_eq!(lab.store.agent(lab.tenant, named("worker-bee"), None).await.unwrap().unwrap().version, 1);
}

/// Applying what is there already makes no version.
pub async fn an_equal_version_is_not_stored_again(lab: Lab) {
    let before = lab.store.agent(lab.tenant, named("worker-bee"), None).await.unwrap().unwrap();
    let put = lab.store.put_agent(new_agent(lab.tenant, "worker-bee")).await.unwrap();
    assert_eq!(put, PutAgent::Unchanged(before));
}

/// Deleting hides: the name is free for another agent, and the tasks of the old one still find their version.
pub async fn a_deleted_agent_frees_its_name_and_its_tasks_go_on(lab: Lab) {
    let task = lab.create(lab.new_task()).await;
    assert!(lab.store.delete_agent(lab.tenant, named("worker-bee")).await.unwrap());
    assert!(
        !lab.store.delete_agent(lab.tenant, named("worker-bee")).await.unwrap(),
        "there is none any more"
    );
    assert!(!lab.store.delete_agent(lab.tenant, AgentSelector::Id(lab.agent)).await.unwrap());
    assert_eq!(lab.store.agent(lab.tenant, named("worker-bee"), None).await.unwrap(), None);
    assert_eq!(lab.store.agent(lab.tenant, AgentSelector::Id(lab.agent), None).await.unwrap(), None);
    assert!(lab.store.agent_of_task(lab.tenant, lab.agent, 1).await.unwrap().is_some());
    assert_eq!(lab.row(task.head.id).await.agent_name, "worker-bee");
    let CreateAgent::Created(heir) =
        lab.store.create_agent(new_agent(lab.tenant, "worker-bee")).await.unwrap()
    else {
        panic!("the name is free");
    };
    assert_ne!(heir.id, lab.agent);
    assert_eq!(heir.version, 1);
}

/// Pages follow each other by name, each agent once, in its newest version.
pub async fn lists_are_paged_by_name(lab: Lab) {
    for name in ["c", "a", "b"] {
        lab.store.create_agent(new_agent(lab.tenant, name)).await.unwrap();
    }
    let mut again = new_agent(lab.tenant, "b");
    again.spec.description = None;
    lab.store.put_agent(again).await.unwrap();
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = lab.store.list_agents(lab.tenant, cursor, 3).await.unwrap();
        seen.extend(page.items.iter().map(|version| (version.spec.name.clone(), version.version)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected = [("a", 1), ("b", 2), ("c", 1), ("worker-bee", 1)];
    assert_eq!(seen, expected.map(|(name, version)| (name.to_owned(), version)));
}

/// Versions of one agent, oldest first.
pub async fn versions_are_paged_by_number(lab: Lab) {
    for text in ["two", "three"] {
        let mut next = new_agent(lab.tenant, "worker-bee");
        next.spec.instructions = Some(text.to_owned());
        lab.store.put_agent(next).await.unwrap();
    }
    let first = lab.store.list_agent_versions(lab.tenant, lab.agent, None, 2).await.unwrap();
    assert_eq!(first.items.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(first.next_cursor.as_deref(), Some("2"));
    let last = lab.store.list_agent_versions(lab.tenant, lab.agent, Some(2), 2).await.unwrap();
    assert_eq!(last.items.iter().map(|v| v.version).collect::<Vec<_>>(), [3]);
    assert_eq!(last.next_cursor, None);
}

/// Neither name nor id reaches into another tenant, and equal names do not collide.
pub async fn agents_belong_to_their_tenant(lab: Lab) {
    let (other, theirs) = lab.other_tenant().await;
    assert_ne!(theirs, lab.agent);
    assert_eq!(lab.store.agent(other, AgentSelector::Id(lab.agent), None).await.unwrap(), None);
    assert_eq!(lab.store.agent(other, named("worker-bee"), None).await.unwrap().unwrap().id, theirs);
    assert_eq!(lab.store.agent_of_task(other, lab.agent, 1).await.unwrap(), None);
    assert_eq!(lab.store.list_agents(other, None, 10).await.unwrap().items.len(), 1);
    assert!(lab.store.list_agent_versions(other, lab.agent, None, 10).await.unwrap().items.is_empty());
    assert!(!lab.store.delete_agent(other, AgentSelector::Id(lab.agent)).await.unwrap());
    assert!(lab.store.delete_agent(other, named("worker-bee")).await.unwrap());
    assert!(lab.store.agent(lab.tenant, named("worker-bee"), None).await.unwrap().is_some());
    let nobody = AgentId(uuid::Uuid::new_v4());
    assert_eq!(lab.store.agent(lab.tenant, AgentSelector::Id(nobody), None).await.unwrap(), None);
}
