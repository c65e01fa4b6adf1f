//! The manifests in `deploy/kubernetes`, as a cluster gets them: rendered by kustomize, and held against the schemas of Kubernetes.
//!
//! Needs kustomize (the command in `KUSTOMIZE`, or else `kubectl kustomize`) and `kubernetes-validate` from PyPI, which are not on every
//! machine: a target of its own. Each rule is a function over what was rendered, and a made-up offence must not escape it.

#![expect(clippy::unwrap_used, reason = "a manifest that cannot be read has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use psasync::config::keys::{KEYS, Preset};
use psasync::config::{self, mapping_file};
use psasync::run::Exit;
use psasync::store::LAPSES_AFTER;
use serde_json::{Value, json};

const OVERLAYS: [&str; 5] = ["backfill", "cronjob", "serve", "shards", "tenants"];
/// The oldest version of Kubernetes that the documents name, and the newest whose schemas are at hand.
const VERSIONS: [&str; 2] = ["1.33", "1.37"];
/// The same run would end the same way.
const FINAL: [Exit; 5] = [Exit::Degraded, Exit::Refused, Exit::Usage, Exit::Denied, Exit::Config];
/// The next attempt may go better.
const PASSING: [Exit; 2] = [Exit::Failed, Exit::Leased];
const SECRETS: &str = "/run/secrets/psasync/";

fn rendered(overlay: &str) -> String {
    let command = std::env::var("KUSTOMIZE").unwrap_or_else(|_| "kubectl kustomize".to_owned());
    let mut words = command.split_whitespace();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes/overlays").join(overlay);
    let output = Command::new(words.next().unwrap()).args(words).arg(folder).output().unwrap();
    assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn overlay(name: &str) -> Vec<Value> {
    documents(&rendered(name))
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// The pod templates, wherever their kind keeps them.
fn templates(documents: &[Value]) -> Vec<&Value> {
    let paths = ["/spec/template", "/spec/jobTemplate/spec/template"];
    documents.iter().flat_map(|document| paths.iter().filter_map(|path| document.pointer(path))).collect()
}

fn jobs(documents: &[Value]) -> Vec<&Value> {
    let inside = of_kind(documents, "CronJob").into_iter().map(|job| &job["spec"]["jobTemplate"]["spec"]);
    inside.chain(of_kind(documents, "Job").into_iter().map(|job| &job["spec"])).collect()
}

/// What kubernetes-validate says about the text: nothing where it fits.
fn misfits(text: &str, version: &str) -> Option<String> {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let output = Command::new("kubernetes-validate")
        .args(["--strict", "--quiet", "--kubernetes-version", version])
        .arg(file.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_overlay_fits_the_schemas_of_kubernetes() {
    for overlay in OVERLAYS {
        let text = rendered(overlay);
        for version in VERSIONS {
            assert_eq!(misfits(&text, version), None, "{overlay}, {version}");
        }
    }
}

#[test]
fn what_does_not_fit_the_schemas_is_caught() {
    let text = rendered("cronjob");
    for (old, new) in [
        ("concurrencyPolicy:", "concurencyPolicy:"),
        ("backoffLimit: 4", "backoffLimit: two"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("  schedule: 0 0 * * *\n", ""),
    ] {
        assert!(text.contains(old), "{old}");
        assert!(misfits(&text.replace(old, new), VERSIONS[1]).is_some(), "`{new}` passes for `{old}`");
    }
}

#[test]
fn every_overlay_that_there_is_is_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes/overlays");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>(), OVERLAYS.map(str::to_owned).into());
}

/// What a pod may do beyond what the profile `restricted` and psasync need.
fn weaknesses(pod: &Value) -> Vec<&'static str> {
    let expected = [
        ("/enableServiceLinks", json!(false)),
        ("/automountServiceAccountToken", json!(false)),
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/runAsUser", json!(10001)),
        ("/securityContext/fsGroup", json!(10001)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/containers/0/name", json!("psasync")),
        ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/containers/0/securityContext/capabilities", json!({"drop": ["ALL"]})),
        ("/containers/0/resources/limits/memory", json!("256Mi")),
    ];
    let wrong = expected.into_iter().filter(|(path, value)| pod.pointer(path) != Some(value));
    let mut wrong: Vec<_> = wrong.map(|(path, _)| path).collect();
    if pod["containers"].as_array().is_none_or(|containers| containers.len() != 1) {
        wrong.push("/containers");
    }
    let is_writable = |mount: &&Value| mount["readOnly"] != true && mount["mountPath"] != "/var/lib/psasync";
    if pod["containers"][0]["volumeMounts"].as_array().unwrap().iter().any(|mount| is_writable(&mount)) {
        wrong.push("/containers/0/volumeMounts");
    }
    wrong
}

#[test]
fn every_pod_is_restricted_and_writes_to_one_place() {
    for name in OVERLAYS {
        let documents = overlay(name);
        let templates = templates(&documents);
        assert_eq!(templates.len(), 1, "{name}");
        assert_eq!(weaknesses(&templates[0]["spec"]), Vec::<&str>::new(), "{name}");
        let namespaces = of_kind(&documents, "Namespace");
        assert_eq!(namespaces[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        for document in documents.iter().filter(|document| document["kind"] != "Namespace") {
            assert_eq!(document["metadata"]["namespace"], namespaces[0]["metadata"]["name"], "{document}");
        }
    }
}

#[test]
fn a_pod_with_more_rights_is_caught() {
    let documents = overlay("cronjob");
    let pod = &templates(&documents)[0]["spec"];
    for (path, value) in [
        ("/enableServiceLinks", json!(true)),
        ("/securityContext/runAsNonRoot", Value::Null),
        ("/containers/0/securityContext/capabilities/drop", json!(["NET_RAW"])),
        ("/containers/0/volumeMounts/0/readOnly", json!(false)),
    ] {
        let mut weaker = pod.clone();
        *weaker.pointer_mut(path).unwrap() = value;
        assert_eq!(weaknesses(&weaker).len(), 1, "{path}");
    }
}

/// What is wrong with how a job goes on after an exit code.
fn retry_faults(job: &Value) -> Vec<String> {
    let is_indexed = job["completionMode"] == "Indexed";
    let mut faults = Vec::new();
    let ending = if is_indexed { "FailIndex" } else { "FailJob" };
    for (action, exits) in [(ending, &FINAL[..]), ("Count", &PASSING[..])] {
        let rules = job["podFailurePolicy"]["rules"].as_array().unwrap();
        let rules =
            rules.iter().filter(|rule| rule["action"] == action && rule["onExitCodes"]["operator"] == "In");
        let codes = rules.flat_map(|rule| rule["onExitCodes"]["values"].as_array().unwrap());
        let codes: BTreeSet<_> = codes.map(|code| code.as_u64().unwrap()).collect();
        let expected: BTreeSet<_> = exits.iter().map(|exit| u64::from(exit.code())).collect();
        if codes != expected {
            faults.push(format!("{action}: {codes:?} instead of {expected:?}"));
        }
    }
    // With a limit for all, one index that goes on failing would end the others.
    let limits = [job["backoffLimit"].is_u64(), job["backoffLimitPerIndex"].is_u64()];
    if limits != [!is_indexed, is_indexed] {
        faults.push("backoffLimit".to_owned());
    }
    // The first pause is 10 seconds, each further one twice as long.
    let attempts = job["backoffLimit"].as_u64().or(job["backoffLimitPerIndex"].as_u64()).unwrap_or_default();
    if Duration::from_secs((0..attempts).map(|attempt| 10 << attempt).sum()) <= LAPSES_AFTER {
        faults.push("the attempts end before the lease of a pod that was killed".to_owned());
    }
    if job["template"]["spec"]["restartPolicy"] != "Never" {
        faults.push("restartPolicy".to_owned());
    }
    faults
}

#[test]
fn a_job_repeats_what_another_attempt_can_change() {
    for name in ["backfill", "cronjob", "shards", "tenants"] {
        let documents = overlay(name);
        let jobs = jobs(&documents);
        assert_eq!(jobs.len(), 1, "{name}");
        assert_eq!(retry_faults(jobs[0]), Vec::<String>::new(), "{name}");
    }
    let named: BTreeSet<_> = FINAL.iter().chain(&PASSING).map(|exit| exit.code()).collect();
    // Done, changes (of a plan), and what a signal ended: a node that is drained, which the policy ignores.
    let others = Exit::ALL.map(Exit::code).into_iter().filter(|code| !named.contains(code));
    assert_eq!(others.collect::<Vec<_>>(), [0, 2, 130, 143]);
}

#[test]
fn a_job_that_repeats_otherwise_is_caught() {
    let documents = overlay("cronjob");
    for (path, value) in [
        ("/podFailurePolicy/rules/0/onExitCodes/values", json!([3, 4, 64, 77])),
        ("/podFailurePolicy/rules/0/action", json!("FailIndex")),
        ("/podFailurePolicy/rules/2/onExitCodes/values", json!([1, 5, 6])),
        ("/backoffLimit", Value::Null),
        ("/backoffLimit", json!(2)),
        ("/completionMode", json!("Indexed")),
    ] {
        let mut job = jobs(&documents)[0].clone();
        job["completionMode"] = json!("NonIndexed");
        assert!(retry_faults(&job).is_empty());
        *job.pointer_mut(path).unwrap() = value;
        assert!(!retry_faults(&job).is_empty(), "{path}");
    }
}

/// The value of a variable that the pod of a job is given.
fn variable<'a>(job: &'a Value, name: &str) -> &'a str {
    let variables = job["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    let variable = variables.iter().find(|variable| variable["name"] == name);
    variable.unwrap_or_else(|| panic!("no `{name}`"))["value"].as_str().unwrap()
}

#[test]
fn an_indexed_job_tells_each_pod_how_many_there_are() {
    for name in ["shards", "tenants"] {
        let documents = overlay(name);
        let job = jobs(&documents)[0];
        assert_eq!(job["completionMode"], "Indexed", "{name}");
        assert_eq!(job["parallelism"], job["completions"], "{name}: one would wait for another");
        assert_eq!(variable(job, "JOB_COMPLETIONS"), job["completions"].to_string(), "{name}");
        assert!(
            of_kind(&documents, "PersistentVolumeClaim").is_empty(),
            "{name}: the state is in PostgreSQL"
        );
    }
}

#[test]
fn there_is_a_pod_for_every_tenant() {
    let documents = overlay("tenants");
    let settings = of_kind(&documents, "ConfigMap")[0]["data"].as_object().unwrap();
    let tenants = settings.keys().filter(|file| file.ends_with(".toml")).count();
    let job = jobs(&documents)[0];
    assert_eq!(job["completions"], tenants);
    assert_eq!(job["template"]["spec"]["containers"][0]["args"][1], "/etc/psasync", "a folder");
}

#[test]
fn shards_exceed_no_budget_together() {
    let documents = overlay("shards");
    let job = jobs(&documents)[0];
    let shards = job["completions"].as_u64().unwrap();
    for (name, path) in [
        ("PSASYNC_CONNECTWISE__LIMITS__REQUESTS_PER_MINUTE", "connectwise.limits.requests_per_minute"),
        ("PSASYNC_CONNECTWISE__LIMITS__CONCURRENCY", "connectwise.limits.concurrency"),
    ] {
        let key = KEYS.iter().find(|key| key.path == path).unwrap();
        let Preset::Integer(for_all) = key.preset else { panic!("{path} is no number") };
        assert_eq!(variable(job, name).parse::<u64>().unwrap() * shards, u64::from(for_all), "{path}");
    }
    // Each has an Umbrella key of its own: the name of the file ends in the shard's index.
    assert!(variable(job, "PSASYNC_UMBRELLA__API_KEY_FILE").ends_with("-$(SHARD)"));
    assert!(variable(job, "PSASYNC_UMBRELLA__API_SECRET_FILE").ends_with("-$(SHARD)"));
    let index = &job["template"]["spec"]["containers"][0]["env"][0];
    assert_eq!(index["name"], "SHARD", "it must be there before what is made of it");
    let path = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
    assert_eq!(index["valueFrom"]["fieldRef"]["fieldPath"], path);
}

#[test]
fn every_pod_is_under_a_policy_that_admits_nobody_but_monitoring() {
    for name in OVERLAYS {
        let documents = overlay(name);
        let labels = &templates(&documents)[0]["metadata"]["labels"];
        let policies = of_kind(&documents, "NetworkPolicy");
        let base = policies.iter().find(|policy| policy["metadata"]["name"] == "psasync").unwrap();
        assert_eq!(base["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        for policy in policies {
            for (label, value) in policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap() {
                assert_eq!(&labels[label], value, "{name}");
            }
            let admitted = policy["spec"]["ingress"].as_array().map_or(0, Vec::len);
            let expected = usize::from(policy["metadata"]["name"] == "psasync-serve");
            assert_eq!(admitted, expected, "{name}");
        }
    }
}

#[test]
fn what_a_pod_mounts_is_there_and_its_settings_are_valid() {
    for name in OVERLAYS {
        let documents = overlay(name);
        let settings = of_kind(&documents, "ConfigMap")[0];
        let volumes = templates(&documents)[0]["spec"]["volumes"].as_array().unwrap();
        let volume = |of: &str| volumes.iter().find(|volume| volume["name"] == of);
        assert_eq!(volume("settings").unwrap()["configMap"]["name"], settings["metadata"]["name"], "{name}");
        // 0440: readable by the pod's group alone.
        assert_eq!(
            volume("secrets").unwrap()["secret"],
            json!({"secretName": "psasync", "defaultMode": 288})
        );
        let claims: Vec<_> = of_kind(&documents, "PersistentVolumeClaim");
        assert_eq!(volume("state").is_some(), !claims.is_empty(), "{name}");
        check_settings(settings["data"].as_object().unwrap());
    }
}

/// Each file of settings loads, names its secrets in the folder where they are mounted, and a mapping with a usable line.
fn check_settings(files: &serde_json::Map<String, Value>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        // The secrets are not on this machine: any file stands for each of them.
        let text = text.as_str().unwrap().replace(SECRETS, "secret-");
        assert!(!text.contains("/run/"), "{name} names a secret that is not mounted");
        for line in text.lines().filter_map(|line| line.split_once("_file = \"")) {
            let secret = if line.0 == "url" { "postgres://u:p@h/d" } else { "not-a-real-secret" };
            fs::write(folder.path().join(line.1.trim_end_matches('"')), secret).unwrap();
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    for name in files.keys().filter(|name| name.ends_with(".toml")) {
        let loaded = config::load(&folder.path().join(name), []);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{name}: {problems}"));
        mapping_file::load(&loaded.config.mapping_file)
            .unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
}

#[test]
fn every_pod_runs_this_version_with_arguments_that_it_takes() {
    for name in OVERLAYS {
        let documents = overlay(name);
        let container = &templates(&documents)[0]["spec"]["containers"][0];
        let image = container["image"].as_str().unwrap();
        assert_eq!(image.rsplit_once(':').unwrap().1, env!("CARGO_PKG_VERSION"), "{name}");
        let arguments = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let output =
            Command::new(env!("CARGO_BIN_EXE_psasync")).args(arguments).arg("--help").output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn serve_listens_where_it_is_asked() {
    let documents = overlay("serve");
    let container = &templates(&documents)[0]["spec"]["containers"][0];
    assert_eq!(container["env"][0], json!({"name": "PSASYNC_SERVE__LISTEN", "value": "0.0.0.0:9475"}));
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 9475}]));
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
    }
    assert_eq!(of_kind(&documents, "Service")[0]["spec"]["ports"][0]["port"], 9475);
    assert_eq!(of_kind(&documents, "Deployment")[0]["spec"]["strategy"]["type"], "Recreate");
}
