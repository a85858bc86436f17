//! Following a task to its end: `run` and `task watch`.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc;

use agenticai_domain::ids::{StepId, TaskId};
use agenticai_domain::journal::Entry;
use agenticai_domain::task::{TaskStatus, WaitKind, WaitingFor};
use agenticai_wire::{JournalEntryView, TaskView};

use super::dialogue::{Decision, Dialogue, Next};
use crate::client::{Client, Event, Path, TaskStream};
use crate::exit::Result;
use crate::render::{Screen, Show, Story, how_to_answer, note, wait_line};

/// What to do when the task waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// Somebody sits here: ask.
    Ask,
    /// Nobody does: say what to type, and end.
    End,
    /// Nobody does: say what to type, and go on watching.
    Hint,
}

/// How following ended.
pub enum Followed {
    /// The task has ended.
    Ended(Box<TaskView>),
    /// It waits for a person.
    Waiting(Vec<WaitingFor>),
    /// Ctrl-C.
    Interrupted,
}

/// A task that is followed.
pub struct Follow {
    /// The server.
    pub client: Client,
    /// The task.
    pub task: TaskId,
    /// Who can be asked.
    pub people: People,
    /// How long a server may stay away.
    pub patience: Duration,
}

impl Follow {
    /// Follows to the end. `each` sees every event before it is shown.
    pub async fn to_the_end(
        self,
        mut story: Story,
        screen: &mut Screen,
        mut each: impl FnMut(&Event),
    ) -> Result<Followed> {
        let mut stream = TaskStream::new(self.client.clone(), self.task, self.patience);
        let mut lines = None;
        let mut talk = Talk::default();
        loop {
            tokio::select! {
                event = stream.next() => {
                    let event = event?;
                    each(&event);
                    for show in story.tell(&event) {
                        // While somebody types, a spinner would write over the line.
                        if talk.open.is_none() || !matches!(show, Show::Busy(_)) {
                            screen.show(show);
                        }
                    }
                    match &event {
                        Event::End(task) => return Ok(Followed::Ended(task.clone())),
                        Event::Entry(view) => talk.heard(view),
                        Event::Status(status) => {
                            talk.waits = if status.status == TaskStatus::Waiting { status.waiting_for.clone() } else { Vec::new() };
                        }
                        _ => {}
                    }
                }
                line = next_line(&mut lines), if talk.open.is_some() => match line {
                    Some(line) => self.typed(&mut talk, &line).await?,
                    // Standard input is at its end: nobody can be asked any more.
                    None => return Ok(Followed::Waiting(talk.waits)),
                },
                _ = tokio::signal::ctrl_c() => return Ok(Followed::Interrupted),
            }
            match self.people {
                People::Ask => {
                    if talk.open_next(self.task, screen) {
                        lines.get_or_insert_with(read_lines);
                    }
                }
                People::End if talk.waits.iter().any(for_a_person) => {
                    return Ok(Followed::Waiting(talk.waits));
                }
                People::End | People::Hint => talk.hint(self.task, screen),
            }
        }
    }

    async fn typed(&self, talk: &mut Talk, line: &str) -> Result<()> {
        let Some(dialogue) = &mut talk.open else { return Ok(()) };
        match dialogue.line(line) {
            Next::Ask(question) => ask(&question),
            Next::Decided(decision) => {
                let step = dialogue.wait().step;
                match send(&self.client, self.task, &decision).await {
                    Ok(()) => talk.done(step),
                    // What the server refuses (an answer that does not fit) is asked again.
                    Err(failure)
                        if failure.problem.as_ref().is_some_and(|p| p.status < 500 && p.status != 401) =>
                    {
                        note(&failure.message);
                        talk.open = None;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }
}

/// Sends a person's decision.
pub async fn send(client: &Client, task: TaskId, decision: &Decision) -> Result<()> {
    let id = task.to_string();
    let to = |last| ["api", "v1", "tasks", &id, last].map(str::to_owned);
    let (segments, body) = match decision {
        Decision::Signal(signal) => (to("signals"), serde_json::to_value(signal)),
        Decision::Resolve(resolve) => (to("resolve"), serde_json::to_value(resolve)),
    };
    let body = body.map_err(|error| crate::exit::Failure::failed(error.to_string()))?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    client.tell(reqwest::Method::POST, Path::to(&segments), Some(&body)).await
}

/// What is being asked, and what was answered already.
#[derive(Default)]
struct Talk {
    waits: Vec<WaitingFor>,
    open: Option<Dialogue>,
    answered: BTreeSet<StepId>,
    hinted: BTreeSet<StepId>,
}

impl Talk {
    /// An entry that ends a wait ends the question about it; the same step may wait again later.
    fn heard(&mut self, view: &JournalEntryView) {
        let step = match serde_json::from_value(view.entry.clone()) {
            Ok(Entry::Received(received)) => received.step,
            Ok(Entry::TimerFired(fired)) => fired.step,
            _ => return,
        };
        self.waits.retain(|wait| wait.step != step);
        self.answered.remove(&step);
        self.hinted.remove(&step);
        if self.open.as_ref().is_some_and(|dialogue| dialogue.wait().step == step) {
            note("\n(answered elsewhere)");
            self.open = None;
        }
    }

    fn done(&mut self, step: StepId) {
        self.answered.insert(step);
        self.open = None;
    }

    /// Begins the next question, if none is open; says whether lines are needed.
    fn open_next(&mut self, task: TaskId, screen: &mut Screen) -> bool {
        if self.open.is_none() {
            let fresh = self.waits.iter().filter(|wait| !self.answered.contains(&wait.step));
            self.open = fresh.clone().find_map(Dialogue::about);
            if let Some(dialogue) = &self.open {
                screen.rest();
                screen.end_line();
                note(&format!("\n{}", wait_line(dialogue.wait())));
                ask(&dialogue.question());
            } else {
                self.hint(task, screen);
            }
        }
        self.open.is_some()
    }

    /// Says once per wait what can be typed elsewhere.
    fn hint(&mut self, task: TaskId, screen: &mut Screen) {
        for wait in &self.waits {
            let how = how_to_answer(task, wait);
            if how.is_empty() || self.answered.contains(&wait.step) || !self.hinted.insert(wait.step) {
                continue;
            }
            screen.show(Show::Line(wait_line(wait)));
            for line in how {
                screen.show(Show::Line(format!("     {line}")));
            }
        }
    }
}

/// Whether only a person can end a wait.
pub fn for_a_person(wait: &WaitingFor) -> bool {
    matches!(wait.kind, WaitKind::Approval | WaitKind::Input | WaitKind::Uncertain)
}

fn ask(question: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
}

/// Lines of standard input, read by a thread of their own: a read cannot be cut short, and must not hold up the end.
fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

async fn next_line(lines: &mut Option<mpsc::UnboundedReceiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}
