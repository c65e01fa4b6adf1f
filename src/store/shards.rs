//! How the history tells runs over shards of one division from others.

use crate::domain::shard::Shard;

/// The shard that a run was over, by what `runs.scope` says.
pub(super) fn shard_of(scope: &str) -> Option<Shard> {
    scope.strip_prefix("shard ")?.parse().ok()
}

/// What `runs.scope` says of the runs over any shard of `shard`'s division, for `LIKE`.
pub(super) fn division(shard: Shard) -> String {
    format!("shard %/{}", shard.count())
}
