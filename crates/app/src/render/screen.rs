//! Where a story is told: a terminal with a spinner and a streamed answer, or plain lines.
//!
//! Steps go to standard error and the answer to standard output, so that `agenticai run … > file` holds the answer and
//! nothing else.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::note;
use super::story::Show;

/// The two outputs of a command that follows a task.
pub struct Screen {
    /// Whether a spinner may turn on standard error.
    spins: bool,
    /// Whether answers are streamed to standard output.
    streams: bool,
    /// Whether anything is shown at all.
    shows: bool,
    spinner: Option<ProgressBar>,
    /// Whether the cursor stands behind a streamed piece.
    in_line: bool,
    /// What was streamed since the last step.
    streamed: String,
}

impl Screen {
    /// A screen. `stdout` and `stderr` say whether a terminal reads there.
    pub fn new(stdout: bool, stderr: bool) -> Self {
        Self {
            spins: stderr,
            streams: stdout,
            shows: true,
            spinner: None,
            in_line: false,
            streamed: String::new(),
        }
    }

    /// A screen that shows nothing: for `--json`.
    pub fn silent() -> Self {
        let mut screen = Self::new(false, false);
        screen.shows = false;
        screen
    }

    /// Shows the next part of a story.
    pub fn show(&mut self, show: Show) {
        if !self.shows {
            return;
        }
        match show {
            Show::Busy(what) if self.spins && !self.in_line => self.spin(what),
            Show::Busy(_) => {}
            Show::Idle => self.rest(),
            Show::Line(line) => {
                self.end_line();
                match &self.spinner {
                    Some(spinner) => spinner.suspend(|| note(&line)),
                    None => note(&line),
                }
            }
            Show::Piece(text) if self.streams => {
                self.rest();
                let mut out = std::io::stdout().lock();
                let _ = write!(out, "{text}").and_then(|()| out.flush());
                self.in_line = true;
                self.streamed.push_str(&text);
            }
            Show::Piece(_) => {}
            Show::Void => {
                self.end_line();
                self.streamed.clear();
            }
        }
    }

    /// Prints the answer, unless it was streamed already.
    pub fn answer(&mut self, text: &str) {
        self.rest();
        if self.shows && self.streamed.trim() == text.trim() && !text.trim().is_empty() {
            self.end_line();
            return;
        }
        self.end_line();
        super::print(text);
    }

    /// Stops the spinner, so that something else can be written.
    pub fn rest(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    /// Ends the line of a streamed piece.
    pub fn end_line(&mut self) {
        if std::mem::take(&mut self.in_line) {
            super::print("");
        }
    }

    fn spin(&mut self, what: String) {
        let spinner = self.spinner.get_or_insert_with(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        spinner.set_message(what);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.rest();
    }
}
