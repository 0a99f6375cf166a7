use super::*;

fn told(fields: &[(&'static str, &'static str)]) -> Told<'static> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    Told::by(&fields)
}

#[test]
fn sessions_and_users_are_told_by_many_names() {
    for name in [
        "X-MLflow-Session",
        "x-litellm-session-id",
        "Helicone-Session-Id",
    ] {
        assert_eq!(
            told(&[(name, " s-1 ")]).session.as_deref(),
            Some("s-1"),
            "{name}"
        );
    }
    for name in ["x-mlflow-user", "x-litellm-end-user-id", "Helicone-User-Id"] {
        assert_eq!(
            told(&[(name, "u-1")]).user.as_deref(),
            Some("u-1"),
            "{name}"
        );
    }
    let both = told(&[("helicone-session-id", "h"), ("x-mlflow-session", "m")]);
    assert_eq!(both.session.as_deref(), Some("m"));
    let baggage = told(&[("baggage", "a=b, session.id = s%2F1;p=q ,user.id=%C3%A9")]);
    assert_eq!(baggage.session.as_deref(), Some("s/1"));
    assert_eq!(baggage.user.as_deref(), Some("é"));
    let twice = told(&[("baggage", "a=b"), ("Baggage", "session_id=s,enduser.id=u")]);
    assert_eq!(twice.session.as_deref(), Some("s"));
    assert_eq!(twice.user.as_deref(), Some("u"));
    assert_eq!(
        told(&[("x-mlflow-session", " "), ("baggage", "session.id")]),
        Told::default()
    );
}

#[test]
fn tags_come_in_three_forms() {
    for (text, tags) in [
        (
            "env:prod, team : a:b,,flag",
            &[("env", "prod"), ("team", "a:b"), ("flag", "")][..],
        ),
        ("{\"env\":\"prod\",\"n\":1}", &[("env", "prod"), ("n", "1")]),
        ("[\"env:prod\",\"flag\"]", &[("env", "prod"), ("flag", "")]),
    ] {
        let expected: Vec<_> = tags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(read_tags(text), expected, "{text}");
    }
    let property = told(&[("Helicone-Property-App", "x")]).tags;
    assert_eq!(property, [("App".to_owned(), "x".to_owned())]);
}

#[test]
fn credentials_are_not_shown() {
    let fields: [(&str, &[u8]); 7] = [
        ("Authorization", b"canary"),
        ("x-api-key", b"canary"),
        ("api-key", b"canary"),
        ("x-goog-api-key", b"canary"),
        ("x-amz-security-token", b"canary"),
        ("Cookie", b"canary"),
        ("User-Agent", b"test/1"),
    ];
    assert_eq!(json(&fields), "{\"user-agent\":\"test/1\"}");
}

#[test]
fn content_is_told_by_its_type() {
    let fields: [(&str, &[u8]); 2] = [
        (
            "Content-Type",
            b"Multipart/Form-Data; charset=utf-8; boundary=\"a b\"",
        ),
        ("content-encoding", b"br"),
    ];
    let content = Content::of(&fields);
    assert_eq!(content.media_type, "multipart/form-data");
    assert_eq!(content.boundary.as_deref(), Some("a b"));
    assert_eq!(content.encoding, Some(Encoding::Brotli));
}
