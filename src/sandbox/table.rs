//! HR's table for `sandbox --feed sql`: a SQLite file that says what the story's files say.
//!
//! A row of a person takes the place of the one before, as in an HR system; only the sandbox writes it.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// The database beside the settings.
pub const DATABASE: &str = "hr.db";
/// Beside the settings: names the database.
pub const URL_FILE: &str = "hr-database-url";
/// What the feed asks.
pub const QUERY: &str = "SELECT * FROM starters";

const MAKE: &str =
    "CREATE TABLE IF NOT EXISTS starters (employee_id TEXT PRIMARY KEY, \"user\" TEXT, display_name TEXT,
    start_date TEXT, start_time TEXT, site TEXT, manager TEXT)";
const PUT: &str = "INSERT OR REPLACE INTO starters VALUES (?, ?, ?, ?, ?, ?, ?)";
const CORRECT: &str = "UPDATE starters SET start_date = ? WHERE start_date = ?";
/// Columns of the table and of the story's files.
const COLUMNS: usize = 7;

/// The table.
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
}

impl Table {
    /// In this folder; made with the first rows.
    pub fn below(dir: &Path) -> Self {
        Self { path: dir.join(DATABASE) }
    }

    /// For `url_file`.
    ///
    /// # Errors
    /// The folder is gone.
    pub fn url(&self) -> std::io::Result<String> {
        let dir = self.path.parent().unwrap_or(Path::new(".")).canonicalize()?;
        Ok(format!("sqlite:{}", dir.join(DATABASE).display()))
    }

    /// Writes the rows of a file of the story (a header, then seven columns without quotes).
    ///
    /// # Errors
    /// The disk's.
    pub async fn put(&self, text: &str) -> Result<(), sqlx::Error> {
        let mut db = self.open().await?;
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let mut put = sqlx::query(PUT);
            for place in 0..COLUMNS {
                put = put.bind(cells.get(place).copied().filter(|cell| !cell.is_empty()));
            }
            put.execute(&mut db).await?;
        }
        db.close().await
    }

    /// Writes one start date for another.
    ///
    /// # Errors
    /// The disk's.
    pub async fn correct(&self, wrong: &str, right: &str) -> Result<(), sqlx::Error> {
        let mut db = self.open().await?;
        sqlx::query(CORRECT).bind(right).bind(wrong).execute(&mut db).await?;
        db.close().await
    }

    async fn open(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut db = SqliteConnectOptions::new().filename(&self.path).create_if_missing(true).connect().await?;
        sqlx::query(MAKE).execute(&mut db).await?;
        Ok(db)
    }
}
