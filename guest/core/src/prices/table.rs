//! The built-in prices: a sorted text, searched where it lies.

use std::cmp::Ordering;

use super::names::Candidate;
use super::price::{Price, Rates};

/// See the head of the file for what a line says.
const TABLE: &str = include_str!("table.txt");

/// The geographies of Bedrock's inference profiles. `global` is billed as if there were none.
const GEOGRAPHIES: [&str; 8] = ["apac", "au", "ca", "eu", "global", "jp", "us", "us-gov"];

/// The price of exactly this model, if one of the candidate's vendors has it.
pub fn price(candidate: Candidate<'_>) -> Option<Price> {
    let mut vendors = candidate.vendors.iter();
    vendors.find_map(|vendor| match *vendor {
        "bedrock" => bedrock(candidate.name),
        vendor => entry(vendor, candidate.name).map(|entry| entry.price),
    })
}

fn bedrock(name: &str) -> Option<Price> {
    if let Some(entry) = entry("bedrock", name) {
        return Some(entry.price);
    }
    let (geography, name) = name.split_once('.')?;
    if !GEOGRAPHIES.contains(&geography) {
        return None;
    }
    let entry = entry("bedrock", name)?;
    Some(match geography {
        "global" => entry.price,
        _ => entry.price.times(entry.geo),
    })
}

/// A line, read.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    price: Price,
    geo: f64,
}

fn entry(vendor: &str, name: &str) -> Option<Entry> {
    let mut rest = TABLE;
    while let Some((before, line, after)) = middle(rest) {
        let (found, prices) = line.split_once(' ').unwrap_or((line, ""));
        let found = found.split_once('/').unwrap_or((found, ""));
        rest = match (vendor, name).cmp(&found) {
            Ordering::Equal => return read(prices),
            Ordering::Less => before,
            Ordering::Greater => after,
        };
    }
    None
}

/// The line in the middle of lines, and what is before and after it.
fn middle(lines: &str) -> Option<(&str, &str, &str)> {
    let (first, second) = lines.as_bytes().split_at_checked(lines.len() / 2)?;
    let start = memchr::memrchr(b'\n', first).map_or(0, |end| end + 1);
    let end = memchr::memchr(b'\n', second).map(|end| first.len() + end)?;
    Some((
        lines.get(..start)?,
        lines.get(start..end)?,
        lines.get(end + 1..)?,
    ))
}

/// What a line says after the name; none if that is not a price.
fn read(prices: &str) -> Option<Entry> {
    let mut words = prices.split(' ');
    let mut price = Price {
        rates: plain(&mut words)?,
        ..Price::default()
    };
    let mut geo = 1.0;
    while let Some(word) = words.next() {
        let (key, value) = word.split_once('=')?;
        if key == "above" {
            price.above = Some((value.parse().ok()?, plain(&mut words)?));
            continue;
        }
        let value: f64 = value.parse().ok()?;
        let rates = match &mut price.above {
            Some((_, above)) => above,
            None => &mut price.rates,
        };
        match key {
            "read" => rates.cache_read = Some(value),
            "write" => rates.cache_write = Some(value),
            "think" => rates.reasoning = Some(value),
            "audio_in" => rates.audio_input = Some(value),
            "audio_out" => rates.audio_output = Some(value),
            "image_in" => rates.image_input = Some(value),
            "image_out" => rates.image_output = Some(value),
            "image" => price.image = Some(value),
            "request" => price.request = Some(value),
            "geo" => geo = value,
            _ => return None,
        }
    }
    Some(Entry { price, geo })
}

fn plain<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Rates> {
    Some(Rates {
        input: words.next()?.parse().ok()?,
        output: words.next()?.parse().ok()?,
        ..Rates::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| {
            let (name, prices) = line.split_once(' ').unwrap();
            let (vendor, model) = name.split_once('/').unwrap();
            (vendor, model, prices)
        })
    }

    #[test]
    fn every_line_reads_and_is_found() {
        for (vendor, model, prices) in lines() {
            let entry = entry(vendor, model).unwrap_or_else(|| panic!("{vendor}/{model} is lost"));
            assert_eq!(read(prices), Some(entry), "{vendor}/{model}");
            let price = entry.price;
            let paid = price.rates.input > 0.0 || price.image.is_some() || price.request.is_some();
            assert!(paid, "{vendor}/{model} has no price");
            if let Some((_, above)) = price.above {
                assert!(above.input >= price.rates.input, "{vendor}/{model}");
                assert!(above.output >= price.rates.output, "{vendor}/{model}");
                assert_eq!(above.cache_read.is_some(), price.rates.cache_read.is_some());
                assert_eq!(
                    above.cache_write.is_some(),
                    price.rates.cache_write.is_some()
                );
            }
        }
    }

    #[test]
    fn the_table_is_sorted_and_small() {
        assert!(
            lines()
                .map(|(vendor, model, _)| (vendor, model))
                .is_sorted()
        );
        // Before any name, whatever the order of its own lines.
        let mut after_head = TABLE.lines().skip_while(|line| line.starts_with('#'));
        assert!(after_head.all(|line| !line.starts_with('#')));
        assert!(TABLE.is_ascii() && TABLE.ends_with('\n'));
        assert!(TABLE.len() < 25_000, "{}", TABLE.len());
    }

    #[test]
    fn no_line_repeats_what_a_shorter_name_says() {
        for (vendor, model, _) in lines() {
            let shorter = names::without_versions(model)
                .skip(1)
                .find_map(|name| entry(vendor, name));
            assert!(
                shorter.is_none() || shorter != entry(vendor, model),
                "{vendor}/{model}"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for name in [
            "",
            "#",
            "a",
            "zzz",
            "gpt",
            "gpt-4o ",
            "gpt-4o 2.5",
            "gpt-4o\n",
            "\u{1F600}",
        ] {
            assert_eq!(entry("openai", name), None, "{name}");
        }
        assert_eq!(entry("", ""), None);
        assert_eq!(entry("zzz", "zzz"), None);
    }

    #[test]
    fn a_line_that_says_nonsense_is_no_price() {
        for bad in [
            "",
            "1",
            "1 x",
            "1 2 read",
            "1 2 read=",
            "1 2 above=1",
            "1 2 tea=3",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
