//! What a model answers, before it takes a vendor's shape.

/// One answer.
pub struct Answer<'a> {
    /// Number of the model call, for ids.
    pub id: u64,
    /// The model's name, echoed.
    pub model: &'a str,
    /// The words; empty where there are calls.
    pub text: &'a str,
    /// Tool and arguments as JSON text, in order.
    pub calls: Vec<(String, String)>,
    /// Tokens read.
    pub input_tokens: usize,
}

impl Answer<'_> {
    /// Tokens written.
    pub fn output_tokens(&self) -> usize {
        if self.calls.is_empty() { self.text.len() / 4 + 1 } else { 12 * self.calls.len() }
    }

    /// The name of call `index`, unique in the conversation.
    pub fn call_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}_{index}", self.id)
    }
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text in pieces of about 16 bytes, as tokens arrive, each a JSON string.
pub fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(16);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, next) = rest.split_at(end);
        rest = next;
        (!piece.is_empty()).then(|| quoted(piece))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pieces_add_up_to_the_text() {
        for text in ["", "short", "größer als sechzehn Bytes, „mit“ Anführungszeichen und ümläüten"]
        {
            let joined: String = pieces(text).map(|p| serde_json::from_str::<String>(&p).unwrap()).collect();
            assert_eq!(joined, text);
        }
    }
}
