//! Group commit: whatever arrived while the last commits ran goes into the next.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{Result, StoreError};

type Reply<O> = oneshot::Sender<Result<O>>;

/// Commits a batch; outcomes in the order of the items.
pub(super) type Commit<I, O> = Arc<dyn Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>>> + Send + Sync>;

/// Where items are handed in.
pub(super) struct Batcher<I, O>(mpsc::UnboundedSender<(I, Reply<O>)>);

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Commits up to `most` items at once, with up to `lanes` commits under way. Ends when it is dropped. How many
    /// items wait is bounded by their callers, who hold them anyway.
    pub(super) fn start(lanes: usize, most: usize, commit: Commit<I, O>) -> Self {
        let (to, mut from) = mpsc::unbounded_channel::<(I, Reply<O>)>();
        let gate = Arc::new(Semaphore::new(lanes.max(1)));
        tokio::spawn(async move {
            let mut batch = Vec::new();
            loop {
                let Ok(permit) = gate.clone().acquire_owned().await else { return };
                if from.recv_many(&mut batch, most).await == 0 {
                    return;
                }
                let (items, replies): (Vec<I>, Vec<Reply<O>>) = batch.drain(..).unzip();
                let committing = commit(items);
                tokio::spawn(async move {
                    let outcomes = committing.await;
                    drop(permit);
                    answer(replies, outcomes);
                });
            }
        });
        Self(to)
    }

    /// Commits one item.
    pub(super) async fn commit(&self, item: I) -> Result<O> {
        let (reply, answer) = oneshot::channel();
        self.0.send((item, reply)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn answer<O>(replies: Vec<Reply<O>>, outcomes: Result<Vec<O>>) {
    match outcomes {
        Ok(outcomes) => {
            // A caller that is gone needs no answer.
            replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| drop(reply.send(Ok(outcome))));
        }
        Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
    }
}
