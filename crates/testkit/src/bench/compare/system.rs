//! What can be measured: it takes tasks by HTTP and says how many are done.

use std::time::Duration;

use async_trait::async_trait;

use crate::api::Api;
use crate::load::{CountQuery, Load};
use crate::servers::postgres::Postgres;
use crate::servers::process::Process;

/// The two sorts of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One small durable step.
    Noop,
    /// 5 model calls and 4 tool calls.
    Agent,
}

/// How a task is submitted, in the words of [`Load`].
pub struct Submission {
    /// Where to.
    pub url: String,
    /// With these headers.
    pub headers: Vec<(String, String)>,
    /// With this body.
    pub body: String,
    /// How it is known that all are done.
    pub count: CountQuery,
}

/// A system that runs.
#[async_trait]
pub trait System: Send + Sync {
    /// How it is given tasks.
    fn submission(&self, kind: Kind) -> Submission;

    /// Processes by the part that they play, for memory and processor time.
    fn parts(&self) -> Vec<(Part, &Process)>;

    /// The database that it keeps its tasks in, where that is PostgreSQL.
    fn database(&self) -> Option<&Postgres>;

    /// The API of this system, for questions that others do not answer.
    fn api(&self) -> Option<&Api>;

    /// Kills the processes that work, all at once, and starts them again without waiting.
    fn kill_workers(&self) -> anyhow::Result<()>;
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Takes tasks, and gives answers.
    Api,
    /// Does the work.
    Worker,
    /// Does what has its time.
    Scheduler,
    /// PostgreSQL.
    Database,
    /// Queues, caches, servers of another kind.
    Server,
}

/// A load of tasks for a system. `prefix` begins their names.
pub fn load(system: &dyn System, kind: Kind, n: u64, prefix: String, timeout: Duration) -> Load {
    let Submission { url, headers, body, count } = system.submission(kind);
    Load {
        n,
        concurrency: crate::bench::throughput::SUBMITTERS,
        prefix,
        method: "POST".to_owned(),
        url,
        headers,
        body,
        timeout,
        count: Some(count),
    }
}

/// The processes that play a part.
pub fn playing(system: &dyn System, part: Part) -> impl Iterator<Item = &Process> {
    system.parts().into_iter().filter(move |(plays, _)| *plays == part).map(|(_, process)| process)
}
