//! Files of secrets: whose they may be, where they are looked for, what is no secret (F34, F79).

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use firstpass::config::SecretFile;
use secrecy::ExposeSecret;

fn put(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn read(file: &SecretFile, folder: &Path) -> Result<String, String> {
    let secret = file.read().map_err(|error| error.to_string().replace(&folder.display().to_string(), "DIR"))?;
    assert!(!format!("{file:?} {secret:?}").contains(secret.expose_secret()), "printed");
    Ok(secret.expose_secret().to_owned())
}

#[test]
fn a_file_of_our_own_is_taken_without_its_last_newline() {
    let folder = tempfile::tempdir().unwrap();
    for (text, mode) in [("s3cret", 0o600), ("s3cret\n", 0o400), ("s3cret\r\n", 0o600), ("s3cret\n", 0o640)] {
        put(&folder.path().join("secret"), text, mode);
        let file = SecretFile::new("key", "secret", None, folder.path());
        assert_eq!(read(&file, folder.path()), Ok("s3cret".to_owned()));
    }
    put(&folder.path().join("spaces"), " two words \n", 0o600);
    let file = SecretFile::new("key", "./spaces", None, folder.path());
    assert_eq!(read(&file, folder.path()), Ok(" two words ".to_owned()));
}

#[test]
fn f79_files_that_others_can_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let file = SecretFile::new("tenant.contoso.client_secret_file", "./secret", None, folder.path());
    let mut told = Vec::new();
    for mode in [0o644, 0o604, 0o602] {
        put(&path, "s3cret", mode);
        told.push(read(&file, folder.path()).unwrap_err());
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    tenant.contoso.client_secret_file: DIR/secret is readable by everybody (mode 0644); run: chmod o-rwx DIR/secret
    tenant.contoso.client_secret_file: DIR/secret is readable by everybody (mode 0604); run: chmod o-rwx DIR/secret
    tenant.contoso.client_secret_file: DIR/secret is writable by everybody (mode 0602); run: chmod o-rwx DIR/secret
    ");
    put(&path, "s3cret", 0o640);
    if chown(&path, None, Some(54_321)).is_ok() {
        let text = read(&file, folder.path()).unwrap_err();
        assert!(text.contains("readable by a group that this process is not in (mode 0640)"), "{text}");
    } else {
        println!("skipped: only root can give a file to another group");
    }
}

#[test]
fn mounted_files_are_taken_as_mounted() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    put(&credentials.join("graph-secret"), "from systemd", 0o644);
    put(&folder.path().join("graph-secret"), "beside the settings", 0o600);
    let bare = SecretFile::new("key", "graph-secret", Some(&credentials), folder.path());
    assert_eq!(read(&bare, folder.path()), Ok("from systemd".to_owned()));
    let whole = credentials.join("graph-secret").display().to_string();
    let whole = SecretFile::new("key", &whole, Some(&credentials), folder.path());
    assert_eq!(read(&whole, folder.path()), Ok("from systemd".to_owned()));

    put(&folder.path().join("outside"), "s3cret", 0o644);
    let round_about = format!("{}/../outside", credentials.display());
    let round_about = SecretFile::new("key", &round_about, Some(&credentials), folder.path());
    assert!(read(&round_about, folder.path()).is_err(), "`..` leads out of the mounted folder");

    let projected = folder.path().join("projected");
    put(&projected.join("..2026_11_22/token"), "by kubernetes", 0o644);
    symlink("..2026_11_22", projected.join("..data")).unwrap();
    symlink("..data/token", projected.join("token")).unwrap();
    let token = SecretFile::new("key", "projected/token", None, folder.path());
    assert_eq!(read(&token, folder.path()), Ok("by kubernetes".to_owned()));
}

#[test]
fn what_is_no_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("empty"), "\n\n", 0o600);
    put(&folder.path().join("large"), &"x".repeat(65 * 1024), 0o600);
    std::fs::write(folder.path().join("bytes"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::set_permissions(folder.path().join("bytes"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let told: Vec<String> = ["./empty", "./large", "./bytes", "./folder", "missing"]
        .iter()
        .map(|name| {
            read(&SecretFile::new("mail.smtp.password_file", name, None, folder.path()), folder.path()).unwrap_err()
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    mail.smtp.password_file: DIR/empty is empty; put the secret into it
    mail.smtp.password_file: DIR/large is larger than 64 KiB, so it is no secret
    mail.smtp.password_file: DIR/bytes is no UTF-8 text
    mail.smtp.password_file: DIR/folder is no regular file
    mail.smtp.password_file: there is no file /run/secrets/missing, nor DIR/missing
    ");
}

#[test]
fn f34_a_fifo_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
        println!("skipped: there is no mkfifo");
        return;
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let told = read(&SecretFile::new("key", "./fifo", None, folder.path()), folder.path()).unwrap_err();
    assert_eq!(told, "key: DIR/fifo is no regular file");
}
