//! Reads and applies `conditions`.
//!
//! The grammar is the documented one: `field operator literal`, joined by `and` and `or`, with parentheses. Text compares without regard to
//! case. A literal must fit its field's type, and a field must be known: anything else is 400 `ApiFindCondition`.

mod lexer;
mod like;

use super::errors::wrong_conditions;
use crate::answer::Answer;
use chrono::{DateTime, Utc};
use lexer::{Lexeme, lexemes};
use std::borrow::Cow;

/// Parentheses within parentheses at most.
const DEPTH_MAX: usize = 20;

/// What a field holds, which decides the literals that it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Number,
    Text,
    Flag,
    Time,
}

/// A field that conditions may name.
pub(super) type Field = (&'static str, Type);

/// The value of a field of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand<'a> {
    Null,
    Number(f64),
    Text(Cow<'a, str>),
    Flag(bool),
    Time(DateTime<Utc>),
}

impl Operand<'_> {
    pub(super) fn id(id: i64) -> Self {
        // Ids are 32 bits wide on the wire, which a double holds exactly.
        i32::try_from(id).map_or(Self::Null, |id| Self::Number(f64::from(id)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    Contains,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(&'static str, Comparison),
    In(&'static str, Vec<Operand<'static>>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    operator: Operator,
    literal: Operand<'static>,
}

/// Parses conditions over these fields.
pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Condition, Box<Answer>> {
    let lexemes = lexemes(text).map_err(|message| wrong_conditions(&message))?;
    let mut parser = Parser { lexemes, next: 0, fields };
    let condition = parser.any(0)?;
    match parser.peek() {
        None => Ok(condition),
        Some(rest) => Err(wrong_conditions(&format!("Unexpected {rest} after the condition."))),
    }
}

struct Parser<'a> {
    lexemes: Vec<Lexeme>,
    next: usize,
    fields: &'a [Field],
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.next)
    }

    fn take(&mut self) -> Result<Lexeme, Box<Answer>> {
        let found = self.peek().cloned();
        self.next += 1;
        found.ok_or_else(|| wrong_conditions("The condition ends too early."))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Lexeme::Word(found)) if found.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Lexeme::Sign(found)) if *found == sign);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Box<Answer>> {
        let mut parts = vec![self.all(depth)?];
        while self.takes_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Box<Answer>> {
        let mut parts = vec![self.one(depth)?];
        while self.takes_word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Box<Answer>> {
        if self.takes_sign("(") {
            if depth == DEPTH_MAX {
                return Err(wrong_conditions("The condition has too many parentheses."));
            }
            let inner = self.any(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let (field, kind) = self.field()?;
        let negated = self.takes_word("not");
        let condition = if self.takes_word("in") {
            Condition::In(field, self.literals(kind)?)
        } else {
            let operator = self.operator(negated)?;
            let literal = self.literal(kind)?;
            if matches!(operator, Operator::Like | Operator::Contains) && kind != Type::Text {
                return Err(wrong_conditions(&format!("{field} is not a text.")));
            }
            Condition::Compare(field, Comparison { operator, literal })
        };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn field(&mut self) -> Result<Field, Box<Answer>> {
        let name = match self.take()? {
            Lexeme::Word(name) => name,
            other => return Err(wrong_conditions(&format!("Expected a field instead of {other}."))),
        };
        let known = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        known.copied().ok_or_else(|| wrong_conditions(&format!("{name} is not a recognized name.")))
    }

    fn operator(&mut self, negated: bool) -> Result<Operator, Box<Answer>> {
        let found = self.take()?;
        let operator = match &found {
            Lexeme::Word(word) if word.eq_ignore_ascii_case("like") => Some(Operator::Like),
            Lexeme::Word(word) if word.eq_ignore_ascii_case("contains") => Some(Operator::Contains),
            Lexeme::Sign(sign) if !negated => match *sign {
                "=" => Some(Operator::Equal),
                "!=" => Some(Operator::NotEqual),
                "<" => Some(Operator::Less),
                "<=" => Some(Operator::LessOrEqual),
                ">" => Some(Operator::Greater),
                ">=" => Some(Operator::GreaterOrEqual),
                _ => None,
            },
            _ => None,
        };
        operator.ok_or_else(|| wrong_conditions(&format!("Expected an operator instead of {found}.")))
    }

    fn literals(&mut self, kind: Type) -> Result<Vec<Operand<'static>>, Box<Answer>> {
        self.expect("(")?;
        let mut literals = vec![self.literal(kind)?];
        while self.takes_sign(",") {
            literals.push(self.literal(kind)?);
        }
        self.expect(")")?;
        Ok(literals)
    }

    fn literal(&mut self, kind: Type) -> Result<Operand<'static>, Box<Answer>> {
        let found = self.take()?;
        let literal = match (&found, kind) {
            (Lexeme::Word(word), _) if word.eq_ignore_ascii_case("null") => Some(Operand::Null),
            (Lexeme::Word(word), Type::Flag) => word.to_ascii_lowercase().parse().ok().map(Operand::Flag),
            (Lexeme::Number(number), Type::Number) => Some(Operand::Number(*number)),
            (Lexeme::Text(text), Type::Text) => Some(Operand::Text(Cow::Owned(text.clone()))),
            (Lexeme::Time(time), Type::Time) => Some(Operand::Time(*time)),
            _ => None,
        };
        literal.ok_or_else(|| {
            wrong_conditions(&format!(
                "{found} does not fit the field. String literals must be in single or double quotes, date times in square brackets, \
                 numbers and booleans bare."
            ))
        })
    }

    fn expect(&mut self, sign: &str) -> Result<(), Box<Answer>> {
        if self.takes_sign(sign) {
            return Ok(());
        }
        Err(wrong_conditions(&format!("Expected '{sign}'.")))
    }
}

impl Condition {
    /// Tells whether a row fulfils this condition.
    pub(super) fn holds<'a>(&self, value_of: &impl Fn(&'static str) -> Operand<'a>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(value_of)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(value_of)),
            Self::Not(inner) => !inner.holds(value_of),
            Self::Compare(field, comparison) => comparison.holds(&value_of(field)),
            Self::In(field, literals) => {
                let value = value_of(field);
                literals.iter().any(|literal| same(&value, literal))
            }
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Operand<'_>) -> bool {
        let ordered = || compare(value, &self.literal);
        match self.operator {
            Operator::Equal => same(value, &self.literal),
            Operator::NotEqual => !same(value, &self.literal),
            Operator::Less => ordered().is_some_and(|order| order.is_lt()),
            Operator::LessOrEqual => ordered().is_some_and(|order| order.is_le()),
            Operator::Greater => ordered().is_some_and(|order| order.is_gt()),
            Operator::GreaterOrEqual => ordered().is_some_and(|order| order.is_ge()),
            Operator::Like | Operator::Contains => {
                let (Operand::Text(text), Operand::Text(pattern)) = (value, &self.literal) else {
                    return false;
                };
                if self.operator == Operator::Like {
                    like::matches(text, pattern)
                } else {
                    like::matches(text, &format!("%{pattern}%"))
                }
            }
        }
    }
}

fn same(value: &Operand<'_>, literal: &Operand<'_>) -> bool {
    match (value, literal) {
        (Operand::Text(value), Operand::Text(literal)) if value.is_ascii() && literal.is_ascii() => {
            value.eq_ignore_ascii_case(literal)
        }
        (Operand::Text(value), Operand::Text(literal)) => value.to_lowercase() == literal.to_lowercase(),
        _ => value == literal,
    }
}

/// Orders two values of one type; nothing is ordered against null.
pub(super) fn compare(value: &Operand<'_>, literal: &Operand<'_>) -> Option<std::cmp::Ordering> {
    match (value, literal) {
        (Operand::Number(value), Operand::Number(literal)) => value.partial_cmp(literal),
        (Operand::Text(value), Operand::Text(literal)) => {
            Some(value.to_lowercase().cmp(&literal.to_lowercase()))
        }
        (Operand::Flag(value), Operand::Flag(literal)) => Some(value.cmp(literal)),
        (Operand::Time(value), Operand::Time(literal)) => Some(value.cmp(literal)),
        _ => None,
    }
}
