//! Payloads of every size and content.

use agenticai_domain::inbox::InboxBody;
use agenticai_domain::task::{TaskInput, TaskStatus};
use agenticai_store::{DeliverOutcome, Then};
use serde_json::json;

use super::Lab;
use super::lab::{RunExt, completed, content, entry, run, spend, wait};

/// Nothing, the sizes around 64 KiB, and 5 MB.
const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 5_000_000];

/// A text of a size whose halves differ, so that a piece in the wrong place is noticed.
fn text(bytes: usize) -> String {
    let mut text = "a".repeat(bytes / 2);
    text.push_str(&"z".repeat(bytes - bytes / 2));
    text
}

/// Entries of every size come back as they were.
pub async fn sizes_around_the_bound_of_blobs(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let mut seq = 0;
    for size in SIZES {
        // The envelope is a few dozen bytes: step around the bound from both sides.
        for size in [size.saturating_sub(200), size.saturating_sub(100), size] {
            seq += 1;
            lab.accept(worker, run(&claimed, seq, vec![entry(&text(size))])).await;
            let read = lab.store.read_journal(lab.tenant, claimed.head.id, seq - 1, 1).await.unwrap();
            assert!(content(&read[0].entry) == text(size), "an entry of {size} bytes changed");
        }
    }
    // The same content twice is two entries.
    lab.accept(worker, run(&claimed, seq + 1, vec![entry(&text(70_000)), entry(&text(70_000))])).await;
    assert_eq!(lab.seqs(claimed.head.id).await.len() as u64, seq + 2);
}

/// Bytes that have broken databases and quoting before.
pub async fn nul_bytes_and_quotes_survive(lab: Lab) {
    let nasty = [
        "\u{0}",
        "a\u{0}b",
        "'; DROP TABLE tasks; --",
        "\"\\\u{1}\u{7f}",
        "\u{feff}\u{10ffff}e\u{301}",
        "?1 $x %s",
    ];
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    lab.accept(worker, run(&claimed, 1, nasty.map(entry).to_vec())).await;
    let read = lab.store.read_journal(lab.tenant, task, 0, 10).await.unwrap();
    assert_eq!(read.iter().map(|e| content(&e.entry)).collect::<Vec<_>>(), nasty);
    for (number, text) in (1..).zip(nasty) {
        let body = InboxBody::Signal { name: text.to_owned(), payload: json!({text: text}) };
        let outcome = lab.store.deliver(lab.tenant, task, text.to_owned(), body.clone()).await.unwrap();
        assert_eq!(outcome, DeliverOutcome::Delivered, "a dedupe id of its own: {text:?}");
        let inbox = lab.store.inbox(task, number - 1).await.unwrap();
        assert_eq!(inbox[0].body, body);
        let again = lab.store.deliver(lab.tenant, task, text.to_owned(), body).await.unwrap();
        assert_eq!(again, DeliverOutcome::Duplicate);
        let mut new = lab.new_task();
        new.input = TaskInput::Text(text.to_owned());
        lab.create_with_key(new.clone(), text, 1).await;
        assert_eq!(lab.row(new.id).await.head.input, new.input);
    }
    assert_eq!(lab.store.backlog().await.unwrap().0, nasty.len() as u64, "every key was its own");
}

/// Large and small entries of one run stay in their order.
pub async fn large_runs_keep_their_order(lab: Lab) {
    let (worker, claimed) = lab.running().await;
    let texts: Vec<String> =
        (0..40).map(|i| format!("{i}{}", text(if i % 5 == 0 { 100_000 } else { 10 }))).collect();
    lab.accept(worker, run(&claimed, 1, texts.iter().map(|text| entry(text)).collect())).await;
    let read = lab.store.read_journal(lab.tenant, claimed.head.id, 0, 100).await.unwrap();
    assert!(read.iter().map(|e| content(&e.entry)).eq(texts.iter().map(String::as_str)));
}

/// Inputs, messages, waits and ends may be large too, and a child's end reaches its parent whole.
pub async fn large_inputs_ends_and_messages(lab: Lab) {
    let large = text(200_000);
    let mut new = lab.new_task();
    new.input = TaskInput::Text(large.clone());
    let row = lab.create(new.clone()).await;
    assert!(lab.row(new.id).await == row, "the input changed");
    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    assert!(claimed.head == row.head, "the claimed head differs");
    let mut waiting = wait(0, None);
    if let Then::Wait { waiting_for, .. } = &mut waiting {
        waiting_for[0].arguments = json!({"text": large});
    }
    let mut child = super::lab::child_of(&claimed, 0);
    child.input = TaskInput::Text(large.clone());
    lab.accept(worker, run(&claimed, 1, vec![entry("a")]).with_children(vec![child]).then(waiting)).await;
    assert!(lab.row(new.id).await.waiting_for[0].arguments["text"] == large.as_str());
    let child = lab.claim_one(worker).await;
    let end = Then::End { end: completed(&large), spend: spend(1) };
    lab.accept(worker, run(&child, 1, vec![entry("b")]).then(end)).await;
    let ended = lab.row(child.head.id).await;
    assert_eq!(ended.status, TaskStatus::Completed);
    assert!(ended.end == Some(completed(&large)));
    lab.store
        .deliver(
            lab.tenant,
            new.id,
            "big".to_owned(),
            InboxBody::Signal { name: "big".to_owned(), payload: json!(large) },
        )
        .await
        .unwrap();
    let inbox = lab.store.inbox(new.id, 0).await.unwrap();
    assert!(matches!(&inbox[0].body, InboxBody::ChildEnded { end, .. } if *end == completed(&large)));
    assert!(matches!(&inbox[1].body, InboxBody::Signal { payload, .. } if payload == large.as_str()));
}
