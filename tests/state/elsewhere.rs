//! SQL past the store, as another process would send it.

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

/// Does `work` with a connection of its own, on a thread and a clock of its own.
pub(crate) fn connected<T: Send>(url: &str, work: impl AsyncFnOnce(&mut AnyConnection) -> T + Send) -> T {
    sqlx::any::install_default_drivers();
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = AnyConnection::connect(url).await.unwrap();
            let done = work(&mut connection).await;
            connection.close().await.unwrap();
            done
        })
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

/// Executes statements.
pub(crate) fn execute(url: &str, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    connected(url, async |connection| {
        sqlx::raw_sql(statements).execute(connection).await.unwrap();
    });
}
