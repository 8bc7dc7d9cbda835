//! Sign-in by certificate: the assertion is taken, and every wrong file is refused in words (F97).

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::config::{self, SecretFile};
use firstpass::entra::Tenant;
use firstpass::entra::credential::{Standing, look};
use firstpass::rules::verdict::Failure;
use firstpass::sandbox::tenant::Kind;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

use super::{Scene, now, scene};

/// A key with its certificate, as openssl would make them.
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) certificate: String,
    pub(crate) der: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Self::of(&KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(), from, until)
    }

    fn of(key: &KeyPair, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let mut params = CertificateParams::default();
        let date = |at: DateTime<Utc>| rcgen::date_time_ymd(1970, 1, 1) + (at - DateTime::UNIX_EPOCH).to_std().unwrap();
        (params.not_before, params.not_after) = (date(from), date(until));
        let certificate = params.self_signed(key).unwrap();
        Self { key: key.serialize_pem(), certificate: certificate.pem(), der: certificate.der().to_vec() }
    }

    /// Both in one file.
    pub(crate) fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }

    /// Valid around the day of the stories.
    pub(crate) fn valid() -> Self {
        Self::new(now() - TimeDelta::days(30), now() + TimeDelta::days(335))
    }
}

pub(crate) fn put(path: &Path, text: &str) {
    // A new file moved over the old one, as a careful admin does it.
    let beside = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    std::fs::rename(beside, path).unwrap();
}

impl Scene {
    /// The tenant's settings with a certificate in `graph-key.pem`.
    pub(super) fn by_certificate(&self, pem: &str) -> config::Tenant {
        put(&self.dir.path().join("graph-key.pem"), pem);
        let client_id = self.model.edit(|directory| directory.client_id.parse().unwrap());
        let file = SecretFile::new("tenant.contoso.certificate_file", "./graph-key.pem", None, self.dir.path());
        config::Tenant { credential: config::Credential::Certificate { client_id, file }, ..self.settings.clone() }
    }

    pub(super) fn client(&self, settings: &config::Tenant) -> Tenant {
        Tenant::new(settings, &self.limits, self.clock.clone()).unwrap()
    }

    fn register(&self, pair: &Pair) {
        self.model.edit(|directory| directory.certificates.push(pair.der.clone()));
    }
}

/// `AADSTS700027` of the tenant's refusal.
pub(super) fn number(outcome: Result<impl Sized, Failure>) -> String {
    let Err(Failure::Unauthorized(said)) = outcome else { panic!("the tenant took it, or something else is wrong") };
    said.message.split(':').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_app_with_a_certificate_signs_in() {
    let (scene, pair) = (scene(), Pair::valid());
    let settings = scene.by_certificate(&pair.pem());
    let ours = scene.client(&settings);
    assert_eq!(number(ours.policy().await), "AADSTS700027", "the tenant does not know it yet");
    scene.register(&pair);
    ours.policy().await.unwrap();
    let Ok(Standing::Certificate(seen)) = look(&settings, now()) else { panic!() };
    assert_eq!((seen.days_left(now()), seen.ends_soon(now())), (335, false));
    assert!(seen.ends_soon(now() + TimeDelta::days(306)));
    assert_eq!(ours.certificate().map(|seen| seen.until), Some(seen.until), "for the metrics");

    let sent: Vec<String> = scene.model.journal().iter().map(|seen| format!("{seen:?}")).collect();
    assert!(sent.iter().any(|text| text.contains("client_assertion_type")), "{sent:?}");
    assert!(!sent.join("").contains("eyJ"), "no assertion and no token in the journal");
}

#[tokio::test]
async fn f97_an_assertion_of_another_time_key_or_app_is_refused() {
    let (scene, pair, stranger) = (scene(), Pair::valid(), Pair::valid());
    scene.register(&pair);
    let settings = scene.by_certificate(&pair.pem());
    let ours = scene.client(&settings);
    for minutes in [-11, 11] {
        scene.model.edit(|directory| directory.skew = TimeDelta::minutes(minutes));
        assert_eq!(number(ours.policy().await), "AADSTS700024", "{minutes}");
    }
    scene.model.edit(|directory| directory.skew = TimeDelta::minutes(4));
    ours.policy().await.unwrap();
    scene.model.edit(|directory| directory.skew = TimeDelta::zero());
    let other = scene.client(&scene.by_certificate(&stranger.pem()));
    assert_eq!(number(other.policy().await), "AADSTS700027");
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_used_at_the_next_token() {
    let (scene, old, new) = (scene(), Pair::valid(), Pair::valid());
    scene.register(&old);
    let settings = scene.by_certificate(&old.pem());
    let ours = scene.client(&settings);
    ours.policy().await.unwrap();
    let file = scene.dir.path().join("graph-key.pem");

    put(&file, &new.key);
    ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 1, "what is no pair is not used while the old token serves");

    scene.model.edit(|directory| directory.certificates = vec![new.der.clone()]);
    put(&file, &new.pem());
    ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 2);
    std::fs::remove_file(&file).unwrap();
    ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 2, "nor is a file that is gone a reason to let go what works");
}

#[test]
fn every_wrong_file_says_what_to_do() {
    let scene = scene();
    let day = TimeDelta::days(1);
    let (pair, other) = (Pair::valid(), Pair::valid());
    let elliptic = Pair::of(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), now() - day, now() + day);
    let encrypted = pair.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let of_old = pair.key.replace("PRIVATE KEY", "RSA PRIVATE KEY").replacen(
        "-----\n",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
        1,
    );
    let files = [
        ("nothing", "no PEM at all\n".to_owned()),
        ("no key", pair.certificate.clone()),
        ("no certificate", pair.key.clone()),
        ("encrypted", format!("{encrypted}{}", pair.certificate)),
        ("encrypted as of old", format!("{of_old}{}", pair.certificate)),
        ("another's key", format!("{}{}", other.key, pair.certificate)),
        ("over", Pair::new(now() - day * 400, now() - day).pem()),
        ("to come", Pair::new(now() + day, now() + day * 2).pem()),
        ("two certificates", format!("{}{}{}", pair.key, pair.certificate, other.certificate)),
        ("two keys", format!("{}{}{}", pair.key, other.key, pair.certificate)),
        ("elliptic", elliptic.pem()),
        ("cut off", pair.pem()[..pair.pem().len() - 40].to_owned()),
        ("garbled", pair.pem().replacen("MII", "M*I", 1)),
        ("no key inside", format!("{}{}", pair.certificate.replace("CERTIFICATE", "PRIVATE KEY"), pair.certificate)),
        ("no certificate inside", format!("{}{}", pair.key, pair.key.replace("PRIVATE KEY", "CERTIFICATE"))),
    ];
    let mut told = Vec::new();
    for (what, pem) in &files {
        let refused = look(&scene.by_certificate(pem), now()).unwrap_err().to_string();
        assert!(!refused.contains("MII"), "nothing of a key is repeated: {refused}");
        let plain = refused.replace(&scene.dir.path().display().to_string(), "DIR");
        writeln!(told, "{what}: {plain}").unwrap();
    }
    insta::assert_snapshot!(String::from_utf8(told).unwrap());
    look(&scene.by_certificate(&pair.pem().replace('\n', "\r\n")), now()).unwrap();
    look(&scene.by_certificate(&format!("subject=CN = firstpass\n{}", pair.pem())), now()).unwrap();
    look(&scene.by_certificate(&format!("{}{}", pair.certificate, pair.key)), now()).unwrap();
}

/// The command that every sentence names makes a right file.
#[test]
fn the_openssl_line_makes_a_right_file() {
    let scene = scene();
    let refused = look(&scene.by_certificate("nothing"), now()).unwrap_err().to_string();
    let line = refused.split("make one with: ").nth(1).unwrap();
    for page in [include_str!("../../../README.md"), include_str!("../../../deploy/signin.md")] {
        assert!(page.contains(line), "the pages for admins name another line than {line}");
    }
    let ran = std::process::Command::new("sh").args(["-c", line]).current_dir(scene.dir.path()).output();
    let made = match ran {
        Ok(ran) if ran.status.success() => std::fs::read_to_string(scene.dir.path().join("graph-key.pem")).unwrap(),
        Ok(_) | Err(_) => {
            eprintln!("skipped: there is no openssl");
            return;
        }
    };
    let today = firstpass::clock::Clock::System.now();
    let Ok(Standing::Certificate(seen)) = look(&scene.by_certificate(&made), today) else { panic!("{line}") };
    assert!((363..=365).contains(&seen.days_left(today)), "{seen:?}");
    let shown = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha1", "-in", "graph-key.pem"])
        .current_dir(scene.dir.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap().replace(':', "");
    assert!(shown.trim().ends_with(&seen.thumbprint), "{shown} {}", seen.thumbprint);
    let short = line.replace("rsa:3072", "rsa:1024").replace("graph-key.pem", "short.pem");
    if std::process::Command::new("sh").args(["-c", &short]).current_dir(scene.dir.path()).output().is_ok() {
        let made = std::fs::read_to_string(scene.dir.path().join("short.pem")).unwrap();
        let refused = look(&scene.by_certificate(&made), today).unwrap_err().to_string();
        assert!(refused.contains("an RSA key of 1024 bits"), "{refused}");
    }
}
