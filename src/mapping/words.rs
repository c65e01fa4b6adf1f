//! Evidence, doubts and reasons, in the words that a person reads and in codes for programs.

use std::fmt;

use super::recover::Why;
use super::status::Whereabouts;
use super::suggest::{Doubt, Evidence};

impl Evidence {
    /// What programs call it. Never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SameName => "same-name",
            Self::MisspeltName => "misspelt-name",
            Self::LongerName(_) => "longer-name",
            Self::PartOfName(_) => "part-of-name",
            Self::SameIdentifier => "same-identifier",
            Self::Acronym => "acronym",
            Self::BeginningOfName => "beginning-of-name",
            Self::SameDomain(_) => "same-domain",
            Self::SharedDomain(_) => "shared-domain",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameName => f.write_str("same name"),
            Self::MisspeltName => f.write_str("same name but for a letter or two"),
            Self::LongerName(_) => f.write_str("same name, but one has more words"),
            Self::PartOfName(_) => f.write_str("part of the name"),
            Self::SameIdentifier => f.write_str("identifier is the name"),
            Self::Acronym => f.write_str("identifier is the first letters of the name"),
            Self::BeginningOfName => f.write_str("identifier is the beginning of the name"),
            Self::SameDomain(domain) => write!(f, "same domain {domain}"),
            Self::SharedDomain(domain) => write!(f, "domain {domain}, which others have, too"),
        }
    }
}

impl Doubt {
    /// What programs call it. Never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CloseSecond(_) => "close-second",
            Self::FitsOthers(_) => "fits-others",
            Self::FitsMapped(_) => "fits-mapped",
            Self::NamesDiffer => "names-differ",
            Self::Inactive => "company-inactive",
            Self::IdentifierShared => "identifier-shared",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseSecond(psa_id) => write!(f, "`{psa_id}` fits nearly as well"),
            Self::FitsOthers(others) => {
                let (named, rest) = others.split_at(others.len().min(3));
                let named: Vec<_> = named.iter().map(ToString::to_string).collect();
                write!(f, "it fits organization {}", named.join(", "))?;
                if !rest.is_empty() {
                    write!(f, " and {} more", rest.len())?;
                }
                f.write_str(", too")
            }
            Self::FitsMapped(psa_id) => write!(f, "`{psa_id}`, which is mapped already, fits as well"),
            Self::NamesDiffer => f.write_str("the names differ"),
            Self::Inactive => f.write_str("the company is inactive"),
            Self::IdentifierShared => f.write_str("several companies have this identifier"),
        }
    }
}

impl Why {
    /// What programs call it. Never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SeveralCompanies => "several-companies",
            Self::SeveralOrganizations => "several-organizations",
            Self::MappedElsewhere(_) => "mapped-elsewhere",
            Self::CompanyMapped(_) => "company-mapped",
            Self::IdentifierShared => "identifier-shared",
            Self::OrganizationGone => "organization-gone",
            Self::OrganizationUnlisted(_) => "organization-unlisted",
            Self::CompanyGone => "company-gone",
            Self::NoId => "no-id",
            Self::NoAnswer => "no-answer",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralCompanies => f.write_str("the organization has records at several companies"),
            Self::SeveralOrganizations => f.write_str("the company has records of several organizations"),
            Self::MappedElsewhere(psa_id) => {
                write!(f, "the mapping has the organization at `{psa_id}`")
            }
            Self::CompanyMapped(organization) => {
                write!(f, "the mapping has the company for organization {organization}")
            }
            Self::IdentifierShared => f.write_str("several companies have this identifier"),
            Self::OrganizationGone => f.write_str("the organization is not among Umbrella's customers"),
            Self::OrganizationUnlisted(reason) => {
                write!(f, "the organization is not in Umbrella's customer list, which is partial: {reason}")
            }
            Self::CompanyGone => f.write_str("the company is deleted or unknown"),
            Self::NoId => f.write_str("its \"Organization Id\" is no id"),
            Self::NoAnswer => f.write_str("its \"Organization Id\" has no answer"),
            Self::Unreadable(defect) => write!(f, "it has {defect}"),
        }
    }
}

impl Whereabouts {
    /// What programs call it. Never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Renamed(_) => "renamed",
            Self::Moved(_) => "moved",
            Self::Gone => "company-gone",
        }
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renamed(psa_id) => write!(f, "the company's identifier is `{psa_id}` now"),
            Self::Moved(psa_id) => write!(f, "the record belongs to the company `{psa_id}` now"),
            Self::Gone => f.write_str("the company is deleted, or has no identifier any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::ids::OrgId;

    #[rstest]
    #[case::one(1, "it fits organization 1, too")]
    #[case::three(3, "it fits organization 1, 2, 3, too")]
    #[case::many(2000, "it fits organization 1, 2, 3 and 1997 more, too")]
    fn a_doubt_names_three_organizations_at_most(#[case] others: u64, #[case] said: &str) {
        assert_eq!(Doubt::FitsOthers((1..=others).map(OrgId).collect()).to_string(), said);
    }
}
