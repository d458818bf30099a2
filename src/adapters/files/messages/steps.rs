//! The ends of the steps of a message, which are parts of it: rows of a table of their own. Of a message whose total is told there is one.

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection};

use super::super::agents::STEP_BYTES;
use super::super::stores::columns;

/// Looks parts up, where that can be done without reading all of them.
pub(super) struct Steps<'c>(Option<CachedStatement<'c>>);

impl<'c> Steps<'c> {
    /// Of a database.
    pub fn of(conn: &'c Connection) -> rusqlite::Result<Self> {
        let known = columns(conn, "part")?;
        let whole = ["id", "message_id", "data"]
            .iter()
            .all(|column| known.iter().any(|own| own == column));
        let mut indexed = conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pragma_index_list('part') AS list, pragma_index_info(list.name) AS info
             WHERE info.seqno = 0 AND info.name = 'message_id')",
        )?;
        if !whole || !indexed.query_row([], |row| row.get::<_, bool>(0))? {
            return Ok(Steps(None));
        }
        let look = conn.prepare_cached(&format!(
            "SELECT data FROM part WHERE message_id = ?1 AND octet_length(data) <= {STEP_BYTES} AND instr(data, 'step-finish') > 0 ORDER BY id"
        ))?;
        Ok(Steps(Some(look)))
    }

    /// Those of a message; none of one that tells its total.
    pub fn within(&mut self, id: &str, data: ValueRef<'_>) -> rusqlite::Result<Vec<String>> {
        let text = data.as_str().unwrap_or_default();
        match &mut self.0 {
            Some(look) if text.contains("\"assistant\"") && !text.contains("\"total\"") => {
                // One that is no text is passed over; the message counts all the same.
                let parts = look.query_map([id], |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)))?;
                parts.filter_map(Result::transpose).collect()
            }
            Some(_) | None => Ok(Vec::new()),
        }
    }
}
