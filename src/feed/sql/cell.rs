//! One value of a database as the text that a file would have.

use std::borrow::Cow;

use crate::rules::record::FIELD_CHARS;

/// What stands in for a value that is no text: no text of a database holds it, and the row is rejected.
pub(crate) const NO_TEXT: &str = "\0";
/// A cell longer than this is no field of anybody, and would make all rows unreadable as a file.
pub(super) const CELL_BYTES: usize = 16 * 1024;
/// Floating-point numbers from here on have lost digits.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `42.00` → `42`, `1e+15` → `1000000000000000`: a number as an id would be written. Digits that a
/// floating-point column has lost are not made up.
///
/// The text of an exact number (NUMERIC) never has an exponent.
pub(super) fn number(text: &str) -> Cow<'_, str> {
    if text.contains(['e', 'E']) {
        return match text.parse::<f64>() {
            Ok(value) if value.abs() < EXACT => Cow::Owned(value.to_string()),
            Ok(_) | Err(_) => Cow::Borrowed(NO_TEXT),
        };
    }
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => Cow::Borrowed(whole),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// The same for a value that is floating-point already.
pub(super) fn float(value: f64) -> Cow<'static, str> {
    if value.abs() < EXACT { Cow::Owned(value.to_string()) } else { Cow::Borrowed(NO_TEXT) }
}

/// Bytes that may be text. A CHAR column is filled up with blanks.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Cow::Borrowed(text.trim_end_matches(' ')),
        Ok(_) | Err(_) => Cow::Borrowed(NO_TEXT),
    }
}

/// Longer than any field may be, so that the row is rejected with that reason.
pub(super) fn too_long_for_a_field() -> String {
    "…".repeat(FIELD_CHARS + 1)
}

/// MySQL's BIT: the bytes of a number.
pub(super) fn bits(bytes: &[u8]) -> Cow<'static, str> {
    let value =
        bytes.iter().try_fold(0_u64, |value, byte| value.checked_mul(256).map(|value| value + u64::from(*byte)));
    value.map_or(Cow::Borrowed(NO_TEXT), |value| Cow::Owned(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ids_are() {
        for (shown, wanted) in [
            ("42", "42"),
            ("42.00", "42"),
            ("-1.5", "-1.5"),
            ("1e+15", "1000000000000000"),
            ("0042", "0042"),
            ("1.5e+3", "1500"),
        ] {
            assert_eq!(number(shown), wanted);
        }
        assert_eq!(number("1.2345678901234568e+20"), NO_TEXT, "digits are lost");
        assert_eq!((float(42.0), float(1e300)), ("42".into(), NO_TEXT.into()));
    }

    #[test]
    fn bytes_are_text_or_nothing() {
        assert_eq!(text("Zoë   ".as_bytes()), "Zoë");
        assert_eq!(text(&[0xff, 0xfe]), NO_TEXT);
        assert_eq!(text(b"a\0b"), NO_TEXT);
        assert!(too_long_for_a_field().chars().count() > FIELD_CHARS && too_long_for_a_field().len() < CELL_BYTES);
        assert_eq!((bits(&[1]), bits(&[1, 0])), ("1".into(), "256".into()));
    }
}
