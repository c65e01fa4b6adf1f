//! The place of a pod in a Kubernetes Job that is `Indexed`.

use std::env;

use super::failure::Failure;
use crate::config::shown;
use crate::domain::shard::Shard;
use crate::run::Exit;

/// Kubernetes sets it: the index of the pod, from 0.
const INDEX: &str = "JOB_COMPLETION_INDEX";
/// The Job's own definition sets it: how many pods there are.
const COUNT: &str = "JOB_COMPLETIONS";

/// The place of this process among the pods of its Job, where it is in one. One variable alone does not say it: every pod would do all.
pub(super) fn place() -> Result<Option<Shard>, Failure> {
    match (variable(INDEX), variable(COUNT)) {
        (Some(index), Some(count)) => parsed(&index, &count).map(Some),
        (Some(_), None) => Err(missing(INDEX, COUNT)),
        (None, Some(_)) => Err(missing(COUNT, INDEX)),
        (None, None) => Ok(None),
    }
}

fn missing(set: &str, unset: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("{set} is set, and {unset} is not: which part of a Job this is cannot be told"),
        format!(
            "set {COUNT} to the `completions` of a Job that is `Indexed`, or name the part with `--shard` or `--tenant`"
        ),
    )
}

fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn parsed(index: &str, count: &str) -> Result<Shard, Failure> {
    format!("{index}/{count}").parse().map_err(|error| {
        let (index, count) = (shown(index), shown(count));
        Failure::new(
            Exit::Usage,
            format!("{INDEX} is {index} and {COUNT} is {count}: {error}"),
            format!("set {COUNT} to the Job's `completions`, or unset both"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_job_say_a_shard() {
        assert_eq!(parsed("2", "8").unwrap().to_string(), "2/8");
    }

    #[test]
    fn variables_that_say_no_shard_are_told() {
        let told = parsed("8", "8").unwrap_err();
        assert_eq!(told.exit, Exit::Usage);
        insta::assert_snapshot!(told.plain(), @"
        error: JOB_COMPLETION_INDEX is `8` and JOB_COMPLETIONS is `8`: shards are counted from 0: the last of 8 is 7/8
          hint: set JOB_COMPLETIONS to the Job's `completions`, or unset both
        ");
        insta::assert_snapshot!(parsed("0", "").unwrap_err().plain(), @"
        error: JOB_COMPLETION_INDEX is `0` and JOB_COMPLETIONS is ``: expected a shard such as 0/8: its index, counted from 0, and how many there are
          hint: set JOB_COMPLETIONS to the Job's `completions`, or unset both
        ");
    }
}
