//! The last lines of a command that followed a task.

use agenticai_domain::ids::TaskId;

use super::Context;
use super::follow::Followed;
use crate::exit::{Exit, Result};
use crate::render::{
    Screen, answer_text, how_to_answer, note, outcome_line, practice_hint, program, wait_line,
};

/// Prints how it ended (unless `quiet` output was asked for and printed elsewhere) and answers the exit code.
/// `resume` says how the task goes on after an interruption.
pub fn finish(
    context: &Context,
    screen: &mut Screen,
    task: TaskId,
    followed: Followed,
    prints: bool,
    resume: Option<&str>,
) -> Result {
    screen.rest();
    match followed {
        Followed::Ended(view) => {
            if prints {
                match (answer_text(&view), &view.error) {
                    (Some(answer), _) => screen.answer(&answer),
                    (None, Some(error)) => {
                        screen.end_line();
                        note(&context.err.bad(&format!("{}: {}", error.code, error.message)));
                    }
                    (None, None) => screen.end_line(),
                }
                note(&outcome_line(&view, context.err));
                if let Some(hint) = practice_hint(&view) {
                    note(&context.err.dim(hint));
                }
            }
            Ok(Exit::of(view.status))
        }
        Followed::Waiting(waits) => {
            for wait in waits {
                note(&context.err.warn(&wait_line(&wait)));
                for line in how_to_answer(task, &wait) {
                    note(&format!("     {line}"));
                }
            }
            if let Some(resume) = resume {
                note(resume);
            }
            Ok(Exit::Waiting)
        }
        Followed::Interrupted => {
            screen.end_line();
            note(&format!("\n{}", resume.unwrap_or("The task goes on.")));
            let program = program();
            note(&format!("     {program} task watch {task}\n     {program} task cancel {task}"));
            Ok(Exit::Interrupted)
        }
    }
}
