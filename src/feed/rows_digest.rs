//! A digest of rows that does not depend on their order: a database promises none.

use sha2::{Digest, Sha256};

use super::guarded::hex;

/// Equal for the same rows (twins counted) in any order.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowsDigest {
    lanes: [u64; 4],
}

impl RowsDigest {
    /// Adds one row. Cells are told apart by their lengths.
    pub(crate) fn add<'c>(&mut self, cells: impl Iterator<Item = &'c str>) {
        let mut row = Sha256::new();
        for cell in cells {
            row.update(u64::try_from(cell.len()).unwrap_or(u64::MAX).to_le_bytes());
            row.update(cell.as_bytes());
        }
        let digest = row.finalize();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks_exact(8)) {
            let part = bytes.iter().fold(0_u64, |part, byte| (part << 8) | u64::from(*byte));
            *lane = lane.wrapping_add(part);
        }
    }

    /// 64 digits, as a file's sha256.
    pub(crate) fn hex(&self) -> String {
        let bytes: Vec<u8> = self.lanes.iter().flat_map(|lane| lane.to_be_bytes()).collect();
        hex(&Sha256::digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[&str]]) -> String {
        let mut digest = RowsDigest::default();
        for row in rows {
            digest.add(row.iter().copied());
        }
        digest.hex()
    }

    #[test]
    fn order_says_nothing_and_everything_else_does() {
        let rows = of(&[&["1", "Ada"], &["2", "Ben"]]);
        assert_eq!(rows, of(&[&["2", "Ben"], &["1", "Ada"]]));
        assert_ne!(rows, of(&[&["1", "Ada"], &["2", "Ben"], &["2", "Ben"]]), "twins count");
        assert_ne!(rows, of(&[&["1A", "da"], &["2", "Ben"]]), "a cell ends where it ends");
        assert_eq!(rows.len(), 64);
    }
}
