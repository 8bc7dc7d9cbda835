//! What runs firstpass in containers: manifests for Kubernetes, the Compose file, the Containerfile.
//!
//! They are read as the platforms read them: against their schemas (offline, by packages that `tests/run`
//! installs), against the restricted profile of Kubernetes, against each other, and the settings in them by
//! the real program. The image itself is built and tried by `tests/deploy/container.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::entra::provider::below_target;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let read = serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    read.filter(|document| !document.is_null()).collect()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

fn of_kind(kind: &str) -> Value {
    let all = yaml_files(&deploy("kubernetes/base")).into_iter().flat_map(|path| documents(&path));
    let mut found: Vec<Value> = all.filter(|document| document["kind"] == kind).collect();
    assert!(!found.is_empty(), "no {kind} in deploy/kubernetes/base");
    found.remove(0)
}

/// A patch on top, as kustomize lays it: lists of named things are merged by their names.
fn merged(mut base: Value, patch: &Value) -> Value {
    match (&mut base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                let below = base.remove(key).unwrap_or(Value::Null);
                base.insert(key.clone(), merged(below, value));
            }
        }
        (Value::Array(base), Value::Array(patch)) => {
            for value in patch {
                let by = if value.get("mountPath").is_some() { "mountPath" } else { "name" };
                match base.iter().position(|there| there.get(by) == value.get(by)) {
                    Some(place) => base[place] = merged(base[place].clone(), value),
                    None => base.push(value.clone()),
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
    base
}

/// With the certificate, and with a token of the service account.
fn deployments() -> [Value; 2] {
    let plain = of_kind("Deployment");
    let patch = documents(&deploy("kubernetes/federated/token.yaml")).remove(0);
    [plain.clone(), merged(plain, &patch)]
}

#[test]
fn pods_keep_to_the_restricted_profile_and_there_is_only_ever_one() {
    let labels = of_kind("Namespace")["metadata"]["labels"].clone();
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    for deployment in deployments() {
        let spec = &deployment["spec"];
        assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&1.into(), &"Recreate".into()));
        let pod = &spec["template"]["spec"];
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(forbidden).is_none(), "{forbidden}");
        }
        for off in ["enableServiceLinks", "automountServiceAccountToken"] {
            assert_eq!(pod[off], false, "{off}");
        }
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let allowed = ["configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"];
        for volume in pod["volumes"].as_array().unwrap() {
            let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
            assert!(kinds.clone().all(|kind| allowed.contains(&kind.as_str())), "{volume}");
        }
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"], serde_json::json!({"drop": ["ALL"]}));
            assert!(context.get("privileged").is_none());
            assert!(container.get("env").is_none(), "secrets and settings are files");
        }
        let stop_within = 25;
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > stop_within, "what is in hand is finished");
    }
}

#[test]
fn the_settings_of_the_manifests_are_settings() {
    let [plain, federated] = deployments();
    let text = of_kind("ConfigMap")["data"]["firstpass.toml"].as_str().unwrap().to_owned();
    let container = &plain["spec"]["template"]["spec"]["containers"][0];
    let mounts: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    let token = "/var/run/secrets/azure/tokens/azure-identity-token";
    let with_token = text
        .replace("certificate_file = \"graph-key.pem\"\n", "")
        .replace("# federated_token_file", "federated_token_file");
    assert!(with_token.contains(token) && federated.to_string().contains("/var/run/secrets/azure/tokens"));
    for text in [&text, &with_token] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("firstpass.toml"), text).unwrap();
        let shown = Command::new(env!("CARGO_BIN_EXE_firstpass"))
            .args(["config", "show", "--json"])
            .env_clear()
            .env("FIRSTPASS_CONFIG", dir.path().join("firstpass.toml"))
            .output()
            .unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let shown: Vec<Value> = serde_json::from_slice(&shown.stdout).unwrap();
        let value = |key: &str| {
            let found = shown.iter().find(|line| line["key"].as_str().unwrap().ends_with(key));
            found.unwrap_or_else(|| panic!("no {key}: {shown:?}"))["value"]
                .as_str()
                .unwrap()
                .trim_matches('"')
                .to_owned()
        };
        assert!(mounts.contains(&value("folder").as_str()), "{mounts:?}");
        let state = value("state.url");
        let state = Path::new(state.strip_prefix("sqlite:").unwrap()).parent().unwrap();
        assert!(mounts.iter().any(|mount| Path::new(mount) == state), "{mounts:?}");
        let port: u64 = value("serve.listen").rsplit(':').next().unwrap().parse().unwrap();
        assert_eq!(container["ports"][0]["containerPort"], port);
        assert_eq!(of_kind("Service")["spec"]["ports"][0]["port"], port);
        assert_eq!(of_kind("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"], port);
        let out = of_kind("NetworkPolicy")["spec"]["egress"].to_string();
        assert!(out.contains(&format!("\"port\":{}", value("mail.smtp.port"))), "{out}");
    }
    assert!(mounts.contains(&"/run/secrets"), "where bare names are looked for");
}

#[test]
fn kustomizations_name_every_file_and_no_other() {
    for (folder, patch) in [("kubernetes/base", None), ("kubernetes/federated", Some("token.yaml"))] {
        let kustomization = documents(&deploy(folder).join("kustomization.yaml")).remove(0);
        let mut named: Vec<String> = kustomization["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .filter(|name| name != "../base")
            .chain(patch.map(str::to_owned))
            .collect();
        named.sort();
        let there = yaml_files(&deploy(folder));
        let there: Vec<String> = there
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "kustomization.yaml")
            .collect();
        assert_eq!(named, there, "{folder}");
    }
}

/// As an admin applies them; without kubectl the test above has to do.
#[test]
fn kustomize_makes_both() {
    for (folder, by) in [("base", "firstpass"), ("federated", "azure-identity-token")] {
        let made = Command::new("kubectl").arg("kustomize").arg(deploy("kubernetes").join(folder)).output();
        let Ok(made) = made else {
            eprintln!("skipped: there is no kubectl");
            return;
        };
        let text = String::from_utf8_lossy(&made.stdout);
        assert!(made.status.success(), "{folder}: {}", String::from_utf8_lossy(&made.stderr));
        let kinds = ["Namespace", "ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "NetworkPolicy"];
        for kind in kinds {
            assert!(text.contains(&format!("kind: {kind}\n")), "{folder}: no {kind}\n{text}");
        }
        assert!(text.contains(&format!("name: {by}\n")), "{folder}\n{text}");
    }
}

/// The alerts ask for `job="firstpass"`, which Prometheus' operator takes from the label that is named here.
#[test]
fn prometheus_finds_the_pod_as_the_job_that_the_alerts_ask_for() {
    let monitor = documents(&deploy("kubernetes/monitoring/servicemonitor.yaml")).remove(0);
    let (service, labels) = (of_kind("Service"), of_kind("Service")["metadata"]["labels"].clone());
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[label], value);
    }
    assert_eq!(labels[monitor["spec"]["jobLabel"].as_str().unwrap()], "firstpass");
    assert_eq!(monitor["metadata"]["namespace"], service["metadata"]["namespace"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    let rules = std::fs::read_to_string(deploy("prometheus/firstpass.rules.yml")).unwrap();
    assert!(rules.contains("job=\"firstpass\""));
}

/// Names by NodeLocal DNS, which listens on a link-local address, and both families of addresses; a node's
/// own identity and metadata by neither.
#[test]
fn the_network_policy_lets_names_and_both_families_out_and_no_metadata() {
    let policy = of_kind("NetworkPolicy");
    let out = policy["spec"]["egress"].as_array().unwrap();
    let blocks = |rule: &Value| {
        let to = rule["to"].as_array().unwrap().iter();
        to.filter_map(|to| to.get("ipBlock").cloned()).collect::<Vec<Value>>()
    };
    let wide: Vec<Value> = out.iter().flat_map(blocks).filter(|block| block.get("except").is_some()).collect();
    let cidrs: Vec<&Value> = wide.iter().map(|block| &block["cidr"]).collect();
    assert_eq!(cidrs, ["0.0.0.0/0", "::/0"]);
    assert_eq!(wide[0]["except"], serde_json::json!(["169.254.0.0/16"]));
    assert_eq!(wide[1]["except"], serde_json::json!(["fe80::/10", "fd00:ec2::254/128"]));
    let names = out.iter().find(|rule| blocks(rule).iter().any(|block| block["cidr"] == "169.254.20.10/32"));
    let ports = names.expect("NodeLocal DNS")["ports"].as_array().unwrap();
    assert!(ports.iter().all(|port| port["port"] == 53), "{ports:?}");
}

#[test]
fn compose_is_as_closed_as_kubernetes_and_as_the_image() {
    let compose = documents(&deploy("compose.yaml")).remove(0);
    let service = &compose["services"]["firstpass"];
    assert_eq!(service["read_only"], true);
    assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]));
    assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]));
    assert!(service.get("privileged").is_none() && service.get("ports").is_none());
    let containerfile = std::fs::read_to_string(deploy("container/Containerfile")).unwrap();
    assert!(containerfile.contains(&format!("USER {}\n", service["user"].as_str().unwrap())));
    let pod = &of_kind("Deployment")["spec"]["template"]["spec"];
    let user = format!("{}:{}", pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]);
    assert_eq!(service["user"], user.as_str());
    // podman-restart.service starts nothing else after a reboot.
    assert_eq!(service["restart"], "always");
    assert_eq!(service["container_name"], "firstpass", "the guides call it so");
    // podman-compose knows no `configs` of the top level, and makes a shell's command of a health check.
    assert!(compose.get("configs").is_none() && service.get("healthcheck").is_none());
    assert!(containerfile.contains("CMD [\"/usr/bin/firstpass\", \"health\"]"));
    let volumes: Vec<&str> =
        service["volumes"].as_array().unwrap().iter().map(|volume| volume.as_str().unwrap()).collect();
    assert!(volumes.contains(&"./firstpass.toml:/etc/firstpass/firstpass.toml:ro,Z"), "{volumes:?}");
    // A file of settings that cannot be read, and a full disk, are nothing that a restart mends.
    let liveness = serde_json::json!({"path": "/livez", "port": "metrics"});
    assert_eq!(pod["containers"][0]["livenessProbe"]["httpGet"], liveness);
    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(containerfile.contains(&version), "{version}");
    assert!(service["image"].as_str().unwrap().ends_with(env!("CARGO_PKG_VERSION")));
    assert!(pod["containers"][0]["image"].as_str().unwrap().ends_with(env!("CARGO_PKG_VERSION")));
}

#[test]
fn they_are_valid_by_the_schemas_of_their_platforms() {
    let bin = below_target("deploy").join("venv/bin");
    if !bin.exists() {
        eprintln!("skipped: there is no {} (tests/run makes it)", bin.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut files = yaml_files(&deploy("kubernetes/base"));
    files.push(deploy("kubernetes/federated/serviceaccount.yaml"));
    files.retain(|path| path.file_name().unwrap() != "kustomization.yaml");
    let [_, federated] = deployments();
    // Kubernetes reads YAML 1.1, where 0440 is a number of base eight.
    let federated = federated.to_string().replace("\"0440\"", "288");
    let patched = dir.path().join("federated.yaml");
    std::fs::write(&patched, &federated).unwrap();
    files.push(patched);
    // The oldest that is still run anywhere and has ReadWriteOncePod, and the newest that the package knows.
    for version in ["1.29", "1.37"] {
        said_yes(Command::new(bin.join("kubernetes-validate")).args(["--strict", "-k", version]).args(&files));
    }
    said_yes(
        Command::new(bin.join("check-jsonschema"))
            .args(["--builtin-schema", "vendor.compose-spec"])
            .arg(deploy("compose.yaml")),
    );
    said_yes(Command::new(bin.join("hadolint")).arg(deploy("container/Containerfile")));

    // And they can say no.
    let wrong = dir.path().join("wrong.yaml");
    std::fs::write(&wrong, federated.replace("\"replicas\"", "\"replica\"")).unwrap();
    let said = Command::new(bin.join("kubernetes-validate")).args(["--strict", "-k", "1.37"]).arg(wrong).output();
    assert!(!said.unwrap().status.success(), "a misspelt key passes");
}

fn said_yes(command: &mut Command) {
    let said = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{command:?}\n{text}");
}

/// What the sources take in at build time has to be in the context of the image's build. The build itself is tried by
/// `tests/deploy/container.sh --compile`, which is no part of CI.
#[test]
fn the_image_is_built_from_everything_that_the_sources_take_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignore = std::fs::read_to_string(root.join(".containerignore")).unwrap();
    assert_eq!(std::fs::read_link(root.join(".dockerignore")).unwrap(), Path::new(".containerignore"));
    let kept: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in &kept {
        assert!(root.join(path).exists(), ".containerignore keeps {path}, which is gone");
    }
    let mut n_taken = 0;
    for path in files_below(&root.join("src")) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // Migrations are named from the top folder.
        let from = [("include_str!(\"", path.parent().unwrap()), ("include_bytes!(\"", path.parent().unwrap())];
        for (call, folder) in from.into_iter().chain([("migrate!(\"", root)]) {
            for taken in text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                let target = folder.join(taken).canonicalize().unwrap();
                let inside = kept.iter().any(|kept| target.starts_with(root.join(kept)));
                assert!(inside, "{} takes {taken} in: .containerignore must keep it", path.display());
                n_taken += 1;
            }
        }
    }
    assert!(n_taken > 7, "{n_taken}");
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    std::fs::read_dir(path).unwrap().flat_map(|entry| files_below(&entry.unwrap().path())).collect()
}
