//! Mail against programs of others, so that client and model server are not only tested against each
//! other: Python's `aiosmtpd` as the server, Python's `smtplib` as the client. Each is skipped, and
//! says so, where it is not installed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firstpass::config::{self, Auth, Limits, SecretFile, Tls};
use firstpass::mail::{MailFailure, Smtp};
use firstpass::rules::hire::MailAddress;
use firstpass::rules::letter::{Letters, VoidLetter, VoidWhy};
use firstpass::sandbox::mailbox::{ModelMailServer, Options};
use firstpass::sandbox::tls::Ca;

const SERVER: &str = r#"
import asyncio, base64, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
cert, key = sys.argv[1:3]
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                          "raw": base64.b64encode(envelope.original_content).decode()}), flush=True)
        return "250 2.0.0 taken"
def authenticate(server, session, envelope, mechanism, data):
    # "handled" would say that the answer was given here.
    return AuthResult(success=(data.login, data.password) == (b"onboarding", b"right"), handled=False)
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    factory = lambda: SMTP(Handler(), tls_context=context, require_starttls=True, authenticator=authenticate,
                           auth_required=True, auth_require_tls=True)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

const CLIENT: &str = r#"
import smtplib, ssl, sys
ca, port, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=ca)
if mode == "implicit":
    client = smtplib.SMTP_SSL("localhost", port, context=context)
else:
    client = smtplib.SMTP("localhost", port)
    client.starttls(context=context)
try:
    client.login("onboarding", "wrong")
    sys.exit("a wrong password was taken")
except smtplib.SMTPAuthenticationError as error:
    assert error.smtp_code == 535, error
client.login("onboarding", "right")
client.sendmail("onboarding@contoso.example", ["mia@contoso.example"],
                b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\nend\r\n")
client.quit()
"#;

/// The first Python that has the module: the one in the path, or Debian's own.
fn python_with(module: &str) -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let found = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    })
}

/// Ends with the test, also with one that fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn client_of(port: u16, ca_file: &Path, password: &Path, limits: &Limits) -> Smtp {
    let server = config::Smtp {
        host: "localhost".to_owned(),
        port,
        tls: Tls::Starttls,
        auth: Auth::Password,
        username: "onboarding".to_owned(),
        password_file: Some(SecretFile::new(
            "mail.smtp.password_file",
            password.to_str().unwrap(),
            None,
            Path::new("/"),
        )),
        ca_file: Some(ca_file.to_owned()),
    };
    let mail = config::Mail {
        from: config::Mailbox {
            name: "Onboarding".to_owned(),
            address: MailAddress::parse("onboarding@contoso.example").unwrap(),
        },
        per_minute: 30,
        reply_to: None,
        help: None,
        language: String::new(),
        templates: None,
        via: config::Via::Smtp(server.clone()),
    };
    Smtp::new(&mail, &server, limits).unwrap()
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_stock_server_takes_our_letters() {
    let Some(python) = python_with("aiosmtpd") else {
        println!("skipped: python3 has no module aiosmtpd here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), certified.cert.pem()).unwrap();
    private(&path("key.pem"), &certified.signing_key.serialize_pem());
    private(&path("password"), "right\n");
    private(&path("wrong"), "wrong\n");
    let mut server = Command::new(python)
        .args(["-W", "ignore", "-c", SERVER])
        .args([path("cert.pem"), path("key.pem")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let _ends = Program(server);
    let port = said.next().unwrap().unwrap().parse().unwrap();

    let limits = Limits { smtp_step: Duration::from_secs(10), ..Limits::default() };
    let client = client_of(port, &path("cert.pem"), &path("password"), &limits);
    let to = MailAddress::parse("mia@contoso.example").unwrap();
    let facts = VoidLetter {
        to: to.clone(),
        manager_name: "Mía\r\n.\r\n".to_owned(),
        hire_name: "Zoë Müller".to_owned(),
        why: VoidWhy::Cancelled,
        help: None,
        language: String::new(),
        message_id: "void.1-2@contoso.example".to_owned(),
    };
    let letter = Letters::built_in().void(&facts).unwrap();
    let now = "2027-03-01T06:00:00Z".parse().unwrap();
    for _ in 0..3 {
        let receipt = client.dial(&to).await.unwrap().send(now, &letter).await.unwrap();
        assert_eq!(receipt.reply, "250 2.0.0 taken");
        let taken: serde_json::Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
        assert_eq!(taken["from"], "onboarding@contoso.example");
        assert_eq!(taken["to"], serde_json::json!(["mia@contoso.example"]));
        assert_eq!(taken["tls"], true);
        let raw = String::from_utf8(STANDARD.decode(taken["raw"].as_str().unwrap()).unwrap()).unwrap();
        assert!(raw.contains("Message-ID: <void.1-2@contoso.example>\r\n"), "{raw}");
    }
    let nobody = MailAddress::parse("nobody@contoso.example").unwrap();
    assert!(matches!(client.dial(&nobody).await.err(), Some(MailFailure::RecipientRefused(_))));
    client.dial(&to).await.unwrap().hang_up().await;
    client.close().await;

    let wrong = client_of(port, &path("cert.pem"), &path("wrong"), &limits);
    assert!(matches!(wrong.dial(&to).await.err(), Some(MailFailure::Stopped(_))));
}

#[test]
fn a_stock_client_is_served_by_the_model_server() {
    let Some(python) = python_with("smtplib") else {
        println!("skipped: there is no python3 on this machine");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    for (tls, mode) in [(Tls::Starttls, "starttls"), (Tls::Implicit, "implicit")] {
        let users = vec![("onboarding".to_owned(), "right".to_owned())];
        let server = ModelMailServer::start(&ca, Options { tls, users, ..Options::default() }, 0).unwrap();
        let output = Command::new(python)
            .args(["-c", CLIENT])
            .arg(folder.path().join("ca.pem"))
            .args([server.port().to_string().as_str(), mode])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let letters = server.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].raw, b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\nend\r\n");
        assert!(letters[0].encrypted);
    }
}
