//! Mornings whose letters go through a stock mail server: Postfix takes them, Dovecot checks the login
//! and keeps the mailbox, Python's `imaplib` fetches them and its `email` reads them. So neither our
//! MIME nor our SMTP is only held against our own model.
//!
//! The server is made by `tests/peers/mail/up.sh` in a folder and on ports of its own. It needs root;
//! elsewhere these tests say what they skip.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstpass::sandbox::tenant::{ModelDomain, ModelTenant};
use serde_json::Value;

use crate::world::World;

const ADA: &str = "ada.lovelace@contoso.example";
const ZOE: &str = "zoe.mueller@contoso.example";
const MIA: &str = "mia.manager@contoso.example";
const HIRES: &str = "employee_id,user,display_name,start_date,start_time,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n\
    E9,zoe.mueller@contoso.example,Zoë Müller-Größe,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n";

/// Waits for so many letters, then writes each as JSON: nothing of it is ever printed by a test.
const FETCH: &str = r#"
import email, email.policy, imaplib, json, ssl, sys, time
port, ca, user, password, wanted = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
box = imaplib.IMAP4_SSL("localhost", port, ssl_context=ssl.create_default_context(cafile=ca))
box.login(user, password)
for _ in range(200):
    box.select("INBOX", readonly=True)
    numbers = box.search(None, "ALL")[1][0].split()
    if len(numbers) >= wanted:
        break
    time.sleep(0.05)
letters = []
for number in numbers:
    raw = box.fetch(number, "(RFC822)")[1][0][1]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = list(message.walk())
    letters.append({
        "subject": str(message["Subject"]), "from": str(message["From"]), "id": str(message["Message-ID"]),
        "to": [str(address.addr_spec) for address in message["To"].addresses],
        "copies": message["Cc"] is not None or message["Bcc"] is not None,
        "auto": str(message["Auto-Submitted"]), "date": message["Date"].datetime.isoformat(),
        "kind": message.get_content_type(), "parts": [part.get_content_type() for part in parts[1:]],
        "text": message.get_body(("plain",)).get_content(), "html": message.get_body(("html",)).get_content(),
        "defects": [repr(defect) for part in parts for defect in part.defects],
    })
box.logout()
print(json.dumps(letters))
"#;

/// A running server; it ends with the test, also with one that fails.
struct Stock {
    dir: tempfile::TempDir,
    submission: u16,
    smtps: u16,
    imaps: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Says why not, once for each test.
fn can_start() -> bool {
    let missing = [
        "/usr/sbin/postfix",
        "/usr/sbin/dovecot",
        "/usr/lib/dovecot/imap",
        "/usr/lib/dovecot/lmtp",
        "/usr/bin/python3",
    ]
    .into_iter()
    .find(|program| !Path::new(program).exists());
    if let Some(program) = missing {
        eprintln!("skipped: there is no {program} here (Debian: postfix dovecot-imapd dovecot-lmtpd)");
        return false;
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        eprintln!("skipped: Postfix and Dovecot drop to users of their own, which needs root");
    }
    root
}

impl Stock {
    /// Makes and starts a server; `None` where that cannot be done.
    fn start(introspection: Option<u16>) -> Option<Self> {
        if !can_start() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let stock = Self { dir, submission: free_port(), smtps: free_port(), imaps: free_port() };
        let ports = [stock.submission, stock.smtps, stock.imaps, free_port(), free_port()].map(|port| port.to_string());
        let ports = ports.into_iter().chain(introspection.map(|port| port.to_string()));
        up("make", &stock.path(""), ports);
        for (name, secret) in [("password", "right"), ("wrong", "wrong")] {
            std::fs::write(stock.path(name), secret).unwrap();
            std::fs::set_permissions(stock.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        stock.run();
        Some(stock)
    }

    fn run(&self) {
        up("start", &self.path(""), []);
        self.wait_for("the port", || TcpStream::connect(("127.0.0.1", self.submission)).is_ok());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("mail").join(name)
    }

    /// A setting of Postfix, in force from now on.
    fn set(&self, setting: &str) {
        let conf = self.path("pf");
        let done = Command::new("/usr/sbin/postconf").arg("-c").arg(&conf).args(["-e", setting]).status().unwrap();
        assert!(done.success());
        up("stop", &self.path(""), []);
        self.run();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("maillog")).unwrap_or_default()
    }

    fn wait_for(&self, what: &str, mut come: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !come() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Settings that send by this server.
    fn settings(&self, port: u16, more: &str) -> String {
        let (password, ca) = (self.path("password"), self.path("tls/ca.pem"));
        format!(
            "[mail.smtp] += port = {port}\n[mail.smtp] += username = \"onboarding@contoso.example\"\n\
             [mail.smtp] += password_file = \"{}\"\n[mail.smtp] += ca_file = \"{}\"\n{more}",
            password.display(),
            ca.display()
        )
    }

    /// Mia's letters, as Python reads them.
    fn fetch(&self, wanted: usize) -> Vec<Value> {
        let fetched = Command::new("/usr/bin/python3")
            .args(["-c", FETCH, &self.imaps.to_string()])
            .arg(self.path("tls/ca.pem"))
            .args([MIA, "mailbox", &wanted.to_string()])
            .output()
            .unwrap();
        assert!(fetched.status.success(), "{}\n{}", String::from_utf8_lossy(&fetched.stderr), self.log());
        serde_json::from_slice(&fetched.stdout).unwrap()
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        up("stop", &self.path(""), []);
    }
}

fn up(verb: &str, dir: &Path, more: impl IntoIterator<Item = String>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/mail/up.sh");
    let done = Command::new(script).arg(verb).arg(dir).args(more).output().unwrap();
    assert!(done.status.success(), "{verb}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Monday, a minute before the letters, with two hires of Mia's.
async fn monday(settings: &str) -> World {
    let mut world = World::with(settings).await;
    // The letters lie where the invariants do not look.
    world.allow.unsettled = true;
    world.person(ZOE, "Zoe Mueller", "E9", Some(MIA));
    world.drop_file("hires.csv", HIRES);
    world.until("2027-03-01T05:59:00Z").await;
    world
}

/// Each letter is about one of the two, holds the pass that the tenant holds, and reads as written.
fn letters_are_right(world: &World, letters: &[Value]) {
    assert_eq!(letters.len(), 2);
    for (upn, person) in [(ADA, "Ada Lovelace"), (ZOE, "Zoë Müller-Größe")] {
        let about = |letter: &&Value| letter["subject"].as_str().unwrap().contains(person);
        let letter = letters.iter().find(about).unwrap_or_else(|| panic!("no letter about {person}"));
        let pass = &world.live_passes(upn)[0];
        let (plain, html) = (letter["text"].as_str().unwrap(), letter["html"].as_str().unwrap());
        let shown = plain.split_once("\nCode:").and_then(|(_, behind)| behind.split_whitespace().next());
        assert!(shown == Some(pass.code.as_str()), "the code in the text");
        assert!(html.contains(&html_of(&pass.code)), "the code in the HTML");
        assert!(plain.contains(person) && html.contains(person), "the name in both parts");
        assert_eq!(letter["kind"], "multipart/alternative");
        assert_eq!(letter["parts"], serde_json::json!(["text/plain", "text/html"]));
        assert_eq!(letter["to"], serde_json::json!([MIA]));
        assert_eq!(letter["from"], "Onboarding <onboarding@contoso.example>");
        assert_eq!((letter["auto"].as_str(), letter["copies"].as_bool()), (Some("auto-generated"), Some(false)));
        assert_eq!(letter["defects"], serde_json::json!([]), "Python finds fault with the MIME");
        assert!(letter["date"].as_str().unwrap().starts_with("2027-03-01T06:00:0"));
    }
}

fn html_of(code: &str) -> String {
    code.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;")
}

#[tokio::test]
async fn a_morning_by_postfix_with_starttls_and_one_with_implicit_tls() {
    let Some(stock) = Stock::start(None) else { return };
    for (n, port, tls) in [(0, stock.submission, "starttls"), (1, stock.smtps, "implicit")] {
        let mut world = monday(&stock.settings(port, &format!("[mail.smtp] += tls = \"{tls}\""))).await;
        world.until("2027-03-01T07:00:00Z").await;
        let story = world.story().await;
        for hire in ["E1", "E9"] {
            assert_eq!(world.state(hire).await.0, "delivered", "{tls}\n{story}\n{}", stock.log());
        }
        let letters = stock.fetch(2 * (n + 1));
        letters_are_right(&world, &letters[2 * n..]);
        world.finish().await;
    }
}

#[tokio::test]
async fn a_morning_by_postfix_with_a_token_of_the_tenant() {
    let known: Arc<Mutex<Option<ModelTenant>>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(stock) = Stock::start(Some(listener.local_addr().unwrap().port())) else { return };
    let tenant = Arc::clone(&known);
    std::thread::spawn(move || introspection(&listener, &tenant));

    let mut world = monday(&stock.settings(stock.submission, "[mail.smtp] += auth = \"xoauth2\"")).await;
    *known.lock().unwrap() = Some(world.tenant.clone());
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.state("E9").await.0, "delivered", "{}\n{}", world.story().await, stock.log());
    letters_are_right(&world, &stock.fetch(2));
    assert!(stock.log().contains("sasl_method=XOAUTH2"), "{}", stock.log());
    world.finish().await;

    // A tenant that the server does not know: its tokens are refused, and no pass is made.
    let mut world = monday(&stock.settings(stock.submission, "[mail.smtp] += auth = \"xoauth2\"")).await;
    world.until("2027-03-01T07:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{story}");
    assert!(world.hire("E1").await.what_to_do.contains("SMTP.SendAsApp"), "{story}");
    assert!(world.passes(ADA).is_empty(), "{story}");
    world.finish().await;
}

/// RFC 7662 as Dovecot asks it: who has this token?
fn introspection(listener: &TcpListener, tenant: &Mutex<Option<ModelTenant>>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut stream = BufReader::new(stream);
        let mut token = String::new();
        for line in (&mut stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(": Bearer ")
                && name.eq_ignore_ascii_case("authorization")
            {
                value.clone_into(&mut token);
            }
        }
        let tenant = tenant.lock().unwrap().clone();
        let active = tenant.is_some_and(|tenant| tenant.gave_token("https://outlook.office365.com", &token));
        let body = format!("{{\"active\": {active}, \"username\": \"onboarding@contoso.example\"}}");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        let _ = write!(stream.get_mut(), "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    }
}

#[tokio::test]
async fn what_postfix_refuses_ends_in_the_right_state() {
    let Some(stock) = Stock::start(None) else { return };
    let wrong = format!("[mail.smtp] += password_file = \"{}\"", stock.path("wrong").display());
    // The world's own authority did not sign this server.
    let strange =
        |settings: String| settings.lines().filter(|line| !line.contains("ca_file")).collect::<Vec<_>>().join("\n");
    for (what, settings, words) in [
        ("F57 a wrong password", stock.settings(stock.submission, &wrong), "535 5.7.8"),
        ("F53 an unknown authority", strange(stock.settings(stock.submission, "")), "UnknownIssuer"),
    ] {
        let mut world = monday(&settings).await;
        world.until("2027-03-01T06:30:00Z").await;
        let story = world.story().await;
        assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{what}\n{story}");
        let why = world.hire("E1").await.what_to_do;
        assert!(why.contains(words) && why.contains("mail.smtp."), "{what}: {why}");
        assert!(world.passes(ADA).is_empty(), "{what}: a pass was made\n{story}");
        assert_eq!(story.matches(" UTC mail-stopped: ").count(), 1, "{what}: told once\n{story}");
        world.finish().await;
    }

    // F57: a recipient elsewhere. 5.1.1 comes at RCPT, before a pass exists.
    let mut world = monday(&stock.settings(stock.submission, "")).await;
    world.tenant.edit(|directory| directory.domains.push(ModelDomain::verified("outside.example")));
    world.change(MIA, |mia| mia.mail = Some("mia@outside.example".to_owned()));
    world.until("2027-03-01T06:30:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())), "{story}");
    assert!(world.hire("E1").await.what_to_do.contains("5.1.1"), "{story}");
    assert!(world.passes(ADA).is_empty(), "{story}");
    world.finish().await;

    // A letter that is too large is refused behind its end: the pass existed, and is gone.
    stock.set("message_size_limit=3000");
    let mut world = monday(&stock.settings(stock.submission, "")).await;
    world.until("2027-03-01T06:30:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())), "{story}");
    assert!(world.hire("E1").await.what_to_do.contains("552 5.3.4"), "{story}");
    assert!(!world.passes(ADA).is_empty() && world.live_passes(ADA).is_empty(), "{story}");
    world.finish().await;
}

#[tokio::test]
async fn a_connection_that_postfix_closed_and_a_restart_cost_nothing() {
    let Some(stock) = Stock::start(None) else { return };
    stock.set("smtpd_timeout=1s");
    let mut world = World::with(&stock.settings(stock.submission, "")).await;
    world.allow.unsettled = true;
    world.person(ZOE, "Zoe Mueller", "E9", Some(MIA));
    // Zoë starts an hour later, so her letter goes out by the connection of Ada's.
    world.drop_file(
        "hires.csv",
        &HIRES.replace("Größe,2027-03-01,09:00,Europe/Berlin", "Größe,2027-03-01,09:00,Europe/London"),
    );
    world.until("2027-03-01T06:00:00Z").await;
    assert_eq!(world.state("E1").await.0, "delivered", "{}", world.story().await);
    stock.wait_for("the goodbye of an idle connection", || stock.log().contains("timeout after"));
    world.until("2027-03-01T07:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E9").await.0, "delivered", "{story}\n{}", stock.log());
    assert!(!story.contains("mail-stopped"), "nobody is told\n{story}");
    assert_eq!(stock.fetch(2).len(), 2);

    // Down for a while: the hires of Tuesday wait without a pass, and go out when it is back.
    world.drop_file("moved.csv", &HIRES.replace("2027-03-01", "2027-03-02"));
    world.until("2027-03-02T05:59:00Z").await;
    up("stop", &stock.path(""), []);
    let before = world.passes(ADA).len();
    world.until("2027-03-02T06:05:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{story}");
    assert_eq!(world.passes(ADA).len(), before, "no pass while the server is down\n{story}");
    stock.run();
    world.until("2027-03-02T07:30:00Z").await;
    let story = world.story().await;
    for hire in ["E1", "E9"] {
        assert_eq!(world.state(hire).await.0, "delivered", "{story}\n{}", stock.log());
    }
    // Two letters of Monday, two that say that the codes are void, two of Tuesday.
    let letters = stock.fetch(6);
    let void = letters.iter().filter(|letter| !letter["text"].as_str().unwrap().contains("\nCode:")).count();
    assert_eq!((letters.len(), void), (6, 2), "{story}");
    world.finish().await;
}
