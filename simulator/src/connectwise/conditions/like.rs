//! Matches text against SQL patterns.

#[derive(Debug, PartialEq)]
enum Part {
    Many,
    One,
    Letter(char),
    Among(Vec<char>),
}

/// Tells whether a text matches a pattern: `%` and `*` stand for anything, `_` for one character, `[…]` for one of those characters.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let parts = parts(&pattern.to_lowercase());
    let text: Vec<char> = text.to_lowercase().chars().collect();
    // The classic greedy match: on a mismatch, the last `%` swallows one character more.
    let (mut at, mut part) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Many) => {
                resume = Some((part, at));
                part += 1;
            }
            Some(found) if fits(found, text[at]) => {
                at += 1;
                part += 1;
            }
            _ => match resume {
                Some((many, from)) => {
                    resume = Some((many, from + 1));
                    at = from + 1;
                    part = many + 1;
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| *part == Part::Many)
}

fn fits(part: &Part, letter: char) -> bool {
    match part {
        Part::Many => false,
        Part::One => true,
        Part::Letter(wanted) => *wanted == letter,
        Part::Among(letters) => letters.contains(&letter),
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        parts.push(match letter {
            '%' | '*' => Part::Many,
            '_' => Part::One,
            '[' => Part::Among(rest.by_ref().take_while(|letter| *letter != ']').collect()),
            other => Part::Letter(other),
        });
    }
    parts
}
