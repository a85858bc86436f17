//! Those who follow tasks, across every connection that breaks.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agenticai_domain::ids::TaskId;
use agenticai_wire::{TaskPage, event};
use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::api::Api;
use crate::checker::Watched;

/// Between two looks for a task to follow.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many tasks are followed in all at most.
const MOST: usize = 600;
/// Those that run or wait: a task that has its life before it is followed when something is struck.
const OPEN: &str = "/api/v1/tasks?status=running,waiting&limit=4";
/// How long a stream may be silent before another connection is tried.
const SILENT: Duration = Duration::from_secs(20);
/// How long those who follow have to see the ends of their tasks once all have ended.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Watchers at work.
pub struct Watchers {
    work: JoinHandle<()>,
    stop: watch::Sender<bool>,
    seen: Arc<Mutex<Vec<Watched>>>,
}

impl Watchers {
    /// Starts following the newest open tasks, again and again.
    pub fn start(api: Api) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let seen: Arc<Mutex<Vec<Watched>>> = Arc::default();
        let done = seen.clone();
        let work = tokio::spawn(async move {
            let (mut known, mut following) = (HashSet::new(), JoinSet::new());
            while !*stopped.borrow_and_update() && known.len() < MOST {
                let newest = api.call::<TaskPage>("GET", OPEN, &[], None).await;
                for task in newest.map(|page| page.items).unwrap_or_default() {
                    if known.insert(task.id) {
                        let (api, done) = (api.clone(), done.clone());
                        following.spawn(async move {
                            let watched = follow(&api, task.id).await;
                            done.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
                        });
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            following.join_all().await;
        });
        Self { work, stop, seen }
    }

    /// What they saw. An error if one of them never hears of the end of its task, although all have ended.
    pub async fn stop(self) -> anyhow::Result<Vec<Watched>> {
        let _ = self.stop.send(true);
        let ended = tokio::time::timeout(ENDS_WITHIN, self.work).await;
        ended
            .context("somebody who follows a task was never told of its end")?
            .context("a watcher panicked")?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *seen))
    }
}

/// Follows a task to its end, over as many connections as it takes.
async fn follow(api: &Api, task: TaskId) -> Watched {
    let mut watched = Watched { task, ids: Vec::new(), connections: 0 };
    while !connection(api, &mut watched).await.unwrap_or(false) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watched
}

/// One connection; answers whether the end was seen.
async fn connection(api: &Api, watched: &mut Watched) -> anyhow::Result<bool> {
    let url = format!("{}/api/v1/tasks/{}/events", api.url(), watched.task);
    let mut headers = api.headers().to_vec();
    headers.extend(watched.ids.last().map(|id| ("last-event-id".to_owned(), id.to_string())));
    let begun = tokio::time::timeout(SILENT, api.http().begin("GET", &url, &headers, Bytes::new())).await??;
    anyhow::ensure!(begun.status().is_success(), "refused with {}", begun.status());
    watched.connections += 1;
    let (mut body, mut lines, mut id, mut ended) = (begun.into_body(), Vec::new(), None, false);
    while let Some(frame) = tokio::time::timeout(SILENT, body.frame()).await? {
        lines.extend_from_slice(&frame?.into_data().unwrap_or_default());
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            match line.trim_end().split_once(": ") {
                Some(("id", text)) => id = Some(text.parse::<u64>()?),
                Some(("event", name)) => ended |= name == event::END,
                // An event counts once it is whole.
                None if line.trim_end().is_empty() => watched.ids.extend(id.take()),
                _ => {}
            }
        }
    }
    Ok(ended)
}
