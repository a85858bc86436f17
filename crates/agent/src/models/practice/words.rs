//! What a text offers to whoever has to fill in arguments.

use super::arithmetic;

/// The values in a text.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The text itself.
    pub text: String,
    /// Its words, lower case.
    pub words: Vec<String>,
    /// Its numbers, as JSON writes them.
    pub numbers: Vec<String>,
    /// What stands in quotes.
    pub quoted: Vec<String>,
    /// Web addresses.
    pub urls: Vec<String>,
    /// Names: words with a capital that begin no sentence, neighbours joined.
    pub names: Vec<String>,
    /// The arithmetic in it, as an expression.
    pub arithmetic: Option<String>,
    /// The text without the sentences and clauses that only say which tool to use.
    pub rest: String,
}

impl Source {
    /// Reads a text; `tools` are the names that only direct and say nothing.
    pub(super) fn read(text: &str, tools: &[&str]) -> Self {
        let urls: Vec<String> = text
            .split_whitespace()
            .filter_map(|word| {
                let at = word.find("https://").or_else(|| word.find("http://"))?;
                Some(
                    word[at..]
                        .trim_end_matches(['.', ',', '?', '!', ')', '"', '\'', '`', ';', '>'])
                        .to_owned(),
                )
            })
            .collect();
        // Numbers inside an address are no numbers of the question.
        let plain = urls.iter().fold(text.to_owned(), |text, url| text.replace(url.as_str(), " "));
        Self {
            words: words(text),
            numbers: arithmetic::numbers(&plain),
            quoted: quoted(text),
            names: names(&plain, tools),
            arithmetic: arithmetic::find(&plain),
            rest: rest(text, tools),
            urls,
            text: text.to_owned(),
        }
    }

    /// The word or words after a mention of `name` (`city is Oslo`, `count: 3`, `in city "New York"`).
    pub(super) fn after(&self, name: &[String]) -> Option<String> {
        let spans = spans(&self.text);
        let lower: Vec<String> = spans.iter().map(|(a, b)| self.text[*a..*b].to_lowercase()).collect();
        let at = (0..lower.len()).find(|&i| lower[i..].len() > name.len() && lower[i..].starts_with(name))?;
        let mut next = at + name.len();
        let joint = |word: &str| {
            matches!(word, "is" | "of" | "to" | "as" | "be" | "equals" | "called" | "named" | "set")
        };
        while next < lower.len() && joint(&lower[next]) {
            next += 1;
        }
        let (start, end) = *spans.get(next)?;
        let between = &self.text[spans[at + name.len() - 1].1..start];
        if between.contains(['.', '?', '!', ',', ';']) {
            return None;
        }
        if let Some(quote) = between.chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`' | '“')) {
            let closing = if quote == '“' { '”' } else { quote };
            let tail = &self.text[start..];
            return Some(tail[..tail.find(closing).unwrap_or(end - start)].to_owned());
        }
        // A value may hold signs that split words: take all up to the next blank.
        let tail = &self.text[start..];
        let stop = tail.find(char::is_whitespace).unwrap_or(tail.len());
        let sign = if between.ends_with('-') { "-" } else { "" };
        Some(format!(
            "{sign}{}",
            tail[..stop].trim_end_matches(['.', ',', '?', '!', ';', ')', '"', '\'', '`'])
        ))
    }

    /// Where `name` is mentioned, as a word's number.
    pub(super) fn mention(&self, name: &[String]) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        (0..self.words.len()).find(|&i| self.words[i..].starts_with(name))
    }
}

/// Words of a text or of an identifier, lower case: split at everything that is no letter or digit, and inside
/// `camelCase`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (start, end) in spans(text) {
        let mut word = String::new();
        let mut lower = false;
        for c in text[start..end].chars() {
            if c.is_uppercase() && lower {
                all.push(std::mem::take(&mut word));
            }
            lower = c.is_lowercase();
            word.extend(c.to_lowercase());
        }
        all.push(word);
    }
    all
}

/// Whether two words are forms of one: `calculate` and `calculator`.
pub(super) fn akin(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    common >= 4 && common * 10 >= a.chars().count().min(b.chars().count()) * 8
}

/// Byte ranges of words.
fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices() {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(i),
            (false, Some(s)) => {
                all.push((s, i));
                start = None;
            }
            _ => {}
        }
    }
    all.extend(start.map(|s| (s, text.len())));
    all
}

fn quoted(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let closing = match chars[i] {
            '"' => '"',
            '“' => '”',
            '«' => '»',
            '`' => '`',
            // An apostrophe inside a word opens nothing.
            '\'' if i == 0 || !chars[i - 1].is_alphanumeric() => '\'',
            _ => {
                i += 1;
                continue;
            }
        };
        let end = (i + 1..chars.len()).find(|&j| {
            chars[j] == closing && (closing != '\'' || chars.get(j + 1).is_none_or(|c| !c.is_alphanumeric()))
        });
        match end {
            Some(end) => {
                all.push(chars[i + 1..end].iter().collect());
                i = end + 1;
            }
            None => i += 1,
        }
    }
    all
}

fn names(text: &str, tools: &[&str]) -> Vec<String> {
    let spans = spans(text);
    let mut all: Vec<String> = Vec::new();
    let mut last_end = usize::MAX;
    for (i, (start, end)) in spans.iter().enumerate() {
        let word = &text[*start..*end];
        let before = if i == 0 { "" } else { text[spans[i - 1].1..*start].trim() };
        let begins = i == 0 || before.contains(['.', '?', '!', ':']);
        let capital = word.starts_with(char::is_uppercase) && word != "I";
        let tool = tools.iter().any(|tool| tool.eq_ignore_ascii_case(word));
        if capital && !begins && !tool {
            match all.last_mut() {
                Some(last) if last_end == i && before.is_empty() => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => all.push(word.to_owned()),
            }
            last_end = i + 1;
        }
    }
    all
}

/// Words that only direct: a sentence of nothing else says nothing to a tool.
const DIRECTING: [&str; 22] = [
    "use", "using", "with", "call", "run", "invoke", "the", "a", "an", "tool", "tools", "function", "please",
    "to", "for", "it", "this", "that", "and", "via", "by", "then",
];

fn rest(text: &str, tools: &[&str]) -> String {
    let tools: Vec<Vec<String>> = tools.iter().map(|tool| words(tool)).collect();
    let mut kept: Vec<&str> = Vec::new();
    for sentence in sentences(text) {
        let list = words(sentence);
        let named = tools.iter().find_map(|tool| {
            let at = (0..list.len()).find(|&i| !tool.is_empty() && list[i..].starts_with(tool))?;
            Some((at, at + tool.len()))
        });
        let Some((from, to)) = named else {
            kept.push(sentence.trim());
            continue;
        };
        let directs = |word: &String| DIRECTING.contains(&word.as_str());
        if !list[..from].iter().all(directs) {
            // `Find the word with the lookup tool`: what stands before is the matter.
            let spans = spans(sentence);
            let mut end = from;
            while end > 0 && list.get(end - 1).is_some_and(directs) {
                end -= 1;
            }
            kept.push(if spans.len() == list.len() {
                sentence[..spans[end.max(1) - 1].1].trim()
            } else {
                sentence.trim()
            });
            continue;
        }
        // `Use the lookup tool to find the word`: what stands after is.
        let after = list[to..].iter().take_while(|word| directs(word)).count();
        let spans = spans(sentence);
        if spans.len() == list.len()
            && let Some((start, _)) = spans.get(to + after)
        {
            let quote =
                sentence[..*start].chars().next_back().filter(|c| matches!(c, '"' | '“' | '`' | '\''));
            let start = start - quote.map_or(0, char::len_utf8);
            kept.push(sentence[start..].trim());
        }
    }
    let rest = kept.join(" ");
    if rest.is_empty() { text.trim().to_owned() } else { rest }
}

/// Sentences with their marks; a point inside a number or address ends none.
fn sentences(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for (i, b) in bytes.iter().enumerate() {
        let ends = matches!(b, b'.' | b'?' | b'!') && bytes.get(i + 1).is_none_or(u8::is_ascii_whitespace);
        if ends || *b == b'\n' {
            all.push(&text[start..=i]);
            start = i + 1;
        }
    }
    all.push(&text[start..]);
    all.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_offers_its_values() {
        let text = "Use the lookup tool to find \"blue whale\" for Ann Lee in Oslo, at most 3 of them, from http://x.io/a1.";
        let source = Source::read(text, &["lookup"]);
        assert_eq!(source.quoted, ["blue whale"]);
        assert_eq!(source.names, ["Ann Lee", "Oslo"]);
        assert_eq!(source.numbers, ["3"]);
        assert_eq!(source.urls, ["http://x.io/a1"]);
        assert!(source.rest.starts_with("find"), "{}", source.rest);
    }

    #[test]
    fn what_only_directs_is_left_out() {
        let rest = |text| Source::read(text, &["search_docs"]).rest;
        assert_eq!(rest("How do I cook rice? Use the search_docs tool."), "How do I cook rice?");
        assert_eq!(rest("Cook rice with search_docs."), "Cook rice");
        assert_eq!(rest("Use search_docs."), "Use search_docs.");
    }

    #[test]
    fn values_stand_after_their_names() {
        let source = Source::read("Set the unit to celsius, count: 12 and label is \"a b\". depth -4", &[]);
        let after = |name: &str| source.after(&words(name));
        assert_eq!(after("unit").as_deref(), Some("celsius"));
        assert_eq!(after("count").as_deref(), Some("12"));
        assert_eq!(after("label").as_deref(), Some("a b"));
        assert_eq!(after("depth").as_deref(), Some("-4"));
        assert_eq!(after("missing"), None);
    }
}
