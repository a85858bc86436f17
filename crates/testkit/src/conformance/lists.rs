//! Lists and counts.

use std::collections::BTreeMap;

use agenticai_domain::ids::TaskId;
use agenticai_domain::task::TaskStatus;
use agenticai_store::{CreateAgent, StoreError, TaskFilter};
use serde_json::json;

use super::Lab;
use super::lab::{cancelled, new_agent, new_task, spend};

/// All pages of a list.
async fn all(lab: &Lab, filter: &TaskFilter, limit: u32) -> Vec<TaskId> {
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = lab.store.list_tasks(lab.tenant, filter.clone(), cursor, limit).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        assert!(
            page.next_cursor.is_none() || page.items.len() == limit as usize,
            "only the last page is short"
        );
        seen.extend(page.items.iter().map(|row| row.head.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return seen;
        }
    }
}

fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Every task once, in pages of any size.
pub async fn newest_first_and_every_task_once(lab: Lab) {
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.insert(0, lab.create(lab.new_task()).await.head.id);
    }
    lab.store.end_task(lab.tenant, expected[3], 1, cancelled(), spend(0)).await.unwrap();
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(all(&lab, &TaskFilter::default(), limit).await, expected, "in pages of {limit}");
    }
    let page = lab.store.list_tasks(lab.tenant, TaskFilter::default(), None, 7).await.unwrap();
    assert_eq!(page.next_cursor, None, "nothing follows");
    assert!(page.items.windows(2).all(|pair| pair[0].head.created_at >= pair[1].head.created_at));
    assert_eq!(page.items[3], lab.row(expected[3]).await, "rows are what a look-up finds");
    assert_eq!(lab.store.count_tasks(lab.tenant, TaskFilter::default()).await.unwrap(), 7);
}

/// Tasks that come while somebody pages neither repeat nor hide others.
pub async fn pages_hold_still_under_insertion(lab: Lab) {
    let mut expected = Vec::new();
    for _ in 0..6 {
        expected.insert(0, lab.create(lab.new_task()).await.head.id);
    }
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = lab.store.list_tasks(lab.tenant, TaskFilter::default(), cursor, 2).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.head.id));
        lab.create(lab.new_task()).await;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

/// Each part of a filter selects, all of them must hold, and a count agrees with its list.
pub async fn filters_select(lab: Lab) {
    let CreateAgent::Created(second) = lab.store.create_agent(new_agent(lab.tenant, "second")).await.unwrap()
    else {
        panic!("the name is free");
    };
    let (worker, running) = lab.running().await;
    let mut ours = Vec::new();
    for agent in [lab.agent, lab.agent, second.id] {
        ours.push(lab.create(new_task(lab.tenant, agent)).await.head.id);
    }
    lab.store.end_task(lab.tenant, ours[0], 1, cancelled(), spend(0)).await.unwrap();
    let by_status = |status: &[TaskStatus]| TaskFilter { status: status.to_vec(), ..TaskFilter::default() };
    use TaskStatus::{Cancelled, Failed, Pending, Running};
    let cases = [
        (by_status(&[]), vec![ours[2], ours[1], ours[0], running.head.id]),
        (by_status(&[Pending]), vec![ours[2], ours[1]]),
        (by_status(&[Running]), vec![running.head.id]),
        (by_status(&[Cancelled, Pending, Pending]), vec![ours[2], ours[1], ours[0]]),
        (by_status(&[Failed]), vec![]),
        (TaskFilter { agent: Some(second.id), ..by_status(&[]) }, vec![ours[2]]),
        (TaskFilter { agent: Some(lab.agent), ..by_status(&[Pending]) }, vec![ours[1]]),
        (TaskFilter { parent: Some(running.head.id), ..by_status(&[]) }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(all(&lab, &filter, 2).await, expected, "{filter:?}");
        let count = lab.store.count_tasks(lab.tenant, filter.clone()).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{filter:?}");
    }
    lab.store.release(worker, vec![running.head.id]).await.unwrap();
    assert_eq!(lab.store.count_tasks(lab.tenant, by_status(&[Running])).await.unwrap(), 0);
}

/// Metadata matches whole strings under whole keys; other values never match.
pub async fn metadata_is_matched_as_text(lab: Lab) {
    let mut ids = Vec::new();
    for words in [
        json!({"customer": "7", "a.b\"$[0]": "x'y"}),
        json!({"customer": 7}),
        json!({"customer": "77"}),
        json!({"nested": {"customer": "7"}}),
        json!({"customer": "7", "zero": "a\u{0}b"}),
        json!({}),
    ] {
        let mut task = lab.new_task();
        task.metadata = words.as_object().unwrap().clone();
        ids.push(lab.create(task.clone()).await.head.id);
        assert_eq!(lab.row(task.id).await.metadata, task.metadata);
    }
    let cases = [
        (metadata(&[("customer", "7")]), vec![ids[4], ids[0]]),
        (metadata(&[("customer", "77")]), vec![ids[2]]),
        (metadata(&[("customer", "7"), ("a.b\"$[0]", "x'y")]), vec![ids[0]]),
        (metadata(&[("zero", "a\u{0}b")]), vec![ids[4]]),
        (metadata(&[("zero", "a")]), vec![]),
        (metadata(&[("", "")]), vec![]),
        (metadata(&[("customer", "7' OR '1'='1")]), vec![]),
    ];
    for (words, expected) in cases {
        let filter = TaskFilter { metadata: words, ..TaskFilter::default() };
        assert_eq!(all(&lab, &filter, 10).await, expected, "{filter:?}");
        assert_eq!(lab.store.count_tasks(lab.tenant, filter).await.unwrap(), expected.len() as u64);
    }
}

/// What is no cursor is refused, and another tenant's task is none.
pub async fn a_foreign_cursor_is_refused(lab: Lab) {
    let (other, agent) = lab.other_tenant().await;
    lab.create(lab.new_task()).await;
    for _ in 0..2 {
        lab.create(new_task(other, agent)).await;
    }
    let theirs = lab.store.list_tasks(other, TaskFilter::default(), None, 1).await.unwrap().next_cursor;
    for cursor in [theirs, Some("nonsense".to_owned()), Some(String::new())] {
        let refused = lab.store.list_tasks(lab.tenant, TaskFilter::default(), cursor, 10).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
}

/// Lists and counts stay in their tenant, whatever the filter names.
pub async fn tenants_do_not_see_each_other(lab: Lab) {
    let (other, agent) = lab.other_tenant().await;
    lab.create(lab.new_task()).await;
    let mut theirs = new_task(other, agent);
    theirs.metadata = json!({"k": "v"}).as_object().unwrap().clone();
    let theirs = lab.create(theirs).await.head.id;
    assert_eq!(all(&lab, &TaskFilter::default(), 10).await.len(), 1);
    let prying = [
        TaskFilter { agent: Some(agent), ..TaskFilter::default() },
        TaskFilter { parent: Some(theirs), ..TaskFilter::default() },
        TaskFilter { metadata: metadata(&[("k", "v")]), ..TaskFilter::default() },
    ];
    for filter in prying {
        assert!(all(&lab, &filter, 10).await.is_empty(), "{filter:?}");
        assert_eq!(lab.store.count_tasks(lab.tenant, filter).await.unwrap(), 0);
    }
    assert_eq!(lab.store.count_tasks(other, TaskFilter::default()).await.unwrap(), 1);
}
