//! Kinds of differences, each with the sentence that explains it.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:literal $sentence:literal;)*) => {
        /// The likely reason of a difference. Names never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All kinds, those that concern the value first.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name as it is printed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What it means.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }
        }
    };
}

kinds! {
    /// Another span.
    Window "window" "the record covers another span of time, as far as its number of DNS queries or its answers tell";
    /// Requests against sites.
    ThreatCount "threat-count" "the record counts blocked requests where psasync counts sites, or the other way round: `record.threat_count` decides";
    /// Last contact against traffic.
    LastContact "last-contact" "the record counts agents by their last contact with Umbrella, psasync by their traffic";
    /// 24 hours against 7 days.
    Day "24-hours" "the record counts what was active in 24 hours, psasync in 7 days";
    /// A list in another order.
    Order "order" "the same items in another order";
    /// A longer or shorter list.
    Length "length" "the longer list continues the shorter one: `record.top_n` and `record.max_answer_chars` decide";
    /// Other counts behind the same categories.
    Counts "category-counts" "the same categories with other numbers of requests, or without any";
    /// Items are joined otherwise.
    Separator "separator" "the items are separated otherwise than by `; `";
    /// An empty list.
    EmptyList "empty-list" "both lists are empty, and say so in other words";
    /// A number with thousands separators, decimals or a unit.
    NumberForm "number-form" "the same number, written otherwise";
    /// A rounded number.
    Rounding "rounding" "the record's number is rounded";
    /// Letters in another case.
    Case "case" "the same letters in another case";
    /// Escaped characters.
    Html "html" "the record's text is escaped for HTML";
    /// Nobody answered.
    NoAnswer "no-answer" "the record has no answer";
    /// An old record.
    Stale "stale" "nothing else explains it, and the record's Last Updated is older than two days";
    /// Everything else.
    Unexplained "unexplained" "no reason was recognized";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
