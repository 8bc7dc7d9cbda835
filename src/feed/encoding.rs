//! What the bytes of a file are, and how they become UTF-8.
//!
//! A BOM decides; then UTF-16 that shows itself by its zero bytes; then valid UTF-8; then the
//! `encoding` of the settings. Nothing is ever guessed from letters: a wrong guess changes names
//! silently. The file is decoded as a stream, and its digest is that of the raw bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::csv::Unreadable;
use super::guarded::hex;
use crate::rules::headers::LINE_COLUMN;

/// Raw bytes in hand at once while decoding.
const RAW: usize = 32 * 1024;
/// First bytes looked at to tell what a file is.
const FIRST: usize = 64;
/// Letters that must look like UTF-16 when no BOM says so: `id` or `""` is the shortest header's start.
const SURE: usize = 2;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// `None`: UTF-8, checked while the rows are read.
    encoding: Option<&'static Encoding>,
    /// Bytes of the BOM.
    bom: u64,
    /// The settings say so, not the file.
    by_settings: bool,
}

impl Written {
    /// Whether the settings say so, not the file.
    pub(crate) fn by_settings(self) -> bool {
        self.by_settings
    }

    /// For sentences.
    pub(crate) fn name(self) -> &'static str {
        self.encoding.map_or("UTF-8", Encoding::name)
    }
}

/// Looks at the file; `named` is `encoding` of the feed's settings.
///
/// # Errors
/// [`Unreadable`]: it is no text, or a kind of text that cannot be read.
pub(crate) fn recognise(file: &File, named: Option<&'static Encoding>) -> Result<Written, Unreadable> {
    let mut first = [0_u8; FIRST];
    let n = file.read_at(&mut first, 0)?;
    let first = first.get(..n).unwrap_or_default();
    if let Some(what) = no_text(first) {
        return Err(Unreadable::File(format!("the file {what}. Nothing was taken")));
    }
    let utf16 = |encoding, bom| Ok(Written { encoding: Some(encoding), bom, by_settings: false });
    if first.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return Ok(Written { encoding: None, bom: 3, by_settings: false });
    }
    if first.starts_with(&[0xFF, 0xFE]) {
        return utf16(UTF_16LE, 2);
    }
    if first.starts_with(&[0xFE, 0xFF]) {
        return utf16(UTF_16BE, 2);
    }
    // In UTF-8 these would be NULs in the header, which no table has.
    if every_other_is_zero(first, 1) {
        return utf16(UTF_16LE, 0);
    }
    if every_other_is_zero(first, 0) {
        return utf16(UTF_16BE, 0);
    }
    match named {
        Some(encoding) if !(encoding.is_ascii_compatible() || is_ours(first)) || !is_utf8(file)? => {
            Ok(Written { encoding: Some(encoding), bom: 0, by_settings: true })
        }
        Some(_) | None => Ok(Written { encoding: None, bom: 0, by_settings: false }),
    }
}

/// A file of rejected rows, which we write in UTF-8 whatever the feed's files are written in.
fn is_ours(first: &[u8]) -> bool {
    first.strip_prefix(b"\"").unwrap_or(first).starts_with(LINE_COLUMN.as_bytes())
}

/// What a file is that is no text, and the remedy.
fn no_text(first: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "is a zip archive or a workbook; export it as CSV"),
        (&[0xD0, 0xCF, 0x11, 0xE0], "is an Excel workbook (.xls); export it as CSV"),
        (&[0x1F, 0x8B], "is a gzip archive; unpack it first"),
        (b"BZh", "is a bzip2 archive; unpack it first"),
        (&[0xFD, b'7', b'z', b'X', b'Z'], "is an xz archive; unpack it first"),
        (b"%PDF", "is a PDF; export it as CSV"),
        (b"-----BEGIN PGP", "is encrypted with PGP; decrypt it first"),
        (&[0xFF, 0xFE, 0, 0], "is UTF-32; export it as UTF-8"),
        (&[0, 0, 0xFE, 0xFF], "is UTF-32; export it as UTF-8"),
    ];
    if let Some((_, what)) = KINDS.iter().find(|(start, _)| first.starts_with(start)) {
        return Some(what);
    }
    let text = first.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(first).to_ascii_lowercase();
    let page: [&[u8]; 5] = [b"<html", b"<!doctype", b"<table", b"<?xml", b"<workbook"];
    page.iter()
        .any(|tag| text.starts_with(tag))
        .then_some("is a web page or XML, also when its name ends in .xls; export it as CSV")
}

/// ASCII letters with a zero byte before (0) or behind (1) each, at least [`SURE`] of them.
fn every_other_is_zero(first: &[u8], zero_at: usize) -> bool {
    let mut pairs = first.chunks_exact(2).take(SURE);
    let fits = |pair: &[u8]| {
        let (zero, letter) = (pair.get(zero_at), pair.get(1 - zero_at));
        zero == Some(&0) && letter.is_some_and(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
    };
    first.len() >= 2 * SURE && pairs.all(fits)
}

/// Whether the whole file is valid UTF-8.
fn is_utf8(file: &File) -> io::Result<bool> {
    let mut buffer = vec![0_u8; RAW];
    let (mut at, mut kept): (u64, usize) = (0, 0);
    loop {
        let n = file.read_at(buffer.get_mut(kept..).unwrap_or_default(), at)?;
        let bytes = buffer.get(..kept + n).unwrap_or_default();
        let good = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && n > 0 => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        if n == 0 {
            return Ok(true);
        }
        // At most three bytes of a letter that goes on in the next piece.
        at += u64::try_from(n).unwrap_or(0);
        let length = kept + n;
        buffer.copy_within(good..length, 0);
        kept = length - good;
    }
}

/// A file read once from its start, as UTF-8.
#[derive(Debug)]
pub(crate) struct Text {
    file: File,
    digest: Sha256,
    written: Written,
    decoding: Option<Box<Decoding>>,
}

struct Decoding {
    decoder: Decoder,
    raw: Vec<u8>,
    from: usize,
    to: usize,
    last: bool,
    /// The decoder gave its last letter and must not be asked again.
    over: bool,
    malformed: bool,
}

impl std::fmt::Debug for Decoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoding").field("malformed", &self.malformed).finish_non_exhaustive()
    }
}

impl Text {
    /// Starts at the first byte behind the BOM.
    pub(crate) fn open(mut file: File, written: Written) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut digest = Sha256::new();
        let mut bom = Vec::new();
        Read::by_ref(&mut file).take(written.bom).read_to_end(&mut bom)?;
        digest.update(&bom);
        let decoding = written.encoding.map(|encoding| {
            Box::new(Decoding {
                decoder: encoding.new_decoder_without_bom_handling(),
                raw: vec![0; RAW],
                from: 0,
                to: 0,
                last: false,
                over: false,
                malformed: false,
            })
        });
        Ok(Self { file, digest, written, decoding })
    }

    /// The bytes behind what was read are none of the encoding.
    pub(crate) fn malformed(&self) -> Option<Written> {
        self.decoding.as_ref().is_some_and(|decoding| decoding.malformed).then_some(self.written)
    }

    /// The digest of the raw bytes that were read, in hex.
    pub(crate) fn sha256(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self { file, digest, decoding, .. } = self;
        let mut raw = |into: &mut [u8]| -> io::Result<usize> {
            let n = file.read(into)?;
            digest.update(into.get(..n).unwrap_or_default());
            Ok(n)
        };
        match decoding {
            None => raw(into),
            Some(decoding) => decoding.read(raw, into),
        }
    }
}

impl Decoding {
    fn read(&mut self, mut raw: impl FnMut(&mut [u8]) -> io::Result<usize>, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.malformed {
                return Err(io::Error::other("malformed bytes"));
            }
            if self.over {
                return Ok(0);
            }
            if self.from == self.to && !self.last {
                (self.from, self.to) = (0, raw(&mut self.raw)?);
                self.last = self.to == 0;
            }
            let bytes = self.raw.get(self.from..self.to).unwrap_or_default();
            let (result, n_read, n_written) = self.decoder.decode_to_utf8_without_replacement(bytes, into, self.last);
            self.from += n_read;
            match result {
                DecoderResult::Malformed(..) => self.malformed = true,
                DecoderResult::OutputFull if n_written == 0 => return Err(io::Error::other("no room for a letter")),
                DecoderResult::OutputFull => {}
                DecoderResult::InputEmpty => self.over = self.last,
            }
            if n_written > 0 {
                return Ok(n_written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(bytes: &[u8], label: &str) -> Result<String, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let written = recognise(&file, Encoding::for_label(label.as_bytes())).map_err(|error| error.to_string())?;
        let mut text = String::new();
        Text::open(file, written).unwrap().read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn valid_utf8_goes_before_the_named_encoding() {
        // A letter of three bytes stands across the border of two pieces.
        let long = format!("{}李", "x".repeat(RAW - 1));
        for text in ["Zoë", long.as_str()] {
            assert_eq!(read(text.as_bytes(), "windows-1252").as_deref(), Ok(text));
        }
        assert_eq!(read(b"Zo\xeb", "windows-1252").as_deref(), Ok("Zoë"));
        assert_eq!(read(b"Zo\xc3", "windows-1252").as_deref(), Ok("ZoÃ"), "cut off is not valid");
        assert_eq!(read(b"firstpass_line,a\n", "utf-16le").as_deref(), Ok("firstpass_line,a\n"), "ours");
        assert_eq!(read(b"", "utf-16le").as_deref(), Ok(""));
    }

    #[test]
    fn malformed_bytes_end_the_reading() {
        assert!(read(b"\xff\xfea\0\x00\xd8b\0", "").is_err(), "half a letter");
        assert!(read(b"a\0b\0c", "").is_err(), "an odd byte at the end");
        assert!(read(b"a,\xe3\x81\n", "euc-jp").is_err());
        assert_eq!(read(b"a\0b\0", "").as_deref(), Ok("ab"));
        assert_eq!(read(b"\0a\0b", "").as_deref(), Ok("ab"));
    }
}
