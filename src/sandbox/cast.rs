//! The people of the sandbox, all invented, as the model directory knows them.
//!
//! Two accounts are as accounts often are on a Friday before a Monday: Grace has no manager, and Luis
//! has one whose own account is disabled.

use super::tenant::{Directory, ModelUser};

/// Somebody in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// As HR writes it.
    pub employee_id: &'static str,
    /// User principal name, also the mail address.
    pub upn: &'static str,
    /// As people call them.
    pub name: &'static str,
    /// UPN of the manager, if the directory names one.
    pub manager: Option<&'static str>,
}

const fn person(employee_id: &'static str, upn: &'static str, name: &'static str) -> Person {
    Person { employee_id, upn, name, manager: None }
}

const fn hire(employee_id: &'static str, upn: &'static str, name: &'static str, manager: &'static str) -> Person {
    Person { employee_id, upn, name, manager: Some(manager) }
}

/// Manager in Auckland.
pub const TANE: Person = person("M1", "tane.walker@contoso.example", "Tane Walker");
/// Manager in Bengaluru.
pub const DEEPA: Person = person("M2", "deepa.nair@contoso.example", "Deepa Nair");
/// Manager in Berlin.
pub const LENA: Person = person("M3", "lena.brandt@contoso.example", "Lena Brandt");
/// Manager in New York.
pub const CARLA: Person = person("M4", "carla.reyes@contoso.example", "Carla Reyes");
/// Was a manager in New York; the account is disabled.
pub const VICTOR: Person = person("M5", "victor.stone@contoso.example", "Victor Stone");

/// Starts in Auckland.
pub const AROHA: Person = hire("E1001", "aroha.ngata@contoso.example", "Aroha Ngata", TANE.upn);
/// Starts in Bengaluru.
pub const PRIYA: Person = hire("E1002", "priya.raman@contoso.example", "Priya Raman", DEEPA.upn);
/// Starts in Berlin; her start moves after her letter.
pub const ADA: Person = hire("E1003", "ada.berger@contoso.example", "Ada Berger", LENA.upn);
/// Starts in Berlin; his row is rejected at first.
pub const JONAS: Person = hire("E1004", "jonas.weber@contoso.example", "Jonas Weber", LENA.upn);
/// Starts in New York; the answer to the request for her pass is lost.
pub const OLIVIA: Person = hire("E1005", "olivia.brown@contoso.example", "Olivia Brown", CARLA.upn);
/// Starts in New York; his manager's account is disabled.
pub const LUIS: Person = hire("E1006", "luis.ortega@contoso.example", "Luis Ortega", VICTOR.upn);
/// Starts in New York; the directory names no manager.
pub const GRACE: Person = person("E1007", "grace.miller@contoso.example", "Grace Miller");

const MANAGERS: [Person; 5] = [TANE, DEEPA, LENA, CARLA, VICTOR];
/// Everybody who starts.
pub const HIRES: [Person; 7] = [AROHA, PRIYA, ADA, JONAS, OLIVIA, LUIS, GRACE];

/// Managers first.
pub fn everybody() -> impl Iterator<Item = &'static Person> {
    MANAGERS.iter().chain(&HIRES)
}

/// Puts everybody into the directory.
pub fn enrol(directory: &mut Directory) {
    for person in everybody() {
        let manager = person.manager.and_then(|upn| directory.find(upn)).map(|user| user.id);
        let enabled = *person != VICTOR;
        let employee_id = Some(person.employee_id.to_owned());
        directory.add(ModelUser { employee_id, enabled, manager, ..ModelUser::member(person.upn, person.name) });
    }
}
