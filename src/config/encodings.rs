//! `feed.encoding`: a label of the WHATWG Encoding Standard, as `encoding_rs` knows them.
//!
//! Codepages that the standard does not know (850, 437, EBCDIC) are refused: a wrong table would
//! change names silently. The list here serves only to name the nearest known one.

use encoding_rs::Encoding;

/// Names to choose from when a label is unknown; the canonical ones, and what people write.
const LABELS: [&str; 47] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "utf-16",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-9",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "latin1",
    "cp1250",
    "cp1251",
    "cp1252",
    "macintosh",
    "x-mac-cyrillic",
    "ibm866",
    "koi8-r",
    "koi8-u",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "shift_jis",
    "iso-2022-jp",
    "euc-kr",
    "ascii",
    "latin2",
    "x-sjis",
];

/// The encoding of a label, in any case.
pub(super) fn parse(text: &str) -> Result<&'static Encoding, String> {
    let label = text.trim();
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding != encoding_rs::REPLACEMENT && encoding != encoding_rs::X_USER_DEFINED => {
            Ok(encoding)
        }
        Some(_) | None => Err(format!(
            "{text:?} is no encoding that is known; did you mean {}? Windows in western Europe and America writes windows-1252",
            nearest(label)
        )),
    }
}

fn nearest(label: &str) -> &'static str {
    let label = label.to_ascii_lowercase();
    if label == "ansi" {
        return "windows-1252";
    }
    let likeness = |known: &&&str| strsim::normalized_damerau_levenshtein(known, &label);
    LABELS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).copied().unwrap_or("windows-1252")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_known_and_the_nearest_is_named() {
        for label in LABELS {
            assert!(parse(label).is_ok(), "{label}");
        }
        assert_eq!(parse(" Windows-1252 ").unwrap().name(), "windows-1252");
        for (bad, meant) in
            [("windows-1253x", "windows-1253"), ("ANSI", "windows-1252"), ("iso8859_15x", "iso-8859-15")]
        {
            let said = parse(bad).unwrap_err();
            assert!(said.contains(&format!("did you mean {meant}?")), "{bad}: {said}");
        }
        for bad in ["cp850", "", "replacement", "iso-2022-kr", "x-user-defined", "utf-7"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
