//! The proof that writing to ConnectWise is allowed.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::work::Work;
use crate::plan::guard::ApprovedPlan;
use crate::store::{Lease, LeaseError};

/// Every method that writes to ConnectWise asks for one.
///
/// It cannot be had without a plan that the guards let pass and without the lease, and says no once the run was told to stop, the lease
/// lapsed, or the run's time is over.
#[derive(Debug)]
pub struct WritePermit<'a> {
    work: Work,
    lease: &'a Lease,
    until: Instant,
}

impl<'a> WritePermit<'a> {
    /// Permits the writes of `plan`, while `lease` is live and its run is not told to stop, or until `until` comes.
    #[must_use]
    pub fn new(plan: &'a ApprovedPlan, lease: &'a Lease, until: Instant) -> Self {
        Self { work: plan.plan().work, lease, until }
    }

    /// What the permitted plan is for.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// Whether another write may be sent.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.lease.is_live() && Instant::now() < self.until
    }

    /// That the lease lapsed, if that is why no other write may be sent.
    #[must_use]
    pub fn lapse(&self) -> Option<LeaseError> {
        self.lease.lapse()
    }

    /// Is cancelled once the run was told to stop, or its lease lapsed.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        self.lease.halt()
    }

    /// When the run's time is over.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Waits until no other write may be sent.
    pub async fn expired(&self) {
        tokio::select! {
            () = self.stop().cancelled() => {}
            () = tokio::time::sleep_until(self.until) => {}
        }
    }
}
