//! What can be struck, and how.

use std::fmt;

use fastrand::Rng;

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One of the workers.
    Worker,
    /// One of the processes that serve the API.
    Api,
    /// The database.
    Postgres,
    /// The queue.
    RabbitMq,
    /// The cache.
    Redis,
}

/// How it is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Means {
    /// SIGKILL; then it is started again.
    Kill,
    /// SIGSTOP; then SIGCONT. A worker is frozen for longer than its lease lasts: woken, it is a zombie.
    Freeze,
    /// Connections are cut and refused, or nothing passes; then they flow again. A worker or an API alone loses its
    /// database, a server is lost to all.
    CutOff,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What is struck.
    pub target: Target,
    /// How.
    pub means: Means,
}

const TARGETS: [Target; 5] = [Target::Worker, Target::Api, Target::Postgres, Target::RabbitMq, Target::Redis];
const MEANS: [Means; 3] = [Means::Kill, Means::Freeze, Means::CutOff];

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        TARGETS.into_iter().flat_map(|target| MEANS.map(|means| Self { target, means }))
    }

    /// `n` kinds in random order, each as often as every other; what is left over strikes workers.
    pub fn deck(n: usize, rng: &mut Rng) -> Vec<Self> {
        let every: Vec<Self> = Self::all().collect();
        let rounds = n / every.len();
        let mut deck: Vec<Self> = every.repeat(rounds);
        deck.extend((deck.len()..n).map(|i| Self { target: Target::Worker, means: MEANS[i % MEANS.len()] }));
        rng.shuffle(&mut deck);
        deck
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.target {
            Target::Worker => "a worker",
            Target::Api => "an API",
            Target::Postgres => "PostgreSQL",
            Target::RabbitMq => "RabbitMQ",
            Target::Redis => "Redis",
        };
        let means = match self.means {
            Means::Kill => "killed",
            Means::Freeze => "frozen",
            Means::CutOff => "cut off",
        };
        f.pad(&format!("{target} {means}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deck_holds_every_kind_alike() {
        let deck = Kind::deck(48, &mut Rng::with_seed(1));
        assert_eq!(deck.len(), 48);
        assert!(Kind::all().all(|kind| deck.iter().filter(|other| **other == kind).count() >= 3));
        assert_ne!(deck, Kind::deck(48, &mut Rng::with_seed(2)));
        assert_eq!(deck, Kind::deck(48, &mut Rng::with_seed(1)));
    }
}
