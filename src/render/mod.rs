//! Turns values into what a person or a program reads. Computes nothing.
//!
//! Texts carry their colours; the stream that prints them removes what its terminal cannot show. Answers to questions that are not
//! among the 16, and secrets, never get here.

pub mod json;
pub mod text;

/// What every plan and result of a backfill ends with.
pub const RETURNS: &str = "The next nightly run returns these fields to the regular window.";
