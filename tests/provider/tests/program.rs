//! The program: it plays transcripts, and keeps what it has sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use transcripts::Transcript;

/// The response to a request with these header fields, head and body.
fn ask(address: &str, fields: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /any HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}content-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let body = answer.split_off(end.unwrap() + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn a_transcript_is_played_and_what_was_sent_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_mock-provider"))
        .args(["--pause", "0", "--record"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap();

    let plain = Transcript::named("openai_chat/error_429").unwrap();
    let (head, body) = ask(address, "x-mock-transcript: openai_chat/error_429\r\n");
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(head.contains("x-request-id: mock-1\r\n"), "{head}");
    assert_eq!(body, plain.body());
    assert_eq!(
        std::fs::read(directory.path().join("mock-1")).unwrap(),
        body
    );

    let stream = Transcript::named("anthropic/stream").unwrap();
    let broken = "x-mock-transcript: anthropic/stream\r\nx-mock-break: 2\r\n";
    let (_, body) = ask(address, broken);
    assert!(!body.ends_with(b"0\r\n\r\n"), "it has an end");
    let sent = std::fs::read(directory.path().join("mock-2")).unwrap();
    assert_eq!(sent, stream.parts[..2].concat());

    let (head, _) = ask(address, "x-mock-transcript: ../secret\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    program.kill().unwrap();
    program.wait().unwrap();
}
