//! `check`, of a feed that is a query: the URL, how the way is secured, what the login may do, and
//! whether the query's columns are what a feed needs.
//!
//! Nothing is written; the rows that the query returns lie in memory and are thrown away.

use std::fs::File;
use std::io::{self, Seek};

use rustix::fs::{MemfdFlags, memfd_create};

use super::findings::{Findings, Key};
use super::people::Sample;
use crate::cli::open;
use crate::config::{Feed, Sql, TenantRules};
use crate::feed::csv;
use crate::feed::sql::{self, Ask, SqlError, Trust};

/// What the settings say.
pub(super) fn of_settings(feed: &Feed, sql: &Sql, found: &mut Findings) {
    let what = format!("feed {}", feed.name);
    match sql::target(sql) {
        Err(error) => found.wrong(Key::Database, what, format!("{error}; mend the file that feed.url_file names")),
        Ok(target) => {
            let place = target.place;
            match target.trust {
                Trust::Local => found.ok(Key::Database, what, format!("{place}, on this machine")),
                Trust::Verified => {
                    found.ok(Key::Database, what, format!("{place}, over TLS; the server's certificate and name are checked"));
                }
                Trust::Driver => found.note(Key::Database,
                    what,
                    format!("{place}: how the way there is secured stands in the driver's own settings; see that they ask for TLS"),
                ),
                Trust::Encrypted => found.note(Key::Database,
                    what,
                    format!("{place}, over TLS, but whose certificate it is is not checked in full; leave sslmode out of the URL, or name the server's CA in it"),
                ),
            }
        }
    }
}

/// What the database says.
pub(super) async fn of_database(feed: &Feed, sql: &Sql, rules: &TenantRules, found: &mut Findings) -> Sample {
    let what = format!("feed {}", feed.name);
    match sql::look(sql).await {
        Err(error) => {
            found.wrong(Key::Database, what, error.to_string());
            return Sample::of_nothing();
        }
        Ok(looked) => match looked.writes {
            None => found.ok(Key::Database, what.clone(), format!("{}: the login only reads", looked.version)),
            Some(writes) => found.note(
                Key::Database,
                what.clone(),
                format!(
                    "{}: {writes}; firstpass only reads, so give it a login that can do nothing else",
                    looked.version
                ),
            ),
        },
    }
    let since = sql.watermark.is_some().then_some(sql.watermark_from.as_str());
    let ask = Ask { sql, columns: &feed.columns, since, now: open::now() };
    let read = match in_memory() {
        Ok((rows, to)) => sql::read(&ask, to).await.map(|read| (read, rows)),
        Err(error) => Err(SqlError::Disk(error)),
    };
    match read {
        Ok((read, _)) if read.rows == 0 && sql.watermark.is_none() => {
            found.wrong(Key::Database, what, SqlError::Empty.to_string());
        }
        Ok((read, _)) if read.rows == 0 => {
            found.note(Key::Database, what, format!("the query returned no row since {}", sql.watermark_from));
        }
        Ok((read, rows)) => {
            let text = format!("the query returned {} rows with the columns that are needed", read.rows);
            match &read.beyond {
                None => found.ok(Key::Database, what, text),
                Some(beyond) => found.note(
                    Key::Database,
                    what,
                    format!(
                        "{text}; of feed.watermark, \"{beyond}\" lies in the future or is no time, number or version, and is not gone past: correct that row, or select the column otherwise"
                    ),
                ),
            }
            return sampled(feed, rules, rows);
        }
        Err(error) => found.wrong(Key::Database, what, error.to_string()),
    }
    Sample::of_nothing()
}

/// Two ends of a file that lies on no disk.
fn in_memory() -> io::Result<(File, File)> {
    let file = File::from(memfd_create("firstpass-check", MemfdFlags::CLOEXEC)?);
    Ok((file.try_clone()?, file))
}

fn sampled(feed: &Feed, rules: &TenantRules, mut rows: File) -> Sample {
    let mut sample = Sample::of("the query".to_owned());
    let rules = csv::Rules { reading: true, encoding: None, ..csv::Rules::of(feed, rules) };
    let read = rows.rewind().map_err(csv::Unreadable::Io).and_then(|()| {
        csv::read(rows, &rules, open::now(), |batch| {
            sample.take(batch);
            true
        })
    });
    // The reading itself was judged before; rejected rows are told when it is taken.
    if read.is_ok() { sample } else { Sample::of_nothing() }
}
