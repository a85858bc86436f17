//! Which of the other workers is dead, as one observer sees it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use agenticai_store::{Observed, WorkerId};

use crate::lease::BEAT;

/// How long a worker may be silent whose session has ended.
const PARTED: Duration = BEAT.saturating_mul(3);

/// How long a worker with this lease may be silent whose session has ended: it has as long to connect anew. It sends nothing
/// with an effect without a beat that is younger ([`Lease::may_send`](crate::lease::Lease::may_send)), so that nobody is
/// declared dead who may still send.
pub fn allowed_without_session(ttl: Duration) -> Duration {
    ttl.min(PARTED)
}

/// What an observer has seen, on its own clock.
#[derive(Debug)]
pub struct Watch {
    own: WorkerId,
    ttl: Duration,
    /// The counter of each, and since when it has stood there.
    seen: HashMap<WorkerId, (i64, Instant)>,
    /// When this observer itself was last without the store.
    blind: Option<Instant>,
}

impl Watch {
    /// Of a worker that has seen nothing yet.
    pub fn new(own: WorkerId, ttl: Duration) -> Self {
        Self { own, ttl, seen: HashMap::new(), blind: None }
    }

    /// The store could not be asked, or answered late. All counts begin anew, so that a stalled store kills nobody; and
    /// for a while ended sessions say nothing, for those of all may have ended with this one's.
    pub fn blind(&mut self, now: Instant) {
        self.seen.clear();
        self.blind = Some(now);
    }

    /// Takes in what was answered `now` to the question of `asked`; answers those that are dead unless their counter has
    /// moved since. A counter has surely stood still only from one answer to a later question.
    pub fn look(&mut self, observed: Vec<Observed>, asked: Instant, now: Instant) -> Vec<Observed> {
        let sees = self.blind.is_none_or(|blind| asked.duration_since(blind) > 2 * self.ttl);
        self.seen.retain(|worker, _| observed.iter().any(|other| other.worker == *worker));
        let mut dead = Vec::new();
        for other in observed.into_iter().filter(|other| other.worker != self.own) {
            let (beats, since) = self.seen.entry(other.worker).or_insert((other.beats, now));
            if *beats != other.beats {
                (*beats, *since) = (other.beats, now);
                continue;
            }
            let allowed = if other.parted && sees { allowed_without_session(self.ttl) } else { self.ttl };
            if asked.duration_since(*since) >= allowed {
                dead.push(other);
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: WorkerId = WorkerId(1);
    const TTL: Duration = Duration::from_secs(10);

    /// A watch that has seen worker 2 at its first beat, at the time that is answered.
    fn watch() -> (Watch, Instant) {
        let (mut watch, begin) = (Watch::new(OWN, TTL), Instant::now());
        assert!(watch.look(vec![other(1, false)], begin - BEAT, begin).is_empty());
        (watch, begin)
    }

    fn other(beats: i64, parted: bool) -> Observed {
        Observed { worker: WorkerId(2), beats, parted }
    }

    fn dies(watch: &mut Watch, seen: Observed, at: Instant) -> bool {
        !watch.look(vec![seen, Observed { worker: OWN, beats: 1, parted: true }], at, at).is_empty()
    }

    #[test]
    fn a_silent_worker_is_dead_after_the_lease() {
        let (mut watch, begin) = watch();
        assert!(!dies(&mut watch, other(1, false), begin + TTL - BEAT));
        assert!(dies(&mut watch, other(1, false), begin + TTL));
        assert!(!dies(&mut watch, other(2, false), begin + TTL), "it has moved");
    }

    #[test]
    fn an_answer_that_was_long_under_way_kills_nobody() {
        let (mut watch, begin) = watch();
        assert!(watch.look(vec![other(1, true)], begin + BEAT, begin + 2 * TTL).is_empty());
    }

    #[test]
    fn a_worker_whose_session_has_ended_is_dead_sooner() {
        let (mut watch, begin) = watch();
        assert!(!dies(&mut watch, other(1, true), begin + PARTED - BEAT));
        assert!(!dies(&mut watch, other(1, false), begin + PARTED), "it has connected anew");
        assert!(!dies(&mut watch, other(2, true), begin + PARTED), "it has moved");
        assert!(dies(&mut watch, other(2, true), begin + 2 * PARTED));
    }

    #[test]
    fn who_was_blind_believes_no_ended_session_for_a_while() {
        let (mut watch, begin) = watch();
        watch.blind(begin + BEAT);
        let again = begin + 2 * BEAT;
        assert!(!dies(&mut watch, other(1, true), again));
        assert!(!dies(&mut watch, other(1, true), again + PARTED));
        assert!(!dies(&mut watch, other(1, true), again + TTL - BEAT), "it counts anew");
        assert!(dies(&mut watch, other(1, true), again + TTL), "the lease holds all the same");
        assert!(!dies(&mut watch, other(2, true), again + 2 * TTL));
        assert!(dies(&mut watch, other(2, true), again + 2 * TTL + PARTED), "that is past");
    }

    #[test]
    fn a_lease_that_is_shorter_still_holds() {
        let begin = Instant::now();
        let mut watch = Watch::new(OWN, BEAT);
        assert!(!dies(&mut watch, other(1, true), begin));
        assert!(dies(&mut watch, other(1, true), begin + BEAT));
    }
}
