use super::*;
use crate::json::{Raw, write_clean};
use crate::settings::Settings;

fn filtered_within(root: Root, settings: &str, json: &str) -> (String, usize, usize) {
    let settings = format!(r#"{{"tracking_uri":"http://localhost:5000",{settings}}}"#);
    let settings = Settings::parse(&settings).unwrap();
    let mut policy = Policy::new(&settings.content);
    policy.within(root);
    let mut out = Vec::new();
    write_clean(Raw::parse(json).unwrap(), &mut out, 0, &mut policy);
    (
        String::from_utf8(out).unwrap(),
        policy.did.redacted,
        policy.did.cut,
    )
}

fn filtered(settings: &str, json: &str) -> (String, usize, usize) {
    filtered_within(Root::Other, settings, json)
}

#[test]
fn secrets_go_before_strings_are_cut() {
    let text = format!("{}sk-0123456789abcdef", "é\\n".repeat(30));
    let (out, redacted, cut) = filtered(r#""max_value_bytes":64"#, &format!("[\"{text}\"]"));
    assert_eq!((redacted, cut), (1, 1));
    assert!(out.ends_with("é\\n… [37 bytes cut]\"]"), "{out}");
    assert!(!out.contains("sk-"), "{out}");
}

#[test]
fn members_are_secrets_by_their_names() {
    for (json, kept) in [
        (
            r#"{"api_key": "a", "access_token":{}}"#,
            r#"{"api_key": "[REDACTED]", "access_token":{}}"#,
        ),
        (
            r#"{"Authorization":["Basic x","y"],"password":12}"#,
            r#"{"Authorization":"[REDACTED]","password":"[REDACTED]"}"#,
        ),
        (
            r#"{"properties":{"password":{"type":"string"}},"credentials":{"user":"a"}}"#,
            r#"{"properties":{"password":{"type":"string"}},"credentials":"[REDACTED]"}"#,
        ),
        (
            r#"[{"name":"X-Api-Key","value":"a"},{"name":"x","value":"b"}]"#,
            r#"[{"name":"X-Api-Key","value":"[REDACTED]"},{"name":"x","value":"b"}]"#,
        ),
        (
            r#"{"token":"Hello","a":{"token":"0123456789abcdefABCDEF"}}"#,
            r#"{"token":"Hello","a":{"token":"[REDACTED]"}}"#,
        ),
        (
            r#"{"sk-0123456789abcdef":1,"p\u0061ssword":"x"}"#,
            r#"{"[REDACTED]":1,"p\u0061ssword":"[REDACTED]"}"#,
        ),
    ] {
        assert_eq!(filtered(r#""redact":true"#, json).0, kept);
        assert_eq!(filtered(r#""redact":false"#, json).0, json);
    }
}

#[test]
fn what_is_nested_too_deep_is_looked_at_as_well() {
    let deep = "[".repeat(100) + r#"{"password":"a"},"sk-0123456789abcdef""# + &"]".repeat(100);
    let (out, redacted, _) = filtered(r#""redact":true"#, &deep);
    assert_eq!(redacted, 2);
    assert!(!out.contains("sk-") && !out.contains("\"a"), "{out}");
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
}

#[test]
fn paths_lead_into_inputs_and_outputs() {
    let settings = r#""redact":{"paths":["/messages/0/content","/outputs/a/*/b","/inputs/n"]}"#;
    let json = r#"{"messages":[{"content":"x"},{"content":"y"}],"a":[{"b":{"c":1}}],"n":7}"#;
    let inputs = r#"{"messages":[{"content":"[REDACTED]"},{"content":"y"}],"a":[{"b":{"c":1}}],"n":"[REDACTED]"}"#;
    assert_eq!(filtered_within(Root::Inputs, settings, json).0, inputs);
    let outputs =
        r#"{"messages":[{"content":"[REDACTED]"},{"content":"y"}],"a":[{"b":"[REDACTED]"}],"n":7}"#;
    assert_eq!(filtered_within(Root::Outputs, settings, json).0, outputs);
    assert_eq!(filtered(settings, json).0, json);
    let messages = r#"[{"content":"x"}]"#;
    let within = filtered_within(Root::Input("messages"), settings, messages).0;
    assert_eq!(within, r#"[{"content":"[REDACTED]"}]"#);
}

#[test]
fn media_are_described() {
    let hello = "[image/png, 5 bytes, sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824]";
    for json in [
        r#"{"image_url":{"url":"data:image/png;base64,aGVsbG8="}}"#,
        r#"{"source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}}"#,
        r#"{"inlineData":{"data":"aGVsbG8=","mimeType":"image/png"}}"#,
        r#"{"input_image":{"format":"png","data":"aGVsbG8="}}"#,
        r#"{"a":"data:image\/png;base64,aGVsbG8="}"#,
    ] {
        let (out, ..) = filtered(r#""redact":true"#, json);
        assert!(out.contains(hello) && !out.contains("aGVs"), "{out}");
        assert_eq!(filtered(r#""media":"keep""#, json).0, json);
    }
    for (json, kind) in [
        (
            r#"{"input_audio":{"data":"aGVsbG8=","format":"wav"}}"#,
            "audio/wav",
        ),
        (
            r#"{"audio":{"id":"a","data":"aGVsbG8=","transcript":"t"}}"#,
            "audio",
        ),
        (
            r#"{"data":[{"b64_json":"aGVsbG8="}]}"#,
            "application/octet-stream",
        ),
        (r#"{"images":["aGVsbG8="]}"#, "application/octet-stream"),
        (
            r#"{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}}"#,
            "application/octet-stream",
        ),
        (
            r#"{"type":"response.output_audio.delta","delta":"aGVsbG8="}"#,
            "audio",
        ),
    ] {
        let (out, ..) = filtered(r#""redact":true"#, json);
        assert!(
            out.contains(&format!("[{kind}, 5 bytes, sha256 2cf24")) && !out.contains("aGVs"),
            "{out}"
        );
    }
    for json in [
        r#"{"type":"redacted_thinking","data":"aGVsbG8="}"#,
        r#"{"data":"hello","format":"json"}"#,
        r#"{"embedding":"aGVsbG8="}"#,
        r#"{"images":["https://example.com/a.png"]}"#,
    ] {
        assert_eq!(filtered(r#""redact":true"#, json).0, json);
    }
}

#[test]
fn users_are_told_by_hashes() {
    let settings = r#""user_hash_key":"0123456789abcdef""#;
    let (out, ..) = filtered(
        settings,
        r#"{"user":"alice","metadata":{"user_id":"alice"},"role":"user"}"#,
    );
    let hash = UserKey::new("0123456789abcdef").hash("alice");
    assert_eq!(
        out,
        format!(r#"{{"user":"{hash}","metadata":{{"user_id":"{hash}"}},"role":"user"}}"#)
    );
}
