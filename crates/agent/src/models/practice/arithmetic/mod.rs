//! Arithmetic in words: what is to be calculated, found in a text and written as an expression.
//!
//! `What is 17% of 2,340, plus twelve?` gives `((17 / 100) * 2340) + 12`. Only the signs that every calculator knows
//! are written, and parentheses keep the order that was meant.

mod parser;
mod tokens;

use parser::Parser;
use tokens::{Token, tokens};

/// The longest expression in a text that has at least one operation; the first of several.
pub(super) fn find(text: &str) -> Option<String> {
    let tokens = tokens(text);
    let mut best: Option<(usize, String)> = None;
    let mut start = 0;
    while start < tokens.len() {
        let mut parser = Parser::new(&tokens, start);
        match parser.sum() {
            Some(expression) if parser.operations > 0 => {
                let length = parser.at - start;
                if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
                    best = Some((length, expression));
                }
                start = parser.at.max(start + 1);
            }
            _ => start += 1,
        }
    }
    best.map(|(_, expression)| match expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        Some(inner) if balanced(inner) => inner.to_owned(),
        _ => expression,
    })
}

/// Numbers in a text, in order, as JSON would write them; spelled-out ones too.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if let Token::Number(number) = token {
            // A minus that follows no number belongs to the number after it.
            let negative = i > 0
                && tokens[i - 1] == Token::Sign('-')
                && (i == 1 || !matches!(tokens[i - 2], Token::Number(_) | Token::Close | Token::Percent));
            found.push(if negative { format!("-{number}") } else { number.clone() });
        }
    }
    found
}

fn balanced(text: &str) -> bool {
    let mut depth = 0i32;
    text.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    }) && depth == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// What the calculator tool's own engine makes of an expression.
    fn value(expression: &str) -> f64 {
        let mut context = fend_core::Context::new();
        let result = fend_core::evaluate(&format!("({expression}) to 9 dp"), &mut context).unwrap();
        result.get_main_result().trim_start_matches("approx. ").parse().unwrap()
    }

    #[test]
    fn phrases_become_expressions() {
        for (text, expected) in [
            ("What is 17% of 2,340? Use the calculator.", 397.8),
            ("what's 12 plus 30 minus 2", 40.0),
            ("compute (3 + 4) * 5", 35.0),
            ("How much is 7 times 8 divided by 4, please", 14.0),
            ("add twenty-one and 4", 25.0),
            ("subtract 5 from 30", 25.0),
            ("the sum of 1, 2 and 3.5", 6.5),
            ("average of 2, 4, and 9", 5.0),
            ("the square root of 144", 12.0),
            ("3 squared plus 4 squared", 25.0),
            ("2^3^2", 512.0),
            ("half of 90 percent of 200", 90.0),
            ("three hundred and four times 2", 8.0),
            ("three hundred four times 2", 608.0),
            ("$1,250.50 * 4", 5002.0),
            ("50 + 10% of 200", 70.0),
            ("-5 + 3", -2.0),
            ("difference between 10 and 4", 6.0),
            ("divide 81 by 9", 9.0),
            ("6 x 7", 42.0),
        ] {
            let found = find(text).unwrap_or_else(|| panic!("{text}"));
            assert!((value(&found) - expected).abs() < 1e-6, "{text}: {found}");
        }
    }

    #[test]
    fn other_texts_have_none() {
        for text in [
            "hello",
            "on 2024-05-06",
            "version 1.2.3",
            "I have 3 cats",
            "well-known",
            "17%",
            "",
            "((((",
            "12,",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
        assert_eq!(find(&"(".repeat(10_000)), None);
    }

    #[test]
    fn generated_arithmetic_keeps_its_value() {
        fn phrase(rng: &mut fastrand::Rng, depth: u32) -> (String, f64) {
            if depth == 0 {
                let n = rng.u32(1..5000);
                let text = if n > 999 { format!("{},{:03}", n / 1000, n % 1000) } else { n.to_string() };
                return (text, f64::from(n));
            }
            let (a, x) = phrase(rng, depth - 1);
            let (b, y) = phrase(rng, 0);
            let a = if depth > 1 { format!("({a})") } else { a };
            match rng.u32(0..8) {
                0 => (format!("{a} + {b}"), x + y),
                1 => (format!("{a} minus {b}"), x - y),
                2 => (format!("{a} times {b}"), x * y),
                3 => (format!("{a} divided by {b}"), x / y),
                4 => (format!("subtract {b} from {a}"), x - y),
                5 => (format!("{b} percent of {a}"), x * y / 100.0),
                6 => (format!("the sum of {a} and {b}"), x + y),
                _ => (format!("{a}*{b}"), x * y),
            }
        }
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let depth = rng.u32(1..4);
            let (text, expected) = phrase(&mut rng, depth);
            let found = find(&format!("Please tell me: {text}?")).unwrap_or_else(|| panic!("{text}"));
            let got = value(&found);
            let close = (got - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            assert!(close, "{text}: {found} is {got}, not {expected}");
        }
    }
}
