//! The file of a history: an SQLite database.
//!
//! Its journal is rolled back, not written ahead: a write-ahead log would need shared memory, in which a full or failing
//! disk ends the process by a signal.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row, Transaction, params};

use crate::dispatch::Record;

/// The form of the file: one with a higher number is left alone.
const VERSION: i64 = 1;
/// Of one rule, however often it runs: the others keep their place.
const RUNS: i64 = 100;
/// What a run takes beside what it has written.
const OVERHEAD: i64 = 512;
/// How long somebody else may read or write.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rule TEXT NOT NULL,
        run INTEGER NOT NULL,
        started INTEGER NOT NULL, -- ms since 1970
        elapsed INTEGER NOT NULL, -- ms
        cause TEXT,
        path BLOB,
        paths INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        code INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        kept INTEGER NOT NULL
    );
    CREATE INDEX runs_of_rules ON runs (rule, id);
    CREATE TABLE outputs (
        id INTEGER PRIMARY KEY REFERENCES runs,
        head BLOB NOT NULL,
        omitted INTEGER NOT NULL,
        tail BLOB NOT NULL
    );
    CREATE TRIGGER forget AFTER DELETE ON runs BEGIN DELETE FROM outputs WHERE id = old.id; END;
    PRAGMA user_version = 1;";

/// Why a history cannot be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is no database, or one that contradicts itself.
    Damaged,
    /// A newer tripline has written it.
    Newer,
    /// It is not there, cannot be read or written, or there is no room.
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Other(error),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("it is damaged"),
            Self::Newer => f.write_str("it was written by a newer tripline"),
            Self::Other(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => f.write_str("no room is left"),
                Some(ErrorCode::DatabaseBusy) => f.write_str("another process has it locked"),
                _ => error.fmt(f),
            },
        }
    }
}

/// A run as it was remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) id: i64,
    pub(super) rule: String,
    pub(super) run: i64,
    /// In milliseconds since 1970.
    pub(super) started: i64,
    pub(super) elapsed: Duration,
    /// None of a service.
    pub(super) cause: Option<String>,
    /// The first path of the cause, and how many there were.
    pub(super) path: Option<Vec<u8>>,
    pub(super) paths: i64,
    pub(super) outcome: String,
    pub(super) code: u8,
    pub(super) stopped: bool,
    /// How much it has written.
    pub(super) bytes: i64,
}

/// What a run has written: the beginning, how many bytes were left out then, and the end.
pub(super) type Output = (Vec<u8>, i64, Vec<u8>);

/// The file, open.
#[derive(Debug)]
pub(super) struct Store(Connection);

impl Store {
    /// Opens a file that is there to add to it; one that is empty becomes a history. `thorough` looks for damage
    /// everywhere.
    pub(super) fn open(file: &Path, thorough: bool) -> Result<Self, Trouble> {
        let store = Self::connect(file)?;
        let version = store.version()?;
        if version == 0 {
            store.0.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
        } else if thorough {
            let found: String = store.0.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(Trouble::Damaged);
            }
        }
        Ok(store)
    }

    /// Opens one to read it; none if there is nothing in it yet.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, Trouble> {
        let store = Self::connect(file)?;
        let is_empty = store.version()? == 0;
        store.0.pragma_update(None, "query_only", true)?;
        Ok((!is_empty).then_some(store))
    }

    /// Reading needs to write, too, where a tripline that was killed has left a change half done.
    fn connect(file: &Path) -> Result<Self, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(Self(connection))
    }

    fn version(&self) -> Result<i64, Trouble> {
        let version = self.0.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > VERSION { Err(Trouble::Newer) } else { Ok(version) }
    }

    /// Adds runs, and forgets the oldest of what is too much. `bound` is in bytes.
    pub(super) fn add(&mut self, records: &[Record], bound: u64) -> Result<(), Trouble> {
        let change = self.0.transaction()?;
        for record in records {
            add(&change, record)?;
            change.execute(
                "DELETE FROM runs WHERE rule = ?1 AND id <= \
                 (SELECT id FROM runs WHERE rule = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                params![record.rule, RUNS],
            )?;
        }
        trim(&change, i64::try_from(bound).unwrap_or(i64::MAX))?;
        Ok(change.commit()?)
    }

    /// The last runs, of a rule or of all, the newest first.
    pub(super) fn last(&self, rule: Option<&str>, most: usize) -> Result<Vec<Past>, Trouble> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.all("WHERE ?1 IS NULL OR rule = ?1 ORDER BY id DESC LIMIT ?2", params![rule, most])
    }

    /// The run of that number.
    pub(super) fn run(&self, id: i64) -> Result<Option<Past>, Trouble> {
        Ok(self.all("WHERE id = ?1", [id])?.pop())
    }

    /// The first and the last run of a rule, if it has one.
    pub(super) fn ids(&self, rule: &str) -> Result<Option<(i64, i64)>, Trouble> {
        let ids = self.0.query_row("SELECT min(id), max(id) FROM runs WHERE rule = ?1", [rule], |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
        })?;
        Ok(ids)
    }

    /// The rules that have run.
    pub(super) fn rules(&self) -> Result<Vec<String>, Trouble> {
        let mut query = self.0.prepare("SELECT DISTINCT rule FROM runs ORDER BY rule")?;
        let names = query.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// What a run has written.
    pub(super) fn output(&self, id: i64) -> Result<Output, Trouble> {
        let sql = "SELECT head, omitted, tail FROM outputs WHERE id = ?1";
        let found = self.0.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        Ok(found.optional()?.unwrap_or_default())
    }

    fn all(&self, which: &str, values: impl Params) -> Result<Vec<Past>, Trouble> {
        let columns = "id, rule, run, started, elapsed, cause, path, paths, outcome, code, stopped, bytes";
        let mut query = self.0.prepare(&format!("SELECT {columns} FROM runs {which}"))?;
        Ok(query.query_map(values, past)?.collect::<Result<_, _>>()?)
    }
}

fn add(change: &Transaction<'_>, record: &Record) -> rusqlite::Result<()> {
    let Record { rule, run, cause, started, elapsed, outcome, stopped, output } = record;
    let first = cause.as_ref().and_then(|cause| cause.first.as_ref());
    let paths = cause.as_ref().map_or(0, |cause| cause.more + usize::from(first.is_some()));
    let (head, omitted, tail) = output.clone().into_parts();
    let kept = (head.len() + tail.len()) as i64;
    let omitted = i64::try_from(omitted).unwrap_or(i64::MAX);
    change.prepare(
        "INSERT INTO runs (rule, run, started, elapsed, cause, path, paths, outcome, code, stopped, bytes, kept) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        rule,
        run.0.cast_signed(),
        started.as_millisecond(),
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX),
        cause.as_ref().map(ToString::to_string),
        first.map(|(path, _)| path),
        paths as i64,
        outcome.to_string(),
        outcome.code(),
        stopped,
        kept.saturating_add(omitted),
        kept,
    ])?;
    let id = change.last_insert_rowid();
    change
        .prepare("INSERT INTO outputs (id, head, omitted, tail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, head, omitted, tail])?;
    Ok(())
}

/// Forgets the oldest runs until the rest takes no more than that.
fn trim(change: &Transaction<'_>, bound: i64) -> rusqlite::Result<()> {
    let mut query = change.prepare("SELECT id, kept FROM runs ORDER BY id DESC")?;
    let mut rows = query.query([])?;
    let mut taken: i64 = 0;
    while let Some(row) = rows.next()? {
        let (id, kept): (i64, i64) = (row.get(0)?, row.get(1)?);
        taken = taken.saturating_add(kept).saturating_add(OVERHEAD);
        if taken > bound {
            change.execute("DELETE FROM runs WHERE id <= ?1", [id])?;
            break;
        }
    }
    Ok(())
}

fn past(row: &Row<'_>) -> rusqlite::Result<Past> {
    Ok(Past {
        id: row.get(0)?,
        rule: row.get(1)?,
        run: row.get(2)?,
        started: row.get(3)?,
        elapsed: Duration::from_millis(row.get::<_, i64>(4)?.unsigned_abs()),
        cause: row.get(5)?,
        path: row.get(6)?,
        paths: row.get(7)?,
        outcome: row.get(8)?,
        code: row.get(9)?,
        stopped: row.get(10)?,
        bytes: row.get(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Excerpt, Outcome, RunId};

    fn store() -> Store {
        let store = Store(Connection::open_in_memory().unwrap());
        store.0.execute_batch(SCHEMA).unwrap();
        store
    }

    /// A run of the rule that has written so many bytes.
    fn record(rule: &str, run: u64, bytes: usize) -> Record {
        let mut output = Excerpt::default();
        output.push(&vec![b'x'; bytes]);
        let (rule, elapsed, outcome) = (rule.to_owned(), Duration::ZERO, Outcome::Ok(0));
        let (run, started) = (RunId(run), jiff::Timestamp::UNIX_EPOCH);
        Record { rule, run, cause: None, started, elapsed, outcome, stopped: false, output }
    }

    fn kept(store: &Store, rule: &str) -> Vec<i64> {
        store.last(Some(rule), usize::MAX).unwrap().iter().map(|past| past.run).collect()
    }

    #[test]
    fn a_rule_that_runs_often_pushes_no_other_out() {
        let mut store = store();
        store.add(&[record("rare", 1, 10)], u64::MAX).unwrap();
        for run in 0..3 * RUNS as u64 {
            store.add(&[record("often", run, 10)], u64::MAX).unwrap();
        }
        assert_eq!(kept(&store, "rare"), [1]);
        assert_eq!(kept(&store, "often"), (2 * RUNS..3 * RUNS).rev().collect::<Vec<_>>());
        let count = |table| format!("SELECT count(*) FROM {table}");
        let count = |table| store.0.query_row(&count(table), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((count("runs"), count("outputs")), (RUNS + 1, RUNS + 1));
    }

    #[test]
    fn all_runs_together_take_no_more_than_they_may_and_the_last_ones_are_there() {
        let mut store = store();
        let records: Vec<_> = (0..50).map(|run| record("r", run, 1000)).collect();
        store.add(&records, 10 * (1000 + OVERHEAD as u64)).unwrap();
        assert_eq!(kept(&store, "r"), (40..50).rev().collect::<Vec<_>>());
        store.add(&[record("r", 50, 1)], 1000).unwrap();
        assert_eq!(kept(&store, "r"), [50]);
        // Not even one fits: the numbers go on all the same.
        store.add(&[record("r", 51, 1000)], 100).unwrap();
        assert!(kept(&store, "r").is_empty());
        store.add(&[record("r", 52, 0)], u64::MAX).unwrap();
        assert_eq!(store.ids("r").unwrap(), Some((53, 53)));
    }
}
