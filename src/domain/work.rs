//! What a run is for.

use super::field::{FieldId, Group};
use super::window::Window;

/// What a run is for: which fields are its to write, and whether it may create anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// All fields of all records, each over the window that is its by now. Creates what is missing.
    Night,
    /// The six "Last Month" fields of the records that exist, over this window. Creates nothing.
    Backfill(Window),
    /// All fields of the records that exist, to be compared with what they say. Writes and creates nothing.
    Shadow,
    /// Answers that an earlier run replaced, back to what they said. Creates nothing.
    Undo,
    /// The answers of one record, back as they are: whether the role may edit. Changes nothing, not even Last Updated.
    Probe,
    /// A record named after another organization than before: its "Organization Id" alone. Creates nothing.
    Move,
}

impl Work {
    /// Whether the field is the run's to write.
    #[must_use]
    pub fn covers(self, field: FieldId) -> bool {
        match self {
            Self::Night | Self::Shadow | Self::Undo | Self::Probe => true,
            Self::Move => matches!(field, FieldId::OrganizationId | FieldId::LastUpdated),
            Self::Backfill(_) => field == FieldId::LastUpdated || field.spec().group == Some(Group::Month),
        }
    }

    /// Whether it may create the type, questions and records.
    #[must_use]
    pub fn creates(self) -> bool {
        self == Self::Night
    }

    /// The window that it takes from its command.
    #[must_use]
    pub fn window(self) -> Option<Window> {
        match self {
            Self::Night | Self::Shadow | Self::Undo | Self::Probe | Self::Move => None,
            Self::Backfill(window) => Some(window),
        }
    }

    /// The command that does it, as the history names it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Night => "sync",
            Self::Backfill(_) => "backfill",
            Self::Shadow => "shadow",
            Self::Undo => "undo",
            Self::Probe => "probe-write",
            Self::Move => "map move",
        }
    }
}
