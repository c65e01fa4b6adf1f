//! Turns values into what a person or a program reads. Computes nothing.
//!
//! Texts carry their colours; the stream that prints them removes what its terminal cannot show. Answers to questions that are not
//! among the 16, and secrets, never get here.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod text;

/// What every plan and result of a backfill ends with.
pub const RETURNS: &str = "The next nightly run returns these fields to the regular window.";

/// What a person should know before the old answers are put back, and afterwards.
const NEXT_NIGHT: &str = "The next nightly run writes again what is due for the regular window. To keep the old answers at a company, set \
                          its line in the mapping to `paused`.";
