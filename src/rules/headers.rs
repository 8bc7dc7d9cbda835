//! Which column of a feed is which field.
//!
//! Well-known headers (Microsoft's inbound-provisioning sample, Workday, SuccessFactors, BambooHR,
//! Personio, UKG) are recognised in any case and order; a header named in `columns` wins over them.
//! Two headers for one field is an error, never a guess. Read on in [`super::record`].

use std::collections::BTreeMap;

use super::hire::text_enum;
use super::record::Cells;

text_enum! {
    /// The fields of contract 4.
    Field {
        EmployeeId = "employee_id",
        User = "user",
        DisplayName = "display_name",
        GivenName = "given_name",
        FamilyName = "family_name",
        StartDate = "start_date",
        StartTime = "start_time",
        Zone = "zone",
        Site = "site",
        City = "city",
        Country = "country",
        Manager = "manager",
        Language = "language",
        Status = "status",
    }
}

/// The two columns that a file of rejected rows has in front; skipped when it is dropped again.
pub const LINE_COLUMN: &str = "firstpass_line";
/// See [`LINE_COLUMN`].
pub const REASON_COLUMN: &str = "firstpass_reason";

impl Field {
    /// Well-known headers: lower case, letters and digits only.
    fn well_known(self) -> &'static [&'static str] {
        match self {
            Self::EmployeeId => &[
                "employeeid",
                "workerid",
                "employeenumber",
                "employeeno",
                "personnelnumber",
                "personnelno",
                "personalnummer",
                "personid",
                "personidexternal",
                "personnumber",
                "mitarbeiternummer",
                "staffid",
                "empid",
                "employeenum",
            ],
            Self::User => &["user", "userid", "username", "userprincipalname", "upn", "objectid"],
            Self::DisplayName => {
                &["displayname", "fullname", "name", "preferredname", "employeename", "workername", "legalname"]
            }
            Self::GivenName => {
                &["givenname", "firstname", "legalfirstname", "preferredfirstname", "vorname", "forename"]
            }
            Self::FamilyName => {
                &["familyname", "lastname", "legallastname", "preferredlastname", "surname", "nachname"]
            }
            Self::StartDate => &[
                "startdate",
                "hiredate",
                "dateofhire",
                "employeehiredate",
                "employmentstartdate",
                "dateofjoining",
                "joiningdate",
                "eintrittsdatum",
                "hiringdate",
                "lasthiredate",
                "continuousservicedate",
            ],
            Self::StartTime => &["starttime", "hiretime", "starttimeofday", "arrivaltime"],
            Self::Zone => &["zone", "timezone", "tz", "timezoneid", "ianatimezone"],
            Self::Site => &["site", "location", "worklocation", "office", "officelocation", "locationname", "standort"],
            Self::City => &["city", "worklocationcity", "stadt", "town", "locationcity"],
            Self::Country => &[
                "country",
                "countrycode",
                "countryregion",
                "countryofemployment",
                "locationcountry",
                "land",
                "worklocationcountry",
                "countryisocode",
            ],
            Self::Manager => &[
                "manager",
                "managerid",
                "manageremployeeid",
                "managerupn",
                "manageremail",
                "managerworkeremail",
                "supervisor",
                "supervisorid",
                "reportsto",
                "supervisoreid",
                "manageruserid",
                "vorgesetzter",
            ],
            Self::Language => &["language", "preferredlanguage", "locale", "preferredlocale", "sprache"],
            Self::Status => &[
                "status",
                "workerstatus",
                "employmentstatus",
                "employeestatus",
                "activestatus",
                "emplstatus",
                "hirestatus",
            ],
        }
    }
}

/// Lower case, letters and digits only: `Worker_ID`, `worker id` and `WorkerID` are one header.
/// `Employee #` is an employee number.
fn plain(header: &str) -> String {
    let header = header.replace(['#', '№'], " number");
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a header means something: well-known, one of ours, or named in `columns`.
///
/// ```
/// use firstpass::rules::headers::is_known;
/// assert!(is_known("Hire Date", &Default::default()));
/// assert!(!is_known("Hire Date;City", &Default::default()));
/// ```
pub fn is_known(header: &str, named: &BTreeMap<String, String>) -> bool {
    let plain_header = plain(header);
    !plain_header.is_empty()
        && (Field::ALL.iter().any(|field| field.well_known().contains(&plain_header.as_str()))
            || header.trim() == LINE_COLUMN
            || header.trim() == REASON_COLUMN
            || named.values().any(|wanted| plain(wanted) == plain_header))
}

/// Why no column mapping can be made. The file is not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A needed field has no column.
    #[error(
        "no column for {field}: none of the headers ({headers}) is known for it; name its header in the feed's \
         `columns`, as in columns = {{ {field} = \"…\" }}"
    )]
    Needed {
        /// The field.
        field: Field,
        /// The headers of the file, cut.
        headers: String,
    },
    /// Two columns for one field.
    #[error(
        "the headers \"{first}\" and \"{second}\" both stand for {field}; name the right one in the feed's `columns`, \
         as in columns = {{ {field} = \"{first}\" }}"
    )]
    Rivals {
        /// The field.
        field: Field,
        /// The left one.
        first: String,
        /// The right one.
        second: String,
    },
    /// `columns` names a header that the file does not have, or has twice.
    #[error(
        "`columns` says that {field} stands under \"{header}\", and the file has {count} such columns; correct the setting or the file"
    )]
    Named {
        /// The field.
        field: Field,
        /// The header of the settings.
        header: String,
        /// How many the file has.
        count: usize,
    },
    /// `columns` has a key that is no field.
    #[error("`columns` names \"{0}\", which is no field of a feed")]
    NoField(String),
}

/// The columns of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    headers: Vec<String>,
    at: Vec<Option<usize>>,
    ours: Vec<usize>,
}

impl Columns {
    /// Finds the columns. `named` is `columns` of the feed: field = header, `""` leaves a field out.
    ///
    /// # Errors
    /// [`HeaderError`] with a sentence for the admin.
    pub fn find(headers: &[String], named: &BTreeMap<String, String>) -> Result<Self, HeaderError> {
        let headers: Vec<String> = headers.iter().map(|header| header.trim().to_owned()).collect();
        let ours: Vec<usize> = positions(&headers, |header| header == LINE_COLUMN || header == REASON_COLUMN);
        let mut asked = BTreeMap::new();
        let mut claimed = Vec::new();
        for (key, header) in named {
            let field: Field = key.parse().map_err(|_| HeaderError::NoField(key.clone()))?;
            let place = if header.is_empty() { None } else { Some(named_column(&headers, field, header)?) };
            claimed.extend(place);
            asked.insert(field, place);
        }
        let mut at = Vec::with_capacity(Field::ALL.len());
        for field in Field::ALL {
            at.push(match asked.get(field) {
                Some(place) => *place,
                None => well_known_column(&headers, *field, &claimed)?,
            });
        }
        let found = Self { headers, at, ours };
        for field in [Field::EmployeeId, Field::StartDate] {
            if found.place(field).is_none() {
                return Err(HeaderError::Needed { field, headers: cut(&found.headers.join(", "), 200) });
            }
        }
        Ok(found)
    }

    /// Where a field stands, counted from 0.
    pub fn place(&self, field: Field) -> Option<usize> {
        Field::ALL.iter().position(|known| *known == field).and_then(|n| self.at.get(n).copied().flatten())
    }

    /// The header of a field, as the file writes it.
    pub fn header(&self, field: Field) -> &str {
        self.place(field).and_then(|place| self.headers.get(place)).map_or("", String::as_str)
    }

    /// Whether one column gives both fields.
    pub fn share(&self, one: Field, other: Field) -> bool {
        self.place(one).is_some() && self.place(one) == self.place(other)
    }

    /// Every header, as the file writes them.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// Whether a row repeats what the columns mean, as the second row of a SuccessFactors export:
    /// where an id and a day should stand, there are well-known headers of just these.
    pub fn are_labels(&self, cells: &dyn Cells) -> bool {
        [Field::EmployeeId, Field::StartDate].into_iter().all(|field| {
            let cell = self.place(field).map(|place| plain(cells.cell(place))).unwrap_or_default();
            !cell.is_empty() && (field.well_known().contains(&cell.as_str()) || cell == plain(self.header(field)))
        })
    }

    /// Our own two columns, when this is a file of rejected rows dropped again. Such a file is
    /// never a whole list, whatever `complete` says.
    pub fn ours(&self) -> &[usize] {
        &self.ours
    }
}

fn positions(headers: &[String], like: impl Fn(&str) -> bool) -> Vec<usize> {
    headers.iter().enumerate().filter(|(_, header)| like(header)).map(|(n, _)| n).collect()
}

/// The column of a header that the settings name: as written, else in any case.
fn named_column(headers: &[String], field: Field, wanted: &str) -> Result<usize, HeaderError> {
    let mut found = positions(headers, |header| header == wanted.trim());
    if found.is_empty() {
        found = positions(headers, |header| plain(header) == plain(wanted));
    }
    match found.as_slice() {
        [place] => Ok(*place),
        other => Err(HeaderError::Named { field, header: wanted.to_owned(), count: other.len() }),
    }
}

fn well_known_column(headers: &[String], field: Field, claimed: &[usize]) -> Result<Option<usize>, HeaderError> {
    let mut found = positions(headers, |header| field.well_known().contains(&plain(header).as_str()));
    found.retain(|place| !claimed.contains(place));
    match found.as_slice() {
        [] => Ok(None),
        [place] => Ok(Some(*place)),
        [first, second, ..] => {
            let name = |place: &usize| headers.get(*place).cloned().unwrap_or_default();
            Err(HeaderError::Rivals { field, first: name(first), second: name(second) })
        }
    }
}

/// At most `most` characters, with a mark where something is left off.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &str, named: &[(&str, &str)]) -> Result<Columns, HeaderError> {
        let headers: Vec<String> = headers.split(',').map(str::to_owned).collect();
        Columns::find(&headers, &named.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn microsofts_sample_needs_no_settings() {
        let columns = find("WorkerID,WorkerStatus,WorkerType,UserID,FirstName,LastName,FullName,GenderPronoun,ManagerID,HireDate,OnLeave,Department,Division,CostCenter,Company,Location,JobTitle,StreetAddress,City,CountryCode,OfficePhone,Custom01,Custom02,ZipCode", &[]).unwrap();
        assert_eq!(columns.header(Field::EmployeeId), "WorkerID");
        assert_eq!(columns.header(Field::StartDate), "HireDate");
        assert_eq!(columns.header(Field::Manager), "ManagerID");
        assert_eq!(columns.header(Field::Country), "CountryCode");
        assert_eq!(columns.header(Field::Status), "WorkerStatus");
        assert_eq!(columns.place(Field::Zone), None);
    }

    #[test]
    fn f28_any_case_and_order_and_rivals() {
        let columns = find("START DATE, employee_ID ,zone", &[]).unwrap();
        assert_eq!(columns.place(Field::StartDate), Some(0));
        assert_eq!(columns.place(Field::EmployeeId), Some(1));
        let rivals = find("WorkerID,Employee ID,HireDate", &[]).unwrap_err();
        assert!(matches!(rivals, HeaderError::Rivals { field: Field::EmployeeId, .. }));
        let won = find("WorkerID,Employee ID,HireDate", &[("employee_id", "Employee ID")]).unwrap();
        assert_eq!(won.place(Field::EmployeeId), Some(1));
        let left_out = find("id,HireDate,Manager,ManagerID", &[("manager", ""), ("employee_id", "ID")]).unwrap();
        assert_eq!(left_out.place(Field::Manager), None);
        let twice = find("WorkerID,workerid,HireDate", &[("employee_id", "WorkerId")]).unwrap_err();
        assert!(matches!(twice, HeaderError::Named { count: 2, .. }));
        assert!(matches!(find("a,b", &[]).unwrap_err(), HeaderError::Needed { field: Field::EmployeeId, .. }));
    }

    #[test]
    fn a_file_of_rejected_rows_is_recognised() {
        let columns = find("firstpass_line,firstpass_reason,WorkerID,HireDate", &[]).unwrap();
        assert_eq!(columns.ours(), [0, 1]);
        assert_eq!(columns.place(Field::EmployeeId), Some(2));
    }
}
