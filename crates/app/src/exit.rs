//! How a command ends: exit codes, and errors that name one.

use std::fmt;

use serde_json::json;

use agenticai_domain::task::TaskStatus;
use agenticai_wire::Problem;

/// Exit codes. `--help` prints the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Ok = 0,
    /// The task failed, or what was asked for cannot be done.
    Failed = 1,
    /// Wrong usage, input or configuration.
    Usage = 2,
    /// No server answered.
    Unreachable = 3,
    /// The server does not accept the API key.
    Unauthorized = 4,
    /// The task was cancelled.
    Cancelled = 5,
    /// The task waits for a person, and nobody could be asked here.
    Waiting = 6,
    /// What should be made is there already.
    Conflict = 7,
    /// Ended by Ctrl-C; the task itself goes on.
    Interrupted = 130,
}

/// The list of [`Exit`] codes for `--help`.
pub const HELP: &str = "Exit codes:
  0    done; the task completed
  1    the task failed, or what was asked for cannot be done
  2    wrong usage, input or configuration
  3    no server answered
  4    the server does not accept the API key
  5    the task was cancelled
  6    the task waits for a person, and nobody could be asked here
  7    what should be made is there already
  130  interrupted; the task itself goes on";

impl Exit {
    /// What a task's terminal state makes of the command that waited for it.
    pub fn of(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Completed => Self::Ok,
            TaskStatus::Cancelled => Self::Cancelled,
            TaskStatus::Waiting => Self::Waiting,
            TaskStatus::Failed | TaskStatus::Pending | TaskStatus::Running => Self::Failed,
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its exit code.
    pub exit: Exit,
    /// What happened and what to do.
    pub message: String,
    /// What the server said, where it was the server.
    pub problem: Option<Box<Problem>>,
}

/// What commands answer.
pub type Result<T = Exit> = std::result::Result<T, Failure>;

impl Failure {
    /// With an exit code and a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), problem: None }
    }

    /// Wrong usage or input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something that should have worked did not.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// A server's refusal.
    pub fn refused(problem: Problem) -> Self {
        let exit = match problem.status {
            401 | 403 => Exit::Unauthorized,
            400 | 413 | 415 | 422 => Exit::Usage,
            _ => Exit::Failed,
        };
        let mut message =
            if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
        for field in &problem.errors {
            message.push_str(&format!("\n  {}: {}", field.path, field.message));
        }
        Self { exit, message, problem: Some(Box::new(problem)) }
    }

    /// For `--json`: one document.
    pub fn as_json(&self) -> serde_json::Value {
        match &self.problem {
            Some(problem) => json!({ "error": problem }),
            None => json!({ "error": { "detail": self.message, "exit_code": self.exit as u8 } }),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
