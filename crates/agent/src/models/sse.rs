//! Server-sent events, read as they come in.
//!
//! Lines are taken from the chunks as they are; only what a chunk leaves unfinished is kept, so each byte is copied
//! once, and a chunk may end anywhere, also inside a character.

/// Bound on one event: an answer's largest piece is far below it.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// An event grew over its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {} MiB", MAX_EVENT / 1024 / 1024)]
pub(super) struct TooLarge;

/// The reader of one stream. Fields other than `data` are passed over: both dialects say everything in their data.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Data of the event whose end has not come.
    data: Vec<u8>,
    has_data: bool,
    /// The last chunk ended in a carriage return; a line feed that follows belongs to it.
    after_return: bool,
    begun: bool,
}

impl Parser {
    /// Takes a chunk and hands over the data of each event that it completes. Stops at the first error of `each`.
    pub(super) fn feed<E: From<TooLarge>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = chunk;
        if self.after_return && !rest.is_empty() {
            self.after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|b| *b == b'\n' || *b == b'\r') {
            let (line, tail) = rest.split_at(end);
            rest = match tail {
                [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
                [] => tail,
            };
            self.after_return = tail == b"\r";
            if self.line.is_empty() {
                self.end_line(line, &mut each)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.end_line(&whole, &mut each)?;
                whole.clear();
                self.line = whole;
            }
        }
        if self.line.len() + self.data.len() + rest.len() > MAX_EVENT {
            return Err(TooLarge.into());
        }
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// The stream has ended. What stands there without the empty line that ends an event is handed over too: some
    /// servers forget it after their last event.
    pub(super) fn finish<E: From<TooLarge>>(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.end_line(&line, &mut each)?;
        }
        self.end_line(b"", &mut each)
    }

    fn end_line<E>(&mut self, line: &[u8], each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let result = each(&self.data);
                self.data.clear();
                return result;
            }
            return Ok(());
        }
        if let Some(value) = line.strip_prefix(b"data")
            && let Some(value) = if value.is_empty() { Some(value) } else { value.strip_prefix(b":") }
        {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        let mut each = |data: &[u8]| {
            found.push(String::from_utf8(data.to_vec()).unwrap());
            Ok::<(), TooLarge>(())
        };
        for chunk in chunks {
            parser.feed(chunk, &mut each).unwrap();
        }
        parser.finish(&mut each).unwrap();
        found
    }

    #[test]
    fn every_way_of_cutting_gives_the_same_events() {
        let stream = "\u{feff}: hello\r\nevent: a\r\ndata: {\"ä\":\"€😀\"}\r\n\r\ndata:one\ndata: two\n\nid: 3\rdata: x\r\r\
                      data\n\nretry: 5\n\ndatabase: no\n\ndata: last";
        let expected = vec!["{\"ä\":\"€😀\"}", "one\ntwo", "x", "", "last"];
        assert_eq!(events(&[stream.as_bytes()]), expected);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(&bytes), expected);
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(events(&[a, b]), expected, "cut at {at}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'a'; 1024 * 1024];
        let refused = (0..20).any(|_| parser.feed(&chunk, |_| Ok::<(), TooLarge>(())).is_err());
        assert!(refused);
    }
}
