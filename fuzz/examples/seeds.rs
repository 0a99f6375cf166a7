//! Writes inputs to begin with, made of the core's own fixtures: `seeds FOLDER` fills `FOLDER/<target>/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use logger_fuzz::wire::{MEDIA_TYPES, PATHS};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or("seeds".into()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seeds = Seeds { folder, count: 0 };
    wire(&root.join("guest/core/tests/wire"), &mut seeds)?;
    hooks(&root.join("tests/parity/cases"), &mut seeds)?;
    settings(&mut seeds)?;
    redaction(&mut seeds)?;
    println!("{} seeds in {}", seeds.count, seeds.folder.display());
    Ok(())
}

struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn add(&mut self, target: &str, name: &str, input: &[u8]) -> io::Result<()> {
        // The whole plugin takes the inputs of two targets.
        match target {
            "hooks" => self.add("plugin", &format!("hooks-{name}"), &[&[0], input].concat())?,
            "wire" => self.add("plugin", &format!("wire-{name}"), &[&[1], input].concat())?,
            _ => {}
        }
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        self.count += 1;
        fs::write(folder.join(name), input)
    }
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The cases of call capture: whole calls, and their responses for the framers.
fn wire(folder: &Path, seeds: &mut Seeds) -> io::Result<()> {
    for format in sorted(folder)?.iter().filter(|path| path.is_dir()) {
        for case in sorted(format)?.iter().filter(|path| path.is_dir()) {
            let about: Value = serde_json::from_slice(&fs::read(case.join("case.json"))?)?;
            let name = |path: &Path| {
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
            };
            let name = format!("{}-{}", name(format), name(case));
            let path = about["request"]["path"].as_str().unwrap_or_default();
            let path = path.split('?').next().unwrap_or_default();
            let position = |known: &&str| path.ends_with(*known) || **known == *path;
            let of_family = |known: &&str| known.rsplit('/').next() == path.rsplit('/').next();
            let path = PATHS.iter().position(|known| position(&known));
            let path = path.or_else(|| PATHS.iter().position(|known| of_family(&known)));
            let path = path.unwrap_or(PATHS.len() - 1) as u8;
            let (media_type, body) = response(case)?;
            let kind = MEDIA_TYPES.iter().position(|known| *known == media_type);
            let status = match about["response"]["status"].as_u64() {
                Some(429) => 1,
                Some(400..) => 2,
                _ => 0,
            };
            let mut input = vec![path, kind.unwrap_or(0) as u8, status, 0, 0, 7];
            if let Some(headers) = about["request"]["headers"].as_object() {
                for (name, value) in headers {
                    input.extend_from_slice(
                        format!("{name}:{}\n", value.as_str().unwrap_or_default()).as_bytes(),
                    );
                }
            }
            input.push(0xff);
            match (
                &about["request"]["body"],
                about["request"]["raw_body"].as_str(),
            ) {
                (_, Some(raw)) => input.extend_from_slice(raw.as_bytes()),
                (body, None) => input.extend_from_slice(body.to_string().as_bytes()),
            }
            input.push(0xff);
            input.extend_from_slice(&body);
            seeds.add("wire", &name, &input)?;
            let framing = [
                "text/event-stream",
                "application/x-ndjson",
                "application/vnd.amazon.eventstream",
            ];
            let framing = framing.iter().position(|kind| *kind == media_type);
            let framing = framing.or(body.starts_with(b"[").then_some(3));
            if let Some(framing) = framing {
                seeds.add("frames", &name, &[&[framing as u8][..], &body].concat())?;
            }
        }
    }
    Ok(())
}

fn response(case: &Path) -> io::Result<(&'static str, Vec<u8>)> {
    for (kind, media_type) in [
        ("json", "application/json"),
        ("sse", "text/event-stream"),
        ("ndjson", "application/x-ndjson"),
        ("txt", "text/html"),
        ("bin", "application/octet-stream"),
    ] {
        if let Ok(body) = fs::read(case.join(format!("response.{kind}"))) {
            return Ok((media_type, body));
        }
    }
    let Ok(events) = fs::read(case.join("response.events.json")) else {
        return Ok(("application/json", Vec::new()));
    };
    let events: Vec<Value> = serde_json::from_slice(&events)?;
    let body = events.iter().flat_map(event_stream_message).collect();
    Ok(("application/vnd.amazon.eventstream", body))
}

/// A message of AWS's event stream.
fn event_stream_message(event: &Value) -> Vec<u8> {
    let checksum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let mut fields = Vec::new();
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        fields.push(name.len() as u8);
        fields.extend_from_slice(name.as_bytes());
        fields.push(7);
        fields.extend_from_slice(&(value.len() as u16).to_be_bytes());
        fields.extend_from_slice(value.as_bytes());
    }
    let payload = event["payload"].to_string();
    let length = (16 + fields.len() + payload.len()) as u32;
    let mut message = [length.to_be_bytes(), (fields.len() as u32).to_be_bytes()].concat();
    message.extend_from_slice(&checksum(&message));
    message.extend_from_slice(&fields);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&checksum(&message));
    message
}

/// The recorded cases of litellm's own logger.
fn hooks(folder: &Path, seeds: &mut Seeds) -> io::Result<()> {
    for path in sorted(folder)? {
        let case: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut input = vec![0];
        for (number, call) in case["event"]["calls"]
            .as_array()
            .into_iter()
            .flatten()
            .take(12)
            .enumerate()
        {
            let method = call["method"].as_str().unwrap_or_default();
            let hook = match (method.contains("failure"), method.contains("stream")) {
                (true, _) => 1,
                (_, true) => 2,
                _ => 0,
            };
            let payload =
                json!({"kwargs": call["kwargs"], "response_obj": call["response_obj"]}).to_string();
            if number == 0 {
                seeds.add("json", &name, payload.as_bytes())?;
            }
            input.push(hook | 8);
            input.extend_from_slice(payload.as_bytes());
            input.push(0xff);
        }
        seeds.add("hooks", &name, &input)?;
    }
    Ok(())
}

/// A secret of every form, and personal data.
fn redaction(seeds: &mut Seeds) -> io::Result<()> {
    for (number, text) in [
        "the key is sk-proj-abcDEF0123456789xyz, Authorization: Bearer abc.def-012345678",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY AKIAIOSFODNN7EXAMPLE",
        "postgres://user:p@ss@db.example.com/app?password=x&key=y",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.x",
        "{\"password\": \"hunter2\", 'api_key': 'a'} <secret>x</secret> Cookie: a=b",
        "alice@example.com +1 (415) 555-2671 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00",
        "abc8Q~0123456789abcdefghijklmnopqrstuv 123456789:AAF0123456789abcdefghijklmnopqrstuv",
        "ghp_0123456789abcdefghij hf_0123456789abcdefghij ya29.a0AfH6SMBx0123456789 Basic dXNlcjpwYXNz",
    ]
    .into_iter()
    .enumerate()
    {
        for how in [0_u8, 30] {
            let input = [&[how][..], text.as_bytes()].concat();
            seeds.add("redact", &format!("{number}-{how}"), &input)?;
        }
    }
    Ok(())
}

/// Settings with every key, feedback, and spans, which have no fixtures of their own.
fn settings(seeds: &mut Seeds) -> io::Result<()> {
    let mut all = json!({"tracking_uri": "http://mlflow:5000", "experiment_name": "e"});
    for setting in logger_core::settings::all() {
        let default = setting
            .default
            .and_then(|json| serde_json::from_str(json).ok());
        if let (Some(object), Some(value)) = (all.as_object_mut(), default) {
            object.insert(setting.key.to_owned(), value);
        }
    }
    seeds.add("configure", "defaults", all.to_string().as_bytes())?;
    for (name, more) in [
        (
            "routes",
            r#""routes":[{"by":"tag:t","is":"x","experiment":"e-{value}"}]"#,
        ),
        (
            "auth",
            r#""username":"u","password":"p","headers":{"x-a":"b"},"workspace":"w""#,
        ),
        ("prices", r#""prices":{"m":{"input":1.5,"output":2}}"#),
        (
            "otlp",
            r#""protocol":"otlp","sample_ratio":0.5,"max_value_bytes":64,"parent":"join""#,
        ),
    ] {
        let settings =
            format!("{{\"tracking_uri\":\"http://mlflow:5000\",\"experiment_id\":\"1\",{more}}}");
        seeds.add("configure", name, settings.as_bytes())?;
    }
    let feedback = json!({"call_id": "a", "name": "helpful", "value": true, "rationale": "r", "source": {"type": "CODE", "id": "s"}});
    let mut input = vec![0];
    for part in [&feedback.to_string(), "a", "name", "0.5", "why", "who"] {
        input.extend_from_slice(part.as_bytes());
        input.push(0xff);
    }
    seeds.add("feedback", "both", &input)?;
    let mut input = (0_u8..25).collect::<Vec<_>>();
    for part in ["name", "\0key", "1", "\u{1}k", "2", "\u{4}event", "{x"] {
        input.extend_from_slice(part.as_bytes());
        input.push(0xff);
    }
    seeds.add("otlp", "span", &input)
}
