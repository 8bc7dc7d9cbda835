//! What templates can say: the variables of each kind of letter, and their values out of the facts.
//!
//! `deploy/letters.md` explains them; a test holds the two together.

use std::collections::BTreeMap;

use minijinja::Value;

use super::code::MARK;
use super::plain::plain;
use super::tongue::{Moment, Tongue};
use super::{PassLetter, VoidLetter, VoidWhy};

/// Kinds of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// With a code that works: `letter.*`.
    Pass,
    /// An earlier code is void: `void.*`.
    Void,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pass, Self::Void];

    /// How the names of its templates begin.
    ///
    /// ```
    /// use firstpass::rules::letter::Kind;
    /// assert_eq!(Kind::ALL.map(Kind::stem), ["letter", "void"]);
    /// ```
    pub fn stem(self) -> &'static str {
        match self {
            Self::Pass => "letter",
            Self::Void => "void",
        }
    }

    /// Every variable of its templates, in the order of the manual; `code` stands in the body only.
    pub fn variables(self) -> Vec<String> {
        let (names, moments): (Vec<&str>, &[&str]) = match self {
            Self::Pass => (
                vec!["subject", "hire", "manager", "user", "help", "code", "at_once", "one_time", "earlier", "zone"],
                &["start", "valid_from", "valid_until"],
            ),
            Self::Void => (vec!["subject", "hire", "manager", "help", "why"], &["new_start"]),
        };
        let forms = moments.iter().flat_map(|name| FORMS.map(|form| format!("{name}{form}")));
        names.iter().map(|name| (*name).to_owned()).chain(forms).collect()
    }

    /// What its letter must tell (contract 6): one of each row stands in a good template.
    pub(super) fn must_tell(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Pass => &[
                ("hire", "whose pass it is"),
                ("start", "when the hire starts"),
                ("valid_from", "from when the code works"),
                ("valid_until", "until when the code works"),
                ("one_time", "whether the code works once or several times"),
                ("earlier", "what an earlier code is worth"),
            ],
            Self::Void => &[("hire", "whose code is void"), ("why", "what happens next")],
        }
    }
}

/// Each moment: as the language writes it, its date, its time, ISO 8601, the day of the week.
const FORMS: [&str; 5] = ["", "_date", "_time", "_iso", "_weekday"];

/// Names and values.
pub(super) type Values = BTreeMap<String, Value>;

fn put_moment(values: &mut Values, name: &str, moment: Option<&Moment>, tongue: Option<Tongue>) {
    let texts = moment.map_or_else(Default::default, |moment| {
        [moment.words(tongue), moment.date(tongue), moment.time(tongue), moment.iso()]
    });
    for (form, text) in FORMS.iter().zip(texts) {
        values.insert(format!("{name}{form}"), Value::from(text));
    }
    values.insert(format!("{name}_weekday"), Value::from(moment.map_or(0, Moment::weekday)));
}

/// Of a letter with a code; the code is a mark.
pub(super) fn of_pass(letter: &PassLetter, tongue: Option<Tongue>) -> Values {
    let mut values = common(&letter.hire_name, &letter.manager_name, letter.help.as_deref(), tongue);
    values.insert("user".to_owned(), Value::from(plain(&letter.user)));
    values.insert("code".to_owned(), Value::from(MARK.to_string()));
    values.insert("at_once".to_owned(), Value::from(letter.usable_at_once));
    values.insert("one_time".to_owned(), Value::from(letter.one_time));
    values.insert("earlier".to_owned(), Value::from(letter.earlier));
    let moment = |at| Moment::at(at, &letter.zone);
    let start = moment(letter.start);
    values.insert("zone".to_owned(), Value::from(start.zone()));
    put_moment(&mut values, "start", Some(&start), tongue);
    put_moment(&mut values, "valid_from", Some(&moment(letter.valid_from)), tongue);
    put_moment(&mut values, "valid_until", Some(&moment(letter.valid_until)), tongue);
    values
}

/// Of a letter that says that a code is void.
pub(super) fn of_void(letter: &VoidLetter, tongue: Option<Tongue>) -> Values {
    let mut values = common(&letter.hire_name, &letter.manager_name, letter.help.as_deref(), tongue);
    let (why, new_start) = match &letter.why {
        VoidWhy::Cancelled => ("cancelled", None),
        VoidWhy::Moved { start } => ("moved", Some(start)),
        VoidWhy::NewManager => ("new-manager", None),
        VoidWhy::Other => ("other", None),
    };
    values.insert("why".to_owned(), Value::from(why));
    put_moment(&mut values, "new_start", new_start, tongue);
    values
}

fn common(hire: &str, manager: &str, help: Option<&str>, tongue: Option<Tongue>) -> Values {
    let hire = match (plain(hire), tongue) {
        (name, _) if !name.is_empty() => name,
        (_, Some(Tongue::English)) => "your new colleague".to_owned(),
        (_, Some(Tongue::German) | None) => "N. N.".to_owned(),
    };
    Values::from([
        ("hire".to_owned(), Value::from(hire)),
        ("manager".to_owned(), Value::from(plain(manager))),
        ("help".to_owned(), Value::from(help.map(plain).unwrap_or_default())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_values() {
        let (pass, void) = super::super::review::samples();
        let of = |values: Values| values.into_keys().chain(["subject".to_owned()]).collect::<Vec<_>>();
        for (kind, mut given) in
            [(Kind::Pass, of(of_pass(&pass[0], None))), (Kind::Void, of(of_void(&void[0], Some(Tongue::German))))]
        {
            let mut known = kind.variables();
            known.sort();
            given.sort();
            assert_eq!(given, known);
        }
    }
}
