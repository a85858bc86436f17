//! The simulation: random histories of one task, with crashes, takeovers, zombies, duplicates and reorderings, against
//! the real engine and a store that keeps its promises. Every history is checked against the invariants.
//!
//! `SIMULATION_HISTORIES=1000000 cargo test --release -p agenticai-domain simulation -- --nocapture` tries a million.

#![allow(clippy::panic, clippy::unwrap_used)]

mod agents;
mod checks;
mod coverage;
mod people;
mod process;
mod store;
mod world;

use std::time::Instant;

use coverage::Coverage;
use world::World;

use crate::engine::fault;

const SEED: u64 = 0x5eed;

fn histories(default: u64) -> u64 {
    std::env::var("SIMULATION_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn a_hundred_thousand_histories_keep_every_promise() {
    let (count, began) = (histories(100_000), Instant::now());
    let mut coverage = Coverage::default();
    for seed in SEED..SEED + count {
        if let Err(broken) = World::new(seed).live(&mut coverage) {
            panic!("history {seed:#x} breaks a promise: {broken}");
        }
    }
    println!("{count} histories in {:.1} s", began.elapsed().as_secs_f64());
    println!("{coverage}");
    coverage.assert_complete(count);
}

#[test]
fn every_planted_fault_is_found() {
    for planted in fault::ALL {
        fault::plant(Some(planted));
        let mut coverage = Coverage::default();
        let found = (SEED..SEED + 20_000).find_map(|seed| {
            World::new(seed).live(&mut coverage).err().map(|broken| (seed - SEED + 1, broken))
        });
        fault::plant(None);
        match found {
            Some((after, broken)) => println!("{planted:?}: found after {after} histories: {broken}"),
            None => panic!("{planted:?} was not found in 20,000 histories"),
        }
    }
}
