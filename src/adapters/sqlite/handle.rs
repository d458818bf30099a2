//! The connection of a ledger, which may still be ending a transaction.

use std::sync::mpsc::{SendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::failed;
use crate::ports::StoreError;

/// A connection. Ending a transaction waits for the disk, and a thread of its own can do the waiting.
pub(super) struct Handle {
    /// Unless a thread has it.
    conn: Option<Connection>,
    ending: Option<JoinHandle<Option<Ended>>>,
    /// How the last transaction ended that was left to it, until it is told.
    ended: rusqlite::Result<()>,
}

type Ended = (Connection, rusqlite::Result<()>);

impl Handle {
    pub fn new(conn: Connection) -> Self {
        Handle {
            conn: Some(conn),
            ending: None,
            ended: Ok(()),
        }
    }

    /// The connection, when the transaction that was left to it has ended; an error if that could not be committed.
    pub fn settled(&mut self, path: &str) -> Result<&mut Connection, StoreError> {
        self.wait();
        std::mem::replace(&mut self.ended, Ok(())).map_err(|e| failed(path, &e))?;
        self.conn.as_mut().ok_or_else(|| StoreError::Failed {
            path: path.to_owned(),
            cause: "its connection was lost while a transaction ended".to_owned(),
        })
    }

    /// Commits the open transaction. One that cannot be committed is rolled back; [`Handle::settled`] tells.
    pub fn commit(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.take_back(end(conn));
        }
    }

    /// The same without waiting for it.
    pub fn commit_behind(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        let (give, given) = sync_channel(1);
        let thread = thread::Builder::new().name("commit".to_owned());
        let thread = thread.spawn(move || given.recv().ok().map(end));
        // Without a thread it is waited for here.
        let back = match thread {
            Ok(thread) => {
                self.ending = Some(thread);
                give.send(conn).err().map(|SendError(conn)| conn)
            }
            Err(_) => Some(conn),
        };
        if let Some(conn) = back {
            self.take_back(end(conn));
        }
    }

    /// Whether [`Handle::settled`] waits for nothing.
    pub fn is_settled(&self) -> bool {
        self.ending.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn wait(&mut self) {
        match self.ending.take().map(JoinHandle::join) {
            Some(Ok(Some(ended))) => self.take_back(ended),
            Some(Ok(None)) | None => {}
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    fn take_back(&mut self, (conn, ended): Ended) {
        self.conn = Some(conn);
        self.ended = ended;
    }
}

/// A process does not end in the middle of a transaction that has its work done.
impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(thread) = self.ending.take() {
            drop(thread.join());
        }
    }
}

fn end(conn: Connection) -> Ended {
    let ended = conn.execute_batch("COMMIT");
    // Some errors have rolled it back already.
    if ended.is_err() && !conn.is_autocommit() {
        drop(conn.execute_batch("ROLLBACK"));
    }
    (conn, ended)
}
