//! A `ca_file`: certificates in PEM that are trusted besides the system's authorities. It is no secret.
//!
//! Read anew wherever a connection is prepared; asked at the start and at a reload, so that a wrong
//! file is told before the first connection fails.

use std::fs;
use std::path::Path;

use x509_parser::pem::Pem;

/// A private authority is a handful of certificates; the system's own bundle has some 200 KiB.
const LARGEST: u64 = 1024 * 1024;

/// The bytes of a `ca_file` that holds whole certificates, and at least one.
///
/// # Errors
/// What is wrong with it, to stand behind its key and path.
pub fn authorities(path: &Path) -> Result<Vec<u8>, String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    if fs::metadata(path).map_err(unread)?.len() > LARGEST {
        return Err("is larger than 1 MiB".to_owned());
    }
    let pem = fs::read(path).map_err(unread)?;
    let mut count = 0;
    for block in Pem::iter_from_buffer(&pem) {
        let block = block.map_err(|_| "is damaged: a PEM block in it cannot be read".to_owned())?;
        if block.label == "CERTIFICATE" {
            block.parse_x509().map_err(|_| "holds a broken certificate".to_owned())?;
            count += 1;
        }
    }
    if count == 0 { Err("holds no PEM certificate".to_owned()) } else { Ok(pem) }
}
