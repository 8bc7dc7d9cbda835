//! The days of the sandbox: what HR, admins, hires and the network do around Monday, 1 March 2027.
//!
//! What the program does about it stands nowhere here; it is seen when it happens.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::cast::{self, Person};

/// Sites in the files, with their zones.
pub const SITES: [(&str, &str); 4] = [
    ("Auckland", "Pacific/Auckland"),
    ("Bengaluru", "Asia/Kolkata"),
    ("Berlin", "Europe/Berlin"),
    ("New York", "America/New_York"),
];
/// Where HR and the admins sit.
pub const OFFICE: &str = "Europe/Berlin";

/// Something that happens to the program from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// HR drops a file.
    Drop {
        /// Its name.
        name: &'static str,
        /// Its text.
        text: &'static str,
    },
    /// HR corrects the file of rejected rows and drops it again.
    Correct {
        /// What was wrong.
        wrong: &'static str,
        /// What is right.
        right: &'static str,
    },
    /// The network loses the answer to the next request for a pass.
    LoseAnswer,
    /// An admin gives somebody another manager in the directory.
    NewManager {
        /// Whom.
        of: Person,
        /// Who it is from now on.
        is: Person,
    },
    /// Somebody signs in with the code of their newest letter, which the manager handed over.
    SignIn(Person),
}

/// One deed and its instant.
pub type Moment = (DateTime<Utc>, Deed);

const FRIDAY: &str = "\
employee_id,user,display_name,start_date,start_time,site,manager
E1001,aroha.ngata@contoso.example,Aroha Ngata,2027-03-01,09:00,Auckland,tane.walker@contoso.example
E1002,priya.raman@contoso.example,Priya Raman,2027-03-01,09:30,Bengaluru,deepa.nair@contoso.example
E1003,ada.berger@contoso.example,Ada Berger,2027-03-01,09:00,Berlin,lena.brandt@contoso.example
E1004,jonas.weber@contoso.example,Jonas Weber,03/01/2027,09:00,Berlin,lena.brandt@contoso.example
E1005,olivia.brown@contoso.example,Olivia Brown,2027-03-01,09:00,New York,carla.reyes@contoso.example
E1006,luis.ortega@contoso.example,Luis Ortega,2027-03-01,09:00,New York,
E1007,grace.miller@contoso.example,Grace Miller,2027-03-01,10:00,New York,
";

const MONDAY: &str = "\
employee_id,user,display_name,start_date,start_time,site,manager
E1003,ada.berger@contoso.example,Ada Berger,2027-03-03,09:00,Berlin,lena.brandt@contoso.example
";

/// A file that is dropped by nobody: for trying `import --dry-run` afterwards.
pub const NEXT_FILE: (&str, &str) = (
    "april.csv",
    "\
employee_id,user,display_name,start_date,start_time,site,manager
E1008,noah.fischer@contoso.example,Noah Fischer,2027-04-01,09:00,Berlin,lena.brandt@contoso.example
E1009,mere.tamati@contoso.example,Mere Tamati,2027-04-05,,Auckland,tane.walker@contoso.example
E1007,grace.miller@contoso.example,Grace Miller,2027-04-05,10:00,New York,
",
);

/// When the story begins and ends. At the end the last pass was used, and was seen to be.
pub fn span() -> (DateTime<Utc>, DateTime<Utc>) {
    (utc(2, 26, 9, 0), utc(3, 3, 10, 0))
}

/// Everything that happens, in order.
pub fn moments() -> Vec<Moment> {
    vec![
        (utc(2, 26, 9, 0), Deed::Drop { name: "hires.csv", text: FRIDAY }),
        (utc(2, 26, 13, 30), Deed::Correct { wrong: "03/01/2027", right: "2027-03-01" }),
        (utc(2, 28, 20, 5), Deed::SignIn(cast::AROHA)),
        (utc(3, 1, 4, 10), Deed::SignIn(cast::PRIYA)),
        (utc(3, 1, 6, 45), Deed::Drop { name: "changes.csv", text: MONDAY }),
        (utc(3, 1, 8, 5), Deed::SignIn(cast::JONAS)),
        (utc(3, 1, 11, 59), Deed::LoseAnswer),
        (utc(3, 1, 12, 20), Deed::NewManager { of: cast::LUIS, is: cast::CARLA }),
        (utc(3, 1, 14, 5), Deed::SignIn(cast::OLIVIA)),
        (utc(3, 1, 14, 10), Deed::SignIn(cast::LUIS)),
        (utc(3, 3, 8, 5), Deed::SignIn(cast::ADA)),
    ]
}

/// An instant of 2027.
fn utc(month: u32, day: u32, hour: i64, minute: i64) -> DateTime<Utc> {
    let midnight = NaiveDate::from_ymd_opt(2027, month, day).unwrap_or_default().and_time(chrono::NaiveTime::MIN);
    midnight.and_utc() + TimeDelta::hours(hour) + TimeDelta::minutes(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_stand_in_order() {
        let moments = moments();
        assert!(moments.is_sorted_by_key(|(at, _)| *at));
        let (from, until) = span();
        assert!(moments.iter().all(|(at, _)| (from..until).contains(at)));
    }
}
