//! The query language of ConnectWise's lists, as far as it is needed: numbers only.
//!
//! There is no confirmed way to quote a text inside a condition, so names and identifiers are compared on this side.

use crate::domain::ids::{CompanyId, TypeId};

/// Companies that are not deleted.
pub(super) const NOT_DELETED: &str = "deletedFlag=false";

/// Configurations of a type.
pub(super) fn of_type(type_id: TypeId) -> String {
    format!("type/id={type_id}")
}

/// Configurations of a type at any of some companies.
pub(super) fn of_type_at(type_id: TypeId, companies: &[CompanyId]) -> String {
    let ids: Vec<_> = companies.iter().map(ToString::to_string).collect();
    format!("type/id={type_id} and company/id in ({})", ids.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_built_from_numbers() {
        assert_eq!(of_type(TypeId(5)), "type/id=5");
        let companies = [CompanyId(1), CompanyId(22)];
        assert_eq!(of_type_at(TypeId(5), &companies), "type/id=5 and company/id in (1,22)");
    }
}
