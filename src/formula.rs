//! Words that a spreadsheet would run as a formula: disarmed when a table is written, restored when it is read back.
//!
//! An apostrophe goes before a first character that starts a formula (OWASP's list), also behind blanks, which some
//! programs trim first, and behind apostrophes that are there already, so that taking one off always gives what was
//! written. Only a table that this project wrote is read that way: in other data an apostrophe is one.

/// Blanks that some programs trim before they look for a formula.
const BLANKS: [char; 3] = [' ', '\u{a0}', '\u{feff}'];

/// Words that no spreadsheet takes for a formula. NUL characters, which some programs stop at, go.
pub fn disarmed(words: &str) -> String {
    let words = words.replace('\0', "\u{fffd}");
    if is_formula(&words) { format!("'{words}") } else { words }
}

/// What was written, of words that [`disarmed`] made.
pub fn restored(words: &str) -> &str {
    match words.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => words,
    }
}

/// Whether something begins that a spreadsheet may run, behind blanks and apostrophes.
fn is_formula(words: &str) -> bool {
    let first = words.trim_start_matches(|c| c == '\'' || BLANKS.contains(&c)).chars().next();
    matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_disarmed_and_words_are_not() {
        for dangerous in ["=1+1", "+1", "-1", "@cmd", "\t=1", "\r=1", "\n=1", "  =1", "\u{a0}=1", "＝1", "＠x", "'=1"]
        {
            let safe = disarmed(dangerous);
            assert!(safe.starts_with('\'') && restored(&safe) == dangerous, "{dangerous:?}");
        }
        for harmless in ["", "a=1", "1-2", "'quoted'", "it's", " plain"] {
            assert_eq!((disarmed(harmless).as_str(), restored(harmless)), (harmless, harmless));
        }
    }

    proptest! {
        #[test]
        fn reading_back_gives_what_was_written(words in "[ '=+@a\u{a0}\t-]{0,6}|.*") {
            let safe = disarmed(&words);
            prop_assert_eq!(restored(&safe), words.replace('\0', "\u{fffd}"));
        }
    }
}
