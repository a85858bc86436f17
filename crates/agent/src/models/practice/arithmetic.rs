//! Arithmetic in words: what is to be calculated, found in a text and written as an expression.
//!
//! `What is 17% of 2,340, plus twelve?` gives `((17 / 100) * 2340) + 12`. Only the signs that every calculator knows
//! are written, and parentheses keep the order that was meant.

/// A piece of a text, as far as arithmetic is concerned.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(String),
    /// `+ - * / ^`
    Sign(char),
    Open,
    Close,
    Percent,
    Comma,
    Word(String),
    /// Anything that ends an expression.
    Other,
}

/// The longest expression in a text that has at least one operation; the first of several.
pub(super) fn find(text: &str) -> Option<String> {
    let tokens = tokens(text);
    let mut best: Option<(usize, String)> = None;
    let mut start = 0;
    while start < tokens.len() {
        let mut parser = Parser { tokens: &tokens, at: start, operations: 0, depth: 0 };
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

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn spelled(word: &str) -> Option<u64> {
    if let Some(value) = UNITS.iter().position(|w| *w == word) {
        return Some(value as u64);
    }
    TENS.iter().position(|w| *w == word).map(|at| (at as u64 + 2) * 10)
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let mut out: Vec<Token> = Vec::new();
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        if c.is_ascii_digit() || (c == '.' && digit(i + 1)) {
            let (token, next) = number(&chars, i);
            out.push(token);
            i = next;
            continue;
        }
        if c.is_alphabetic() {
            let end = (i..chars.len()).find(|&j| !chars[j].is_alphanumeric()).unwrap_or(chars.len());
            let word: String = chars[i..end].iter().flat_map(|c| c.to_lowercase()).collect();
            push_word(&mut out, word);
            i = end;
            // `twenty-one` is one number, `well-known` no subtraction.
            if chars.get(i) == Some(&'-') && chars.get(i + 1).is_some_and(|c| c.is_alphabetic()) {
                i += 1;
            }
            continue;
        }
        i += 1;
        out.push(match c {
            ' ' | '\t' | '\n' | '\r' | '$' | '€' | '£' | '`' | '"' | '\'' => continue,
            '+' => Token::Sign('+'),
            '-' | '−' | '–' => Token::Sign('-'),
            '*' if chars.get(i) == Some(&'*') => {
                i += 1;
                Token::Sign('^')
            }
            '*' | '×' | '·' => Token::Sign('*'),
            '/' | '÷' => Token::Sign('/'),
            '^' => Token::Sign('^'),
            '(' => Token::Open,
            ')' => Token::Close,
            '%' => Token::Percent,
            ',' => Token::Comma,
            _ => Token::Other,
        });
    }
    out
}

/// Reads a number at `start`: `1234`, `2,340.50`, `.5`. A date or version (`2024-05-06`, `1.2.3`) is none.
fn number(chars: &[char], start: usize) -> (Token, usize) {
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let mut text = String::new();
    let mut i = start;
    while digit(i) || (chars.get(i) == Some(&',') && group(chars, i, start)) {
        if chars[i] != ',' {
            text.push(chars[i]);
        }
        i += 1;
    }
    if chars.get(i) == Some(&'.') && digit(i + 1) {
        text.push_str(if text.is_empty() { "0." } else { "." });
        i += 1;
        while digit(i) {
            text.push(chars[i]);
            i += 1;
        }
    }
    let two = |at: usize| chars.get(at) == Some(&'-') && digit(at + 1) && digit(at + 2);
    let date = i - start == 4 && two(i) && two(i + 3) && !digit(i + 6);
    let version = chars.get(i) == Some(&'.') && digit(i + 1);
    if date || version {
        let end =
            (i..chars.len()).find(|&j| !digit(j) && !matches!(chars[j], '-' | '.')).unwrap_or(chars.len());
        return (Token::Other, end);
    }
    let trimmed = text.trim_start_matches('0');
    let text = match trimmed {
        "" => "0".to_owned(),
        t if t.starts_with('.') => format!("0{t}"),
        t => t.to_owned(),
    };
    (Token::Number(text), i)
}

/// Whether the comma at `i` separates groups of three digits.
fn group(chars: &[char], i: usize, start: usize) -> bool {
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let lead = chars[start..i].iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let first = !chars[start..i].contains(&',');
    (if first { (1..=3).contains(&lead) } else { lead == 3 })
        && digit(i + 1)
        && digit(i + 2)
        && digit(i + 3)
        && !digit(i + 4)
}

/// Adds a word; spelled-out numbers are joined to one.
fn push_word(out: &mut Vec<Token>, word: String) {
    let Some(value) = spelled(&word) else {
        let factor = match word.as_str() {
            "hundred" => 100,
            "thousand" => 1_000,
            "million" => 1_000_000,
            _ => {
                out.push(Token::Word(word));
                return;
            }
        };
        if let Some(Token::Number(before)) = out.last_mut()
            && let Ok(count) = before.parse::<u64>()
        {
            *before = count.saturating_mul(factor).to_string();
        } else {
            out.push(Token::Number(factor.to_string()));
        }
        return;
    };
    if let Some(Token::Number(before)) = out.last_mut()
        && let Ok(count) = before.parse::<u64>()
        && value > 0
        && ((value < 10 && count % 10 == 0 && count >= 20)
            || (value < 100 && count % 100 == 0 && count >= 100))
    {
        *before = (count + value).to_string();
        return;
    }
    out.push(Token::Number(value.to_string()));
}

/// Recursive descent over the tokens. Every method returns nothing where no operand stands; what it has passed over
/// then does not matter, because the search goes on one token after its start.
struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    operations: u32,
    depth: u32,
}

/// Bound on nesting, so that no text overflows the stack.
const MAX_DEPTH: u32 = 40;

impl Parser<'_> {
    fn word(&self, ahead: usize) -> &str {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Word(word)) => word,
            _ => "",
        }
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(i, word)| self.word(i) == *word);
        if found {
            self.at += words.len();
        }
        found
    }

    fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn join(&mut self, left: String, sign: char, right: &str) -> String {
        self.operations += 1;
        format!("({left} {sign} {right})")
    }

    fn sum(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut left = self.product()?;
        loop {
            let before = self.at;
            self.eat_token(&Token::Comma);
            let sign =
                if self.eat_token(&Token::Sign('+')) || self.eat(&["plus"]) || self.eat(&["added", "to"]) {
                    '+'
                } else if self.eat_token(&Token::Sign('-')) || self.eat(&["minus"]) || self.eat(&["less"]) {
                    '-'
                } else {
                    self.at = before;
                    break;
                };
            let Some(right) = self.product() else {
                self.at = before;
                break;
            };
            left = self.join(left, sign, &right);
        }
        self.depth -= 1;
        Some(left)
    }

    fn product(&mut self) -> Option<String> {
        let mut left = self.power()?;
        loop {
            let before = self.at;
            self.eat_token(&Token::Comma);
            let times = self.eat_token(&Token::Sign('*'))
                || self.eat(&["x"])
                || self.eat(&["times"])
                || self.eat(&["multiplied", "by"]);
            let sign = if times {
                '*'
            } else if self.eat_token(&Token::Sign('/')) || self.eat(&["divided", "by"]) || self.eat(&["over"])
            {
                '/'
            } else {
                self.at = before;
                break;
            };
            let Some(right) = self.power() else {
                self.at = before;
                break;
            };
            left = self.join(left, sign, &right);
        }
        Some(left)
    }

    fn power(&mut self) -> Option<String> {
        let base = self.operand()?;
        let before = self.at;
        if self.eat(&["squared"]) {
            return Some(self.join(base, '^', "2"));
        }
        if self.eat(&["cubed"]) {
            return Some(self.join(base, '^', "3"));
        }
        let raised = self.eat_token(&Token::Sign('^'))
            || self.eat(&["to", "the", "power", "of"])
            || self.eat(&["raised", "to", "the", "power", "of"])
            || self.eat(&["raised", "to"]);
        if raised {
            // Right to left: 2 ^ 3 ^ 2 is 2 ^ 9.
            if let Some(exponent) = self.nested(Self::power) {
                return Some(self.join(base, '^', &exponent));
            }
            self.at = before;
        }
        Some(base)
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Option<String>) -> Option<String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn operand(&mut self) -> Option<String> {
        while self.eat(&["the"]) || self.eat(&["a"]) {}
        if self.eat_token(&Token::Sign('-')) || self.eat(&["negative"]) {
            let value = self.nested(Self::operand)?;
            return Some(format!("(-{value})"));
        }
        if self.eat_token(&Token::Open) {
            let inner = self.sum()?;
            return self.eat_token(&Token::Close).then_some(inner);
        }
        if let Some(Token::Number(number)) = self.tokens.get(self.at) {
            self.at += 1;
            return Some(self.after_number(number.clone()));
        }
        self.named()
    }

    /// `17 % of X`, `17 percent of X`, `17 %`, or the number alone.
    fn after_number(&mut self, number: String) -> String {
        let percent = self.eat_token(&Token::Percent) || self.eat(&["percent"]) || self.eat(&["per", "cent"]);
        if !percent {
            return number;
        }
        let share = format!("({number} / 100)");
        let before = self.at;
        if self.eat(&["of"]) {
            if let Some(whole) = self.nested(Self::operand) {
                return self.join(share, '*', &whole);
            }
            self.at = before;
        }
        share
    }

    /// Operations that stand before what they work on.
    fn named(&mut self) -> Option<String> {
        for (words, divisor) in [(["half", "of"], "2"), (["third", "of"], "3"), (["quarter", "of"], "4")] {
            if self.eat(&words) {
                let whole = self.nested(Self::operand)?;
                return Some(self.join(whole, '/', divisor));
            }
        }
        if self.eat(&["half"]) {
            let whole = self.nested(Self::operand)?;
            return Some(self.join(whole, '/', "2"));
        }
        for (word, factor) in [("twice", "2"), ("double", "2"), ("triple", "3")] {
            if self.eat(&[word]) {
                let whole = self.nested(Self::operand)?;
                return Some(self.join(whole, '*', factor));
            }
        }
        if self.eat(&["square", "root", "of"]) {
            let inner = self.nested(Self::operand)?;
            return Some(self.join(inner, '^', "0.5"));
        }
        if self.eat(&["square", "of"]) {
            let inner = self.nested(Self::operand)?;
            return Some(self.join(inner, '^', "2"));
        }
        if self.eat(&["sum", "of"]) {
            let items = self.list()?;
            return self.fold(items, '+');
        }
        if self.eat(&["product", "of"]) {
            let items = self.list()?;
            return self.fold(items, '*');
        }
        if self.eat(&["average", "of"]) || self.eat(&["mean", "of"]) {
            let items = self.list()?;
            let count = items.len().to_string();
            let sum = self.fold(items, '+')?;
            return Some(self.join(sum, '/', &count));
        }
        for (words, sign) in [
            (["difference", "between"], '-'),
            (["difference", "of"], '-'),
            (["quotient", "of"], '/'),
            (["ratio", "of"], '/'),
        ] {
            if self.eat(&words) {
                return self.pair(sign, &["and", "to"], false);
            }
        }
        for (word, sign, joints, swapped) in [
            ("add", '+', &["and", "to"][..], false),
            ("subtract", '-', &["from"][..], true),
            ("multiply", '*', &["by", "and", "with"][..], false),
            ("divide", '/', &["by"][..], false),
        ] {
            if self.eat(&[word]) {
                return self.pair(sign, joints, swapped);
            }
        }
        None
    }

    fn pair(&mut self, sign: char, joints: &[&str], swapped: bool) -> Option<String> {
        let first = self.nested(Self::sum)?;
        if !joints.iter().any(|joint| self.eat(&[joint])) {
            return None;
        }
        let second = self.nested(Self::sum)?;
        Some(if swapped { self.join(second, sign, &first) } else { self.join(first, sign, &second) })
    }

    /// `A, B and C`.
    fn list(&mut self) -> Option<Vec<String>> {
        let mut items = vec![self.nested(Self::product)?];
        loop {
            let before = self.at;
            let comma = self.eat_token(&Token::Comma);
            let and = self.eat(&["and"]);
            if !comma && !and {
                break;
            }
            match self.nested(Self::product) {
                Some(item) => items.push(item),
                None => {
                    self.at = before;
                    break;
                }
            }
        }
        (items.len() > 1).then_some(items)
    }

    fn fold(&mut self, items: Vec<String>, sign: char) -> Option<String> {
        items.into_iter().reduce(|all, item| self.join(all, sign, &item))
    }
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
