//! Texts that people type, as they are compared, and texts that systems give, as people read them.

/// Collapses white space and control characters into single spaces, trims the ends, and drops characters that nobody can see.
///
/// What people paste into ConnectWise brings byte order marks, zero-width spaces and direction marks with it.
#[must_use]
pub fn collapsed(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    visible
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The words of an operating system's error, without the number that it has for it: `no such file or directory`.
#[must_use]
pub fn system_words(error: &str) -> String {
    let words = error.split(" (os error ").next().unwrap_or_default();
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::number("No such file or directory (os error 2)", "no such file or directory")]
    #[case::no_number("unexpected end of file", "unexpected end of file")]
    #[case::empty("", "")]
    fn a_system_error_is_told_in_words(#[case] error: &str, #[case] words: &str) {
        assert_eq!(system_words(error), words);
    }

    #[rstest]
    #[case::white_space("  a \t b\u{a0}", "a b")]
    #[case::line_breaks("a\r\nb", "a b")]
    #[case::escape_sequences("a\u{1b}[31mb", "a [31mb")]
    #[case::pasted("\u{feff}2000\u{200b}001\u{200e}", "2000001")]
    #[case::nothing(" \u{200b} ", "")]
    fn a_text_is_collapsed(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(collapsed(text), expected);
    }
}
