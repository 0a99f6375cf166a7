//! Which name somebody meant who wrote another: it saves whom it happens to the list of all of them.

/// The known name that is what was written but for case, hyphens and a slip in four characters, three at most.
pub fn meant<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = normal(written);
    let slips = (written.len() / 4).min(3);
    known
        .map(|name| (distance(&written, &normal(name), slips), name))
        .filter_map(|(distance, name)| Some((distance?, name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn normal(name: &str) -> Vec<u8> {
    let name = name.bytes().filter(|byte| !b"-_".contains(byte));
    name.map(|byte| byte.to_ascii_lowercase()).collect()
}

/// How many bytes have to be added, left out or changed, where it is no more than `most`: Levenshtein's distance.
fn distance(one: &[u8], other: &[u8], most: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, byte) in one.iter().enumerate() {
        let mut cells = row.iter_mut();
        let mut before = index;
        let mut left = index + 1;
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (above, has) in cells.zip(other) {
            let changed = before + usize::from(byte != has);
            before = *above;
            left = changed.min(before + 1).min(left + 1);
            *above = left;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_near_is_the_one_that_was_meant() {
        let known = [
            "token",
            "tracking_uri",
            "experiment_name",
            "flush_interval_ms",
        ];
        for (written, expected) in [
            ("tokn", Some("token")),
            ("Token", Some("token")),
            ("trackingUri", Some("tracking_uri")),
            ("TRACKING-URL", Some("tracking_uri")),
            ("experiment_nmae", Some("experiment_name")),
            ("flush_interval", Some("flush_interval_ms")),
            ("experiment", None),
            ("tok", None),
            ("", None),
            ("token_token_token_token_token", None),
        ] {
            assert_eq!(meant(written, known.into_iter()), expected, "{written}");
        }
    }

    #[test]
    fn the_distance_is_levenshteins() {
        for (one, other, expected) in [
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("", "abc", 3),
            ("abc", "", 3),
            ("same", "same", 0),
        ] {
            assert_eq!(
                distance(one.as_bytes(), other.as_bytes(), 3),
                Some(expected),
                "{one} {other}"
            );
        }
        assert_eq!(distance(b"kitten", b"sitting", 2), None);
    }
}
