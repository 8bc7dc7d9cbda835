//! The dashboard against Grafana's own types (`@grafana/schema`): a field that Grafana does not know, or a
//! word where it takes another, is told here and not at the import. Without node the test says so.

use std::path::Path;
use std::process::Command;

use crate::entra::provider::below_target;

#[test]
fn grafana_knows_every_field_of_the_dashboard() {
    let peer = below_target("grafana");
    let modules = peer.join("node_modules");
    if !modules.join("@grafana/schema").exists() {
        eprintln!("skipped: @grafana/schema is not in {} (tests/run installs it)", modules.display());
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let judge = |dashboard: &Path| {
        let work = tempfile::tempdir_in(&peer).unwrap();
        let output = Command::new("node")
            .arg(root.join("tests/peers/grafana/check.mjs"))
            .args([dashboard, work.path()])
            .env("NODE_MODULES", &modules)
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    };
    let ours = root.join("deploy/grafana/firstpass.json");
    let (well, words) = judge(&ours);
    assert!(well && words.trim() == "31 panels", "{words}");

    // It does see a typo.
    let bad = std::fs::read_to_string(ours).unwrap().replacen("\"fillOpacity\"", "\"filOpacity\"", 1);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.json"), bad).unwrap();
    let (well, words) = judge(&dir.path().join("bad.json"));
    assert!(!well && words.contains("filOpacity"), "{words}");
}
