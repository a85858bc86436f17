//! Server-sent events, parsed as they come.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// `id:`, where the event has one.
    pub id: Option<String>,
    /// `event:`; empty where there is none.
    pub event: String,
    /// `data:`, its lines joined.
    pub data: String,
}

/// What has come and is no whole event yet.
#[derive(Debug, Default)]
pub struct Frames {
    line: Vec<u8>,
    frame: Frame,
    has_data: bool,
}

impl Frames {
    /// Takes bytes in, however they were cut, and answers the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut done = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.pop_if(|b| *b == b'\n').is_none() {
                break;
            }
            self.line.pop_if(|b| *b == b'\r');
            let line = std::mem::take(&mut self.line);
            // Lines are whole here, so that no character can be cut; whatever is no UTF-8 is the server's fault.
            self.take_line(&String::from_utf8_lossy(&line), &mut done);
        }
        done
    }

    fn take_line(&mut self, line: &str, done: &mut Vec<Frame>) {
        if line.is_empty() {
            if self.has_data {
                done.push(std::mem::take(&mut self.frame));
            }
            self.frame = Frame::default();
            self.has_data = false;
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.frame.id = Some(value.to_owned()),
            "event" => self.frame.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
                self.has_data = true;
            }
            // Comments keep the connection alive; other fields mean nothing here.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 1\nevent: entry\ndata: {\"a\":\"ü\"}\n\nevent: token\r\ndata: x\r\ndata: y\r\n\r\nid: 9\n\n";

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let wanted = [
            Frame { id: Some("1".into()), event: "entry".into(), data: "{\"a\":\"ü\"}".into() },
            Frame { id: None, event: "token".into(), data: "x\ny".into() },
        ];
        for size in 1..STREAM.len() {
            let mut frames = Frames::default();
            let found: Vec<Frame> =
                STREAM.as_bytes().chunks(size).flat_map(|bytes| frames.push(bytes)).collect();
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }
}
