//! Which column of a feed is which field.
//!
//! Well-known headers (Microsoft's inbound-provisioning sample, Workday, SuccessFactors, BambooHR,
//! Personio, UKG) are recognised in any case and order; a header named in `columns` wins over them.
//! Two headers for one field is an error, never a guess. Read on in [`super::record`].

mod known;

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

/// Lower case, letters and digits only: `Worker_ID`, `worker id` and `WorkerID` are one header.
/// `Employee #` is an employee number.
pub(super) fn plain(header: &str) -> String {
    let header = header.replace(['#', '№'], " number");
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Field {
    fn is_called(self, plain_header: &str) -> bool {
        self.well_known().contains(&plain_header) || self.second_best().contains(&plain_header)
    }
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
        && (Field::ALL.iter().any(|field| field.is_called(&plain_header))
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
    /// Two columns with the same header.
    #[error(
        "two columns are called \"{header}\", which stands for {field}; rename one in the file, or leave the field out with \
         columns = {{ {field} = \"\" }}"
    )]
    Twice {
        /// The field.
        field: Field,
        /// As the file writes it.
        header: String,
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
    /// In the order of [`Field::ALL`].
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
        let mut found = Self { headers, at, ours };
        found.settle_names();
        if !asked.contains_key(&Field::StartDate) && asked.contains_key(&Field::StartTime) {
            found.share_the_start();
        }
        for field in [Field::EmployeeId, Field::StartDate] {
            if found.place(field).is_none() {
                return Err(HeaderError::Needed { field, headers: cut(&found.headers.join(", "), 200) });
            }
        }
        Ok(found)
    }

    /// In `Name;Vorname` the name is the family's, and a second-best whole name (Workday's `Worker`, with the
    /// id behind it) gives way to the parts.
    fn settle_names(&mut self) {
        let parts = [Field::GivenName, Field::FamilyName].map(|field| self.place(field).is_some());
        let whole = plain(self.header(Field::DisplayName));
        let familys = parts == [true, false] && whole == "name";
        if familys || (parts.contains(&true) && Field::DisplayName.second_best().contains(&whole.as_str())) {
            let place = self.at.get_mut(Field::DisplayName.index()).and_then(Option::take);
            if let Some(family) = self.at.get_mut(Field::FamilyName.index())
                && familys
            {
                *family = place;
            }
        }
    }

    /// Mapped to `start_time` alone, a column holds date and time, unless its header stands for a time.
    fn share_the_start(&mut self) {
        let place = self.place(Field::StartTime);
        let alone = self.place(Field::StartDate).is_none();
        if alone
            && !Field::StartTime.is_called(&plain(self.header(Field::StartTime)))
            && let Some(date) = self.at.get_mut(Field::StartDate.index())
        {
            *date = place;
        }
    }

    /// Where a field stands, counted from 0.
    pub fn place(&self, field: Field) -> Option<usize> {
        self.at.get(field.index()).copied().flatten()
    }

    /// The header of a field, as the file writes it.
    pub fn header(&self, field: Field) -> &str {
        self.place(field).and_then(|place| self.headers.get(place)).map_or("", String::as_str)
    }

    /// The field that a column gives, counted from 0.
    pub fn field_at(&self, place: usize) -> Option<Field> {
        self.at.iter().position(|at| *at == Some(place)).and_then(|n| Field::ALL.get(n).copied())
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
            !cell.is_empty() && (field.is_called(&cell) || cell == plain(self.header(field)))
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
    let free = |like: &dyn Fn(&str) -> bool| {
        let mut found = positions(headers, |header| like(&plain(header)));
        found.retain(|place| !claimed.contains(place));
        found
    };
    match free(&|header| field.well_known().contains(&header)).as_slice() {
        [] => Ok(field.second_best().iter().find_map(|best| free(&|header| header == *best).first().copied())),
        [place] => Ok(Some(*place)),
        [first, second, ..] => {
            let name = |place: &usize| headers.get(*place).cloned().unwrap_or_default();
            if plain(&name(first)) == plain(&name(second)) {
                return Err(HeaderError::Twice { field, header: name(first) });
            }
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
    fn a_column_mapped_to_the_start_time_alone_gives_the_date_too() {
        for header in ["HireDate", "Beginn"] {
            let both = find(&format!("WorkerID,{header}"), &[("start_time", header)]).unwrap();
            assert!(both.share(Field::StartDate, Field::StartTime), "{header}");
        }
        let apart = find("WorkerID,HireDate,Beginn", &[("start_time", "Beginn")]).unwrap();
        assert_eq!((apart.header(Field::StartDate), apart.header(Field::StartTime)), ("HireDate", "Beginn"));
        for (named, headers) in [
            (vec![("start_time", "Start Time")], "WorkerID,Start Time"),
            (vec![("start_time", "HireDate"), ("start_date", "")], "WorkerID,HireDate"),
            (vec![], "WorkerID,Start Time"),
        ] {
            let needed = find(headers, &named).unwrap_err();
            assert!(matches!(needed, HeaderError::Needed { field: Field::StartDate, .. }), "{needed}");
        }
    }

    /// Field = header, for what was found.
    fn found(headers: &str) -> String {
        let columns = find(headers, &[]).unwrap();
        let named = Field::ALL.iter().filter(|field| columns.place(**field).is_some());
        named.map(|field| format!("{field}={}", columns.header(*field))).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn exports_of_five_products_need_no_settings() {
        let exports = [
            "Worker,Employee ID,Legal Name - First Name,Legal Name - Last Name,Preferred Name - First Name,Hire Date,Original Hire Date,Continuous Service Date,Location,Location Address - Country,Manager Employee ID,Worker Status,Email - Work",
            "STATUS,USERID,USERNAME,FIRSTNAME,LASTNAME,MI,GENDER,EMAIL,MANAGER,HR,DEPARTMENT,JOBCODE,DIVISION,LOCATION,TIMEZONE,HIREDATE,EMPID,TITLE,CITY,STATE,ZIP,COUNTRY,DEFAULT_LOCALE",
            "person-id-external,user-id,hireDate,location,manager-id,first-name,last-name,country,timezone",
            "EEID,Employee #,First Name,Last Name,Preferred Name,Display Name,Hire Date,Original Hire Date,Location,Country,Reporting to,Status,Employment Status,Work Email",
            "Personalnummer;Vorname;Nachname;E-Mail;Status;Anstelldatum;Vertragsende;Vorgesetzter;Standort;Abteilung;Land",
            "Employee ID;First name;Last name;Email;Status;Hire date;Contract end date;Supervisor;Office;Department",
            "Employee Number,First Name,Last Name,Preferred First Name,Last Hire Date,Original Hire Date,Supervisor Employee Number,Work Location,Country,Employee Status",
            "Employee Id,Account Id,Username,First Name,Last Name,Date Hired,Manager 1 Employee Id,Default Location,Employee Status,Primary Language",
            "Personalnr;Name;Vorname;Eintritt",
        ];
        let found: Vec<String> = exports.iter().map(|headers| found(&headers.replace(';', ","))).collect();
        insta::assert_snapshot!(found.join("\n"));
    }

    #[test]
    fn a_row_of_labels_is_no_hire() {
        let columns = find("STATUS,USERID,HIREDATE,EMPID", &[]).unwrap();
        assert!(columns.are_labels(&vec!["STATUS", "USERID", "Hire Date", "Employee Id"]));
        assert!(!columns.are_labels(&vec!["active", "u1", "2027-03-01", "1"]));
        assert!(!columns.are_labels(&vec!["active", "u1", "", ""]));
    }

    #[test]
    fn a_file_of_rejected_rows_is_recognised() {
        let columns = find("firstpass_line,firstpass_reason,WorkerID,HireDate", &[]).unwrap();
        assert_eq!(columns.ours(), [0, 1]);
        assert_eq!(columns.place(Field::EmployeeId), Some(2));
    }
}
