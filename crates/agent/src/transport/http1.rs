//! HTTP/1.1 as bytes: the head of a request, the head of an answer, and where its body ends (RFC 9112). No I/O.
//!
//! hyper's client connection holds 27 KiB for a call that waits (two buffers of 8 KiB, and a channel with room for 32
//! requests), which was more than all the rest of a task together. So it is read here, heads and sizes of chunks by
//! httparse, and a call that waits holds no buffer. One request is on a connection at a time, and whatever is in doubt
//! ends the connection.

use std::io::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Uri};

/// Bound on the head of an answer, and on the trailers behind one.
const MAX_HEAD: usize = 64 * 1024;
/// Bound on the number of its headers.
const MAX_HEADERS: usize = 128;
/// Bound on the line before a chunk.
const MAX_CHUNK_LINE: usize = 1024;

/// What came is no HTTP/1.1, or none that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server does not speak HTTP/1.1 as it should: {0}")]
pub(super) struct Malformed(&'static str);

/// The head of a request with a body of so many bytes.
pub(super) fn request_head(method: &Method, uri: &Uri, headers: &HeaderMap, body: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    head.extend_from_slice(method.as_str().as_bytes());
    head.push(b' ');
    // Only a path that is not empty begins with its slash.
    if !target.starts_with('/') {
        head.push(b'/');
    }
    head.extend_from_slice(target.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        // The body's framing is decided here alone.
        if *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    if body > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        // Writing to memory does not fail.
        let _ = write!(head, "content-length: {body}\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub framing: Framing,
    /// Whether the connection may be used again once the body has ended.
    pub keep: bool,
}

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Sized(u64),
    /// Everything until the server closes the connection.
    UntilClosed,
    /// The line that says how long the next chunk is.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// Trailers, which nobody here asks for.
    Trailers,
}

/// What a body gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// A piece of it.
    Data(Bytes),
    /// More has to come first.
    Wanting,
    /// Nothing more.
    End,
}

/// Takes the head of the answer to a request with `method` out of `buffer`; none while it is not complete. Interim
/// answers (1xx) are passed over.
pub(super) fn take_head(buffer: &mut BytesMut, method: &Method) -> Result<Option<Head>, Malformed> {
    loop {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut room);
        let length = match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if buffer.len() > MAX_HEAD => {
                return Err(Malformed("the head of its answer is too large"));
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Malformed("its answer has too many headers")),
            Err(_) => return Err(Malformed("its answer does not begin as one")),
        };
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(Malformed("its answer has no status"))?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Malformed("it switches to another protocol"));
        }
        if status.is_informational() {
            buffer.advance(length);
            continue;
        }
        let mut headers = HeaderMap::with_capacity(parsed.headers.len());
        for header in parsed.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let value = HeaderValue::from_bytes(header.value);
            let (Ok(name), Ok(value)) = (name, value) else { return Err(Malformed("a header is none")) };
            headers.append(name, value);
        }
        let framing = framing(method, status, &headers)?;
        // A length beside chunks may be somebody's trick: RFC 9112, 6.3.
        let doubtful = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
        let keep = parsed.version == Some(1)
            && framing != Framing::UntilClosed
            && !doubtful
            && !tokens(&headers, CONNECTION).any(|token| token.eq_ignore_ascii_case("close"));
        buffer.advance(length);
        return Ok(Some(Head { status, headers, framing, keep }));
    }
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim)
}

/// Where the body ends.
fn framing(method: &Method, status: StatusCode, headers: &HeaderMap) -> Result<Framing, Malformed> {
    if *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok(Framing::Sized(0));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        let mut codings = tokens(headers, TRANSFER_ENCODING);
        return match (codings.next(), codings.next()) {
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::ChunkSize),
            _ => Err(Malformed("it uses a transfer coding that was not asked for")),
        };
    }
    let mut length = None;
    for token in tokens(headers, CONTENT_LENGTH) {
        let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        let given = token.parse().ok().filter(|_| digits);
        let given = given.ok_or(Malformed("the length of its answer is no number"))?;
        if length.replace(given).is_some_and(|before: u64| before != given) {
            return Err(Malformed("it gives its answer two lengths"));
        }
    }
    Ok(length.map_or(Framing::UntilClosed, Framing::Sized))
}

impl Framing {
    /// Takes the next piece of the body out of `buffer`.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Malformed> {
        loop {
            match self {
                Self::Sized(0) => return Ok(Decoded::End),
                Self::Sized(left) => return Ok(piece(buffer, left)),
                Self::UntilClosed => return Ok(piece(buffer, &mut u64::MAX.clone())),
                Self::Chunk(0) => *self = Self::ChunkEnd,
                Self::Chunk(left) => return Ok(piece(buffer, left)),
                Self::ChunkEnd => match &buffer[..] {
                    [b'\r', b'\n', ..] => {
                        buffer.advance(2);
                        *self = Self::ChunkSize;
                    }
                    [] | [b'\r'] => return Ok(Decoded::Wanting),
                    _ => return Err(Malformed("a chunk is longer than it says")),
                },
                Self::ChunkSize => match httparse::parse_chunk_size(buffer) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        buffer.advance(line);
                        *self = if size == 0 { Self::Trailers } else { Self::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) if buffer.len() <= MAX_CHUNK_LINE => {
                        return Ok(Decoded::Wanting);
                    }
                    _ => return Err(Malformed("a chunk has no size")),
                },
                Self::Trailers => {
                    let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
                    match httparse::parse_headers(buffer, &mut room) {
                        Ok(httparse::Status::Complete((length, _))) => {
                            buffer.advance(length);
                            *self = Self::Sized(0);
                        }
                        Ok(httparse::Status::Partial) if buffer.len() <= MAX_HEAD => {
                            return Ok(Decoded::Wanting);
                        }
                        _ => return Err(Malformed("the end of its answer is none")),
                    }
                }
            }
        }
    }
}

fn piece(buffer: &mut BytesMut, left: &mut u64) -> Decoded {
    let length = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    if length == 0 {
        return Decoded::Wanting;
    }
    *left -= length as u64;
    Decoded::Data(buffer.split_to(length).freeze())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The body of an answer that comes in pieces of `size` bytes, whether it ended, and what was left over.
    fn read(answer: &str, size: usize) -> Result<(String, bool, usize), Malformed> {
        let (mut buffer, mut body) = (BytesMut::new(), Vec::new());
        let mut head: Option<Head> = None;
        for piece in answer.as_bytes().chunks(size) {
            buffer.extend_from_slice(piece);
            if head.is_none() {
                head = take_head(&mut buffer, &Method::GET)?;
            }
            let Some(head) = &mut head else { continue };
            loop {
                match head.framing.decode(&mut buffer)? {
                    Decoded::Data(data) => body.extend_from_slice(&data),
                    Decoded::Wanting => break,
                    Decoded::End => return Ok((String::from_utf8(body).unwrap(), true, buffer.len())),
                }
            }
        }
        Ok((String::from_utf8(body).unwrap(), false, buffer.len()))
    }

    fn head(answer: &str) -> Result<Option<Head>, Malformed> {
        take_head(&mut BytesMut::from(answer), &Method::GET)
    }

    #[test]
    fn bodies_end_where_they_say_however_they_are_cut() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", ("hello", true)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", ("hello", true)),
            ("HTTP/1.1 200\r\ncontent-length: 9\r\n\r\nhello", ("hello", false)),
            ("HTTP/1.0 200 OK\r\n\r\nhello", ("hello", false)),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", ("", true)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                ("ok", true),
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\nA;a=b\r\n, world!!!\r\n0\r\nx: y\r\n\r\n",
                ("hello, world!!!", true),
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", ("hello", false)),
        ] {
            for size in 1..=answer.len() {
                let (body, ended, left) = read(answer, size).unwrap();
                assert_eq!((body.as_str(), ended), expected, "{answer} in pieces of {size}");
                assert!(!ended || left == 0, "{answer}");
            }
        }
    }

    #[test]
    fn what_is_in_doubt_is_refused() {
        for answer in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\n",
        ] {
            assert!(read(answer, answer.len()).is_err(), "{answer}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MAX_HEAD));
        assert!(head(&endless).is_err());
        assert!(head(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1))).is_err());
    }

    #[test]
    fn a_connection_is_kept_only_where_both_sides_know_that_the_answer_has_ended() {
        for (answer, kept) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nconnection: keep-alive, Close\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ] {
            assert_eq!(head(answer).unwrap().unwrap().keep, kept, "{answer}");
        }
        let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
        let head = take_head(&mut buffer, &Method::HEAD).unwrap().unwrap();
        assert_eq!((head.framing, head.keep), (Framing::Sized(0), true));
    }

    #[test]
    fn the_framing_of_a_request_is_ours() {
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_static("b"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("99"));
        let written = |method, uri: &str, body| {
            String::from_utf8(request_head(&method, &uri.parse().unwrap(), &headers, body)).unwrap()
        };
        assert_eq!(
            written(Method::POST, "http://h:1/a/b?c=d", 3),
            "POST /a/b?c=d HTTP/1.1\r\nx-a: b\r\ncontent-length: 3\r\n\r\n"
        );
        assert_eq!(written(Method::GET, "http://h", 0), "GET / HTTP/1.1\r\nx-a: b\r\n\r\n");
        assert_eq!(
            written(Method::PUT, "http://h?q", 0),
            "PUT /?q HTTP/1.1\r\nx-a: b\r\ncontent-length: 0\r\n\r\n"
        );
    }
}
