//! Points in time as HTTP writes them: RFC 9110, section 5.6.7.

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Seconds since 1970 of a date in any of the three forms: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday,
/// 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. All have day and year in this order.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut month = None;
    let mut time = None;
    let mut numbers = Vec::new();
    for word in text.split([' ', ',', '-']).filter(|word| !word.is_empty()) {
        if word.contains(':') {
            time = Some(time_of_day(word)?);
        } else if let Ok(number) = word.parse::<i64>() {
            numbers.push(number);
        } else {
            let lower = word.to_ascii_lowercase();
            month = month.or_else(|| MONTHS.iter().position(|name| *name == lower));
        }
    }
    let &[day @ 1..=31, year @ 0..=9999] = numbers.as_slice() else {
        return None;
    };
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    let month = i64::try_from(month?).ok()? + 1;
    Some(days(year, month, day) * 86_400 + time?)
}

fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fits =
        (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..=60).contains(&seconds);
    fits.then(|| hours * 3600 + minutes * 60 + seconds)
}

/// Days since 1970 in the Gregorian calendar, counted in years that begin with March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap + (153 * month + 2) / 5 + day - 1 - 719_468
}
