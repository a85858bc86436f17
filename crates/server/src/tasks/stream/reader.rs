//! One client's stream.
//!
//! It subscribes to live events first and reads the journal then, so that nothing falls between. Entries are only ever
//! taken from the journal, by seq; a live event, a lag and the hub's news do no more than say that there is something
//! to read. Tokens pass through as they come, unless a later attempt or the committed turn has overtaken them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use agenticai_broker::{Live, Token};
use agenticai_domain::ids::{StepId, TaskId, TenantId};
use agenticai_domain::journal::Entry;
use agenticai_store::TaskRow;
use agenticai_wire::{ResetEvent, StartedEvent, StatusEvent, TokenEvent, event as names};

use super::{Watch, event};
use crate::metrics::StreamGuard;
use crate::problem::{ApiError, ApiResult};
use crate::state::Api;
use crate::tasks::journal::entry_view;

/// Entries read at a time: a bound on the memory of a stream.
const PAGE: u32 = 100;
/// Pause after the store did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct Reader {
    api: Arc<Api>,
    tenant: TenantId,
    task: TaskId,
    /// Seq of the last entry that was given out.
    sent: u64,
    live: broadcast::Receiver<Arc<Live>>,
    watch: Watch,
    /// Whether the journal may know more than was given out.
    behind: bool,
    /// Whether the client's id still has to be compared with the journal.
    opened: bool,
    ended: bool,
    out: VecDeque<Event>,
    status: Option<StatusEvent>,
    /// The highest epoch and attempt seen of each step that is not committed.
    marks: HashMap<StepId, (u32, u32)>,
    /// The newest turn that is committed: its tokens are void.
    committed_turn: u32,
    _open: StreamGuard,
}

impl Reader {
    /// A stream of what comes after `after`.
    pub fn open(api: Arc<Api>, tenant: TenantId, task: TaskId, after: u64) -> Self {
        let (live, watch) = (api.broker.subscribe(task), api.hub.watch(task));
        let open = api.metrics.stream();
        Self {
            api,
            tenant,
            task,
            sent: after,
            live,
            watch,
            behind: true,
            opened: false,
            ended: false,
            out: VecDeque::new(),
            status: None,
            marks: HashMap::new(),
            committed_turn: 0,
            _open: open,
        }
    }

    /// The next event; `None` after the last one, and when the server stops.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.out.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            if self.behind {
                if let Err(error) = self.catch_up().await {
                    tracing::warn!(task = %self.task, ?error, "a stream could not read on");
                    let stopping = self.api.shutdown.clone();
                    stopping.run_until_cancelled(tokio::time::sleep(PAUSE)).await?;
                }
                continue;
            }
            let stopping = self.api.shutdown.clone();
            tokio::select! {
                () = stopping.cancelled() => return None,
                live = self.live.recv() => self.take(live).await,
                news = self.watch.changed() => {
                    self.behind = true;
                    if news.is_err() {
                        // The hub dropped the watch, which it does only when nobody holds one: watch again.
                        self.watch = self.api.hub.watch(self.task);
                    }
                }
            }
        }
    }

    async fn take(&mut self, live: Result<Arc<Live>, RecvError>) {
        match live.as_deref() {
            Ok(Live::Appended { .. }) => self.behind = true,
            Ok(Live::Token(token)) => self.token(token),
            Ok(Live::Started { step, name, epoch }) => {
                if self.is_news(*step, *epoch, 0) {
                    let data = StartedEvent { step: *step, name: name.clone(), epoch: *epoch };
                    self.out.push_back(event(names::STARTED, &data));
                }
            }
            // Some were dropped: what was committed is in the journal, and a reader sees by the offsets of tokens
            // that pieces are missing.
            Err(RecvError::Lagged(_)) => self.behind = true,
            // The broker gave the stream up: subscribe anew before reading on.
            Err(RecvError::Closed) => {
                self.live = self.api.broker.subscribe(self.task);
                self.behind = true;
                // A broker that closes every time must not make this a busy loop.
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn token(&mut self, token: &Token) {
        if self.is_news(token.step, token.epoch, token.attempt) {
            let data = TokenEvent {
                step: token.step,
                epoch: token.epoch,
                attempt: token.attempt,
                offset: token.offset,
                text: token.text.clone(),
            };
            self.out.push_back(event(names::TOKEN, &data));
        }
    }

    /// Whether something of a step is not overtaken; remembers it if so.
    fn is_news(&mut self, step: StepId, epoch: u32, attempt: u32) -> bool {
        let committed = step.call.is_none() && step.turn <= self.committed_turn;
        let mark = self.marks.entry(step).or_insert((epoch, attempt));
        let news = !committed && (epoch, attempt) >= *mark;
        if news {
            *mark = (epoch, attempt);
        }
        news
    }

    /// Gives out a page of the journal; after the last page, the status, and the end if the task has ended.
    async fn catch_up(&mut self) -> ApiResult<()> {
        if !self.opened {
            self.compare().await?;
            self.opened = true;
        }
        let page = self.api.store.read_journal(self.tenant, self.task, self.sent, PAGE).await?;
        for recorded in &page {
            let data = entry_view(recorded)?;
            self.out.push_back(event(names::ENTRY, &data).id(recorded.seq.to_string()));
            self.sent = recorded.seq;
            if let Entry::Turn(turn) = &recorded.entry {
                self.committed_turn = turn.turn;
                // Calls of earlier turns have ended too: a turn waits for all of them.
                self.marks.retain(|step, _| step.turn >= turn.turn);
            }
        }
        if page.len() < PAGE as usize {
            // The row is read after the journal: if it knows of a later entry, that is read first.
            let row = self.api.task(self.tenant, self.task).await?;
            if row.last_seq <= self.sent {
                self.conclude(&row).await?;
                self.behind = false;
            }
        }
        Ok(())
    }

    /// A client that has seen more than there is had another journal: it must begin anew.
    async fn compare(&mut self) -> ApiResult<()> {
        if self.sent == 0 {
            return Ok(());
        }
        let last = self.api.store.last_seqs(vec![self.task]).await?;
        let (_, last_seq, _) =
            *last.first().ok_or_else(|| ApiError::internal("a task without a last seq"))?;
        if self.sent > last_seq {
            self.out.push_back(event(names::RESET, &ResetEvent { last_seq }));
            self.sent = 0;
        }
        Ok(())
    }

    async fn conclude(&mut self, row: &TaskRow) -> ApiResult<()> {
        let status = StatusEvent { status: row.status, waiting_for: row.waiting_for.clone() };
        if self.status.as_ref() != Some(&status) {
            self.out.push_back(event(names::STATUS, &status));
            self.status = Some(status);
        }
        if row.status.is_terminal() {
            self.out.push_back(event(names::END, &self.api.task_view(row).await?));
            self.ended = true;
        }
        Ok(())
    }
}
