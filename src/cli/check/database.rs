//! `check`, of a feed that is a query: the URL, how the way is secured, what the login may do, and
//! whether the query's columns are what a feed needs.
//!
//! Nothing is written; the rows that the query returns are counted and thrown away.

use std::fs::File;

use super::{Findings, open};
use crate::config::{Feed, Sql};
use crate::feed::sql::{self, Ask, SqlError, Trust};

/// What the settings say.
pub(super) fn of_settings(feed: &Feed, sql: &Sql, found: &mut Findings) {
    let what = format!("feed {}", feed.name);
    match sql::target(sql) {
        Err(error) => found.wrong(what, format!("{error}; mend the file that feed.url_file names")),
        Ok(target) => {
            let place = target.place;
            match target.trust {
                Trust::Local => found.ok(what, format!("{place}, on this machine")),
                Trust::Verified => {
                    found.ok(what, format!("{place}, over TLS; the server's certificate and name are checked"));
                }
                Trust::Driver => found.note(
                    what,
                    format!("{place}: how the way there is secured stands in the driver's own settings; see that they ask for TLS"),
                ),
                Trust::Encrypted => found.note(
                    what,
                    format!("{place}, over TLS, but whose certificate it is is not checked in full; leave sslmode out of the URL, or name the server's CA in it"),
                ),
            }
        }
    }
}

/// What the database says.
pub(super) async fn of_database(feed: &Feed, sql: &Sql, found: &mut Findings) {
    let what = format!("feed {}", feed.name);
    match sql::look(sql).await {
        Err(error) => return found.wrong(what, error.to_string()),
        Ok(looked) => match looked.writes {
            None => found.ok(what.clone(), format!("{}: the login only reads", looked.version)),
            Some(writes) => found.note(
                what.clone(),
                format!(
                    "{}: {writes}; firstpass only reads, so give it a login that can do nothing else",
                    looked.version
                ),
            ),
        },
    }
    let since = sql.watermark.is_some().then_some(sql.watermark_from.as_str());
    let read = match File::options().write(true).open("/dev/null") {
        Ok(nowhere) => sql::read(&Ask { sql, columns: &feed.columns, since, now: open::now() }, nowhere).await,
        Err(error) => Err(SqlError::Disk(error)),
    };
    match read {
        Ok(rows) if rows.rows == 0 => found.note(what, "the query returned no row".to_owned()),
        Ok(rows) => found.ok(what, format!("the query returned {} rows with the columns that are needed", rows.rows)),
        Err(error) => found.wrong(what, error.to_string()),
    }
}
