//! What the histories went through: a simulation that never meets a fault proves nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name.
#[derive(Default)]
pub struct Coverage {
    counts: BTreeMap<&'static str, u64>,
}

/// Each of these has to come up at least once in two hundred histories.
const COMMON: [&str; 23] = [
    "append accepted",
    "append fenced",
    "append refused: inbox moved",
    "append refused: terminal",
    "append sent again",
    "approval",
    "approval edited",
    "approval rejected",
    "call none",
    "call idempotent",
    "call once",
    "cancel",
    "child",
    "crash",
    "crash with calls in flight",
    "duplicate outcome",
    "message before its wait",
    "parallel calls",
    "result out of order",
    "takeover from a living worker",
    "timer",
    "uncertain",
    "uncertain resolved",
];

impl Coverage {
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: &'static str, by: u64) {
        *self.counts.entry(what).or_default() += by;
    }

    pub fn assert_complete(&self, histories: u64) {
        for what in COMMON {
            let met = self.counts.get(what).copied().unwrap_or(0);
            assert!(met * 200 >= histories, "`{what}` came up only {met} times in {histories} histories");
        }
        let entries = self.counts.get("entries").copied().unwrap_or(0);
        assert!(
            entries >= 20 * histories,
            "{entries} entries in {histories} histories: fewer than 20 on average"
        );
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "  {count:>10}  {what}")?;
        }
        Ok(())
    }
}
