use psasync::domain::ids::{OrgId, PsaId, RecordId};
use psasync::domain::record::KnownRecord;
use psasync::domain::shard::Shard;
use psasync::domain::waiver::{Rule, Waiver, Waivers};
use psasync::store::{NewRun, Outcome, State};

use super::{START, at, begin, ended, new_run, run_id};
use crate::Home;

fn company(text: &str) -> PsaId {
    PsaId::new(text).unwrap()
}

fn known(record: u64, psa_id: &str, organization: Option<u64>) -> KnownRecord {
    KnownRecord { record: RecordId(record), psa_id: company(psa_id), organization: organization.map(OrgId) }
}

#[tokio::test(start_paused = true)]
async fn an_approval_waits_once_for_each_rule_and_company() {
    let home = Home::new();
    let state = home.open().await;
    let (acme, now) = (company("ACME"), at(START));
    state.approve(Rule::MaxCreates, None, now).await.unwrap();
    state.approve(Rule::MaxCreates, Some(&acme), now).await.unwrap();
    state.approve(Rule::MaxCreates, Some(&company("acme ")), now).await.unwrap();
    home.open_other_tenant().await.approve(Rule::MaxZeroedPercent, None, now).await.unwrap();
    let waiting = state.reader().approvals(now).await.unwrap();
    let companies: Vec<_> = waiting.iter().map(|waiver| waiver.company.clone()).collect();
    assert_eq!(companies, [None, Some(company("acme"))]);
    state.withdraw_approval(Rule::MaxCreates, Some(&acme)).await.unwrap();
    state.withdraw_approval(Rule::MaxZeroedPercent, None).await.unwrap();
    assert_eq!(state.reader().approvals(now).await.unwrap().len(), 1);
    assert_eq!(home.open_other_tenant().await.reader().approvals(now).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_used_waits_no_longer_and_is_kept_with_its_run() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, START).await;
    let now = at(START);
    for rule in [Rule::MaxCreates, Rule::MaxZeroedPercent] {
        state.approve(rule, None, now).await.unwrap();
    }
    let used = Waiver { rule: Rule::MaxCreates, company: None, waiting_since: Some(now) };
    let said = Waiver { rule: Rule::MaxZeroedPercent, company: None, waiting_since: None };
    let waivers: Waivers = [used.clone(), said.clone()].into_iter().collect();
    for _ in 0..2 {
        state.note_approvals(run_id(1), &waivers).await.unwrap();
    }
    state.use_up_approvals(run_id(1), None).await.unwrap();
    let waiting = state.reader().approvals(now).await.unwrap();
    assert_eq!(waiting.len(), 2, "a run that is not over uses nothing up");
    state.finish_run(run_id(1), &ended(Outcome::Done, START)).await.unwrap();
    state.use_up_approvals(run_id(1), None).await.unwrap();
    let waiting = state.reader().approvals(now).await.unwrap();
    assert_eq!(waiting.len(), 1, "what a run's own command says takes nothing from the next night");
    assert_eq!(waiting[0].rule, Rule::MaxZeroedPercent);
    let by_run = state.reader().approvals_by_run().await.unwrap();
    assert_eq!(by_run[&run_id(1)], [used, said]);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_was_given_anew_meanwhile_waits_for_the_next_run() {
    let home = Home::new();
    let state = home.open().await;
    let (now, later) = (at(START), at(START) + chrono::TimeDelta::hours(1));
    state.approve(Rule::MaxCreates, None, now).await.unwrap();
    let used: Waivers = state.reader().approvals(now).await.unwrap().into_iter().collect();
    begin(&state, 1, START).await;
    state.note_approvals(run_id(1), &used).await.unwrap();
    state.approve(Rule::MaxCreates, None, later).await.unwrap();
    state.finish_run(run_id(1), &ended(Outcome::Done, START)).await.unwrap();
    state.use_up_approvals(run_id(1), None).await.unwrap();
    let waiting = state.reader().approvals(later).await.unwrap();
    assert_eq!(waiting, [Waiver { rule: Rule::MaxCreates, company: None, waiting_since: Some(later) }]);
}

#[tokio::test(start_paused = true)]
async fn records_are_known_by_tenant_and_type() {
    let home = Home::new();
    let state = home.open().await;
    let listed = vec![known(1, "ACME", Some(7)), known(2, "BETA", None)];
    state.keep_records("OpenDNS_Umbrella", Vec::new(), listed.clone()).await.unwrap();
    assert_eq!(state.reader().known_records("opendns_umbrella ").await.unwrap(), listed);
    assert_eq!(state.reader().known_records("Another").await.unwrap(), []);
    let other = home.open_other_tenant().await;
    assert_eq!(other.reader().known_records("OpenDNS_Umbrella").await.unwrap(), []);
    let changed = vec![known(2, "Beta Süd", Some(8))];
    state.keep_records("OpenDNS_Umbrella", vec![RecordId(1)], changed.clone()).await.unwrap();
    assert_eq!(state.reader().known_records("OpenDNS_Umbrella").await.unwrap(), changed);
}

#[tokio::test(start_paused = true)]
async fn a_company_that_is_forgotten_leaves_no_approval_and_no_known_record() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, START).await;
    let (acme, beta) = (company("ACME"), company("BETA"));
    let waiver = |company: &PsaId| Waiver {
        rule: Rule::ValueFellToZero,
        company: Some(company.clone()),
        waiting_since: None,
    };
    for company in [&acme, &beta] {
        state.approve(Rule::MaxCreates, Some(company), at(START)).await.unwrap();
    }
    state.note_approvals(run_id(1), &[waiver(&acme), waiver(&beta)].into_iter().collect()).await.unwrap();
    let listed = vec![known(1, "ACME", None), known(2, "Acme of old", Some(7)), known(3, "BETA", Some(8))];
    state.keep_records("T", Vec::new(), listed).await.unwrap();
    state.forget("acme", vec![OrgId(7)]).await.unwrap();
    let waiting = state.reader().approvals(at(START)).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.company.clone()).collect::<Vec<_>>(), [Some(beta.clone())]);
    assert_eq!(state.reader().approvals_by_run().await.unwrap()[&run_id(1)], [waiver(&beta)]);
    assert_eq!(state.reader().known_records("T").await.unwrap(), [known(3, "BETA", Some(8))]);
}

/// A run over a shard that is let pass.
async fn begin_with(state: &State, run: u8, shard: Shard, waivers: &Waivers) {
    let run_of = NewRun { scope: Some(shard.title()), ..new_run(run, START) };
    state.begin_run(&run_of).await.unwrap();
    state.note_approvals(run_id(run), waivers).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_approval_goes_with_the_last_of_the_shards_that_end_together() {
    let home = Home::new();
    let (state, now) = (home.open().await, at(START));
    state.approve(Rule::MaxCreates, None, now).await.unwrap();
    let waivers: Waivers = state.reader().approvals(now).await.unwrap().into_iter().collect();
    let shards = [(1, Shard::new(0, 2).unwrap()), (2, Shard::new(1, 2).unwrap())];
    for (run, shard) in shards {
        begin_with(&state, run, shard, &waivers).await;
    }
    let [(first, _), (second, shard)] = shards;
    state.finish_run(run_id(first), &ended(Outcome::Done, START)).await.unwrap();
    state.use_up_approvals(run_id(second), Some(shard)).await.unwrap();
    assert_eq!(state.reader().approvals(now).await.unwrap().len(), 1, "one of them is not over");
    state.finish_run(run_id(second), &ended(Outcome::Done, START)).await.unwrap();
    for (run, shard) in shards {
        state.use_up_approvals(run_id(run), Some(shard)).await.unwrap();
    }
    assert_eq!(state.reader().approvals(now).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_the_runs_own_command_repeats_is_used_up() {
    let home = Home::new();
    let (state, now) = (home.open().await, at(START));
    state.approve(Rule::MaxCreates, None, now).await.unwrap();
    let mut waivers = Waivers::from_iter([Rule::MaxCreates]);
    waivers.extend(state.reader().approvals(now).await.unwrap());
    begin(&state, 1, START).await;
    state.note_approvals(run_id(1), &waivers).await.unwrap();
    state.finish_run(run_id(1), &ended(Outcome::Done, START)).await.unwrap();
    state.use_up_approvals(run_id(1), None).await.unwrap();
    assert_eq!(state.reader().approvals(now).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_approval_lets_every_shard_pass_once_and_goes_with_the_last() {
    let home = Home::new();
    let (state, now) = (home.open().await, at(START));
    let shards: Vec<Shard> = (0..3).map(|index| Shard::new(index, 3).unwrap()).collect();
    state.approve(Rule::MaxCreates, None, now).await.unwrap();
    let waiting = async |shard| state.reader().approvals_for(shard, now).await.unwrap();
    for (&shard, number) in shards.iter().zip(1..) {
        let waivers: Waivers = waiting(shard).await.into_iter().collect();
        assert_eq!(waivers.iter().count(), 1, "shard {shard} passes");
        assert_eq!(state.reader().approvals(now).await.unwrap().len(), 1);
        // One that fails uses nothing up.
        for (run, outcome) in [(2 * number, Outcome::Failed), (2 * number + 1, Outcome::Degraded)] {
            assert_eq!(waiting(shard).await.len(), 1);
            begin_with(&state, run, shard, &waivers).await;
            state.finish_run(run_id(run), &ended(outcome, START)).await.unwrap();
            state.use_up_approvals(run_id(run), Some(shard)).await.unwrap();
        }
        assert_eq!(waiting(shard).await, [], "shard {shard} passed once");
    }
    assert_eq!(state.reader().approvals(now).await.unwrap(), []);
}
