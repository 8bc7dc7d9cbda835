//! The headers that need no settings, by field: lower case, letters and digits only.
//!
//! Taken from Microsoft's inbound-provisioning sample, Workday report fields, SuccessFactors' user
//! data file and Employee Central templates, BambooHR's report fields, Personio's preset attributes
//! (English and German), and UKG Pro and Ready reports. A header stands here only when it means the
//! field by itself: an original hire date, a home address or a mail address does not.

use super::Field;

impl Field {
    /// Headers that mean this field; two of them in one file are rivals.
    #[rustfmt::skip]
    pub(super) fn well_known(self) -> &'static [&'static str] {
        match self {
            Self::EmployeeId => &[
                "employeeid", "workerid", "employeenumber", "employeeno", "employeenum", "employeenr", "employeecode",
                "employeeidnumber", "personnelnumber", "personnelno", "personnelid", "personid", "personnumber",
                "personidexternal", "staffid", "staffnumber", "empid", "empno", "empnumber", "associateid",
                "workernumber", "personalnummer", "personalnr", "persnr", "personalid", "mitarbeiternummer",
                "mitarbeiternr", "mitarbeiterid", "mitarbeitendennummer", "stammnummer",
            ],
            Self::User => &["user", "userprincipalname", "upn", "objectid", "entraobjectid", "azureadobjectid"],
            Self::DisplayName => &["displayname", "fullname", "name", "employeename", "workername", "anzeigename", "vollständigername"],
            Self::GivenName => &["givenname", "firstname", "vorname", "forename"],
            Self::FamilyName => &["familyname", "lastname", "surname", "nachname", "familienname", "zuname"],
            Self::StartDate => &[
                "startdate", "hiredate", "dateofhire", "datehired", "datestarted", "employeehiredate", "workerhiredate",
                "employmentstartdate", "employmentstart", "dateofjoining", "joiningdate", "joindate", "hiringdate",
                "dateofemployment", "lasthiredate", "dateoflasthire", "mostrecenthiredate", "firstdayofwork",
                "firstworkday", "firstday", "eintrittsdatum", "eintritt", "eintrittam", "anstelldatum",
                "einstellungsdatum", "einstelldatum", "startdatum", "beschäftigungsbeginn", "beschaeftigungsbeginn",
                "ersterarbeitstag", "arbeitsbeginn", "zugangsdatum",
            ],
            Self::StartTime => &["starttime", "hiretime", "starttimeofday", "arrivaltime", "startuhrzeit", "startzeit", "beginnuhrzeit"],
            Self::Zone => &["zone", "timezone", "tz", "timezoneid", "ianatimezone", "worktimezone", "zeitzone"],
            Self::Site => &[
                "site", "location", "worklocation", "primaryworklocation", "defaultlocation", "office", "officelocation",
                "officename", "locationname", "locationdescription", "worksite", "businesssite", "standort", "arbeitsort",
                "dienstort", "einsatzort", "arbeitsstätte", "büro",
            ],
            Self::City => &["city", "worklocationcity", "locationcity", "locationaddresscity", "workcity", "town", "stadt"],
            Self::Country => &[
                "country", "countrycode", "countryregion", "countryofemployment", "countryisocode", "locationcountry",
                "locationaddresscountry", "worklocationcountry", "worklocationcountrycode", "workcountry", "land",
                "ländercode", "laendercode", "länderkürzel", "arbeitsland", "beschäftigungsland",
            ],
            Self::Manager => &[
                "manager", "managerid", "manageremployeeid", "manageremployeenumber", "managernumber", "managerworkerid",
                "managerupn", "manageremail", "managerworkeremail", "manageruserid", "managerpersonidexternal",
                "manager1employeeid", "linemanager", "linemanagerid", "directmanager", "supervisor", "supervisorid",
                "supervisoreid", "supervisoremployeeid", "supervisoremployeenumber", "supervisornumber",
                "directsupervisor", "reportsto", "reportingto", "vorgesetzter", "vorgesetzte", "vorgesetzteperson",
                "vorgesetztenid", "vorgesetzterpersonalnummer", "führungskraft", "fuehrungskraft",
            ],
            Self::Language => &[
                "language", "preferredlanguage", "primarylanguage", "locale", "preferredlocale", "defaultlocale",
                "languagecode", "correspondencelanguage", "communicationlanguage", "sprache", "korrespondenzsprache",
            ],
            Self::Status => &[
                "status", "workerstatus", "employeestatus", "employeestatuscode", "activestatus", "hirestatus", "active",
                "isactive", "aktiv", "mitarbeiterstatus", "mitarbeitendenstatus",
            ],
        }
    }

    /// Headers that mean this field for want of a better one, the best first. They are nobody's rivals:
    /// exports have them beside the better one (SuccessFactors `USERID` and `USERNAME`, Workday
    /// `Preferred First Name` and `Legal First Name`, BambooHR `Status` and `Employment Status`).
    #[rustfmt::skip]
    pub(super) fn second_best(self) -> &'static [&'static str] {
        match self {
            Self::EmployeeId => &["eeid"],
            Self::User => &["username", "userid", "loginname", "login", "benutzername"],
            Self::DisplayName => &["preferredname", "legalname", "worker", "employee", "mitarbeiter"],
            Self::GivenName => &[
                "preferredfirstname", "preferrednamefirstname", "legalfirstname", "legalnamefirstname", "rufname",
            ],
            Self::FamilyName => &["preferredlastname", "preferrednamelastname", "legallastname", "legalnamelastname"],
            Self::Status => &["employmentstatus", "employmentstatuscode", "emplstatus", "beschäftigungsstatus"],
            Self::StartDate | Self::StartTime | Self::Zone | Self::Site | Self::City | Self::Country | Self::Manager
            | Self::Language => &[],
        }
    }
}
