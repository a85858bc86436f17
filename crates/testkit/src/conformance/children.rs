//! Children and their parents.

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::inbox::InboxBody;
use agenticai_domain::task::{End, TaskStatus};
use agenticai_store::{AppendOutcome, Claimed, EndOutcome, TaskFilter, Then, WorkerId};

use super::Lab;
use super::lab::{RunExt, cancelled, child_of, completed, entry, run, spend, wait};

/// A running parent with one child that is claimed by the same worker.
async fn family(lab: &Lab) -> (WorkerId, Claimed, Claimed) {
    let (worker, parent) = lab.running().await;
    lab.accept(worker, run(&parent, 1, vec![entry("calls")]).with_children(vec![child_of(&parent, 0)])).await;
    let child = lab.claim_one(worker).await;
    (worker, parent, child)
}

fn complete(child: &Claimed, output: &str) -> agenticai_store::Append {
    run(child, 1, vec![entry("last")]).then(Then::End { end: completed(output), spend: spend(3) })
}

async fn ended_children(lab: &Lab, parent: TaskId) -> Vec<(StepId, TaskId, End)> {
    let messages = lab.store.inbox(parent, 0).await.unwrap();
    messages
        .into_iter()
        .map(|message| match message.body {
            InboxBody::ChildEnded { step, child, end, spend: told } => {
                assert!(told == spend(3) || matches!(end, End::Cancelled { .. }), "what it consumed is told");
                (step, child, end)
            }
            other => panic!("only children write here: {other:?}"),
        })
        .collect()
}

/// A child is there, ready, and knows its parent, as soon as the run is accepted.
pub async fn children_come_with_their_run(lab: Lab) {
    let (worker, parent) = lab.running().await;
    let children = vec![child_of(&parent, 0), child_of(&parent, 1)];
    lab.accept(worker, run(&parent, 1, vec![entry("calls")]).with_children(children.clone())).await;
    for new in &children {
        let row = lab.row(new.id).await;
        assert_eq!((row.status, row.head.parent, row.head.depth), (TaskStatus::Pending, new.parent, 1));
    }
    assert_eq!(lab.store.claim(worker, 10.into()).await.unwrap().len(), 2);
    let filter = TaskFilter { parent: Some(parent.head.id), ..TaskFilter::default() };
    assert_eq!(lab.store.count_tasks(lab.tenant, filter).await.unwrap(), 2);
}

/// A run that is refused has no children.
pub async fn a_refused_run_makes_no_children(lab: Lab) {
    let (worker, parent) = lab.running().await;
    lab.signal(parent.head.id, "unseen").await;
    let new = child_of(&parent, 0);
    let refused = run(&parent, 1, vec![entry("calls")]).with_children(vec![new.clone()]).then(wait(0, None));
    assert_eq!(lab.append(worker, refused).await, AppendOutcome::InboxMoved);
    assert_eq!(lab.store.task(lab.tenant, new.id).await.unwrap(), None);
    assert_eq!(lab.store.backlog().await.unwrap().0, 0);
}

/// Ids of children are derived: created again by whoever decides the same step anew, a child is the same one.
pub async fn a_child_is_created_once(lab: Lab) {
    let (worker, parent, child) = family(&lab).await;
    lab.accept(worker, complete(&child, "x")).await;
    lab.accept(worker, run(&parent, 2, vec![entry("again")]).with_children(vec![child_of(&parent, 0)])).await;
    assert_eq!(lab.row(child.head.id).await.status, TaskStatus::Completed, "as it was");
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty());
    assert_eq!(lab.store.count_tasks(lab.tenant, TaskFilter::default()).await.unwrap(), 2);
}

/// The end of a child is one message to its parent, with the end itself; a resend does not repeat it.
pub async fn an_ended_child_tells_its_parent_once(lab: Lab) {
    let (worker, parent, child) = family(&lab).await;
    let end = complete(&child, "the child's answer");
    let at = lab.accept(worker, end.clone()).await;
    assert_eq!(lab.append(worker, end).await, AppendOutcome::AlreadyMine { at });
    let expected = (StepId::call(1, 0), child.head.id, completed("the child's answer"));
    assert_eq!(ended_children(&lab, parent.head.id).await, [expected]);
    let waiting = run(&parent, 2, vec![]).then(wait(0, None));
    assert_eq!(lab.append(worker, waiting).await, AppendOutcome::InboxMoved, "it counts as a message");
}

/// A child that is ended from outside tells its parent too.
pub async fn a_cancelled_child_tells_its_parent(lab: Lab) {
    let (_, parent, child) = family(&lab).await;
    let outcome = lab.store.end_task(lab.tenant, child.head.id, 1, cancelled(), spend(0)).await.unwrap();
    assert_eq!(outcome, EndOutcome::Ended);
    let expected = (StepId::call(1, 0), child.head.id, cancelled());
    assert_eq!(ended_children(&lab, parent.head.id).await, [expected]);
}

/// A parent that waits is ready when its child has ended.
pub async fn a_waiting_parent_is_woken(lab: Lab) {
    let (worker, parent, child) = family(&lab).await;
    lab.accept(worker, run(&parent, 2, vec![]).then(wait(0, None))).await;
    assert!(lab.store.claim(worker, 10.into()).await.unwrap().is_empty());
    lab.accept(worker, complete(&child, "x")).await;
    let woken = lab.claim_one(worker).await;
    assert_eq!((woken.head.id, woken.inbox_seq), (parent.head.id, 1));
}

/// A parent that has ended stays as it is.
pub async fn a_parent_that_ended_hears_nothing(lab: Lab) {
    let (worker, parent, child) = family(&lab).await;
    lab.store.end_task(lab.tenant, parent.head.id, 2, cancelled(), spend(0)).await.unwrap();
    let row = lab.row(parent.head.id).await;
    lab.accept(worker, complete(&child, "x")).await;
    assert_eq!(lab.row(parent.head.id).await, row);
    assert!(lab.store.inbox(parent.head.id, 0).await.unwrap().is_empty());
    assert_eq!(lab.store.backlog().await.unwrap().0, 0);
}

/// Tasks that outlive their parent are listed until they have ended.
pub async fn orphans_are_found(lab: Lab) {
    let (worker, parent) = lab.running().await;
    let children: Vec<_> = (0..3).map(|call| child_of(&parent, call)).collect();
    lab.accept(worker, run(&parent, 1, vec![entry("calls")]).with_children(children.clone())).await;
    assert!(lab.store.orphans(10).await.unwrap().is_empty(), "their parent lives");
    lab.store.end_task(lab.tenant, children[0].id, 1, cancelled(), spend(0)).await.unwrap();
    lab.store.end_task(lab.tenant, parent.head.id, 2, cancelled(), spend(0)).await.unwrap();
    let mut orphans = lab.store.orphans(10).await.unwrap();
    orphans.sort();
    let mut expected = vec![(lab.tenant, children[1].id), (lab.tenant, children[2].id)];
    expected.sort();
    assert_eq!(orphans, expected);
    assert_eq!(lab.store.orphans(1).await.unwrap().len(), 1);
    for (tenant, orphan) in orphans {
        lab.store.end_task(tenant, orphan, 1, cancelled(), spend(0)).await.unwrap();
    }
    assert!(lab.store.orphans(10).await.unwrap().is_empty());
}
