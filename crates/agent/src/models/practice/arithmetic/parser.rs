//! From tokens to an expression.

use super::tokens::Token;

/// Recursive descent over the tokens. Every method returns nothing where no operand stands; what it has passed over
/// then does not matter, because the search goes on one token after its start.
pub(super) struct Parser<'a> {
    tokens: &'a [Token],
    /// Tokens before this one have been read.
    pub(super) at: usize,
    /// Operations read so far.
    pub(super) operations: u32,
    depth: u32,
}

/// Bound on nesting, so that no text overflows the stack.
const MAX_DEPTH: u32 = 40;

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: &'a [Token], at: usize) -> Self {
        Self { tokens, at, operations: 0, depth: 0 }
    }

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

    /// An expression, written with parentheses around every operation.
    pub(super) fn sum(&mut self) -> Option<String> {
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
