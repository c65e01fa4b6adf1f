//! How the history tells runs over shards of one division from others.

use crate::domain::shard::Shard;

/// What `runs.scope` says of the runs over any shard of `shard`'s division, for `LIKE`.
pub(super) fn division(shard: Shard) -> String {
    format!("shard %/{}", shard.count())
}
