//! Numbers and tokens as people read them.
//!
//! One place decides how a percentage, a size, a duration and a token look, so that they look the same everywhere on
//! the page. Everything here is a pure function of its argument; a number that does not exist is an en dash.

/// What stands where a number does not exist.
pub const MISSING: &str = "–";

/// A probability as a percentage with one digit.
///
/// A value that is neither 0 nor 1 is never rounded to 0.0% or 100.0%: those would claim an impossibility or a
/// certainty that the model did not state.
pub fn percent(probability: f64) -> String {
    if !probability.is_finite() {
        return MISSING.to_owned();
    }
    let percentage = probability * 100.0;
    if percentage > 0.0 && percentage < 0.05 {
        "<0.1%".to_owned()
    } else if (99.95..100.0).contains(&percentage) {
        ">99.9%".to_owned()
    } else {
        format!("{percentage:.1}%")
    }
}

/// A natural logarithm with three digits and a true minus sign.
pub fn logarithm(value: f64) -> String {
    if value == f64::NEG_INFINITY {
        return "−∞".to_owned();
    }
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{:.3}", value.abs());
    if value < 0.0 && text != "0.000" { format!("−{text}") } else { text }
}

/// A whole number with a comma between thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 token`, `62 tokens`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size in decimal units, as browsers and downloads give it: `98 MB`, `1.3 GB`.
pub fn bytes(number: u64) -> String {
    scaled(number, false)
}

/// A size with one digit even where it is large, for a number that grows while one looks at it: `43.2 MB`.
pub fn bytes_precise(number: u64) -> String {
    scaled(number, true)
}

fn scaled(number: u64, precise: bool) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be shown as 1000.0 of the smaller unit.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(precise || value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A number of things in a large scale: `134.5 million`.
pub fn millions(number: u64) -> String {
    match number {
        0..1_000_000 => count(number),
        1_000_000..1_000_000_000 => format!("{:.1} million", number as f64 / 1e6),
        _ => format!("{:.1} billion", number as f64 / 1e9),
    }
}

/// A duration that has passed: `85 ms`, `1.24 s`, `2 min 5 s`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return MISSING.to_owned();
    }
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {} s", count(whole / 60), whole % 60)
    }
}

/// A duration still to come, rounded as coarsely as an estimate deserves: `about 5 s left`.
pub fn time_left(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return String::new();
    }
    if seconds < 1.5 {
        "about a second left".to_owned()
    } else if seconds < 20.0 {
        format!("about {seconds:.0} s left")
    } else if seconds < 57.0 {
        format!("about {:.0} s left", (seconds / 5.0).round() * 5.0)
    } else if seconds < 90.0 * 60.0 {
        format!("about {:.0} min left", (seconds / 60.0).round().max(1.0))
    } else {
        format!("about {:.0} h left", (seconds / 3600.0).round())
    }
}

/// Things in a second, with two significant digits below ten: `4.8`, `23`, `0.31`.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        return MISSING.to_owned();
    }
    if per_second < 0.995 {
        format!("{per_second:.2}")
    } else if per_second < 9.95 {
        format!("{per_second:.1}")
    } else {
        count(per_second.round() as u64)
    }
}

/// A token or surface form with its white space made visible: a leading space decides which token it is.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' => shown.push('␣'),
            '\n' => shown.push('↵'),
            '\t' => shown.push('⇥'),
            '\r' => shown.push('␍'),
            '\u{a0}' => shown.push('⍽'),
            c if c.is_control() => shown.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// The last characters of a text, cut at a character's edge, on one line, for saying where something happened.
pub fn ending(text: &str, characters: usize) -> String {
    let total = text.chars().count();
    let tail: String = text.chars().skip(total.saturating_sub(characters)).collect();
    let tail = tail.split_whitespace().collect::<Vec<_>>().join(" ");
    if total > characters { format!("…{tail}") } else { tail }
}

/// A text in one line, cut behind so many characters.
pub fn shortened(text: &str, characters: usize) -> String {
    // Long texts are not looked at to their end.
    let mut line = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for character in word.chars() {
            if count == characters {
                return format!("{}…", line.trim_end());
            }
            line.push(character);
            count += 1;
        }
        if count >= characters {
            break;
        }
    }
    let taken = line.split_whitespace().count();
    if text.split_whitespace().nth(taken).is_some() { format!("{}…", line.trim_end()) } else { line }
}

/// The same position as browsers count it in a text field: UTF-16 units instead of characters.
pub fn utf16_position(text: &str, characters: usize) -> u32 {
    let units: usize = text.chars().take(characters).map(char::len_utf16).sum();
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_behind() {
        for (text, characters, expected) in [
            ("one two", 20, "one two"),
            (" one\n two ", 7, "one two"),
            ("one two", 6, "one tw…"),
            ("one two", 3, "one…"),
            ("one two", 4, "one…"),
            ("", 5, ""),
            ("äöü", 2, "äö…"),
        ] {
            assert_eq!(shortened(text, characters), expected, "{text:?} {characters}");
        }
    }

    #[test]
    fn percentages_have_one_digit_and_never_lie_at_the_ends() {
        for (value, expected) in [
            (0.0, "0.0%"),
            (1e-9, "<0.1%"),
            (0.0004, "<0.1%"),
            (0.0005, "0.1%"),
            (0.51849, "51.8%"),
            (0.9994, "99.9%"),
            (0.9996, ">99.9%"),
            (1.0, "100.0%"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "–"),
        ] {
            assert_eq!(percent(value), expected, "{value}");
        }
    }

    #[test]
    fn logarithms_carry_a_true_minus() {
        for (value, expected) in
            [(-0.6971, "−0.697"), (-12.0, "−12.000"), (-1e-9, "0.000"), (0.0, "0.000"), (f64::NEG_INFINITY, "−∞")]
        {
            assert_eq!(logarithm(value), expected, "{value}");
        }
    }

    #[test]
    fn counts_group_thousands() {
        for (value, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (49_152, "49,152"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(value), expected);
        }
        assert_eq!(counted(1, "token"), "1 token");
        assert_eq!(counted(1200, "token"), "1,200 tokens");
        assert_eq!(counted(0, "request"), "0 requests");
    }

    #[test]
    fn sizes_use_the_unit_that_fits() {
        for (value, short, precise) in [
            (0, "0 B", "0 B"),
            (999, "999 B", "999 B"),
            (1_500, "1.5 kB", "1.5 kB"),
            (98_362_432, "98 MB", "98.4 MB"),
            (999_999, "1.0 MB", "1.0 MB"),
            (1_340_000_000, "1.3 GB", "1.3 GB"),
            (43_210_000, "43 MB", "43.2 MB"),
        ] {
            assert_eq!(bytes(value), short);
            assert_eq!(bytes_precise(value), precise);
        }
        assert_eq!(millions(134_515_008), "134.5 million");
        assert_eq!(millions(1_700_000_000), "1.7 billion");
        assert_eq!(millions(5_000), "5,000");
    }

    #[test]
    fn durations_and_estimates_are_as_coarse_as_they_deserve() {
        for (value, expected) in [
            (0.0, "0 ms"),
            (0.0851, "85 ms"),
            (0.0999, "0.10 s"),
            (1.236, "1.24 s"),
            (12.4, "12 s"),
            (125.0, "2 min 5 s"),
            (f64::NAN, "–"),
            (-1.0, "–"),
        ] {
            assert_eq!(duration(value), expected);
        }
        for (value, expected) in [
            (0.2, "about a second left"),
            (4.6, "about 5 s left"),
            (33.0, "about 35 s left"),
            (58.0, "about 1 min left"),
            (150.0, "about 3 min left"),
            (7200.0, "about 2 h left"),
            (f64::INFINITY, ""),
        ] {
            assert_eq!(time_left(value), expected);
        }
        assert_eq!([0.314, 4.84, 23.4, 1234.0, f64::NAN].map(rate), ["0.31", "4.8", "23", "1,234", "–"]);
    }

    #[test]
    fn white_space_of_tokens_is_visible() {
        assert_eq!(visible(" positive"), "␣positive");
        assert_eq!(visible("\n\t"), "↵⇥");
        assert_eq!(visible("\u{1b}"), "\\x1B");
        assert_eq!(visible("é😀"), "é😀");
    }

    #[test]
    fn positions_in_a_text_survive_wide_characters() {
        assert_eq!(ending("one two\nthree four", 10), "…three four");
        assert_eq!(ending("short", 10), "short");
        assert_eq!(ending("😀😀😀", 2), "…😀😀");
        assert_eq!(utf16_position("a😀b", 0), 0);
        assert_eq!(utf16_position("a😀b", 2), 3);
        assert_eq!(utf16_position("a😀b", 99), 4);
    }
}
