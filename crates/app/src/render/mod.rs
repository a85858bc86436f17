//! What people see: lines about steps, streamed answers, tables.

mod format;
mod screen;
mod story;
mod style;
pub mod table;
mod task;

use std::io::Write;

pub use format::{clip, cost};
pub use screen::Screen;
pub use story::{Show, Story};
pub use style::Style;
pub use task::{answer_text, how_to_answer, outcome_line, practice_hint, wait_line};

/// How this program was called, for lines that are to be typed: copied, they find it again.
pub fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') && !called.starts_with('/') { called } else { "agenticai".to_owned() }
}

/// Prints a line on standard output. A reader that has left (`… | head`) is no error.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a line on standard error.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
