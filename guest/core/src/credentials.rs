//! Where requests carry credentials: told by names, so that what they hold need not be looked at.

/// What the names of fields and of query parameters have in common that carry credentials.
const TELLING: [&str; 11] = [
    "auth",
    "cookie",
    "credential",
    "jwt",
    "key",
    "oidc-data",
    "passphrase",
    "password",
    "secret",
    "signature",
    "token",
];

/// Stands for what is not kept.
const HIDDEN: &str = "REDACTED";

/// Whether a header field or a query parameter of this name carries credentials.
pub fn is_telling(name: &str) -> bool {
    let within = |telling: &str| {
        let mut windows = name.as_bytes().windows(telling.len());
        windows.any(|window| window.eq_ignore_ascii_case(telling.as_bytes()))
    };
    // `sig` is how signed URLs have it.
    name.eq_ignore_ascii_case("sig") || TELLING.iter().any(|telling| within(telling))
}

/// A path with its query, the values of telling parameters hidden.
pub fn hidden_in_path(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_telling(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for name in [
            "authorization",
            "X-API-Key",
            "cookie",
            "x-amz-security-token",
            "x-goog-iap-jwt-assertion",
            "X-Amzn-Oidc-Data",
            "Sig",
        ] {
            assert!(is_telling(name), "{name}");
        }
        for name in ["content-type", "x-mlflow-session", "design", ""] {
            assert!(!is_telling(name), "{name}");
        }
    }

    #[test]
    fn values_of_telling_parameters_are_hidden() {
        assert_eq!(
            hidden_in_path("/v1/m:generateContent?alt=sse&key=canary&sig=canary&x"),
            "/v1/m:generateContent?alt=sse&key=REDACTED&sig=REDACTED&x"
        );
        assert_eq!(hidden_in_path("/v1/keys"), "/v1/keys");
    }
}
