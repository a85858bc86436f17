//! `calculator`: exact arithmetic, bounded in time, memory and stack.
//!
//! The expression language is that of `fend`, which reads what people and models write (`17% of 2,340`, `5 km to
//! miles`). Plain sums, which is what nearly all are, are evaluated where they are asked for: waking a thread takes longer.
//! Everything else is evaluated on threads with a generous stack, since evaluation recurses over the expression, and is
//! interrupted when its time is over. Before that a few forms are refused: those that could recurse without end
//! (functions of its own), and those that would be read as something else than was meant: `average(1,2,3)` as a
//! function of the number 123.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fend_core::{Context, Interrupt};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::tools::retry::Attempt;

const MAX_CHARS: usize = 500;
const MAX_DEPTH: usize = 64;
const MAX_TIME: Duration = Duration::from_secs(1);
/// 500 characters of the deepest kind need less than half of this in a debug build. Untouched pages cost nothing.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Evaluation looks at its deadline often, but nothing makes it: the caller stops waiting a little later.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Evaluations at the same time. Should one of them not see its deadline, it cannot be ended; this many at worst go on.
const THREADS: usize = 4;
static RUNNING: Semaphore = Semaphore::const_new(THREADS);

type Job = Box<dyn FnOnce() + Send>;

/// The threads that evaluate, as many as may run at once. They are started with the first call and stay: starting one
/// takes longer than most evaluations.
fn threads() -> Result<&'static Sender<Job>, String> {
    static STARTED: OnceLock<Result<Sender<Job>, String>> = OnceLock::new();
    let start = || {
        let (jobs, queue) = std::sync::mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let queue = queue.clone();
            let thread = std::thread::Builder::new().name("calculator".into()).stack_size(STACK_BYTES);
            let work = move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = next else { return };
                    // One that panics costs its caller the answer, and nobody else the thread.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            };
            thread.spawn(work).map_err(|error| error.to_string())?;
        }
        Ok(jobs)
    };
    STARTED.get_or_init(start).as_ref().map_err(String::clone)
}

struct Deadline(Instant);

impl Interrupt for Deadline {
    fn should_interrupt(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// Performs a call. The result is the number as text, just as a person would write it.
pub(crate) async fn calculate(arguments: &Value) -> Attempt {
    let Some(expression) = arguments.get("expression").and_then(Value::as_str) else {
        return Attempt::failed("bad_arguments", "`expression` is missing: give the expression as a string");
    };
    if let Err(why) = check(expression) {
        return Attempt::failed("bad_expression", why);
    }
    if is_plain(expression) {
        let evaluated = catch_unwind(AssertUnwindSafe(|| evaluate(expression)));
        return evaluated.map_or_else(|_| impossible(), answer);
    }
    // Held by the evaluation until it ends, not by the call: a cancelled call leaves it behind for a moment.
    let running = tokio::time::timeout(MAX_WAIT, RUNNING.acquire()).await;
    let Ok(Ok(permit)) = running else {
        return Attempt::failed("calculator_failed", "the calculator is busy: try again later");
    };
    let (send, receive) = tokio::sync::oneshot::channel();
    let expression = expression.to_owned();
    let job: Job = Box::new(move || {
        let _permit = permit;
        // Nobody listens any more where the call was cancelled.
        let _ = send.send(evaluate(&expression));
    });
    if let Err(why) = threads().and_then(|threads| threads.send(job).map_err(|error| error.to_string())) {
        return Attempt::failed("calculator_failed", format!("no thread could be started: {why}"));
    }
    match tokio::time::timeout(MAX_WAIT, receive).await {
        Ok(Ok(evaluated)) => answer(evaluated),
        Ok(Err(_)) => impossible(),
        Err(_) => Attempt::failed("bad_expression", explain("interrupted")),
    }
}

fn answer(evaluated: Result<String, String>) -> Attempt {
    match evaluated {
        Ok(result) => Attempt::answered(result.into()),
        Err(why) => Attempt::failed("bad_expression", why),
    }
}

/// It panicked.
fn impossible() -> Attempt {
    Attempt::failed("calculator_failed", "the expression could not be evaluated: simplify it")
}

fn evaluate(expression: &str) -> Result<String, String> {
    let deadline = Deadline(Instant::now() + MAX_TIME);
    let run = |text: &str| fend_core::evaluate_with_interrupt(text, &mut Context::new(), &deadline);
    let result = run(expression).map_err(|why| explain(&why))?;
    let main = result.get_main_result();
    if main.is_empty() {
        return Err("there is nothing to calculate: give an expression such as `2 + 3`".to_owned());
    }
    // `17% * 2340` comes out as `39780%`, correct but easily misread; asked for, it becomes 397.8.
    if main.ends_with('%')
        && let Ok(plain) = run(&format!("({expression}) to 1"))
    {
        return Ok(plain.get_main_result().to_owned());
    }
    Ok(main.to_owned())
}

fn explain(why: &str) -> String {
    match why {
        "interrupted" => "this takes too long or its result is too large: use smaller numbers".to_owned(),
        _ => format!("{why}. Write arithmetic only, for example `(2 + 3) * 4`, `17% of 2,340` or `sqrt(2)`"),
    }
}

/// Refuses what must not or cannot be evaluated as it was meant.
fn check(expression: &str) -> Result<(), String> {
    if expression.chars().count() > MAX_CHARS {
        return Err(format!("the expression is longer than {MAX_CHARS} characters: calculate it in parts"));
    }
    if let Some(sign) =
        expression.chars().find(|c| matches!(c, '\\' | ':' | '=' | ';' | '"' | '\'' | '{' | '@' | '<' | '>'))
    {
        return Err(format!(
            "`{sign}` is not understood: write one expression, without assignments, functions of your own or text"
        ));
    }
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric());
    if words.clone().any(is_dice) {
        return Err(
            "dice are not understood: results have to be the same whenever they are calculated".to_owned()
        );
    }
    let bytes = expression.as_bytes();
    // For every open parenthesis, whether it holds the argument of a function.
    let mut open: Vec<bool> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' => {
                let before = expression[..at].trim_end();
                open.push(before.ends_with(|c: char| c.is_alphabetic() || c == '_'));
                if open.len() > MAX_DEPTH {
                    return Err(format!(
                        "parentheses are nested deeper than {MAX_DEPTH}: calculate it in parts"
                    ));
                }
            }
            b')' if open.pop().is_none() => return Err("a `)` has no `(` before it".to_owned()),
            b',' if open.last() == Some(&true) => {
                return Err("functions take one number, written without commas: there is no `max(1, 2)`; `sqrt(1234)` \
                            is understood"
                    .to_owned());
            }
            b',' if !separates_thousands(bytes, at) => {
                return Err(
                    "a comma separates thousands (`1,234,567`) and nothing else; write decimals with a point"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    if open.is_empty() { Ok(()) } else { Err("a `(` is not closed".to_owned()) }
}

/// Whether evaluation certainly takes microseconds and little stack: a few numbers, added, subtracted, multiplied and
/// divided. No powers, factorials, exponents, functions or units, whose time is not bounded by their length, and few
/// signs, each of which may be a level of recursion.
fn is_plain(expression: &str) -> bool {
    const MAX_LENGTH: usize = 64;
    const MAX_SIGNS: usize = 16;
    let is_sign = |byte: &u8| matches!(byte, b'+' | b'-' | b'*' | b'/' | b'%' | b'(' | b')');
    let words = expression.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    expression.len() <= MAX_LENGTH
        && !expression.contains("**")
        && words.clone().all(|word| word == "of")
        && words.count() + expression.bytes().filter(is_sign).count() <= MAX_SIGNS
        && expression
            .bytes()
            .all(|b| is_sign(&b) || b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b','))
}

/// `d6`, `3d20` and whatever else the language takes for dice, which can take for ever.
fn is_dice(word: &str) -> bool {
    word.trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix('d')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a digit stands before the comma at `at` and exactly three behind it.
fn separates_thousands(bytes: &[u8], at: usize) -> bool {
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    at > 0 && digit(at - 1) && (at + 1..at + 4).all(digit) && !digit(at + 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use agenticai_domain::journal::CallOutcome;
    use serde_json::json;

    use super::*;

    async fn run(expression: &str) -> Result<String, String> {
        match calculate(&json!({ "expression": expression })).await {
            Attempt::Ended(CallOutcome::Ok { content }) => {
                Ok(content.as_str().unwrap_or_default().to_owned())
            }
            Attempt::Ended(CallOutcome::Error { code, message }) => Err(format!("{code}: {message}")),
            other => Err(format!("{other:?}")),
        }
    }

    #[tokio::test]
    async fn results_are_exact_and_read_like_numbers() {
        for (expression, result) in [
            ("17% of 2,340", "397.8"),
            ("17% * 2,340", "397.8"),
            ("2,340 * 17 / 100", "397.8"),
            ("200 * 50%", "100"),
            ("2^10", "1024"),
            ("2**10", "1024"),
            ("sqrt(2)", "approx. 1.4142135624"),
            ("sqrt(16)", "4"),
            ("0.1 + 0.2", "0.3"),
            ("1,234,567 * 2", "2469134"),
            ("(1 + 2) × 3 ÷ 4", "2.25"),
            ("10 mod 3", "1"),
            ("1/3", "approx. 0.3333333333"),
            ("sin(30 degrees)", "0.5"),
            ("0x1d6 to decimal", "470"),
        ] {
            assert_eq!(run(expression).await, Ok(result.to_owned()), "{expression}");
        }
    }

    #[tokio::test]
    async fn what_would_be_misread_is_refused_with_a_hint() {
        for (expression, hint) in [
            ("average(1,2,3)", "functions take one number"),
            ("min(1,234)", "functions take one number"),
            ("1,5 + 2", "separates thousands"),
            ("1,2345", "separates thousands"),
            ("(1 + 2", "not closed"),
            ("1 + 2)", "no `(`"),
            ("x = 3", "not understood"),
            (r"(\x. x x) (\x. x x)", "not understood"),
            ("1 << 999999999", "not understood"),
            ("99999d99999 + 1", "dice"),
            ("2 +", "arithmetic only"),
            ("1/0", "division by zero"),
            ("", "nothing to calculate"),
            ("12 usd to eur", "exchange rates"),
            ("3 apples", "unknown identifier"),
        ] {
            let why = run(expression).await.err().unwrap_or_default();
            assert!(why.contains(hint), "{expression}: {why}");
        }
    }

    #[test]
    fn plain_sums_need_little_stack_and_time() {
        for plain in ["17% of 2,340", "(1 + 2) * -3 / 4.5", "2 * (3.25 - 1,000) % 7"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["2^10", "2**10", "5!", "1e9", "sqrt(2)", "5 km to miles", "10 mod 3", "3 × 4", "π"] {
            assert!(!is_plain(other), "{other}");
        }
        assert!(!is_plain(&"(".repeat(17)) && !is_plain(&"1".repeat(65)));
        let largest = "9".repeat(22);
        let worst = [
            format!("{}1", "-".repeat(16)),
            format!("{}1{}", "(".repeat(8), ")".repeat(8)),
            format!("1{}", "/7".repeat(16)),
            format!("1{}", "%".repeat(16)),
            format!("1{}", " of 3".repeat(12)),
            format!("{largest}*{largest}/7"),
        ];
        // Half of what a thread of the runtime has.
        let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
            for expression in worst {
                assert!(is_plain(&expression), "{expression}");
                let began = Instant::now();
                let _ = evaluate(&expression);
                assert!(began.elapsed() < Duration::from_millis(100), "{expression}: {:?}", began.elapsed());
            }
        });
        thread.unwrap().join().unwrap();
    }

    #[tokio::test]
    async fn hostile_expressions_end_in_time_and_do_no_harm() {
        let deep = format!("{}1{}", "(".repeat(64), ")".repeat(64));
        assert_eq!(run(&deep).await, Ok("1".to_owned()));
        let chain = format!("{}1", "-".repeat(499));
        assert_eq!(run(&chain).await, Ok("-1".to_owned()));
        for hostile in
            ["9^9^9".to_owned(), "1e1000000".into(), "100000!".into(), format!("3{}", "!".repeat(6))]
        {
            let why = run(&hostile).await.err().unwrap_or_default();
            assert!(why.contains("too long") || why.contains("too large"), "{hostile}: {why}");
        }
        for endless in ["2^", "sqrt ", "1+", "1 m ", "-(", "%", "ln sin "] {
            let text = endless.repeat(500 / endless.len());
            let _ = run(&format!("{text}1")).await;
        }
        assert!(run(&"1".repeat(501)).await.is_err());
    }
}
