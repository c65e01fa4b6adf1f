//! Whole nights against the simulated services, in-process and in virtual time.
//!
//! A [`Night`] holds a simulation, a configuration file and a mapping file. Every run reads both files as production does and begins with
//! fresh clients, as a new process would; simulated time goes on from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Finding, Reason};
use psasync::domain::ids::PsaId;
use psasync::domain::waiver::{Rule, Waiver, Waivers};
use psasync::domain::window::Window;
use psasync::domain::work::Work;
use psasync::http::Inspect;
use psasync::plan::LinePlan;
use psasync::plan::saved::SavedPlan;
use psasync::resolve::Scope;
use psasync::run::doctor::{
    ConnectWiseAccess, Diagnosis, UmbrellaAccess, Wanted, check_connectwise, check_umbrella, doctor,
};
use psasync::run::{
    ApplyOrder, Approval, Bootstrap, CompanyHistory, Exit, Explanation, Farewell, FillJob, Filled, Inquiries,
    Invocation, Job, NearMatches, OrganizationMonths, PastRun, Planned, PlannedUndo, Probed, Report,
    RunError, RunHistory, Services, Shadowed, Undone, apply_saved, approve_next, bootstrap, bucket,
    company_history, explain, farewell, fill_history, forget, months, past_runs, plan, plan_fill, plan_probe,
    plan_undo, probe_write, saved_plan, shadow, sync, undo,
};
use psasync::store::{Forgotten, Lease, LeaseName, RECORDS, State};
use psasync::web::{Site, router};
use serde_json::Value;
use simulator::world::Configuration;
use simulator::{Fault, Logged, Service, Settings, Simulation, World};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::network::{Death, Instead, Network};
use crate::operator::{Operator, Run};

/// The type that psasync writes unless it is told otherwise.
pub(crate) const TYPE: &str = "OpenDNS_Umbrella";

/// Both services with an operator's files.
pub(crate) struct Night {
    pub(crate) simulation: Simulation,
    network: Arc<Network>,
    operator: Operator,
    work: Work,
    scheduled: Option<DateTime<Utc>>,
    scope: Scope,
    waivers: Waivers,
    refresh_month: bool,
    /// Stops the next run.
    pub(crate) stop: CancellationToken,
}

impl Night {
    /// At the simulation's usual time, 2026-03-15 at midnight, with published limits.
    pub(crate) fn of(world: World) -> Self {
        Self::with(world, Settings::default())
    }

    pub(crate) fn at(now: &str, world: World) -> Self {
        Self::with(world, Settings { now: now.parse().unwrap(), ..Settings::default() })
    }

    pub(crate) fn with(world: World, settings: Settings) -> Self {
        let operator = Operator::new(&world);
        let simulation = Simulation::new(world, settings);
        Self {
            network: Arc::new(Network::new(simulation.clone())),
            simulation,
            operator,
            work: Work::Night,
            scheduled: None,
            scope: Scope::Fleet,
            waivers: Waivers::default(),
            refresh_month: false,
            stop: CancellationToken::new(),
        }
    }

    /// Sets a key of the configuration, such as `record.touch`, from now on.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.operator.set(key, value);
        self
    }

    /// Makes runs be about a month such as `2026-01`, or about what they usually are.
    pub(crate) fn month(mut self, month: &str) -> Self {
        self.work = Window::months(month).map_or(Work::Night, |months| Work::Backfill(months[0]));
        self
    }

    pub(crate) fn scheduled_for(mut self, scheduled: &str) -> Self {
        self.scheduled = Some(scheduled.parse().unwrap());
        self
    }

    /// Makes runs be about this company, besides those that were named before.
    pub(crate) fn company(mut self, psa_id: &str) -> Self {
        let mut companies = match self.scope {
            Scope::Fleet | Scope::Shard(_) => Default::default(),
            Scope::Companies(companies) => companies,
        };
        companies.insert(psa_id.to_lowercase());
        self.scope = Scope::Companies(companies);
        self
    }

    /// A run over the shard `I/N`, besides those that this night is about.
    pub(crate) async fn try_shard(&self, shard: &str) -> Result<Report, RunError> {
        let mut run = self.run();
        let shard = shard.parse().unwrap();
        run.job.scope = Scope::Shard(shard);
        run.job.invocation.shard = Some(shard);
        // On the heap: several of them are on one stack.
        Box::pin(sync(&run.services, &run.surroundings(), &run.job)).await
    }

    pub(crate) async fn shard(&self, shard: &str) -> Report {
        self.try_shard(shard).await.unwrap()
    }

    /// Makes runs be about all companies again, with no rule approved.
    pub(crate) fn fleet(mut self) -> Self {
        self.scope = Scope::Fleet;
        self.waivers = Waivers::default();
        self
    }

    pub(crate) fn approve(mut self, rule: Rule) -> Self {
        self.waivers = Waivers::from_iter([rule]);
        self
    }

    /// Keeps the state in a file from now on, as production does.
    pub(crate) fn remembering(self) -> Self {
        let path = self.state_path().display().to_string();
        self.set("state.path", path)
    }

    pub(crate) fn state_path(&self) -> PathBuf {
        self.operator.state_path()
    }

    /// The names of the operator's files, and of what psasync made beside them.
    pub(crate) fn files(&self) -> BTreeSet<OsString> {
        self.operator.files()
    }

    pub(crate) fn refresh_month(mut self) -> Self {
        self.refresh_month = true;
        self
    }

    pub(crate) fn fault(self, fault: Fault) -> Self {
        self.simulation.inject(fault);
        self
    }

    /// Parses the fault's text form.
    pub(crate) fn with_fault(self, fault: &str) -> Self {
        self.fault(fault.parse().unwrap())
    }

    /// Calls `hook` before each request, from now on.
    pub(crate) fn before_each(&self, mut hook: impl FnMut(&Request<Bytes>) + Send + 'static) {
        self.instead(move |request| {
            hook(request);
            None
        });
    }

    /// Lets `hook` answer requests in place of the services, from now on.
    pub(crate) fn instead(&self, hook: impl FnMut(&Request<Bytes>) -> Instead + Send + 'static) {
        *self.network.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// Lets requests take as long as `delay` says, from now on.
    pub(crate) fn delay(&self, delay: impl Fn(&Request<Bytes>) -> Duration + Send + 'static) {
        *self.network.delay.lock().unwrap() = Some(Box::new(delay));
    }

    /// Lets `alter` change answers of the services, from now on.
    pub(crate) fn altering(
        &self,
        alter: impl FnMut(&Request<Bytes>, Response<Bytes>) -> Response<Bytes> + Send + 'static,
    ) {
        *self.network.alteration.lock().unwrap() = Some(Box::new(alter));
    }

    /// Edits the world once, as soon as records are read again before their writes.
    pub(crate) fn before_writing(&self, edit: impl FnOnce(&Simulation) + Send + 'static) {
        let (simulation, mut edit) = (self.simulation.clone(), Some(edit));
        self.before_each(move |request| {
            if is_read_again(request)
                && let Some(edit) = edit.take()
            {
                edit(&simulation);
            }
        });
    }

    /// Writes the mapping file anew, after the world's mapping changed.
    pub(crate) fn remap(&self) {
        self.simulation.inspect(|world| self.operator.write_mapping(world));
    }

    /// Forgets all requests so far.
    pub(crate) fn forget(&self) {
        self.simulation.clear_log();
        self.network.sent.lock().unwrap().clear();
    }

    /// Every request that left psasync, whether or not there was a host for it.
    pub(crate) fn sent(&self) -> MutexGuard<'_, Vec<Request<Bytes>>> {
        self.network.sent.lock().unwrap()
    }

    pub(crate) async fn try_plan(&self) -> Result<Planned, RunError> {
        let run = self.run();
        plan(&run.services.umbrella, &run.services.reader, &run.surroundings(), &run.job).await
    }

    pub(crate) async fn try_sync(&self) -> Result<Report, RunError> {
        let run = self.run();
        sync(&run.services, &run.surroundings(), &run.job).await
    }

    pub(crate) async fn plan(&self) -> Planned {
        self.try_plan().await.unwrap()
    }

    pub(crate) async fn sync(&self) -> Report {
        self.try_sync().await.unwrap()
    }

    /// Makes a plan and keeps it, as `plan --out` does.
    pub(crate) async fn save(&self) -> SavedPlan {
        let planned = self.plan().await;
        saved_plan(&self.run().config, &planned, self.simulation.now())
    }

    /// Carries a saved plan out, as `apply --approve` does.
    pub(crate) async fn apply(&self, saved: &SavedPlan, approved: &[Rule]) -> Result<Report, RunError> {
        let run = self.run();
        let order = ApplyOrder { approved: approved.to_vec(), invocation: Invocation::default() };
        apply_saved(&run.services, &run.surroundings(), saved.clone(), order).await
    }

    /// Runs until the process is killed. `None` where it was, or else what the run came to.
    pub(crate) async fn sync_until(&self, death: Death) -> Option<Report> {
        self.network.until(death, Box::pin(self.sync())).await
    }

    /// Explains ACME.
    pub(crate) async fn explain(&self, field: Option<FieldId>) -> Vec<Explanation> {
        let run = self.run();
        let job = Job { scope: Scope::Companies(["acme".to_owned()].into()), ..run.job.clone() };
        let services = &run.services;
        explain(&services.umbrella, &services.reader, &run.surroundings(), &job, field).await.unwrap()
    }

    /// Compares the records with what psasync would write, as `shadow` does.
    pub(crate) async fn shadow(&self, inquiries: Inquiries) -> Result<Shadowed, RunError> {
        let run = self.run();
        let job = Job { work: Work::Shadow, ..run.job.clone() };
        let services = &run.services;
        shadow(&services.umbrella, &services.reader, &run.surroundings(), &job, inquiries).await
    }

    /// Fills the history of months such as `2026-01..2026-02`, or only says what that would take.
    pub(crate) async fn try_history(&self, months: &str, is_dry_run: bool) -> Result<Filled, RunError> {
        let run = self.run();
        let months = Window::months(months).unwrap();
        let job = FillJob { scheduled: run.job.scheduled, scope: run.job.scope.clone(), months };
        if is_dry_run {
            return plan_fill(&run.services.umbrella, &run.surroundings(), &job).await;
        }
        fill_history(&run.services.umbrella, &run.surroundings(), &job).await
    }

    pub(crate) async fn fill_history(&self, months: &str) -> Filled {
        self.try_history(months, false).await.unwrap()
    }

    pub(crate) async fn bootstrap(&self, near_matches: NearMatches) -> Result<Bootstrap, RunError> {
        let run = self.run();
        bootstrap(&run.services, &run.surroundings(), near_matches, false).await
    }

    /// Plans to undo a run, named as on the command line.
    pub(crate) async fn plan_undo(&self, run: &str, companies: &[&str]) -> Result<PlannedUndo, RunError> {
        let (now, companies) = (self.run(), companies.iter().map(ToString::to_string).collect::<Vec<_>>());
        plan_undo(&now.services.reader, &now.surroundings(), run, &companies).await
    }

    /// Undoes a run, as a person who says `--yes`.
    pub(crate) async fn undo(&self, run: &str, companies: &[&str]) -> Undone {
        let planned = self.plan_undo(run, companies).await.unwrap();
        self.carry_out(planned).await.unwrap()
    }

    pub(crate) async fn carry_out(&self, planned: PlannedUndo) -> Result<Undone, RunError> {
        let run = self.run();
        undo(&run.services, &run.surroundings(), planned).await
    }

    /// Writes the answers of a company's record back, as a person who says `--yes`.
    pub(crate) async fn probe(&self, company: &str) -> Result<Probed, RunError> {
        let now = self.run();
        let planned = plan_probe(&now.services.reader, &now.surroundings(), company).await?;
        probe_write(&now.services, &now.surroundings(), planned).await
    }

    /// Lets the next nightly run pass a rule, as `psasync approve` does.
    pub(crate) async fn approve_next(&self, rule: Rule, companies: &[&str]) -> Vec<Waiver> {
        self.try_approve_next(Approval::Give, rule, companies).await.unwrap()
    }

    pub(crate) async fn try_approve_next(
        &self,
        approval: Approval,
        rule: Rule,
        companies: &[&str],
    ) -> Result<Vec<Waiver>, RunError> {
        let companies: Vec<_> = companies.iter().filter_map(|company| PsaId::new(company)).collect();
        approve_next(&self.run().config, approval, rule, &companies, self.simulation.now()).await
    }

    /// Checks the key, as a set-up does once it was entered.
    pub(crate) async fn check_umbrella(&self) -> UmbrellaAccess {
        let run = self.run();
        check_umbrella(&run.services.umbrella, run.config.umbrella.customers, &[]).await
    }

    /// Looks whether everything is as it should be; hosts show themselves as `inspect` says.
    pub(crate) async fn doctor(&self, inspect: &impl Inspect) -> Diagnosis {
        self.try_doctor(inspect).await.unwrap()
    }

    pub(crate) async fn try_doctor(&self, inspect: &impl Inspect) -> Result<Diagnosis, RunError> {
        let run = self.run();
        doctor(&run.services, &run.surroundings(), inspect, &[]).await
    }

    /// Checks the keys and the role, as a set-up does once they were entered.
    pub(crate) async fn check_connectwise(&self) -> ConnectWiseAccess {
        let run = self.run();
        check_connectwise(&run.services.reader, &Wanted::of(&run.config)).await
    }

    /// The runs of the history, the latest first.
    pub(crate) async fn past_runs(&self) -> Vec<PastRun> {
        self.run_history().await.runs
    }

    pub(crate) async fn run_history(&self) -> RunHistory {
        past_runs(&self.run().config, self.simulation.now(), 20).await.unwrap().unwrap()
    }

    pub(crate) async fn company_history(&self, psa_id: &str) -> Result<CompanyHistory, RunError> {
        let run = self.run();
        company_history(&run.config, &run.mapping, psa_id, 20).await
    }

    pub(crate) async fn months(
        &self,
        psa_id: Option<&str>,
    ) -> Result<Option<Vec<OrganizationMonths>>, RunError> {
        let run = self.run();
        months(&run.config, &run.mapping, psa_id, 20).await
    }

    pub(crate) async fn farewell(&self, psa_id: &str) -> Result<Option<Farewell>, RunError> {
        let run = self.run();
        farewell(&run.config, &run.mapping, psa_id).await
    }

    pub(crate) async fn forget_company(&self, psa_id: &str) -> Result<Forgotten, RunError> {
        let farewell = self.farewell(psa_id).await?.unwrap();
        forget(&self.run().surroundings(), &farewell).await
    }

    /// Fresh clients, for a test that asks them itself.
    pub(crate) fn services(&self) -> Services<Network> {
        self.run().services
    }

    /// The state that runs keep.
    pub(crate) async fn state(&self) -> State {
        psasync::run::state(&self.run().config).await.unwrap()
    }

    /// Takes the lease on records, as another run does.
    pub(crate) async fn take_lease(&self) -> Lease {
        self.take(RECORDS).await
    }

    pub(crate) async fn take(&self, lease: LeaseName) -> Lease {
        let (state, run) = (self.state().await, self.run());
        Lease::acquire(&state, lease, run.id, run.clock, &self.stop).await.unwrap()
    }

    /// The configuration file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.operator.config_path()
    }

    /// The answer of `serve` to a request without a body.
    pub(crate) async fn ask_page(&self, method: &str, path: &str) -> Response<String> {
        let simulation = self.simulation.clone();
        let settings = self.operator.settings.clone();
        let pages = router(Site::new(move || simulation.now(), &self.config_path(), settings));
        let request = Request::builder().method(method).uri(path).body(Full::<Bytes>::default()).unwrap();
        let (head, body) = pages.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Status and text of a page.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let response = self.ask_page("GET", path).await;
        (response.status().as_u16(), response.into_body())
    }

    /// Runs for `scheduled`, as a process that was started just now; says how its command ends.
    pub(crate) async fn sync_for(&self, scheduled: DateTime<Utc>) -> Exit {
        let run = self.run();
        let job = Job { scheduled, ..run.job.clone() };
        let done = Box::pin(sync(&run.services, &run.surroundings(), &job)).await;
        done.map_or_else(|error| error.exit(), |report| report.exit())
    }

    /// A process that was started just now.
    pub(crate) fn run(&self) -> Run {
        let now = self.simulation.now();
        let companies = match &self.scope {
            Scope::Fleet | Scope::Shard(_) => Vec::new(),
            Scope::Companies(keys) => keys.iter().cloned().collect(),
        };
        let job = Job {
            work: self.work,
            scheduled: self.scheduled.unwrap_or(now),
            scope: self.scope.clone(),
            waivers: self.waivers.clone(),
            refresh_month: self.refresh_month,
            invocation: Invocation { shard: self.scope.shard(), companies, ..Invocation::default() },
        };
        self.operator.run(&self.network, now, &self.stop, job)
    }

    // What happened on the wire.

    pub(crate) fn log(&self, service: Service) -> Vec<Logged> {
        let mut log = self.simulation.log();
        log.retain(|logged| logged.service == service);
        log
    }

    /// Method and path of every request that a service got.
    pub(crate) fn calls(&self, service: Service) -> Vec<String> {
        self.log(service).iter().map(|logged| format!("{} {}", logged.method, logged.path)).collect()
    }

    /// How many requests of a service have this in their method and path.
    pub(crate) fn count(&self, service: Service, part: &str) -> usize {
        self.calls(service).iter().filter(|call| call.contains(part)).count()
    }

    // What ConnectWise has.

    /// The records of psasync's type at a company.
    pub(crate) fn records(&self, psa_id: &str) -> Vec<Configuration> {
        self.simulation.inspect(|world| {
            let connectwise = &world.connectwise;
            let kind = connectwise.types.iter().find(|kind| kind.name == TYPE).map(|kind| kind.id);
            let company = connectwise.companies.iter().find(|company| company.identifier == psa_id);
            let company = company.map(|company| company.id);
            let is_here =
                |record: &&Configuration| Some(record.kind) == kind && Some(record.company) == company;
            connectwise.records.iter().filter(is_here).cloned().collect()
        })
    }

    pub(crate) fn record(&self, psa_id: &str) -> Configuration {
        let mut records = self.records(psa_id);
        assert_eq!(records.len(), 1, "records at {psa_id}");
        records.remove(0)
    }

    /// What a record of psasync's type answers, by the text of the question.
    pub(crate) fn answers_of(&self, record: &Configuration) -> BTreeMap<String, Value> {
        self.simulation.inspect(|world| {
            let kind = world.connectwise.types.iter().find(|kind| kind.id == record.kind).unwrap();
            let answer = |id| record.answer(id).cloned().unwrap_or_default();
            kind.questions.iter().map(|one| (one.question.clone(), answer(one.id))).collect()
        })
    }

    /// What the one record at a company answers to a question.
    pub(crate) fn answer(&self, psa_id: &str, question: &str) -> Value {
        self.answers_of(&self.record(psa_id)).get(question).cloned().unwrap_or_default()
    }

    /// Sets an answer of the one record at a company, as a person does.
    pub(crate) fn edit(&self, psa_id: &str, question: &str, value: Value) {
        let record = self.record(psa_id).id;
        edit(&self.simulation, record, question, value);
    }
}

/// Whether a request creates a record.
pub(crate) fn is_create(request: &Request<Bytes>) -> bool {
    request.method() == Method::POST && request.uri().path().ends_with("/company/configurations")
}

/// Whether a request reads records just before they are written, or looks for those that were created.
pub(crate) fn is_read_again(request: &Request<Bytes>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().ends_with("/company/configurations") && query.contains("company%2Fid+in")
}

/// Sets an answer of a record, as a person does.
pub(crate) fn edit(simulation: &Simulation, record: i64, question: &str, value: Value) {
    simulation.change(|world| {
        let record = world.connectwise.records.iter_mut().find(|one| one.id == record).unwrap();
        let kind = world.connectwise.types.iter().find(|kind| kind.id == record.kind).unwrap();
        let question = kind.questions.iter().find(|one| one.question == question).unwrap().id;
        match record.answers.iter_mut().find(|answer| answer.question == question) {
            Some(answer) => answer.value = value,
            None => record.answers.push(simulator::world::Answer { id: 0, question, value }),
        }
    });
}

/// What plans and reports say about one company.
pub(crate) trait Told {
    fn line(&self, psa_id: &str) -> &LinePlan;
    fn findings(&self, psa_id: &str) -> Vec<Finding>;
    fn bucket(&self, psa_id: &str) -> Bucket;

    fn reasons(&self, psa_id: &str) -> Vec<Reason> {
        self.findings(psa_id).iter().map(|finding| finding.reason).collect()
    }

    fn finding(&self, psa_id: &str, reason: Reason) -> Finding {
        let found = self.findings(psa_id).into_iter().find(|finding| finding.reason == reason);
        found.unwrap_or_else(|| panic!("{psa_id} has {:?}, not {reason}", self.reasons(psa_id)))
    }
}

fn line_of<'a>(lines: &'a [LinePlan], psa_id: &str) -> &'a LinePlan {
    lines.iter().find(|line| line.line.psa_id.as_str() == psa_id).unwrap()
}

impl Told for Planned {
    fn line(&self, psa_id: &str) -> &LinePlan {
        line_of(&self.plan.lines, psa_id)
    }

    fn findings(&self, psa_id: &str) -> Vec<Finding> {
        self.line(psa_id).findings.clone()
    }

    fn bucket(&self, psa_id: &str) -> Bucket {
        self.line(psa_id).bucket()
    }
}

impl Told for Report {
    fn line(&self, psa_id: &str) -> &LinePlan {
        line_of(&self.plan.lines, psa_id)
    }

    fn findings(&self, psa_id: &str) -> Vec<Finding> {
        let (plan, outcome) = self.lines().find(|(plan, _)| plan.line.psa_id.as_str() == psa_id).unwrap();
        plan.findings.iter().chain(&outcome.findings).cloned().collect()
    }

    fn bucket(&self, psa_id: &str) -> Bucket {
        let (plan, outcome) = self.lines().find(|(plan, _)| plan.line.psa_id.as_str() == psa_id).unwrap();
        bucket(plan, outcome)
    }
}

/// The findings that are about no mapping line.
pub(crate) fn general(plan: &psasync::plan::Plan) -> Vec<Reason> {
    plan.findings.iter().map(|finding| finding.reason).collect()
}
