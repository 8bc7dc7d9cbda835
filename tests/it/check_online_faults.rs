//! `check` that asks: each fault has its line with the fix, and exit status 1 when something needs a
//! person. One fault at a time is made and mended; what is new in the output is snapped.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::sandbox::mailbox::{Effect as MailEffect, MailFault, Verb, When as MailWhen};
use firstpass::sandbox::tenant::directory::PERMISSIONS;
use firstpass::sandbox::tenant::{Directory, ModelAccess, ModelTarget};
use uuid::Uuid;

use crate::check_online::{calm, checked, lines, world};
use crate::cli::identity::edit_settings;
use crate::entra::certificates::{Pair, put};
use crate::world::{MAIL_PASSWORD, World};

/// What a fault adds to the lines of a world that is well.
struct Told {
    well: BTreeSet<String>,
    text: String,
}

impl Told {
    async fn new(world: &World) -> Self {
        let ran = checked(world, &[]).await;
        let well = lines(world, &ran);
        assert_eq!(ran.status, 0, "{well:#?}");
        Self { well: well.into_iter().collect(), text: String::new() }
    }

    async fn look(&mut self, world: &World, fault: &str) {
        let ran = checked(world, &[]).await;
        let told = lines(world, &ran);
        let wrong = told.iter().any(|line| line.starts_with("WRONG"));
        let none_usable = told.iter().any(|line| line.contains("no tenant is usable"));
        let status = if none_usable { 78 } else { i32::from(wrong) };
        assert_eq!(ran.status, status, "{fault}: 1 when something is wrong, 78 when no tenant is usable\n{told:#?}");
        let _ = writeln!(self.text, "# {fault} [{}]", ran.status);
        for line in told.iter().filter(|line| !self.well.contains(*line)) {
            let _ = writeln!(self.text, "{line}");
        }
        self.text.push('\n');
    }

    /// The tenant is changed, looked at, and put back.
    async fn of_tenant(
        &mut self,
        world: &World,
        fault: &str,
        make: impl FnOnce(&mut Directory),
        mend: impl FnOnce(&mut Directory),
    ) {
        world.tenant.edit(make);
        self.look(world, fault).await;
        world.tenant.edit(mend);
    }

    fn snap(&self, name: &str) {
        let _calm = calm();
        insta::assert_snapshot!(name, self.text.trim_end());
    }
}

fn as_is(_: &mut Directory) {}

fn least(directory: &mut Directory) {
    directory.permissions = PERMISSIONS.iter().map(|name| (*name).to_owned()).collect();
}

#[tokio::test]
async fn permissions_that_are_missing_or_more_than_needed() {
    let world = world("").await;
    let mut told = Told::new(&world).await;
    for missing in ["Organization.Read.All", "UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.AuthenticationMethod"] {
        let without = |directory: &mut Directory| directory.permissions.retain(|name| name != missing);
        told.of_tenant(&world, &format!("without {missing}"), without, least).await;
    }
    let group = Uuid::from_u128(7);
    let unread = |directory: &mut Directory| {
        directory.permissions.retain(|name| name != "GroupMember.Read.All");
        directory.policy.include = vec![ModelTarget::Group(group)];
    };
    told.of_tenant(&world, "a group in the policy, and no permission to see who is in it", unread, |directory| {
        directory.policy.include = vec![ModelTarget::Everyone];
    })
    .await;
    told.look(&world, "no group, and no permission for groups").await;
    world.tenant.edit(least);
    let more = |names: &'static [&'static str]| {
        move |directory: &mut Directory| directory.permissions.extend(names.iter().map(|name| (*name).to_owned()))
    };
    told.of_tenant(&world, "more than needed", more(&["Mail.Send", "RoleManagement.ReadWrite.Directory"]), least).await;
    told.of_tenant(&world, "one that nobody has heard of", more(&["Teapot.Read.All"]), least).await;
    let older = |directory: &mut Directory| {
        directory.permissions.retain(|name| !name.starts_with("UserAuth"));
        directory.permissions.push("UserAuthenticationMethod.ReadWrite.All".to_owned());
    };
    told.of_tenant(&world, "the older permission for passes", older, least).await;
    let wide = |directory: &mut Directory| {
        directory.permissions.retain(|name| name.contains("Auth"));
        directory.permissions.push("Directory.Read.All".to_owned());
    };
    told.of_tenant(&world, "one that reads everything", wide, least).await;
    told.snap("permissions");
}

#[tokio::test]
async fn the_policy_the_clock_and_the_registration() {
    let world = world("").await;
    let mut told = Told::new(&world).await;
    told.of_tenant(&world, "policy off", |d| d.policy.enabled = false, |d| d.policy.enabled = true).await;
    for (what, shortest, longest) in
        [("too short", 10, 20), ("too long at least", 600, 1440), ("shorter than wished", 60, 240)]
    {
        let bounds = |d: &mut Directory| (d.policy.shortest_min, d.policy.longest_min) = (shortest, longest);
        let back = |d: &mut Directory| (d.policy.shortest_min, d.policy.longest_min) = (60, 480);
        told.of_tenant(&world, &format!("lives {what}"), bounds, back).await;
    }
    let everyone = |d: &mut Directory| {
        (d.policy.include, d.policy.exclude) = (vec![ModelTarget::Everyone], Vec::new());
    };
    let (group, user) = (ModelTarget::Group(Uuid::from_u128(7)), ModelTarget::User(Uuid::from_u128(8)));
    told.of_tenant(&world, "policy for nobody", |d| d.policy.include.clear(), everyone).await;
    told.of_tenant(&world, "policy that excludes all", |d| d.policy.exclude.push(ModelTarget::Everyone), everyone)
        .await;
    let some = |d: &mut Directory| (d.policy.include, d.policy.exclude) = (vec![group], vec![user]);
    told.of_tenant(&world, "policy for some", some, everyone).await;

    told.of_tenant(&world, "clock ahead", |d| d.skew = TimeDelta::seconds(-300), |d| d.skew = TimeDelta::zero()).await;
    told.of_tenant(&world, "clock drifts", |d| d.skew = TimeDelta::seconds(45), |d| d.skew = TimeDelta::zero()).await;

    world.tenant.edit(|d| d.permissions.push("Policy.Read.All".to_owned()));
    told.look(&world, "nothing guards the registration").await;
    let policy = ModelAccess::of_registration("Registration");
    let only_reports = ModelAccess { state: "enabledForReportingButNotEnforced".into(), ..policy.clone() };
    let off = ModelAccess { state: "disabled".into(), ..policy.clone() };
    let toothless = ModelAccess { controls: Vec::new(), ..policy.clone() };
    let of_apps = ModelAccess { actions: Vec::new(), ..policy.clone() };
    let blocks = ModelAccess { controls: vec!["block".into()], ..policy.clone() };
    let for_some = ModelAccess { users: vec![Uuid::from_u128(9).to_string()], ..policy };
    for (what, policies) in [
        ("off, without a control, for apps", vec![off, toothless, of_apps]),
        ("only reports", vec![only_reports]),
        ("for some", vec![for_some]),
        ("blocks", vec![blocks]),
    ] {
        told.of_tenant(&world, &format!("registration: {what}"), |d| d.access = policies, |d| d.access.clear()).await;
    }
    told.snap("policy");
}

#[tokio::test]
async fn the_credential_and_the_tenant_out_of_reach() {
    let world = world("").await;
    let mut told = Told::new(&world).await;
    let secret = world.tenant.edit(|d| d.client_secret.clone());
    let rotate = |d: &mut Directory| "another-secret-of-the-app".clone_into(&mut d.client_secret);
    told.of_tenant(&world, "secret replaced in Entra", rotate, |d| d.client_secret = secret).await;
    told.of_tenant(&world, "secret over", |d| d.secret_expired = true, |d| d.secret_expired = false).await;
    world.tenant.stop();
    told.look(&world, "tenant down").await;
    world.tenant.resume().unwrap();

    let now = Clock::System.now();
    let pair = |days| Pair::new(now - TimeDelta::days(60), now + TimeDelta::days(days) + TimeDelta::hours(1));
    edit_settings(&world, "client_secret_file", "certificate_file = \"graph-key.pem\"");
    put(&world.dir.path().join("graph-key.pem"), &pair(-2).pem());
    told.look(&world, "certificate over").await;
    let unknown = pair(12);
    put(&world.dir.path().join("graph-key.pem"), &unknown.pem());
    told.look(&world, "certificate ends soon, and Entra does not know it").await;
    world.tenant.edit(|d| d.certificates.push(unknown.der));
    told.look(&world, "certificate ends soon").await;
    edit_settings(&world, "ca_file", "");
    told.look(&world, "whose certificate nobody vouches for").await;
    told.snap("credential");
}

#[tokio::test]
async fn mail_that_could_not_go_out() {
    let world = world("").await;
    let mut told = Told::new(&world).await;
    let password = world.dir.path().join("secret-mail");
    put(&password, "not-the-password-of-anybody");
    told.look(&world, "wrong password").await;
    put(&password, MAIL_PASSWORD);
    let chatty = MailEffect::Reply(535, format!("5.7.8 no login with {MAIL_PASSWORD} here"));
    world.mail.fault(MailFault { verb: Verb::Auth, nth: 1, when: MailWhen::Before, effect: chatty });
    told.look(&world, "a server that quotes the password").await;
    let refused = MailEffect::Reply(553, "5.7.1 <onboarding@contoso.example>: Sender address rejected".to_owned());
    world.mail.fault(MailFault { verb: Verb::Mail, nth: 1, when: MailWhen::Before, effect: refused });
    told.look(&world, "sender refused").await;
    world.mail.stop();
    told.look(&world, "mail server down").await;
    world.mail.resume().unwrap();
    let settings = world.dir.path().join("firstpass.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let (before, smtp) = text.split_once("[mail.smtp]").unwrap();
    let without_ca: Vec<&str> = smtp.lines().filter(|line| !line.starts_with("ca_file")).collect();
    std::fs::write(&settings, format!("{before}[mail.smtp]{}\n", without_ca.join("\n"))).unwrap();
    told.look(&world, "whose certificate nobody vouches for").await;
    assert!(world.letters().is_empty());
    told.snap("mail");
}

#[tokio::test]
async fn mail_by_graph_is_a_token_and_no_letter() {
    let world = world("[mail] += via = \"graph\"").await;
    let mut told = Told::new(&world).await;
    told.text = told.well.iter().filter(|line| line[6..].starts_with("mail:")).cloned().collect::<Vec<_>>().join("\n");
    told.text.push_str("\n\n");
    let send = |d: &mut Directory| d.permissions.push("Mail.Send".to_owned());
    told.of_tenant(&world, "Mail.Send for every mailbox", send, as_is).await;
    assert_eq!(world.tenant.count(firstpass::sandbox::tenant::Kind::SendMail), 0, "no letter to nobody either");
    told.snap("mail_by_graph");
}

#[tokio::test]
async fn mail_by_token_is_asked_again_with_a_new_one() {
    let world = world("[mail.smtp] += auth = \"xoauth2\"").await;
    let refused = MailEffect::Reply(535, "5.7.3 Authentication unsuccessful".to_owned());
    let once = MailFault { verb: Verb::Auth, nth: 1, when: MailWhen::Before, effect: refused };
    world.mail.fault(once.clone());
    let ran = checked(&world, &[]).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let line = ran.stdout.lines().find(|line| line.contains("nothing was sent")).unwrap();
    assert!(line.contains("the token was refused; asked for a new one"), "{line}");
    assert!(line.contains("with a token of tenant contoso (XOAUTH2)"), "{line}");
    world.mail.fault(once.clone());
    world.mail.fault(once);
    let ran = checked(&world, &[]).await;
    let line = ran.stdout.lines().find(|line| line.starts_with("WRONG mail")).unwrap();
    assert!(ran.status == 1 && line.contains("that the app may send as it (SMTP.SendAsApp)"), "{line}");
}

#[tokio::test]
async fn people_files_and_the_state() {
    let world = world("").await;
    let mut told = Told::new(&world).await;
    let mia = world.id_of("mia.manager@contoso.example");
    world.change("ada.lovelace@contoso.example", |user| user.manager = None);
    told.look(&world, "a manager is missing").await;
    world.change("ada.lovelace@contoso.example", |user| user.manager = Some(mia));
    world.change("omar.okafor@contoso.example", |user| user.mail = Some("omar@elsewhere.example".to_owned()));
    told.look(&world, "a manager's mail lies elsewhere").await;
    world.change("omar.okafor@contoso.example", |user| user.mail = Some(user.upn.clone()));
    world.change("grace.hopper@contoso.example", |user| user.upn = "g.hopper@contoso.example".to_owned());
    told.look(&world, "an account is missing").await;
    world.change("g.hopper@contoso.example", |user| user.enabled = false);
    world.change("g.hopper@contoso.example", |user| user.upn = "grace.hopper@contoso.example".to_owned());
    told.look(&world, "an account is disabled").await;
    world.change("grace.hopper@contoso.example", |user| user.enabled = true);
    let header = "employee_id,user,start_date,zone\n";
    world
        .drop_file("hires.csv", &format!("{header}X1,a.b@contoso.example,2037-03-02,Europe/Berlin\nX2,,03/04/2037,\n"));
    told.look(&world, "nobody is found, and a row is rejected").await;
    world.drop_file("hires.csv", &format!("{header}E1,ada.lovelace@contoso.example,2020-03-02,Europe/Berlin\n"));
    told.look(&world, "nobody starts").await;
    world.drop_file("hires.csv", crate::check_online::HIRES);

    let settings = world.dir.path().join("firstpass.toml");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o666)).unwrap();
    told.look(&world, "settings that everybody may write").await;
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).unwrap();
    let feed = "\n[[feed]]\nname = \"hr-db\"\ntenant = \"contoso\"\nkind = \"sql\"\nurl_file = \"hr-url\"\n\
                query = \"SELECT employee_id, start_date, zone FROM hires\"\n";
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text + feed).unwrap();
    put(&world.dir.path().join("hr-url"), &format!("sqlite:{}/hr.db", world.dir.path().display()));
    told.look(&world, "a database that is not there").await;
    fill(world.dir.path()).await;
    told.look(&world, "a database with one hire").await;
    let other = world.dir.path().join("other.db");
    std::fs::write(&other, "no database").unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    edit_settings(&world, "url = \"sqlite", &format!("url = \"sqlite:{}\"", other.display()));
    told.look(&world, "a state that is none").await;
    told.snap("people");
}

async fn fill(dir: &std::path::Path) {
    use sqlx::Connection as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("hr.db")).create_if_missing(true);
    let mut db = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let table = "CREATE TABLE hires (employee_id, start_date, zone);
                 INSERT INTO hires VALUES ('E1', '2037-03-02', 'Europe/Berlin')";
    sqlx::raw_sql(table).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}
