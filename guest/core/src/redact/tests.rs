use super::*;

fn redacted(text: &str) -> String {
    let detectors = Detectors::secrets();
    let redacted = detectors.redact(text);
    assert!(
        redacted.is_none() || detectors.may_find(text),
        "the first pass misses {text}"
    );
    redacted.unwrap_or_else(|| text.to_owned())
}

/// `‹secret›` marks what has to go.
fn check(marked: &str) {
    let text = marked.replace(['‹', '›'], "");
    let mut expected = String::new();
    let mut rest = marked;
    while let Some((before, from)) = rest.split_once('‹') {
        let (_, after) = from.split_once('›').unwrap();
        expected.push_str(before);
        expected.push_str(REDACTED);
        rest = after;
    }
    expected.push_str(rest);
    assert_eq!(redacted(&text), expected, "{text}");
}

#[test]
fn tokens_are_told_by_their_prefixes() {
    for marked in [
        "key: ‹sk-proj-abcDEF0123456789xyz›.",
        "‹sk-ant-api03-aaaaaaaaaaaaaaaa›",
        "‹sk-abcdefghijklmnopqrstuvwxyzABCDEFGHIJ› without digits",
        "‹sk-or-v1-0123456789abcdef0123456789abcdef›",
        "litellm's ‹sk-1234›",
        "\n‹AKIAIOSFODNN7EXAMPLE›\n",
        "‹AIzaSyA-0123456789abcdefghijklmnopqrstu›",
        "‹ya29.a0AfH6SMBx0123456789-abcdef_ghij›",
        "‹ghp_0123456789abcdefghij› and ‹hf_0123456789abcdefghij›",
        "‹github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz›",
        "‹gsk_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN0123›",
        "‹r8_0123456789abcdefghijklmnopqrstuvwxyz0›, ‹pplx-0123456789abcdef0123456789abcdef›",
        "‹xai-abcdefghijklmnopqrstuvwxyzABCDEFGHIJ›",
        "‹glpat-abcdefgh12345678XYZ›, ‹xoxb-123456789012-abcdefghij›",
        "‹sk_live_4eC39HqLyjWDarjtT1zdp7dc›, ‹rk_test_4eC39HqLyjWDarjtT1zdp7dc›",
        "‹SK0123456789abcdef0123456789abcdef› of Twilio",
        "‹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›",
        "‹npm_abcdefghijklmnopqrstuvwxyz0123456789›",
        "‹pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMA›",
        "‹dapi0123456789abcdef0123456789abcdef›",
        "‹eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P›",
        "‹eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.›",
        "https://hooks.slack.com/services/‹T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXX1›",
        "tokenized‹ghp_0123456789abcdefghijklmnop›",
        "é ‹sk-0123456789abcdef› é",
        r"line\n‹sk-0123456789abcdef›",
        "‹abc8Q~0123456789abcdefghijklmnopqrstuv› of Entra",
        "‹123456789:AAF0123456789abcdefghijklmnopqrstuv› of Telegram",
        "Discord's ‹MTE5ODYyMjQ4MzQ3MTkyNTI0OA.GhTyKa.abcdefghijklmnopqrstuvwxyzABCDEFGH›.",
        r"in JSON\n‹MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs›",
    ] {
        check(marked);
    }
}

#[test]
fn credentials_are_told_by_their_use() {
    for marked in [
        "Authorization: Bearer ‹abc.def-012345678›",
        "authorization: bearer ‹abcdef›",
        "curl -H 'Authorization: Basic ‹dXNlcjpwYXNzd29yZA==›'",
        "Basic ‹dXNlcjpwYXNz›",
        r#"{"headers":{"x-api-key":"‹anything at all›"}}"#,
        r#"{\"password\": \"‹hunter2›\"}"#,
        "postgres://‹user:p@ss›@db.example.com:5432/app",
        "https://‹oauth2:tok›@git.example.com/x.git",
        "GET /v1?key=‹abc›&alt=sse",
        "https://a.example/x?sv=1&sig=‹abc%2Fdef%3D›&se=2",
        "OPENAI_API_KEY=‹abcdefg›\nOTHER=1",
        "aws_secret_access_key = ‹wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY›",
        "AKIA's secret key is ‹wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY›",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=‹abcd0123EFGH+/4567==›;",
        "mistral key: ‹abcdefghijklmnopqrstuvwxyz012345›",
        "MISTRAL_API_KEY: ‹abcdefghijklmnopqrstuvwxyz012345›",
        "Cohere, whose key is ‹abcdefghijklmnopqrstuvwxyz0123456789ABCD›.",
        "password: ‹Tr0ub4dor&3›",
        r#"{\"Authorization\": [\"‹opaque›\"], \"a\": 1}"#,
        r#"headers: {"cookie": ["‹a=b", "c=d›"], "x": ["y"]}"#,
        "x-api-key: ‹abcdefgh›",
        "psql --password ‹hunter› -h db",
        "curl -u alice:‹s3cret› https://example.com",
        "password=‹hunter›",
        "Cookie: ‹session=abc; theme=dark›\nHost: a",
        "<password>‹hunter two›</password>",
        "<password>\n  ‹correcthorse›\n</password>",
        "<wsse:Password>‹correcthorse›</wsse:Password>",
        "<pass>‹hunter2›</pass>, <pin>‹4711›</pin>",
        r#"{"pass":"‹hunter2›"}, pass: ‹hunter2›, MY_PASS=‹hunter2›"#,
        "DB_PASS=‹correcthorse›, smtp_pass = \"‹correcthorse›\", dbPass: '‹correcthorse›'",
        r#"bearer: "‹0123456789abcdef0123›""#,
        r#"connection_string = "‹Server=db;User Id=sa;Pwd=a b›""#,
        r#""ssh_key": "‹AAAAC3NzaC1lZDI1NTE5›""#,
        "otp: ‹482913›, PIN=‹4711›, {\"pin\": ‹4711›}",
        r#"{"auths":{"ghcr.io":{"auth":"‹YWRhOmJhdHRlcnk=›"}}}"#,
        "x-goog-iap-jwt-assertion: ‹abcdefgh›, x-amzn-oidc-data: ‹abcdefgh›",
        "a\n‹-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----›\nb",
        "‹-----BEGIN PRIVATE KEY-----\\nMIIE and then it is cut›",
    ] {
        check(marked);
    }
}

#[test]
fn prose_and_programs_are_kept() {
    for text in [
        "a risk-averse-and-careful-person",
        "task-0123456789abcdef0123",
        "sk-short1",
        "sk-learn-and-other-libraries",
        "the bearer of good news",
        "Bearer authentication is explained in RFC 6750",
        "Basic understanding of the basics",
        "eyJ",
        "",
        "Password: must be at least 8 characters",
        "api_key: Optional[str] = None",
        "client = OpenAI(api_key=os.environ[\"OPENAI_KEY\"])",
        "api_key=settings.api_key, password=get_password()",
        "max_tokens=100, next_page_token=\"abc\", token: Hello",
        "the commit 0123456789abcdef0123456789abcdef01234567 has the key",
        "https://example.com:8080/a@b?model=gpt#x",
        "if password == \"hunter2\"",
        "passwords = [], api_key: [1, 2], secret = [x for x in y]",
        r#""password": ["${SECRET}"]"#,
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "{\"token\":\"Hello\",\"logprob\":-0.1}",
        r#"{"pass": true, "fail": 3, "pin": "board", "otp": "required", "auth": "password"}"#,
        r#"{"pass": 12, "first_pass": "unchanged", "bypass": "hunter2", "pin": 13}"#,
        "2 pass: 1000 ms, the first pass = scan2(text), bypass: hunter2, spin: 4711",
        "<pass>12</pass><pin>board</pin>",
        "The password is required. A password is hashed with sha256, the password is sha256-hashed",
        "Password reset failed: on the login page password rules apply",
        "install sshpass -p and $PASSWORD is taken: sshpass -p $PASSWORD",
        "a_string: abcdef123, some data: abcdef123",
        "see MTE5ODYyMjQ4MzQ3MTkyNTI0OA.short1.abc and a1b2c3d4.e5f6a7.b8",
        "docker run -u 1000:1000 --password-stdin --token $TOKEN",
        "hf_hub_download and r8_models, npm_config_registry",
        "2024-01-02T03:04:05Z 192.168.100.200 v1.2.3",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn escapes_hide_nothing_from_the_first_pass() {
    let escaped = r"\u0073k-0123456789abcdef and a\u003dsk-0123456789abcdef";
    assert!(Detectors::secrets().may_find(escaped));
}

#[test]
fn personal_data_is_found_where_it_is_asked_for() {
    let detectors = Detectors {
        email: true,
        phone: true,
        card: true,
        iban: true,
        ..Detectors::default()
    };
    for (text, redacted) in [
        ("mail alice.b+c@mail.example.co.uk.", "mail [REDACTED]."),
        ("<mailto:bob@example.com>", "<mailto:[REDACTED]>"),
        ("call +1 (415) 555-2671 now", "call [REDACTED] now"),
        ("+49 30 1234567, 415-555-2671", "[REDACTED], [REDACTED]"),
        ("(415) 555-2671", "[REDACTED]"),
        (
            "tel 020 7946 0958 or 0171/2345678",
            "tel [REDACTED] or [REDACTED]",
        ),
        ("4111 1111 1111 1111 exp 12/27", "[REDACTED] exp 12/27"),
        ("378282246310005", "[REDACTED]"),
        ("5555-5555-5555-4444.", "[REDACTED]."),
        ("DE89 3704 0044 0532 0130 00 please", "[REDACTED] please"),
        ("iban GB82WEST12345698765432", "iban [REDACTED]"),
    ] {
        assert!(detectors.may_find(text), "{text}");
        assert_eq!(detectors.redact(text).as_deref(), Some(redacted), "{text}");
        assert_eq!(Detectors::secrets().redact(text), None, "{text}");
    }
    for text in [
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 01",
        "2024-01-02 03:04:05 and 1767323045123456789",
        "192.168.100.200, version 10.20.30.40",
        "at @ home, a@b, user@localhost",
        "1767323045",
        "0000000000000000",
        "12 of 34 people, 56.78 percent",
    ] {
        assert_eq!(detectors.redact(text), None, "{text}");
    }
}

#[test]
fn patterns_are_the_users() {
    let detectors = Detectors {
        patterns: vec![
            Regex::new(r"\bEMP-\d+\b").unwrap(),
            Regex::new("x*").unwrap(),
        ],
        ..Detectors::default()
    };
    assert_eq!(
        detectors.redact("EMP-12 é xx").as_deref(),
        Some("[REDACTED] é [REDACTED]")
    );
    assert_eq!(detectors.redact("é"), None);
}

#[test]
fn names_tell_secrets() {
    use Sensitivity::{Code, Open, Password, Perhaps, Secret};
    for (name, told) in [
        ("Authorization", Secret),
        ("api_key", Secret),
        ("X-Api-Key", Secret),
        ("OPENAI_API_KEY", Secret),
        ("db.password", Secret),
        ("aws_session_token", Secret),
        ("mistralKey", Secret),
        ("set-cookie", Secret),
        (r"api\u005fkey", Secret),
        ("token", Perhaps),
        ("bearer", Perhaps),
        ("pass", Password),
        ("ADMIN2_PASS", Password),
        ("smtp_pass", Secret),
        ("dbPass", Secret),
        ("pin", Code),
        ("OTP", Code),
        ("connectionString", Secret),
        ("ssh-key", Secret),
        ("x-goog-iap-jwt-assertion", Secret),
        ("x-amzn-oidc-data", Secret),
        ("bypass", Open),
        ("spin", Open),
        ("query_string", Open),
        ("content", Open),
        ("max_tokens", Open),
        ("signature", Open),
        ("prompt_cache_key", Open),
        ("description", Open),
        ("eos_token", Open),
    ] {
        assert_eq!(sensitivity(name), told, "{name}");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    // Each would take minutes if every beginning were followed to the end of the text.
    let detectors = Detectors {
        secrets: true,
        email: true,
        phone: true,
        card: true,
        iban: true,
        patterns: vec![Regex::new("(a+)+$").unwrap()],
    };
    for part in [
        "xapp-",
        "sk-",
        "eyJ_",
        "basic ",
        "password:",
        "password:'",
        "token=\\\"",
        "://a:",
        "@",
        "a@",
        "4 1 ",
        "+1 ",
        "-----BEGIN ",
        "DE89 ",
        "Cookie:",
        "aaaaaaaa",
        "authorization: ",
        "password ",
        "login password ",
        "password is ",
        "sshpass -p ",
        "<a:password>",
        "<password>\n",
        "MTE5ODYyMjQ4MzQ3MTkyNTI0OA.",
        "a.aaaaaa",
    ] {
        let text = part.repeat(400_000 / part.len());
        detectors.redact(&text);
    }
}

/// The first pass sees text as it is escaped, the second as it is meant.
#[test]
fn no_escape_hides_a_secret_from_the_first_pass() {
    let secrets = [
        ("password", "= correct-horse-7battery"),
        ("api_key", ": \"q8Zt5vLm2Kx9Rw4Pn7Bc\""),
        (
            "aws_secret_access_key",
            " wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        (
            "cohere api key",
            " q8Zt5vLm2Kx9Rw4Pn7Bcq8Zt5vLm2Kx9Rw4Pn7Bc",
        ),
        ("", "sk-proj-q8Zt5vLm2Kx9Rw4Pn7Bcq8Zt5vLm2Kx9Rw4Pn7Bc"),
        ("Authorization", ": Bearer q8Zt5vLm2Kx9Rw4Pn7Bc"),
        (
            "",
            "MTE5ODYyMjQ4MzQ3MTkyNTI0OA.GhTyKa.q8Zt5vLm2Kx9Rw4Pn7Bcq8Zt5vL",
        ),
        ("postgres", "://ada:hunter2hunter2@db/x"),
    ];
    let detectors = Detectors::secrets();
    let mut hidden = Vec::new();
    let mut met = 0;
    for (name, value) in secrets {
        for between in [
            "\n",
            "\t",
            "\r",
            "\u{8}",
            "\0\0\0\0\0\0\0\0\0\0\0\0",
            "\"",
            "\\",
            "\u{e9}",
            "",
        ] {
            for text in [
                format!("{between}{name}{value}"),
                format!("{name}{between}{value}"),
                format!("{name}{value}{between}"),
            ] {
                let mut escaped = Vec::new();
                crate::json::write_str(&text, &mut escaped);
                let plain = String::from_utf8(escaped).unwrap();
                let forms = [
                    plain.clone(),
                    plain.replace('/', "\\/"),
                    plain.replace('é', "\\u00e9"),
                ];
                for form in forms {
                    met += usize::from(detectors.redact(&text).is_some());
                    if detectors.redact(&text).is_some()
                        && !detectors.may_find(&form[1..form.len() - 1])
                    {
                        hidden.push(form);
                    }
                }
            }
        }
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
    assert!(met > 200, "{met}");
}
