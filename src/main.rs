//! The `psasync` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        // Without threads there is no printer either; the code says that the run failed.
        Err(_) => return ExitCode::FAILURE,
    };
    ExitCode::from(runtime.block_on(psasync::cli::run()).code())
}
