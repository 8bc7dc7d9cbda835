//! `sandbox --serve` with the real binary: the models in one process, the service in another, a file
//! that is dropped, a letter that arrives; and everything that an admin may do wrong.
//!
//! Ports are free ones, except where a port in use is what is tested. Waits end when what is waited
//! for has come.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::DateTime;
use firstpass::sandbox::mailbox::ReceivedLetter;
use serde_json::Value;

use crate::invariants::files_below;

const FIRSTPASS: &str = env!("CARGO_BIN_EXE_firstpass");
/// For a machine that is busy.
const LONG: Duration = Duration::from_mins(1);

fn firstpass(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(FIRSTPASS);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", path)
        .env("FIRSTPASS_SERVE__LISTEN", "")
        .stdin(Stdio::null());
    command
}

/// A command that ends by itself, with nothing to say but an error. One that serves is ended.
fn ended(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let said = dir.join("said");
    let out = std::fs::File::create(&said).unwrap();
    let mut child = firstpass(dir, args).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
    let until = Instant::now() + LONG;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > until => child.kill().unwrap(),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let told = std::fs::read_to_string(&said).unwrap();
    std::fs::remove_file(&said).unwrap();
    (status.code(), told.trim_end().to_owned())
}

/// A process that tells JSON lines; it ends with the test, also with one that fails.
struct Told {
    child: Child,
    lines: Receiver<String>,
    all: Vec<String>,
}

impl Told {
    fn serve(dir: &Path, more: &[&str]) -> Self {
        Self::start(dir, &[&["--json", "sandbox", "--serve", "served"], more].concat())
    }

    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = firstpass(dir, args).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, all: Vec::new() }
    }

    /// The next line that fits.
    fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + LONG;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no {what}\n{}", self.all.join("\n")));
            self.all.push(line);
            let read: Value = serde_json::from_str(self.all.last().unwrap()).unwrap();
            if fits(&read) {
                return read;
            }
        }
    }

    fn own(&mut self, words: &str) -> String {
        let line = self.wait(words, |line| line["what"] == "sandbox" && line["text"].as_str().unwrap().contains(words));
        line["text"].as_str().unwrap().to_owned()
    }

    fn ready(&mut self) -> Value {
        self.wait("ready", |line| line["what"] == "ready")
    }

    /// SIGTERM, and everything that was said.
    fn end(mut self) -> String {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.all.join("\n"));
        self.all.extend(self.lines.iter());
        std::mem::take(&mut self.all).join("\n")
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn letter(path: &Path) -> ReceivedLetter {
    ReceivedLetter {
        from: String::new(),
        to: Vec::new(),
        at: DateTime::UNIX_EPOCH,
        connection: 0,
        user: None,
        encrypted: true,
        raw: std::fs::read(path).unwrap(),
        wire: Vec::new(),
    }
}

/// As HR does: under another name first.
fn drop_file(dir: &Path, name: &str, text: &str) {
    let drop = dir.join("served/drop");
    std::fs::write(drop.join(".new"), text).unwrap();
    std::fs::rename(drop.join(".new"), drop.join(name)).unwrap();
}

/// A start in the past of today where the hire is: sent at once and usable at once.
fn now_row(id: &str) -> String {
    let now = firstpass::clock::Clock::System.now();
    let local = now + chrono::TimeDelta::hours(12 - i64::from(chrono::Timelike::hour(&now)));
    let east = (local - now).num_hours();
    let zone = if east >= 0 { format!("Etc/GMT-{east}") } else { format!("Etc/GMT+{}", -east) };
    let local = local.naive_utc();
    format!("employee_id,start_date,start_time,zone\n{id},{},{},{zone}\n", local.date(), "11:30")
}

async fn sign_in(ready: &Value, dir: &Path, user: &str, code: &str) -> u16 {
    let ca = std::fs::read(dir.join(ready["ca_file"].as_str().unwrap())).unwrap();
    let trust = reqwest::Certificate::from_pem(&ca).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trust]).build().unwrap();
    let url = format!("{}/sandbox/sign-in", ready["tenant"].as_str().unwrap());
    let form = [("user", user), ("temporaryAccessPass", code)];
    client.post(url).form(&form).send().await.unwrap().status().as_u16()
}

/// Issue 3: serve here, run there, drop a file, a letter arrives; both are restarted, and go on.
#[tokio::test]
async fn a_file_becomes_a_letter_between_two_processes_and_both_may_be_restarted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut serve = Told::serve(dir, &["--tenant-port", "0", "--mail-port", "0"]);
    let ready = serve.ready();
    let settings = ready["settings"].as_str().unwrap();
    let offline = firstpass(dir, &["--config", settings, "check", "--offline"]).output().unwrap();
    assert_eq!(offline.status.code(), Some(0), "{}", String::from_utf8_lossy(&offline.stdout));
    let online = firstpass(dir, &["--config", settings, "check"]).output().unwrap();
    assert_eq!(online.status.code(), Some(0), "{}", String::from_utf8_lossy(&online.stdout));
    let run = Told::start(dir, &["--config", settings, "run"]);

    drop_file(dir, "one.csv", &now_row("E1001"));
    let made = serve.wait("a pass", |line| line["pass"] == "made");
    assert_eq!(made["user"], "aroha.ngata@contoso.example");
    let told = serve.wait("a letter", |line| line["what"] == "mail" && line["file"].is_string());
    assert_eq!(told["to"], serde_json::json!(["tane.walker@contoso.example"]));
    let code = letter(&dir.join(told["file"].as_str().unwrap())).code().unwrap();
    assert_eq!(sign_in(&ready, dir, "aroha.ngata@contoso.example", "another").await, 403);
    assert_eq!(sign_in(&ready, dir, "aroha.ngata@contoso.example", &code).await, 200, "the code is the pass's");

    // The models are restarted under the worker, on their ports; their tokens are gone, passes are not.
    let said = serve.end();
    assert!(!said.contains(&code), "I3: a code is printed");
    nothing_holds(dir, &code);
    let port = |key: &str| ready[key].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let (tenant_port, mail_port) = (port("tenant"), port("mail_server"));
    let ports = ["--tenant-port", tenant_port.as_str(), "--mail-port", mail_port.as_str()];
    let authority = std::fs::read(dir.join("served/ca.pem")).unwrap();
    let mut serve = Told::serve(dir, &ports);
    let again = serve.ready();
    assert_eq!((again["passes"].as_u64(), again["notes"].as_array().unwrap().len()), (Some(1), 1), "{again}");
    assert_eq!(std::fs::read(dir.join("served/ca.pem")).unwrap(), authority, "pasted settings go on working");
    drop_file(dir, "two.csv", &now_row("E1002"));
    let told = serve.wait("a second letter", |line| line["what"] == "mail" && line["file"].is_string());
    assert_eq!(told["to"], serde_json::json!(["deepa.nair@contoso.example"]));
    assert_eq!(sign_in(&again, dir, "aroha.ngata@contoso.example", &code).await, 403, "codes are not kept");

    let log = run.end();
    // The worker is restarted, too, and finds everything as it was.
    let run = Told::start(dir, &["--config", settings, "run", "--once", "--json"]);
    let report: Value = serde_json::from_str(&run.lines.iter().collect::<String>()).unwrap();
    assert_eq!((report["attention"].as_i64(), report["pending"].as_i64()), (Some(0), Some(0)), "{report}\n{log}");
    let said = serve.end();
    assert!(!said.contains("\"deleted\""), "nothing is deleted over restarts\n{said}");
    nothing_holds(dir, &code);
}

/// I3, and the modes: the code stands in its letter only.
fn nothing_holds(dir: &Path, code: &str) {
    for path in files_below(&dir.join("served")) {
        let mode = path.metadata().unwrap().permissions().mode();
        let is_hrs = path.starts_with(dir.join("served/drop"));
        assert!(is_hrs || mode.trailing_zeros() >= 6, "{} can be read by others", path.display());
        let is_letter = path.extension().is_some_and(|end| end == "eml");
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(code.len()).any(|window| window == code.as_bytes());
        assert!(is_letter || !found, "I3: a code stands in {}", path.display());
    }
}

/// The small file is followed while it is served; one that is wrong is told and not used.
#[tokio::test]
async fn the_small_file_is_followed_and_faults_happen() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ports = ["--tenant-port", "0", "--mail-port", "0"];
    let mut serve = Told::serve(dir, &[&ports, ["--fault", "mail to 550"].as_slice()].concat());
    let ready = serve.ready();
    assert_eq!(ready["notes"], serde_json::json!(["1 faults are set"]));
    let settings = ready["settings"].as_str().unwrap();
    let path = dir.join(ready["directory"].as_str().unwrap());
    let example = std::fs::read_to_string(&path).unwrap();
    let user = |more: &str| {
        format!(
            "[[user]]\nupn = \"mia@contoso.example\"\n\n[[user]]\nupn = \"ada@contoso.example\"\nemployee_id = \"E1\"\n{more}\n\n\
             [[user]]\nupn = \"bo@contoso.example\"\nemployee_id = \"E2\"\n"
        )
    };

    std::fs::write(&path, user("maneger = \"mia@contoso.example\"")).unwrap();
    let wrong = serve.own("did you mean");
    assert_eq!(
        wrong,
        "served/tenant.toml:7:1: there is no key `maneger` here; did you mean `manager`?; what was said before goes on"
    );
    std::fs::write(
        &path,
        format!("[graph]\nfaults = [\"pass-create lost-answer\"]\n{}", user("manager = \"mia@contoso.example\"")),
    )
    .unwrap();
    let right = serve.own("is read again");
    assert!(
        right.contains(
            "graph faults; 3 users new: ada@contoso.example, bo@contoso.example, mia@contoso.example; 12 users gone"
        ),
        "{right}"
    );
    assert!(right.ends_with("all faults are set anew (1)"), "{right}");
    assert!(example.contains("aroha.ngata"), "they were there");

    // The answer to the POST is lost: the pass is found, deleted, and another one is mailed.
    let run = Told::start(dir, &["--config", settings, "run"]);
    drop_file(dir, "one.csv", &now_row("E1"));
    let lost = serve.wait("a pass whose answer is lost", |line| line["pass"] == "made");
    assert_eq!((lost["status"].as_u64(), lost["user"].as_str()), (Some(0), Some("ada@contoso.example")), "{lost}");
    serve.wait("its end", |line| line["pass"] == "deleted");
    serve.wait("another pass", |line| line["pass"] == "made" && line["status"] == 201);
    serve.wait("a letter", |line| line["file"].is_string());

    // Saved as it is, the fault is set again; Graph refuses everybody for a while.
    std::fs::write(&path, std::fs::read(&path).unwrap()).unwrap();
    assert!(serve.own("all faults are set anew").ends_with("(1)"));
    std::fs::write(
        &path,
        format!("[graph]\nfaults = [\"any 429 for 10m\"]\n{}", user("manager = \"mia@contoso.example\"")),
    )
    .unwrap();
    serve.own("all faults are set anew");
    drop_file(dir, "two.csv", &now_row("E2"));
    let refused = serve.wait("a refusal", |line| line["status"] == 429);
    assert_eq!(refused["text"], "TooManyRequests (a fault of yours)");
    run.end();
    serve.end();
}

/// One's own feed runs at once: everybody in it has an account and a manager, and nobody twice.
#[test]
fn people_of_a_feed_are_added_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let roster = "WorkerID,FirstName,LastName,HireDate,CountryCode,ManagerID\n\
                  100,Anna,Köhler,2037-03-02,DE,200\n101,Bo,\"O'Neil, jr\",2037-03-02,IE,100\n102,,,03/04/2037,DE,\n";
    std::fs::write(dir.join("hires.csv"), roster).unwrap();
    let args = ["--tenant-port", "0", "--mail-port", "0", "--people", "hires.csv", "--domain", "fabrikam.example"];
    let mut serve = Told::serve(dir, &args);
    let ready = serve.ready();
    assert_eq!(ready["users"].as_u64(), Some(3));
    let notes: Vec<&str> = ready["notes"].as_array().unwrap().iter().filter_map(|note| note.as_str()).collect();
    insta::assert_snapshot!(notes.join("\n"), @r#"
    hires.csv: 2 accounts and 1 manager are added
    hires.csv: 1 row cannot be read
    hires.csv: line 4, column HireDate: "03/04/2037" can be read in more than one way; write the day as 2027-03-31 (year, month, day), or say in the feed's settings how it is written, as in date_format = "%d/%m/%Y"
    "#);
    let settings = ready["settings"].as_str().unwrap().to_owned();
    serve.end();
    let made = std::fs::read_to_string(dir.join("served/tenant.toml")).unwrap();
    let entries = &made[made.find("\n[[user]]\n").unwrap()..];
    insta::assert_snapshot!("accounts_of_a_feed", entries);
    let mut serve = Told::serve(dir, &args);
    let ready = serve.ready();
    let notes = ready["notes"].as_array().unwrap();
    assert!(notes[0].as_str().unwrap().starts_with("hires.csv: 0 accounts and 0 managers are"), "{ready}");
    let stale =
        |note: &serde_json::Value| note.as_str().unwrap().contains("was written for other ports and is left as it is");
    assert!(notes.iter().any(stale), "{ready}");
    serve.end();
    assert_eq!(std::fs::read_to_string(dir.join("served/tenant.toml")).unwrap(), made);
    let dry = firstpass(dir, &["--config", &settings, "import", "hires.csv", "--feed", "hr", "--dry-run"]).output();
    assert!(String::from_utf8(dry.unwrap().stdout).unwrap().contains("2 added"));
}

#[test]
fn what_an_admin_may_do_wrong_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, told) = ended(dir, &["sandbox", "--serve", "--tenant-port", &port, "--mail-port", "0"]);
    let next = (taken.local_addr().unwrap().port() + 1).to_string();
    assert_eq!(status, Some(1));
    let mut all = vec![told.replace(&next, "NEXT").replace(&port, "PORT")];

    std::fs::create_dir(dir.join("played")).unwrap();
    std::fs::write(dir.join("played/.firstpass-sandbox"), "").unwrap();
    let (status, told) = ended(dir, &["sandbox", "--serve", "played"]);
    assert_eq!(status, Some(2));
    all.push(told);

    std::fs::create_dir(dir.join("mine")).unwrap();
    std::fs::write(dir.join("mine/state.db"), "precious").unwrap();
    let (status, told) = ended(dir, &["sandbox", "--serve", "mine"]);
    assert_eq!(status, Some(2));
    all.push(told);

    let (status, told) = ended(dir, &["sandbox", "--serve", "--fault", "graph pass-crate lost"]);
    assert_eq!(status, Some(2));
    all.push(told.lines().next().unwrap().to_owned());

    let served = dir.join("sandbox-serve");
    std::fs::write(served.join("tenant.toml"), "[policy]\nlongest = \"8 parsecs\"\n").unwrap();
    let (status, told) = ended(dir, &["sandbox", "--serve", "--tenant-port", "0", "--mail-port", "0"]);
    assert_eq!(status, Some(78));
    all.push(told);

    let mut serve =
        Told::start(dir, &["--json", "sandbox", "--serve", "one", "--tenant-port", "0", "--mail-port", "0"]);
    serve.ready();
    let (status, told) = ended(dir, &["sandbox", "--serve", "one"]);
    assert_eq!(status, Some(1));
    all.push(told);
    serve.end();

    insta::assert_snapshot!("what_an_admin_does_wrong", all.join("\n"));
    // The feed's own words, and where its settings are.
    std::fs::write(dir.join("win.csv"), b"WorkerID;FirstName;HireDate\n1;J\xf6rg;2037-03-02\n").unwrap();
    let people = ["sandbox", "--serve", "new", "--tenant-port", "0", "--mail-port", "0", "--people", "win.csv"];
    let (status, told) = ended(dir, &people);
    assert_eq!(status, Some(1));
    assert!(told.contains("encoding = ") && told.contains("(the feed's settings are in new/firstpass.toml)"), "{told}");

    // A play does not sweep a served folder away.
    assert_eq!(ended(dir, &["sandbox", "one"]).0, Some(2));
    assert!(dir.join("one/graph-secret").exists());
}

/// What is wrong with a small file, and where.
#[test]
fn each_wrong_line_of_the_small_file_is_named() {
    use firstpass::sandbox::serve::TenantFile;
    let user = "[[user]]\nupn = \"ada@contoso.example\"\n";
    let wrong = [
        format!("{user}employee_id = 1001\n"),
        format!("{user}maneger = \"m@contoso.example\"\n"),
        format!("{user}manager = \"mia@contoso.example\"\n[[user]]\nupn = \"mia.m@contoso.example\"\n"),
        format!("{user}roles = [\"Global Admin\"]\n"),
        format!("{user}methods = [\"fone\"]\n"),
        format!("{user}\n[[user]]\nupn = \"ADA@contoso.example\"\n"),
        "[[user]]\nemployee_id = \"E1\"\n".to_owned(),
        "[[user]]\nupn = \"ada\"\n".to_owned(),
        "[[users]]\nupn = \"ada@contoso.example\"\n".to_owned(),
        "[graph]\nfaults = [\n  \"pass-create\",\n]\n".to_owned(),
        "[graph]\nfaults = [\"any 200\"]\n".to_owned(),
        "[graph]\nfaults = [\"any 429 for ever\"]\n".to_owned(),
        "[graph]\nfaults = [\"any 429 thrice\"]\n".to_owned(),
        "[mail]\nfaults = [\"logon 535\"]\n".to_owned(),
        "[mail]\nfaults = [\"end 550 5000 times\"]\n".to_owned(),
        "[policy]\nlongest = \"8 parsecs\"\n".to_owned(),
        "[policy\n".to_owned(),
    ];
    let told: Vec<String> = wrong.iter().map(|text| TenantFile::parse(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!("wrong_small_files", told.join("\n"));
}

/// The authority that is kept may sign for this machine's own names only.
#[test]
fn whoever_trusts_the_kept_authority_trusts_it_for_this_machine_only() {
    let key = firstpass::sandbox::tls::Ca::new_key().unwrap();
    let one = firstpass::sandbox::tls::Ca::kept(&key).unwrap();
    let other = firstpass::sandbox::tls::Ca::kept(&key).unwrap();
    // What was pasted at the first start trusts the servers of the second.
    shake_hands(one.pem(), &other, "localhost").unwrap();
    shake_hands(one.pem(), &other, "127.0.0.1").unwrap();
    let told = shake_hands(one.pem(), &other, "login.microsoftonline.com").unwrap_err();
    assert!(told.contains("NameConstraintViolation"), "{told}");
}

fn shake_hands(trusted: &str, ca: &firstpass::sandbox::tls::Ca, name: &str) -> Result<(), String> {
    use rustls::pki_types::pem::PemObject;
    use std::sync::Arc;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(ca.server_config(&[name]).unwrap())).unwrap();
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| error.to_string())?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What people read: the help, and the first words (the ports are free ones here).
#[test]
fn the_first_words_and_the_help() {
    let dir = tempfile::tempdir().unwrap();
    let help = firstpass(dir.path(), &["sandbox", "--help"]).output().unwrap();
    insta::assert_snapshot!("sandbox_help", String::from_utf8(help.stdout).unwrap());
    let mut serve = Told::start(dir.path(), &["sandbox", "--serve", "--tenant-port", "0", "--mail-port", "0"]);
    let until = |line: &String| line.starts_with("ready:");
    let mut words = Vec::new();
    while !words.last().is_some_and(until) {
        words.push(serve.lines.recv_timeout(LONG).unwrap());
    }
    let here = dir.path().canonicalize().unwrap().display().to_string();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"localhost:\d+", "localhost:PORT");
    settings.add_filter(r"port = \d+", "port = PORT");
    settings.add_filter(r"(?s)What today.csv says.*\n\nready", "What today.csv says …\n\nready");
    settings.bind(|| {
        insta::assert_snapshot!(
            "first_words",
            words.join("\n").replace(&here, "/home/admin").replace(FIRSTPASS, "firstpass")
        );
        let written = std::fs::read_to_string(dir.path().join("sandbox-serve/firstpass.toml")).unwrap();
        insta::assert_snapshot!("served_settings", written);
        let example = std::fs::read_to_string(dir.path().join("sandbox-serve/tenant.toml")).unwrap();
        insta::assert_snapshot!("tenant_file", example);
    });
    serve.child.kill().unwrap();
}
