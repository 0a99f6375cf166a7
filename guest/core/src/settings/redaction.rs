//! The setting `redact`: what is replaced.

use regex_lite::{Regex, RegexBuilder};

use super::{Setting, read};
use crate::json::{Kind, Raw};
use crate::policy::Pointer;
use crate::redact::Detectors;

/// How many patterns there may be, and how large each may become: together they bound the time that a text takes.
const PATTERNS: usize = 64;
const PATTERN_SIZE: usize = 256 * 1024;

/// How many paths there may be.
const PATHS: usize = 256;

/// What is replaced.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// What is looked for in texts.
    pub detectors: Detectors,
    /// Where values are replaced, whatever they are.
    pub paths: Vec<Pointer>,
}

pub(super) const SETTING: Setting = Setting::new(
    "redact",
    "What is replaced by `[REDACTED]` wherever it occurs, before anything is cut. `true`: `secrets`, which are API keys, \
     access tokens, passwords and other credentials of well-known forms. `false`: nothing. A list names what to look for: \
     `secrets`, `email`, `phone`, `card` (with Luhn's check digit), `iban` (with its check digits). An object has these as \
     truth values, `secrets` being true unless it says otherwise, and `patterns`, a list of regular expressions (linear \
     time; no look-around, no back-references), and `paths`, a list of JSON Pointers into what was asked and answered: \
     `/messages/*/content`, or with `/inputs` or `/outputs` in front for one of both; `*` stands for every member or \
     element. With a path into outputs, the chunks of streams show nothing.",
    |settings, value| {
        settings.content.redact = Redaction::read(value)?;
        Ok(())
    },
)
.default("true");

impl Redaction {
    /// Reads a value of the setting.
    pub fn read(value: Raw<'_>) -> Result<Self, String> {
        let mut redaction = Redaction::default();
        match value.kind() {
            Kind::Bool => redaction.detectors.secrets = value.as_bool() == Some(true),
            Kind::Array => {
                for (number, name) in value.items().enumerate() {
                    let name = read::text(name)
                        .map_err(|reason| format!("item {}: {reason}", number + 1))?;
                    *switch(&mut redaction.detectors, &name).ok_or_else(|| unknown(&name))? = true;
                }
            }
            Kind::Object => {
                redaction.detectors.secrets = true;
                for (name, value) in value.entries() {
                    let named = |reason| format!("`{name}`: {reason}");
                    match name.as_ref() {
                        "patterns" => redaction.detectors.patterns = patterns(value)?,
                        "paths" => redaction.paths = paths(value)?,
                        other => {
                            let switch = switch(&mut redaction.detectors, other)
                                .ok_or_else(|| unknown(other))?;
                            *switch = read::truth(value).map_err(named)?;
                        }
                    }
                }
            }
            _ => return Err(read::expected("true, false, a list or an object", value)),
        }
        Ok(redaction)
    }
}

fn switch<'d>(detectors: &'d mut Detectors, name: &str) -> Option<&'d mut bool> {
    Some(match name {
        "secrets" => &mut detectors.secrets,
        "email" => &mut detectors.email,
        "phone" => &mut detectors.phone,
        "card" => &mut detectors.card,
        "iban" => &mut detectors.iban,
        _ => return None,
    })
}

fn unknown(name: &str) -> String {
    let name = name.escape_default();
    format!(
        "unknown \"{name}\"; there are secrets, email, phone, card, iban, and in an object patterns and paths"
    )
}

fn patterns(value: Raw<'_>) -> Result<Vec<Regex>, String> {
    each(value, "patterns", PATTERNS, |text| {
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(PATTERN_SIZE).build();
        built.map_err(|error| {
            format!("\"{text}\" is no regular expression that is supported: {error}")
        })
    })
}

fn paths(value: Raw<'_>) -> Result<Vec<Pointer>, String> {
    each(value, "paths", PATHS, Pointer::parse)
}

/// Reads a list of strings; an error names the item.
fn each<T>(
    value: Raw<'_>,
    key: &str,
    most: usize,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    if value.kind() != Kind::Array {
        let expected = read::expected("a list of strings", value);
        return Err(format!("`{key}`: {expected}"));
    }
    let items = value.items().enumerate().map(|(number, item)| {
        let text = item
            .as_str()
            .ok_or_else(|| read::expected("a string", item));
        let item = text.and_then(|text| read(&text));
        item.map_err(|reason| format!("`{key}`, item {}: {reason}", number + 1))
    });
    let items: Vec<_> = items.collect::<Result<_, _>>()?;
    if items.len() > most {
        return Err(format!(
            "`{key}`: at most {most} expected, found {}",
            items.len()
        ));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Redaction, String> {
        Redaction::read(Raw::parse(json).unwrap())
    }

    #[test]
    fn every_form_is_read() {
        assert!(read("true").unwrap().detectors.secrets);
        assert!(read("false").unwrap().detectors.is_idle());
        let list = read(r#"["email","iban"]"#).unwrap().detectors;
        assert!(list.email && list.iban && !list.secrets && !list.card);
        let object =
            read(r#"{"phone":true,"patterns":["EMP-[0-9]+"],"paths":["/a","/inputs/b"]}"#).unwrap();
        assert!(object.detectors.secrets && object.detectors.phone);
        assert_eq!(
            (object.detectors.patterns.len(), object.paths.len()),
            (1, 2)
        );
        assert!(!read(r#"{"secrets":false}"#).unwrap().detectors.secrets);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, told) in [
            ("1", "true, false, a list or an object expected, found 1"),
            (r#"["mail"]"#, "unknown \"mail\"; there are secrets"),
            (r#"["email",1]"#, "item 2: a string expected"),
            (r#"{"email":"yes"}"#, "`email`: true or false expected"),
            (
                r#"{"patterns":"a"}"#,
                "`patterns`: a list of strings expected",
            ),
            (
                r#"{"patterns":["a","(b"]}"#,
                "`patterns`, item 2: \"(b\" is no regular expression",
            ),
            (r#"{"patterns":["a{1000}{1000}"]}"#, "`patterns`, item 1:"),
            (
                r#"{"paths":["/a","b"]}"#,
                "`paths`, item 2: a JSON Pointer begins with `/`",
            ),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
