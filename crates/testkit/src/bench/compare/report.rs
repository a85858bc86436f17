//! Lines and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum;

use super::{Contender, Outcome, Workload};
use crate::load::median;

/// One run in a line.
pub fn line(outcome: &Outcome) -> String {
    let mut line = format!(
        "{} {} (busy {:.0}%, load {:.1}, pgbench {:.0}/s):",
        name(&outcome.workload),
        name(&outcome.contender),
        outcome.conditions.busy * 100.0,
        outcome.conditions.load1,
        outcome.conditions.pgbench_per_s
    );
    for (what, value) in &outcome.values {
        let _ = write!(line, " {what}={}", number(*value));
    }
    line
}

/// A table for each workload in Markdown: a row for each number, a column for each contender, medians with the lowest
/// and highest value, and below the rates over those of others.
pub fn tables(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let mut workloads: Vec<Workload> = outcomes.iter().map(|outcome| outcome.workload).collect();
    workloads.dedup();
    for workload in workloads {
        let of = |contender: Contender| {
            outcomes.iter().filter(move |o| o.workload == workload && o.contender == contender)
        };
        let contenders: Vec<Contender> =
            Contender::value_variants().iter().copied().filter(|c| of(*c).next().is_some()).collect();
        let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let names: Vec<&str> = {
            let mut names: Vec<&str> = outcomes
                .iter()
                .filter(|o| o.workload == workload)
                .flat_map(|o| o.values.keys().copied())
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        for contender in &contenders {
            for name in &names {
                let values: Vec<f64> = of(*contender).filter_map(|o| o.values.get(name)).copied().collect();
                rows.entry(name).or_default().push(cell(values));
            }
            let pgbench = of(*contender).map(|o| o.conditions.pgbench_per_s).collect();
            rows.entry("pgbench_per_s").or_default().push(cell(pgbench));
            let busy = of(*contender).map(|o| o.conditions.busy).collect();
            rows.entry("busy_before").or_default().push(cell(busy));
        }
        let heads: Vec<String> = contenders.iter().map(name).collect();
        let _ = write!(
            text,
            "\n| {} | {} |\n|{}\n",
            name(&workload),
            heads.join(" | "),
            " --- |".repeat(heads.len() + 1)
        );
        for (name, cells) in &rows {
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        let rate = |contender: Contender| {
            let rates: Vec<f64> =
                of(contender).filter_map(|o| o.values.get("tasks_per_s")).copied().collect();
            Some(median(rates)).filter(|rate| *rate > 0.0)
        };
        for ours in [Contender::Agenticai, Contender::AgenticaiPostgres] {
            for other in contenders.iter().filter(|other| **other > Contender::AgenticaiPostgres) {
                if let (Some(rate), Some(others)) = (rate(ours), rate(*other)) {
                    let _ = writeln!(
                        text,
                        "\n{}: {} is {:.1} times {}.",
                        name(&workload),
                        name(&ours),
                        rate / others,
                        name(other)
                    );
                }
            }
        }
    }
    text
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn cell(values: Vec<f64>) -> String {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match values.len() {
        0 => "-".to_owned(),
        1 => number(lowest),
        _ => format!("{} ({} to {})", number(median(values)), number(lowest), number(highest)),
    }
}

/// Three digits are enough for what varies by a tenth.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == v.trunc() => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
