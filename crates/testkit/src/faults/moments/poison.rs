//! A task that kills every process that runs it, among others that do no harm.

use std::time::{Duration, Instant};

use agenticai_domain::task::{TaskStatus, codes};
use serde_json::json;

use super::{LONG_MS, Moments, call, eventually, holder, worker};
use crate::servers::process::kill;

/// Tasks that are in the hands of the same worker.
const NEIGHBOURS: usize = 12;
/// Two workers, of which nobody knows why they died; then a process with many suspects, one with few, and one alone.
const DEATHS: usize = 5;
/// How long the guilty one may take to be found: two leases, and the start of three processes.
const FOUND_WITHIN: Duration = Duration::from_secs(90);

impl Moments<'_> {
    /// Whoever runs one certain task is killed while its model is asked, again and again. That task has to fail, and
    /// nobody else.
    pub(super) async fn a_task_that_kills_its_process(&mut self) -> anyhow::Result<()> {
        let turn = || vec![call("lookup", json!({"q": "it"}))];
        let mut neighbours = Vec::new();
        for n in 0..NEIGHBOURS {
            neighbours.push(self.create(&format!("neighbour-{n}"), turn(), LONG_MS).await?);
        }
        let guilty = self.create("poison", turn(), LONG_MS).await?;
        let client = self.stage.cluster.connect().await?;
        let (mut last, mut deaths) = (0, 0);
        let began = Instant::now();
        while !self.stage.api.task(guilty).await?.status.is_terminal() {
            if began.elapsed() > FOUND_WITHIN {
                self.wrong.push(format!("{guilty} is still tried after {deaths} deaths"));
                self.stage.api.cancel(guilty).await?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let Some((incarnation, pid)) = holder(&client, guilty).await? else { continue };
            if incarnation == last {
                continue;
            }
            // Until its model has been asked.
            tokio::time::sleep(Duration::from_millis(LONG_MS / 4)).await;
            (last, deaths) = (incarnation, deaths + 1);
            self.struck.push(pid);
            match worker(self.stage, pid) {
                Some(worker) => {
                    worker.process().kill_9()?;
                    worker.restart().await?;
                }
                None => kill(pid),
            }
        }
        let ended = self.stage.api.task(guilty).await?;
        let code = ended.error.map(|error| error.code).unwrap_or_default();
        if code != codes::POISON || deaths != DEATHS {
            self.wrong.push(format!("{guilty} has killed {deaths} processes, and failed with `{code}`"));
        }
        for task in neighbours {
            let status = self.end(task).await?.map(|ended| ended.status);
            if status != Some(TaskStatus::Completed) {
                self.wrong.push(format!("{task}, a neighbour of a task that kills processes: {status:?}"));
            }
        }
        // Others are counted on by what comes next.
        eventually("nothing is tried apart any more", async || {
            let rows =
                client.query("SELECT 1 FROM workers WHERE state = 0 AND name LIKE 'suspects-%'", &[]).await?;
            Ok(rows.is_empty().then_some(()))
        })
        .await
    }
}
