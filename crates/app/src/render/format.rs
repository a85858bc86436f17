//! Numbers and texts as people read them.

use serde_json::Value;

use agenticai_wire::UsageView;

/// Milliseconds: `3 ms`, `1.2 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1e3),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// Dollars, with as many digits as a small price needs.
pub fn cost(usd: Option<f64>) -> String {
    match usd {
        None => "cost unknown".to_owned(),
        Some(0.0) => "$0".to_owned(),
        Some(usd) if usd < 0.01 => format!("${usd:.6}"),
        Some(usd) => format!("${usd:.4}"),
    }
}

/// Tokens: `1,204 tokens in (1,000 cached), 88 out`.
pub fn tokens(usage: &UsageView) -> String {
    let cached = match usage.cached_tokens {
        0 => String::new(),
        n => format!(" ({} cached)", grouped(n)),
    };
    format!("{} tokens in{cached}, {} out", grouped(usage.input_tokens), grouped(usage.output_tokens))
}

/// A number with commas between thousands.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value on one line of at most `width` characters. Control characters (a tool may answer any) are shown as spaces,
/// so that no answer can move a terminal's cursor.
pub fn clip(value: &Value, width: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = String::new();
    let mut space = false;
    for (count, c) in text.trim().chars().enumerate() {
        if count >= width {
            line.push('…');
            break;
        }
        if c.is_whitespace() || c.is_control() {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            line.push(' ');
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let shown: Vec<String> = [0, 999, 1_234, 65_000, 12_000_000].map(duration).into();
        assert_eq!(shown, ["0 ms", "999 ms", "1.2 s", "1 min 5 s", "3 h 20 min"]);
        assert_eq!(
            [None, Some(0.0), Some(0.00012), Some(1.5)].map(cost),
            ["cost unknown", "$0", "$0.000120", "$1.5000"]
        );
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn clipped_texts_hold_no_control_characters() {
        assert_eq!(clip(&Value::from("a\n\u{1b}[2Jb\u{0}c"), 40), "a [2Jb c");
        assert_eq!(clip(&Value::from("ääää"), 3), "äää…");
        assert_eq!(clip(&serde_json::json!({"a": 1}), 40), "{\"a\":1}");
    }
}
