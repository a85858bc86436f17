//! Numbers, signs and words of a text, as far as arithmetic is concerned.

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
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

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
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
