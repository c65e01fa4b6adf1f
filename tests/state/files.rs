//! What holds of a state in a SQLite file only.

use std::fs;
use std::path::Path;

use psasync::domain::field::FieldId;
use psasync::domain::ids::PsaId;
use psasync::store::{Journal, Note, Place, State, StateError, StateReader};
use rstest::rstest;

use crate::suite::{TENANT, answers, begin, begun, clock, note, run_id};
use crate::{Home, elsewhere};

async fn open(path: &Path) -> Result<State, StateError> {
    State::open(&Place::File(path), TENANT).await
}

async fn read(path: &Path) -> Result<Option<StateReader>, StateError> {
    StateReader::open(&Place::File(path), TENANT).await
}

#[tokio::test(start_paused = true)]
async fn a_reader_makes_no_file_and_a_run_does() {
    let home = Home::new();
    assert!(home.try_read().await.unwrap().is_none());
    assert!(!home.path().exists());
    home.open().await;
    assert!(home.path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_state_in_memory_is_everything_but_lasting() {
    let state = State::open(&Place::Memory, TENANT).await.unwrap();
    let lease = begun(&state, 1).await;
    Journal::new(&lease, clock()).note(&note(1)).await.unwrap();
    assert_eq!(state.reader().writes_of_run(run_id(1)).await.unwrap().len(), 1);
    let another = State::open(&Place::Memory, TENANT).await.unwrap();
    assert_eq!(another.reader().runs(10).await.unwrap(), []);
    assert!(StateReader::open(&Place::Memory, TENANT).await.unwrap().is_none());
}

#[rstest]
#[case::spaces("a state of ours.db")]
#[case::question_mark("what?mode=memory.db")]
#[case::percent("100%25.db")]
#[case::hash("#1.db")]
#[case::umlauts("Zustände 本社.db")]
#[case::plus_and_ampersand("a+b&c=d.db")]
#[case::quotes("o'neill \"hq\".db")]
#[case::colon("sqlite::memory:")]
#[case::line_break("a\nb\tc.db")]
#[case::backslash("a\\b.db")]
#[case::brackets("[a]{b}|^`.db")]
#[tokio::test(start_paused = true)]
async fn any_name_will_do(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    begin(&open(&path).await.unwrap(), 1, "2026-11-10T00:00:00Z").await;
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [name], "there is this file and no other");
    assert_eq!(read(&path).await.unwrap().unwrap().runs(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_without_a_folder_will_do() {
    let file = tempfile::Builder::new().prefix("Any name? ").tempfile_in(".").unwrap();
    let path = Path::new(file.path().file_name().unwrap());
    begin(&open(path).await.unwrap(), 1, "2026-11-10T00:00:00Z").await;
    assert_eq!(read(path).await.unwrap().unwrap().runs(10).await.unwrap().len(), 1);
    assert!(file.as_file().metadata().unwrap().len() > 0, "it is this file");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let mode = || fs::metadata(home.path()).unwrap().permissions().mode() & 0o777;
    home.open().await;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o664)).unwrap();
    home.open().await;
    assert_eq!(mode(), 0o600);
}

/// The bytes of a state with some hundred writes.
async fn filled() -> (Home, Vec<u8>) {
    let home = Home::new();
    {
        let lease = begun(&home.open().await, 1).await;
        Journal::new(&lease, clock()).note(&note(1)).await.unwrap();
        lease.release().await.unwrap();
    }
    let more = "WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM numbers WHERE number < 300) \
                INSERT INTO writes SELECT run_id, number, kind, psa_id, psa_key, company_id, record_id, state, old_answers, new_answers, \
                noted_at FROM writes, numbers";
    elsewhere::execute(&home.url(), more);
    let bytes = fs::read(home.path()).unwrap();
    assert!(bytes.len() > 16 * 4096);
    (home, bytes)
}

#[rstest]
#[case::another_file(|_: Vec<u8>| b"date,organization\n2026-11-10,1000001\n".repeat(400))]
#[case::cut_in_the_middle(|mut bytes: Vec<u8>| { bytes.truncate(bytes.len() / 2); bytes })]
#[case::cut_in_the_first_page(|mut bytes: Vec<u8>| { bytes.truncate(1000); bytes })]
#[case::overwritten(|mut bytes: Vec<u8>| { bytes[5 * 4096..9 * 4096].fill(0x5a); bytes })]
#[tokio::test(start_paused = true)]
async fn a_damaged_file_is_refused_by_its_name_and_left_as_it_is(#[case] damage: fn(Vec<u8>) -> Vec<u8>) {
    let (home, bytes) = filled().await;
    let damaged = damage(bytes);
    fs::write(home.path(), &damaged).unwrap();
    let error = open(&home.path()).await.unwrap_err();
    let StateError::Unusable { place, why } = &error else { panic!("{error}") };
    assert_eq!(*place, home.shown());
    assert!(!why.is_empty() && error.hint().contains("damaged"));
    assert_eq!(fs::read(home.path()).unwrap(), damaged, "nothing is thrown away");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_database_is_refused_by_a_reader() {
    let home = Home::new();
    fs::write(home.path(), b"date,organization\n".repeat(400)).unwrap();
    let error = home.try_read().await.unwrap_err();
    assert!(error.to_string().contains(&home.shown()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_leaves_the_file_as_it_is() {
    let (home, bytes) = filled().await;
    let reader = home.try_read().await.unwrap().unwrap();
    assert_eq!(reader.writes_of_run(run_id(1)).await.unwrap().len(), 300);
    assert_eq!(fs::read(home.path()).unwrap(), bytes);
    let beside = fs::read_dir(home.path().parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "there is nothing beside it");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_named() {
    let home = Home::new();
    let path = home.path().join("psasync.db");
    let error = open(&path).await.unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_forgotten_company_is_left_in_the_file() {
    let home = Home::new();
    let state = home.open().await;
    let lease = begun(&state, 1).await;
    let journal = Journal::new(&lease, clock());
    let secret = "intranet.forgotten.example";
    for organization in 1..=20 {
        let long = format!("{secret}; ").repeat(30);
        let (old, new) = (answers([(FieldId::TopDomains, &long)]), answers([(FieldId::TopDomains, secret)]));
        let psa_id = PsaId::new("FORGOTTEN-AND-GONE").unwrap();
        journal.note(&Note { psa_id, old, new, ..note(organization) }).await.unwrap();
        journal.note(&note(organization + 100)).await.unwrap();
    }
    let is_there = |text: &str| {
        let bytes = fs::read(home.path()).unwrap();
        bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
    };
    assert!(is_there(secret) && is_there("forgotten-and-gone"));
    let organizations = state.reader().organizations_of("forgotten-and-gone").await.unwrap();
    assert_eq!(state.forget("forgotten-and-gone", organizations).await.unwrap().writes, 20);
    assert!(!is_there(secret) && !is_there("forgotten"), "free pages keep nothing");
    assert!(is_there("ACME"));
    assert_eq!(fs::read_dir(home.path().parent().unwrap()).unwrap().count(), 1, "nor is there a journal");
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_another_process_to_finish_its_own() {
    let home = Home::new();
    let state = home.open().await;
    let (url, (locked, is_locked)) = (home.url(), std::sync::mpsc::channel());
    let (let_go, may_go) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        elsewhere::connected(&url, async move |connection| {
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.unwrap();
            locked.send(()).unwrap();
            may_go.recv().unwrap();
            sqlx::raw_sql("COMMIT").execute(connection).await.unwrap();
        });
    });
    is_locked.recv().unwrap();
    let beginning = tokio::spawn(async move {
        begin(&state, 1, "2026-11-10T00:00:00Z").await;
        state
    });
    tokio::task::yield_now().await;
    assert!(!beginning.is_finished());
    let_go.send(()).unwrap();
    let state = beginning.await.unwrap();
    other.join().unwrap();
    assert_eq!(state.reader().runs(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_killed_in_the_middle_of_a_write_leaves_a_usable_state() {
    let (home, _) = filled().await;
    let died = tempfile::tempdir().unwrap();
    let path = died.path().join("psasync.db");
    let journal = |path: &Path| path.with_extension("db-journal");
    // As a process leaves both files that dies while it writes more than its memory holds.
    elsewhere::connected(&home.url(), async |connection| {
        let write = "PRAGMA cache_size = 2; PRAGMA cache_spill = 2; BEGIN; UPDATE writes SET new_answers = '{\"Seats\":\"999\"}'; \
                     DELETE FROM writes WHERE org_id < 250";
        sqlx::raw_sql(write).execute(&mut *connection).await.unwrap();
        fs::copy(home.path(), &path).unwrap();
        fs::copy(journal(&home.path()), journal(&path)).unwrap();
        sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
    });
    assert_ne!(fs::read(&path).unwrap(), fs::read(home.path()).unwrap(), "half of the write is in the file");
    assert!(read(&path).await.unwrap().is_none(), "a reader, who may not put it back, has none");
    let state = open(&path).await.unwrap();
    let writes = state.reader().writes_of_run(run_id(1)).await.unwrap();
    assert_eq!(writes.len(), 300);
    assert!(writes.iter().all(|write| write.new == note(1).new));
}
