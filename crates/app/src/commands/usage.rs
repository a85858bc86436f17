//! `usage`

use agenticai_wire::{UsageReport, UsageSumView};

use super::Context;
use crate::cli::Usage;
use crate::client::{Path, server};
use crate::exit::{Exit, Result};
use crate::render::{note, print, table};

/// Does what was typed.
pub async fn perform(context: &Context, args: Usage) -> Result {
    let client = server(context).await?;
    let (from, until) = (args.from.as_deref().map(moment), args.until.as_deref().map(moment));
    let mut query = vec![("by", args.by.as_str())];
    query.extend(from.iter().map(|from| ("from", from.as_str())));
    query.extend(until.iter().map(|until| ("until", until.as_str())));
    let report: UsageReport = client.get(Path { segments: &["api", "v1", "usage"], query: &query }).await?;
    if context.global.json {
        context.print_json(&report)?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = report.items.iter().map(row).collect();
    let heads = ["FROM", "AGENT", "USER", "COMPLETED", "FAILED", "CANCELLED", "IN", "OUT", "COST"];
    for line in table::lines(&heads, &rows) {
        print(&line);
    }
    if report.items.is_empty() {
        note(&format!("no task has ended from {} until {}", report.from, report.until));
    }
    Ok(Exit::Ok)
}

/// A bare day begins at midnight.
fn moment(text: &str) -> String {
    if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") }
}

fn row(sum: &UsageSumView) -> Vec<String> {
    let unpriced = if sum.unpriced > 0 { format!(" + {} unpriced", sum.unpriced) } else { String::new() };
    vec![
        sum.from.as_ref().map_or_else(String::new, |from| from.chars().take(16).collect()),
        sum.agent.clone().unwrap_or_default(),
        sum.user.map_or_else(String::new, |user| user.to_string()),
        sum.completed.to_string(),
        sum.failed.to_string(),
        sum.cancelled.to_string(),
        sum.input_tokens.to_string(),
        sum.output_tokens.to_string(),
        format!("${:.4}{unpriced}", sum.cost_usd),
    ]
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_day_is_its_midnight() {
        assert_eq!(moment("2026-11-01"), "2026-11-01T00:00:00Z");
        assert_eq!(moment("2026-11-01T10:00:00+02:00"), "2026-11-01T10:00:00+02:00");
    }
}
