//! What every broker has to fulfil, as one suite of cases.
//!
//! A case is given two handles, as of two processes that share the broker's servers, and panics where a promise of the
//! trait is broken. A broker is put under the groups of cases that it carries across processes; `local` is for all:
//!
//! ```ignore
//! async fn open() -> agenticai_testkit::broker_conformance::Pair { … }
//! agenticai_testkit::broker_conformance_tests!(open: local hints pokes);
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod hints;
pub mod live;
pub mod local;
pub mod pokes;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use agenticai_broker::{Broker, Live, Token};
use agenticai_domain::ids::{StepId, TaskId};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// How long a message may take that should take milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// Two handles of one broker, connected.
pub struct Pair {
    /// As of one process.
    pub one: Arc<dyn Broker>,
    /// As of another.
    pub two: Arc<dyn Broker>,
    /// Whatever has to live as long as they do.
    pub keep: Box<dyn Any + Send>,
}

impl Pair {
    /// Two handles.
    pub fn new(one: Arc<dyn Broker>, two: Arc<dyn Broker>, keep: impl Any + Send) -> Self {
        Self { one, two, keep: Box::new(keep) }
    }
}

/// A task that no other case knows.
pub fn task() -> TaskId {
    TaskId(Uuid::now_v7())
}

/// A piece of an answer.
pub fn token(offset: u64, text: &str) -> Live {
    Live::Token(Token { step: StepId::model(1), epoch: 1, attempt: 1, offset, text: text.to_owned() })
}

/// The next event of a stream.
pub async fn next<T: Clone>(reader: &mut Receiver<T>) -> T {
    timeout(SOON, reader.recv()).await.expect("nothing came").unwrap()
}

/// Waits until the processes hear each other: hints given to one wake the other.
pub async fn wake_each_other(from: &dyn Broker, to: &dyn Broker) {
    // A new connection counts as a hint, too, and is not meant here.
    drain_hints(to).await;
    let began = Instant::now();
    loop {
        from.hint();
        if timeout(Duration::from_millis(200), to.hinted()).await.is_ok() {
            break;
        }
        assert!(began.elapsed() < 4 * SOON, "no hint crosses");
    }
    drain_hints(to).await;
}

/// Takes hints until none comes any more, and answers how many there were.
pub async fn drain_hints(broker: &dyn Broker) -> usize {
    let mut hints = 0;
    while timeout(Duration::from_millis(1500), broker.hinted()).await.is_ok() {
        hints += 1;
        assert!(hints < 100_000, "hints do not end");
    }
    hints
}

/// Waits until something is so.
pub async fn until(what: &str, within: Duration, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Puts a broker under groups of cases, each case as a test of its own.
#[macro_export]
macro_rules! broker_conformance_tests {
    ($open:path: $($group:ident)+) => {
        $($crate::broker_conformance_group!($group $open);)+
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! broker_conformance_group {
    (local $open:path) => {
        $crate::broker_conformance_group!(local $open:
            a_hint_wakes_its_own_process
            a_hint_given_while_nobody_waited_is_kept
            events_reach_readers_of_the_same_process
            a_stream_that_nobody_reads_wants_nothing
            a_reader_that_lags_is_told
            pokes_reach_their_own_process
            callers_never_wait
        );
    };
    (hints $open:path) => {
        $crate::broker_conformance_group!(hints $open:
            a_hint_wakes_another_process
            hints_in_plenty_are_few_messages
        );
    };
    (live $open:path) => {
        $crate::broker_conformance_group!(live $open:
            events_cross_in_order
            pieces_of_an_answer_cross_whole
            an_event_that_comes_twice_does_no_harm
            readers_are_known_elsewhere_and_forgotten
            readers_of_other_tasks_hear_nothing
        );
    };
    (pokes $open:path) => {
        $crate::broker_conformance_group!(pokes $open:
            pokes_reach_every_process
            pokes_in_plenty_cross
        );
    };
    ($group:ident $open:path: $($case:ident)+) => {
        mod $group {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::broker_conformance::$group::$case($open().await).await;
                }
            )+
        }
    };
}
