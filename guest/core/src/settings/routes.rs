//! Which calls go to which experiment: tenants are kept apart by rules, not by what clients ask for.

use super::{Setting, read};
use crate::json::{Kind, Raw};

/// Which experiments clients may ask for by a header field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// None: what they ask for is not heard.
    #[default]
    Closed,
    /// These.
    Listed(Vec<String>),
    /// Any: they are trusted.
    Open,
}

impl Clients {
    /// Whether a client may ask for an experiment of this name.
    pub fn may_ask_for(&self, name: &str) -> bool {
        match self {
            Self::Closed => false,
            Self::Listed(names) => names.iter().any(|listed| listed == name),
            Self::Open => true,
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    by: By,
    /// The value that is asked for; none: any.
    is: Option<String>,
    /// The experiment's name, in which `{value}` stands for the value found.
    experiment: String,
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The team, by name or else id.
    Team,
    /// The name of the API key.
    KeyAlias,
    /// The organisation.
    Organization,
    /// A tag of this key.
    Tag(String),
    /// A header field of the client's request, its name in lower case.
    Header(String),
}

pub(super) const TABLE: &[Setting] = &[ROUTES, CLIENTS];

const CLIENTS: Setting = Setting::new(
    "client_experiments",
    "Which experiments the clients of a gateway may ask for by the header field `x-mlflow-experiment`: `false`, none, what they \
     ask for is not heard; a list of names; or `true`, any, and their tags count for `routes` too. What the host says of \
     the experiment is always heard.",
    |settings, value| {
        settings.clients = match value.kind() {
            Kind::Bool if value.as_bool() == Some(true) => Clients::Open,
            Kind::Bool => Clients::Closed,
            Kind::Array => {
                let names = value.items().map(read::text);
                Clients::Listed(names.collect::<Result<_, _>>()?)
            }
            _ => return Err(read::expected("true, false or a list of names", value)),
        };
        Ok(())
    },
)
.default("false");

const ROUTES: Setting = Setting::new(
    "routes",
    "Rules that send calls to experiments by tenant: a list of objects `{\"by\": \"team\", \"is\": \"search\", \
     \"experiment\": \"search-llm\"}`, of which the first that fits counts. `by` is `team`, `key_alias`, \
     `organization`, `tag:NAME` or `header:NAME`; without `is` any value fits; `{value}` in the \
     experiment's name stands for the value. Of captured calls, tags are those that the host gave. What the host says of the experiment goes before, \
     `experiment_name` is for what no rule fits.",
    |settings, value| {
        if value.kind() != Kind::Array {
            return Err(read::expected("a list of rules", value));
        }
        let rules = value.items().enumerate().map(|(number, rule)| {
            route(rule).map_err(|reason| format!("rule {}: {reason}", number + 1))
        });
        settings.routes = rules.collect::<Result<_, _>>()?;
        Ok(())
    },
);

fn route(rule: Raw<'_>) -> Result<Route, String> {
    let (mut by, mut is, mut experiment) = (None, None, None);
    for (key, value) in read::members(rule, "an object with `by` and `experiment`")? {
        let named = |reason| format!("`{key}`: {reason}");
        match key.as_str() {
            "by" => by = Some(kind(&read::text(value).map_err(named)?).map_err(named)?),
            "is" => is = Some(read::text(value).map_err(named)?),
            "experiment" => experiment = Some(read::text(value).map_err(named)?),
            other => {
                let other = other.escape_default();
                return Err(format!(
                    "unknown member `{other}`; a rule has by, is, experiment"
                ));
            }
        }
    }
    Ok(Route {
        by: by.ok_or("`by` is missing: team, key_alias, organization, tag:NAME or header:NAME")?,
        is,
        experiment: experiment.ok_or("`experiment` is missing: the experiment's name")?,
    })
}

fn kind(by: &str) -> Result<By, String> {
    let name = |name: &str| {
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    let kind = match by.split_once(':') {
        None if by == "team" => Some(By::Team),
        None if by == "key_alias" => Some(By::KeyAlias),
        None if by == "organization" => Some(By::Organization),
        Some(("tag", tag)) => name(tag).map(By::Tag),
        Some(("header", header)) => name(header).map(|name| By::Header(name.to_lowercase())),
        _ => None,
    };
    kind.ok_or_else(|| {
        format!("team, key_alias, organization, tag:NAME or header:NAME expected, found \"{by}\"")
    })
}

/// The experiment's name that the first rule that fits gives; `find` looks up what a rule looks at.
pub fn experiment<'v>(
    routes: &[Route],
    find: impl Fn(&By) -> Option<std::borrow::Cow<'v, str>>,
) -> Option<String> {
    routes.iter().find_map(|route| {
        let value = find(&route.by)?;
        let fits = !value.is_empty() && route.is.as_ref().is_none_or(|is| *is == value);
        fits.then(|| route.experiment.replace("{value}", &value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn routes(json: &str) -> Result<Vec<Route>, String> {
        let mut settings = super::super::Settings::default();
        let setting = &TABLE[0];
        (setting.apply)(&mut settings, Raw::parse(json).unwrap()).map(|()| settings.routes)
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let routes = routes(
            r#"[{"by":"team","is":"search","experiment":"s"},{"by":"tag:Tenant","experiment":"t-{value}"}]"#,
        )
        .unwrap();
        let found = |team: &'static str, tag: &'static str| {
            experiment(&routes, |by| match by {
                By::Team => Some(Cow::Borrowed(team)),
                By::Tag(name) if name == "Tenant" => Some(Cow::Borrowed(tag)),
                _ => None,
            })
        };
        assert_eq!(found("search", "x").as_deref(), Some("s"));
        assert_eq!(found("other", "x").as_deref(), Some("t-x"));
        assert_eq!(found("other", ""), None);
    }

    #[test]
    fn wrong_rules_are_named() {
        for (json, told) in [
            (r#"[{"by":"team"}]"#, "rule 1: `experiment` is missing"),
            (
                r#"[{"by":"moon","experiment":"x"}]"#,
                "rule 1: `by`: team, key_alias",
            ),
            (r#"[{"by":"tag:","experiment":"x"}]"#, "rule 1: `by`"),
            (
                r#"[{"by":"team","experiment":"x","if":1}]"#,
                "unknown member `if`",
            ),
            (
                r#"{"by":"team"}"#,
                "a list of rules expected, found an object",
            ),
        ] {
            let error = routes(json).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
