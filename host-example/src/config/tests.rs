use super::*;

const GOOD: &str = r#"listen = "127.0.0.1:8080"
[metrics]
listen = "127.0.0.1:9090"
[[upstream]]
prefix = "/openai"
base_url = "https://api.openai.com"
provider = "openai"
[[upstream]]
prefix = "/local"
base_url = "http://[::1]:11434/v1"
[logger]
tracking_uri = "http://127.0.0.1:5000"
sample_ratio = 0.5
[logger.capture]
chunks = false
[spool]
dir = "spool"
max_bytes = 1073741824
"#;

fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    Config::parse(text, Path::new("gateway.toml"))
}

/// The faults as `line key: reason`.
fn faults(text: &str) -> Vec<String> {
    let shown = |fault: Fault| {
        let line = fault.line.unwrap_or(0);
        format!("{line} {}: {}", fault.key, fault.reason)
    };
    parse(text).unwrap_err().into_iter().map(shown).collect()
}

#[test]
fn a_whole_file_is_read() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.listen.unwrap().port(), 8080);
    assert_eq!(config.metrics.unwrap().listen.port(), 9090);
    assert_eq!(config.upstreams[0].provider.as_deref(), Some("openai"));
    assert_eq!(config.upstreams[1].base_url, "http://[::1]:11434/v1");
    let spool = config.spool.unwrap();
    assert_eq!(
        (spool.dir, spool.max_bytes),
        (PathBuf::from("spool"), 1 << 30)
    );
}

#[test]
fn the_loggers_settings_keep_their_lines() {
    let logger = parse(GOOD).unwrap().logger;
    let file = |line| Source::File(PathBuf::from("gateway.toml"), Some(line));
    assert_eq!(logger["sample_ratio"], (Value::from(0.5), file(13)));
    assert_eq!(logger["capture"].0, serde_json::json!({"chunks": false}));
    assert_eq!(logger["capture"].1, file(14));
}

#[test]
fn the_token_may_stand_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let text = |more: &str| {
        format!(
            "[logger]\n{more}token_file = {:?}\n",
            path.display().to_string()
        )
    };
    assert!(
        faults(&text(""))[0].contains("2 logger.token_file: ")
            && faults(&text(""))[0].contains("cannot be read: ")
    );
    std::fs::write(&path, "\n").unwrap();
    assert!(faults(&text(""))[0].ends_with("is empty: it has to hold the token alone"));
    std::fs::write(&path, "hush\n").unwrap();
    let logger = parse(&text("")).unwrap().logger;
    let source = Source::File(path.clone(), None);
    assert_eq!(
        logger,
        Layer::from([("token".to_owned(), (Value::from("hush"), source))])
    );
    assert_eq!(
        faults(&text("token = \"other\"\n")),
        ["3 logger.token_file: excludes `token`: leave one of them out"]
    );
    assert_eq!(
        faults("[logger]\ntoken_file = 1"),
        ["2 logger.token_file: expected the path of a file"]
    );
}

#[test]
fn an_empty_file_is_good() {
    assert!(parse("").unwrap().logger.is_empty());
    assert_eq!(
        parse("[spool]\ndir = \"x\"")
            .unwrap()
            .spool
            .unwrap()
            .max_bytes,
        spool::SPOOL_BYTES
    );
}

#[test]
fn all_faults_are_told_each_with_its_line() {
    let text = "listen = \"here\"\nlog = 1\n[metrics]\nport = 1\n[[upstream]]\nprefix = \"openai\"\n\
                base_url = \"api.openai.com\"\n[[upstream]]\nprovider = 3\n[spool]\nmax_bytes = -1\n";
    let told = faults(text);
    for (line, words) in [
        (1, "listen: expected an address and port"),
        (
            2,
            "log: unknown key; known here are `listen`, `drain_timeout_ms`, `metrics`, `limits`, `queue`, \
             `upstream`, `logger`, `spool`, `dead_letter`",
        ),
        (4, "metrics.port: unknown key"),
        (3, "metrics.listen: is missing"),
        (6, "upstream.0.prefix: has to begin with a slash"),
        (7, "upstream.0.base_url: expected a URL"),
        (8, "upstream.1.prefix: is missing"),
        (8, "upstream.1.base_url: is missing"),
        (9, "upstream.1.provider: expected a string"),
        (10, "spool.dir: is missing"),
        (11, "spool.max_bytes: expected a whole number from"),
    ] {
        let start = format!("{line} {words}");
        assert!(
            told.iter().any(|fault| fault.starts_with(&start)),
            "{start}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 11, "{told:#?}");
}

#[test]
fn wrong_types_are_told() {
    let text = "listen = 8080\nmetrics = \"x\"\nupstream = 1\nlogger = []\nspool = true\n";
    let told = faults(text);
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(
        faults("upstream = [1]")[0],
        "1 upstream.0: expected a table, found a value of type integer"
    );
}

#[test]
fn two_upstreams_cannot_share_a_prefix() {
    let upstream = "[[upstream]]\nprefix = \"/a\"\nbase_url = \"http://b\"\n";
    let told = faults(&format!("{upstream}{}", upstream.replace("/a", "/a/")));
    assert_eq!(
        told,
        ["5 upstream.1.prefix: is the prefix of upstream number 1 already"]
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let told = faults("[logger]\ntoken = \"secret");
    assert!(told[0].starts_with("2 : no valid TOML"), "{told:?}");
    assert!(!told[0].contains("secret"), "{told:?}");
    assert!(faults("[logger]\na = 1\na = 2")[0].starts_with("3 : no valid TOML: duplicate key"));
}

#[test]
fn what_json_cannot_hold_is_told() {
    let told = faults("[logger]\na = nan\nb = 2024-05-01\nc = [{ d = inf }]");
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[1], "3 logger.b: cannot be a date; put it in quotes");
}

#[test]
fn the_message_is_a_line_a_fault() {
    let path = PathBuf::from("gateway.toml");
    let faults = parse("a = 1\nb = 2").unwrap_err();
    let shown = ConfigError { path, faults }.to_string();
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines[0].starts_with("gateway.toml:1: `a`: unknown key"),
        "{shown}"
    );
    assert!(
        lines[1].starts_with("gateway.toml:2: `b`: unknown key"),
        "{shown}"
    );
}
