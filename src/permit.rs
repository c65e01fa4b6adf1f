//! The proof that writing to ConnectWise is allowed.

use tokio_util::sync::CancellationToken;

use crate::plan::guard::ApprovedPlan;
use crate::store::lease::Lease;

/// Every method that writes to ConnectWise asks for one.
///
/// It cannot be had without a plan that the guards let pass and without the lease, and says no once the run was told to stop.
#[derive(Debug)]
pub struct WritePermit<'a> {
    _lease: &'a Lease,
    stop: CancellationToken,
}

impl<'a> WritePermit<'a> {
    /// Permits the writes of `plan`, until `stop` is cancelled.
    #[must_use]
    pub fn new(_plan: &'a ApprovedPlan, lease: &'a Lease, stop: CancellationToken) -> Self {
        Self { _lease: lease, stop }
    }

    /// Whether another write may be sent.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.stop.is_cancelled()
    }
}
