//! Under which names a model is looked up: who serves it, and its name with less and less around it.
//!
//! A longer name is never taken for a shorter one unless what is left over is a date, a version or
//! `latest`: `gpt-4o` is not `gpt-4`.

use super::providers::{self, ANY, Vendors, WELL_KNOWN, is_way};

/// A name to look up, and whose table to look in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'m> {
    /// Whose models these are.
    pub vendors: Vendors,
    /// The model's name.
    pub name: &'m str,
}

/// The model's name as given, then without provider and way before it.
pub fn candidates<'m>(
    provider: Option<&str>,
    model: &'m str,
) -> impl Iterator<Item = Candidate<'m>> {
    let vendors = provider.map_or(ANY, |provider| {
        providers::vendors(provider).unwrap_or(WELL_KNOWN)
    });
    let first = Candidate {
        vendors,
        name: model,
    };
    std::iter::successors(Some(first), |Candidate { vendors, name }| {
        let (head, name) = name.split_once('/')?;
        let vendors = match providers::vendors(head) {
            // A model on a server of one's own stays there.
            Some(_) if vendors.is_empty() => vendors,
            Some(named) => named,
            None if head.starts_with("arn:aws") => &["bedrock"],
            None if is_way(head) => vendors,
            None => return None,
        };
        Some(Candidate { vendors, name })
    })
}

/// The name, then without one date, version or `latest` after the other at its end.
pub fn without_versions(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| shorter(name))
}

fn shorter(name: &str) -> Option<&str> {
    // OpenAI's fine-tuned models: `ft:`, the model, `:`, whose and which.
    let tuned = name
        .strip_prefix("ft:")
        .and_then(|rest| rest.split_once(':'));
    if let Some((model, _)) = tuned {
        return name.get(.."ft:".len() + model.len());
    }
    // Bedrock: `…-v1:0`, and the context's length as `…:0:200k`.
    if let Some((rest, last)) = name.rsplit_once(':')
        && digits(last.strip_suffix('k').unwrap_or(last), 1..=3)
    {
        return Some(rest);
    }
    let (rest, last) = split(name)?;
    let version = last.strip_prefix('v').is_some_and(|version| {
        let mut parts = version.split('.');
        parts.clone().count() <= 2 && parts.all(|part| digits(part, 1..=2))
    });
    if matches!(last, "latest" | "default") || version || digits(last, 3..=3) || is_date(last) {
        return Some(rest);
    }
    // Dates in two or three parts: `2024-07-18`, `08-2024`, `05-20`.
    let (rest, before) = split(rest)?;
    if is_year(last) && is_month(before) {
        return Some(rest);
    }
    if !(is_month(before) && is_day(last)) {
        return None;
    }
    let dated = split(rest).filter(|(_, year)| is_year(year));
    Some(dated.map_or(rest, |(rest, _)| rest))
}

/// The last part of a name, and what is before it.
fn split(name: &str) -> Option<(&str, &str)> {
    let at = name.rfind(['-', '@'])?;
    Some((name.get(..at)?, name.get(at + 1..)?)).filter(|(rest, _)| !rest.is_empty())
}

/// `20240718`, `0613` (month and day), `2407` (year and month).
fn is_date(text: &str) -> bool {
    let Some((first, second)) = text.split_at_checked(text.len() / 2) else {
        return false;
    };
    match text.len() {
        8 => is_year(first) && is_day_of_year(second),
        4 => is_day_of_year(text) || (is_recent(first) && is_month(second)),
        _ => false,
    }
}

fn is_day_of_year(text: &str) -> bool {
    text.split_at_checked(2)
        .is_some_and(|(month, day)| is_month(month) && is_day(day))
}

/// The last two digits of a year.
fn is_recent(text: &str) -> bool {
    text.len() == 2 && number(text).is_some_and(|year| (22..50).contains(&year))
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.strip_prefix("20").is_some_and(is_recent)
}

fn is_month(text: &str) -> bool {
    text.len() == 2 && number(text).is_some_and(|month| (1..=12).contains(&month))
}

fn is_day(text: &str) -> bool {
    text.len() == 2 && number(text).is_some_and(|day| (1..=31).contains(&day))
}

fn number(text: &str) -> Option<u32> {
    digits(text, 1..=2).then(|| text.parse().ok())?
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_versions_are_taken_off_one_by_one() {
        for (name, shorter) in [
            ("gpt-4o-mini-2024-07-18", &["gpt-4o-mini"][..]),
            ("claude-sonnet-4-20250514", &["claude-sonnet-4"]),
            (
                "claude-3-5-sonnet-v2@20241022",
                &["claude-3-5-sonnet-v2", "claude-3-5-sonnet"],
            ),
            ("command-r-08-2024", &["command-r"]),
            ("gemini-2.5-pro-preview-05-06", &["gemini-2.5-pro-preview"]),
            ("gemini-2.0-flash-001", &["gemini-2.0-flash"]),
            (
                "mistral-large@2411-001",
                &["mistral-large@2411", "mistral-large"],
            ),
            ("grok-4-0709", &["grok-4"]),
            ("pixtral-large-latest", &["pixtral-large"]),
            (
                "anthropic.claude-3-sonnet-20240229-v1:0:200k",
                &[
                    "anthropic.claude-3-sonnet-20240229-v1:0",
                    "anthropic.claude-3-sonnet-20240229-v1",
                    "anthropic.claude-3-sonnet-20240229",
                    "anthropic.claude-3-sonnet",
                ],
            ),
            (
                "ft:gpt-4o-mini-2024-07-18:my-org::id",
                &["ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini"],
            ),
        ] {
            let found: Vec<_> = without_versions(name).skip(1).collect();
            assert_eq!(found, shorter, "{name}");
        }
    }

    #[test]
    fn anything_else_stays() {
        for name in [
            "gpt-4o",
            "gpt-4-turbo",
            "gpt-3.5-turbo-16k",
            "gpt-4-32k",
            "claude-opus-4-1",
            "claude-2.1",
            "o1-pro",
            "llama3-8b-8192",
            "mixtral-8x7b-32768",
            "gpt-4o:free",
            "model-2024-13-01",
            "model-20241301",
            "model-9999",
            "-latest",
            "latest",
            "-",
            "",
            "ü-é",
        ] {
            assert_eq!(without_versions(name).count(), 1, "{name}");
        }
    }

    #[test]
    fn providers_and_ways_are_taken_off() {
        let names = |provider, model| -> Vec<_> {
            let candidates = candidates(provider, model);
            candidates
                .map(|found| (found.vendors.join(" "), found.name))
                .collect()
        };
        let openai = "openai".to_owned();
        assert_eq!(
            names(Some("OpenAI"), "gpt-4o"),
            [(openai.clone(), "gpt-4o")]
        );
        let last = |provider, model| names(provider, model).pop().unwrap();
        assert_eq!(
            last(Some("openrouter"), "openai/gpt-4o"),
            (openai.clone(), "gpt-4o")
        );
        assert_eq!(last(None, "openrouter/openai/gpt-4o"), (openai, "gpt-4o"));
        assert_eq!(last(None, "azure/global-standard/gpt-4o").1, "gpt-4o");
        assert_eq!(
            last(None, "bedrock/us-gov-west-1/x.y"),
            ("bedrock".to_owned(), "x.y")
        );
        assert_eq!(
            last(Some("gemini"), "models/gemini-2.5-pro").1,
            "gemini-2.5-pro"
        );
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.x.y";
        assert_eq!(last(None, arn), ("bedrock".to_owned(), "us.x.y"));
        assert_eq!(
            last(Some("ollama"), "openai/gpt-4o"),
            (String::new(), "gpt-4o")
        );
        assert_eq!(
            last(Some("fireworks_ai"), "accounts/x/models/y").1,
            "accounts/x/models/y"
        );
    }
}
