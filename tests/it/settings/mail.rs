//! The ways of a letter: what each needs, and whose credential Graph mail and XOAUTH2 use.

use firstpass::config::{Auth, Via};

use super::{LEAST, load, problems, server};

const FABRIKAM: &str = r#"
[[tenant]]
name = "fabrikam"
tenant_id = "22222222-2222-3333-4444-555555555555"
client_id = "66666666-7777-8888-9999-000000000000"
client_secret_file = "graph-secret"
"#;

/// Graph mail without a mail server.
fn graph() -> String {
    LEAST.split("[mail.smtp]").next().unwrap().replace("[mail]", "[mail]\nvia = \"graph\"")
}

/// XOAUTH2 at the mail server.
fn xoauth2() -> String {
    LEAST.replace("password_file = \"smtp-password\"", "auth = \"xoauth2\"")
}

fn lender(via: &Via) -> &str {
    match via {
        Via::Graph { tenant } => tenant,
        Via::Smtp(smtp) => match &smtp.auth {
            Auth::Xoauth2 { tenant } => tenant,
            Auth::None | Auth::Password => panic!("no token is used"),
        },
    }
}

#[test]
fn the_only_tenant_lends_its_credential() {
    assert_eq!(lender(&load(&graph(), &[]).unwrap().mail.via), "contoso");
    let settings = load(&xoauth2(), &[]).unwrap();
    assert_eq!(lender(&settings.mail.via), "contoso");
    assert_eq!(server(&settings.mail).password_file, None);
    // One that is not served lends nothing, so there is still only one.
    let other = FABRIKAM.to_owned() + "enabled = false\n" + &graph();
    assert_eq!(lender(&load(&other, &[]).unwrap().mail.via), "contoso");
}

#[test]
fn of_two_tenants_one_is_named_or_has_a_sender_of_its_own() {
    let two = FABRIKAM.to_owned() + &graph();
    let named = load(&two, &[("FIRSTPASS_MAIL__TENANT", "fabrikam")]).unwrap();
    assert_eq!(lender(&named.mail.via), "fabrikam");
    assert_eq!(lender(&named.tenant("contoso").unwrap().mail.via), "fabrikam");
    let own = FABRIKAM.to_owned()
        + "[tenant.mail]\nfrom = \"hr@fabrikam.example\"\n"
        + &graph().replace("[mail]", "[mail]\ntenant = \"contoso\"");
    let own = load(&own.replace("[tenant.mail]\n", "[tenant.mail]\ntenant = \"fabrikam\"\n"), &[]).unwrap();
    assert_eq!(lender(&own.tenant("fabrikam").unwrap().mail.via), "fabrikam");
    assert_eq!(lender(&own.tenant("contoso").unwrap().mail.via), "contoso");
}

#[test]
fn what_is_missing_is_said() {
    let two = FABRIKAM.to_owned() + &graph();
    let all = [
        problems(&two, &[]),
        problems(&two, &[("FIRSTPASS_MAIL__TENANT", "adatum")]),
        problems(&(FABRIKAM.to_owned() + &xoauth2()), &[]),
        problems(&xoauth2().replace("username = \"onboarding@contoso.example\"\n", ""), &[]),
        problems(&xoauth2().replace("smtp.contoso.example", "localhost"), &[("FIRSTPASS_MAIL__SMTP__TLS", "none")]),
        problems(LEAST.split("[mail.smtp]").next().unwrap(), &[]),
    ];
    insta::assert_snapshot!(all.join("\n---\n"));
}
