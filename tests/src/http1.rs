//! Just enough HTTP/1.1 to play a client or a proxy, and to break off anywhere: RFC 9112.

use std::io::{self, BufRead, Read, Write};

/// The longest head line that is read.
const LINE: u64 = 64 << 10;

/// A request or a response, read to its end.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request line or the status line.
    pub first: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without what framed it.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a request; none: the connection ended before one began.
    pub fn request(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        if from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut message = Self::head(from)?;
        message.framed_body(from)?;
        Ok(Some(message))
    }

    /// Reads a response. One that ends before it should is an error.
    pub fn response(from: &mut impl BufRead) -> io::Result<Self> {
        let mut message = Self::head(from)?;
        if !message.framed_body(from)? && message.header("connection") == Some("close") {
            from.read_to_end(&mut message.body)?;
        }
        Ok(message)
    }

    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let field = fields.find(|(key, _)| key == name)?;
        Some(&field.1)
    }

    /// A request's path with its query, or a response's status.
    pub fn second(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// Writes it with a body of known length, as the only one of its connection.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.bytes())
    }

    /// The same as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        const OWN: [&str; 3] = ["content-length", "transfer-encoding", "connection"];
        let mut bytes = format!("{}\r\n", self.first).into_bytes();
        let passed = self.headers.iter();
        for (name, value) in passed.filter(|(name, _)| !OWN.contains(&name.as_str())) {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let length = self.body.len();
        let rest = format!("content-length: {length}\r\nconnection: close\r\n\r\n");
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn head(from: &mut impl BufRead) -> io::Result<Self> {
        let first = line(from)?;
        let mut headers = Vec::new();
        loop {
            let line = line(from)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let body = Vec::new();
        Ok(Self {
            first,
            headers,
            body,
        })
    }

    /// Whether there was a body that says where it ends.
    fn framed_body(&mut self, from: &mut impl BufRead) -> io::Result<bool> {
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = line(from)?;
                let size = u64::from_str_radix(size.trim(), 16);
                let size = size.map_err(|_| io::ErrorKind::InvalidData)?;
                self.take(from, size)?;
                line(from)?;
                if size == 0 {
                    return Ok(true);
                }
            }
        }
        let Some(length) = self.header("content-length") else {
            return Ok(false);
        };
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        self.take(from, length)?;
        Ok(true)
    }

    fn take(&mut self, from: &mut impl BufRead, length: u64) -> io::Result<()> {
        let taken = from.by_ref().take(length).read_to_end(&mut self.body)?;
        if (taken as u64) < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
