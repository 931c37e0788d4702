//! Numbers as people read them: the same shape in every picture, table and sentence.

/// Whether a value is a proportion: a number from 0 to 1.
pub(super) fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// A proportion as a percentage with one digit, as in `83.5%`; a number that does not exist is a dash.
pub fn percent(value: f64) -> String {
    if (value * 100.0).is_finite() { format!("{}%", number(value * 100.0, 1)) } else { "–".to_string() }
}

/// A proportion with its interval, as in `83.5% (80.0–86.5%)`.
pub fn percent_interval(value: f64, low: f64, high: f64) -> String {
    if [value, low, high].iter().all(|v| (v * 100.0).is_finite()) {
        format!("{} ({}–{})", percent(value), number(low * 100.0, 1), percent(high))
    } else {
        percent(value)
    }
}

/// A count with thin groups of three, as in `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count in at most four characters, as in `12k`, for the small places inside a picture.
pub fn short_count(value: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1_000_000_000_000_000_000, "E"),
        (1_000_000_000_000_000, "P"),
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    for (unit, name) in UNITS {
        if value >= unit {
            let scaled = value as f64 / unit as f64;
            // Truncated, so that 999,999 never becomes "1000k".
            return if scaled < 10.0 {
                format!("{:.1}{name}", (scaled * 10.0).floor() / 10.0)
            } else {
                format!("{:.0}{name}", scaled.floor())
            };
        }
    }
    value.to_string()
}

/// A number with a fixed number of decimals and grouped thousands; a number that does not exist is a dash.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_string();
    }
    let value = minus_zero(value, decimals);
    if value.abs() >= 1e15 {
        return format!("{value:.2e}");
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let grouped = whole.parse::<u64>().map_or_else(|_| whole.to_string(), count);
    let sign = if value < 0.0 { "−" } else { "" };
    fraction.map_or_else(|| format!("{sign}{grouped}"), |fraction| format!("{sign}{grouped}.{fraction}"))
}

/// An amount of money: no decimals from 100 on, two below.
pub fn money(value: f64, currency: &str) -> String {
    let text = number(value, if value.abs() >= 100.0 || value == 0.0 { 0 } else { 2 });
    if currency.is_empty() { text } else { format!("{text} {currency}") }
}

/// The word with its count, as in `1 row` or `1,000 rows`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Zero without a sign where the rounded value would read `-0`.
fn minus_zero(value: f64, decimals: usize) -> f64 {
    let half = 0.5 * 10f64.powi(-(decimals as i32));
    if value.abs() < half { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_the_same_everywhere() {
        assert_eq!(percent(0.8346), "83.5%");
        assert_eq!(percent(-0.0001), "0.0%");
        assert_eq!(percent(f64::NAN), "–");
        assert_eq!(percent_interval(0.8, 0.75, 0.85), "80.0% (75.0–85.0%)");
        assert_eq!(percent_interval(0.8, f64::NAN, 0.85), "80.0%");
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(value), text);
        }
        for (value, text) in
            [(7, "7"), (999, "999"), (1234, "1.2k"), (12_345, "12k"), (999_999, "999k"), (u64::MAX, "18E")]
        {
            assert_eq!(short_count(value), text);
            assert!(short_count(value).len() <= 4);
        }
        assert_eq!(number(-1234.5, 1), "−1,234.5");
        assert_eq!(number(-0.0004, 2), "0.00");
        assert_eq!(number(f64::INFINITY, 2), "–");
        assert_eq!(number(1e300, 2), "1.00e300");
        assert_eq!(money(12_345.4, "EUR"), "12,345 EUR");
        assert_eq!(money(5.5, ""), "5.50");
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(1000, "row", "rows"), "1,000 rows");
    }
}
