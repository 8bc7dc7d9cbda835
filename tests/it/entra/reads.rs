//! Who the hire and the manager are, and what the tenant allows.

use chrono::TimeDelta;
use firstpass::rules::channel::{ManagerKind, Named};
use firstpass::rules::guard::{AccountKind, Found, Method, Target};
use firstpass::rules::hire::UserRef;
use firstpass::sandbox::tenant::{Effect, Kind, ModelGroup, ModelTarget, ModelUser, When};
use uuid::Uuid;

use super::{GLOBAL_ADMINISTRATOR, kind_of, one, scene};

#[tokio::test]
async fn a_user_is_found_by_upn_object_id_and_employee_id() {
    let scene = scene();
    for user in [scene.upn("kim@contoso.example"), UserRef::ObjectId(scene.hire), UserRef::ByEmployeeId] {
        let account = one(scene.ours.find_user(&user, "0042").await.unwrap());
        assert_eq!(account.object_id, scene.hire);
        assert_eq!((account.upn.as_str(), account.display_name.as_str()), ("kim@contoso.example", "Kim Hire"));
        assert_eq!((account.enabled, account.kind), (Some(true), AccountKind::Member));
    }
    for user in
        [UserRef::Upn("no@contoso.example".to_owned()), UserRef::ObjectId(Uuid::new_v4()), UserRef::ByEmployeeId]
    {
        assert_eq!(scene.ours.find_user(&user, "42").await.unwrap(), Found::None, "{user:?}");
    }
    // One token for all of it.
    assert_eq!(scene.model.count(Kind::Token), 1);
    scene.finish();
}

#[tokio::test]
async fn odd_names_are_escaped() {
    let scene = scene();
    for upn in [
        "$a'da@contoso.example",
        "eve_fabrikam.example#EXT#@contoso.example",
        "o'hara+x@contoso.example",
        "a%2Fb@contoso.example",
    ] {
        let id = scene.model.edit(|directory| directory.add(ModelUser::member(upn, "Odd")));
        assert_eq!(one(scene.ours.find_user(&scene.upn(upn), "").await.unwrap()).object_id, id, "{upn}");
        assert_eq!(scene.ours.named_manager(upn).await.unwrap(), Named::Objects(vec![id]), "{upn}");
    }
    scene
        .model
        .edit(|directory| directory.user("kim@contoso.example").unwrap().employee_id = Some("O'H+1 & #2".to_owned()));
    let found = scene.ours.find_user(&UserRef::ByEmployeeId, "O'H+1 & #2").await.unwrap();
    assert_eq!(one(found).object_id, scene.hire);
    let nobody = scene.ours.find_user(&UserRef::ByEmployeeId, "' or employeeId ne '").await.unwrap();
    assert_eq!(nobody, Found::None);
    scene.finish();
}

#[tokio::test]
async fn two_of_one_employee_id_are_never_chosen_from() {
    let scene = scene();
    scene.model.edit(|directory| {
        directory.page = Some(1);
        directory
            .add(ModelUser { employee_id: Some("0042".to_owned()), ..ModelUser::member("kim2@contoso.example", "Kim") })
    });
    assert_eq!(scene.ours.find_user(&UserRef::ByEmployeeId, "0042").await.unwrap(), Found::Several);
    scene.finish();
}

#[tokio::test]
async fn guests_and_disabled_accounts_are_told_apart() {
    let scene = scene();
    scene.model.edit(|directory| {
        directory.add(ModelUser::external_guest("guest@contoso.example", "Guest"));
        directory.add(ModelUser {
            user_type: Some("Guest".to_owned()),
            ..ModelUser::member("inner@contoso.example", "Inner")
        });
        directory.add(ModelUser { user_type: None, enabled: false, ..ModelUser::member("odd@contoso.example", "Odd") });
    });
    for (upn, kind, enabled) in [
        ("guest@contoso.example", AccountKind::ExternalGuest, true),
        ("inner@contoso.example", AccountKind::InternalGuest, true),
        ("odd@contoso.example", AccountKind::ExternalGuest, false),
    ] {
        let account = one(scene.ours.find_user(&scene.upn(upn), "").await.unwrap());
        assert_eq!((account.kind, account.enabled), (kind, Some(enabled)), "{upn}");
    }
    scene.finish();
}

#[tokio::test]
async fn a_manager_is_a_user_a_contact_or_nobody() {
    let scene = scene();
    let manager = scene.ours.manager_of(scene.hire).await.unwrap().unwrap();
    assert_eq!((manager.object_id, manager.kind, manager.enabled), (scene.manager, ManagerKind::Member, Some(true)));
    assert_eq!(manager.mail.as_deref(), Some("Mia.Manager@contoso.example"));
    assert_eq!((manager.upn.as_str(), manager.language.as_deref()), ("mia@contoso.example", Some("de-DE")));

    let contact = scene.model.edit(|directory| {
        let contact = directory.add_contact("Carl Contact", Some("carl@contoso.example"));
        directory.users.get_mut(&scene.hire).unwrap().manager = Some(contact);
        contact
    });
    let manager = scene.ours.manager_of(scene.hire).await.unwrap().unwrap();
    assert_eq!((manager.object_id, manager.kind, manager.enabled), (contact, ManagerKind::Contact, None));

    scene.model.edit(|directory| directory.users.get_mut(&scene.hire).unwrap().manager = None);
    assert_eq!(scene.ours.manager_of(scene.hire).await.unwrap(), None);
    // Only Graph's own words for "no such object" mean that there is none.
    let code = |code| Effect::graph_error(404, code, "Resource 'manager' does not exist");
    for effect in [Effect::Status(404, Vec::new(), "<html>not here</html>".to_owned()), code("UnknownError"), code("")]
    {
        scene.fault(Kind::Manager, When::Before, effect);
        assert_eq!(kind_of(scene.ours.manager_of(scene.hire).await), "refused");
    }
    scene.finish();
}

#[tokio::test]
async fn the_feeds_manager_is_looked_for_by_every_name() {
    let scene = scene();
    let theirs = Named::Objects(vec![scene.manager]);
    for text in ["mia@contoso.example", "mia.manager@contoso.example", " M-1 ", &scene.manager.to_string()] {
        assert_eq!(scene.ours.named_manager(text).await.unwrap(), theirs, "{text}");
    }
    assert_eq!(scene.ours.named_manager("").await.unwrap(), Named::Nobody);
    assert_eq!(scene.ours.named_manager("M-2").await.unwrap(), Named::UnknownEmployeeId);
    assert_eq!(scene.ours.named_manager("no@contoso.example").await.unwrap(), Named::Unknown);
    assert_eq!(scene.ours.named_manager(&Uuid::new_v4().to_string()).await.unwrap(), Named::Unknown);
    let twin = scene.model.edit(|directory| {
        directory
            .add(ModelUser { employee_id: Some("M-1".to_owned()), ..ModelUser::member("twin@contoso.example", "Twin") })
    });
    let Named::Objects(both) = scene.ours.named_manager("M-1").await.unwrap() else { panic!() };
    assert!(both.len() == 2 && both.contains(&twin) && both.contains(&scene.manager));
    scene.finish();
}

#[tokio::test]
async fn methods_roles_groups_policy_and_domains_are_read() {
    let scene = scene();
    let ours = &scene.ours;
    assert_eq!(ours.methods(scene.hire).await.unwrap(), [Method("passwordAuthenticationMethod".to_owned())]);
    assert_eq!(ours.roles(scene.hire).await.unwrap(), Vec::<String>::new());
    let (group, other) = scene.model.edit(|directory| {
        let (outer, inner, other) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
        directory
            .groups
            .insert(outer, ModelGroup { roles: vec![GLOBAL_ADMINISTRATOR.to_owned()], ..ModelGroup::default() });
        directory.groups.insert(inner, ModelGroup { groups: vec![outer], ..ModelGroup::default() });
        let hire = directory.users.get_mut(&scene.hire).unwrap();
        hire.groups = vec![inner];
        hire.methods = vec!["phoneAuthenticationMethod".to_owned(), "fido2AuthenticationMethod".to_owned()];
        directory.policy.include = vec![ModelTarget::Group(outer)];
        directory.policy.exclude = vec![ModelTarget::User(scene.manager)];
        directory.policy.one_time = true;
        directory.page = Some(1);
        (outer, other)
    });
    let methods: Vec<String> = ours.methods(scene.hire).await.unwrap().into_iter().map(|method| method.0).collect();
    assert_eq!(methods, ["passwordAuthenticationMethod", "phoneAuthenticationMethod", "fido2AuthenticationMethod"]);
    assert_eq!(ours.roles(scene.hire).await.unwrap(), ["Global Administrator"]);
    scene.model.edit(|directory| {
        directory.users.get_mut(&scene.manager).unwrap().roles = vec![GLOBAL_ADMINISTRATOR.to_owned()];
    });
    assert_eq!(ours.roles(scene.manager).await.unwrap(), ["Global Administrator", GLOBAL_ADMINISTRATOR]);

    assert_eq!(ours.groups_of(scene.hire, &[other, group]).await.unwrap(), [group]);
    let before = scene.model.requests();
    assert_eq!(ours.groups_of(scene.hire, &[]).await.unwrap(), Vec::<Uuid>::new());
    assert_eq!(scene.model.requests(), before);

    let policy = ours.policy().await.unwrap();
    assert!(policy.enabled && policy.one_time && (policy.shortest_min, policy.longest_min) == (60, 480));
    assert_eq!((policy.include, policy.exclude), (vec![Target::Group(group)], vec![Target::User(scene.manager)]));
    assert_eq!(ours.domains().await.unwrap(), ["Contoso.example", "contoso.onmicrosoft.com"]);
    assert!(ours.permissions().await.unwrap().contains(&"UserAuthMethod-TAP.ReadWrite.All".to_owned()));
    assert_eq!(ours.skew().map(|skew| skew.num_seconds()), Some(0));
    scene.finish();
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let scene = scene();
    let url = scene.model.origin().join("/v1.0/organization").unwrap();
    let body = format!(r#"{{"value":[{{"verifiedDomains":[{{"name":"a.example"}}]}}],"@odata.nextLink":"{url}"}}"#);
    scene.model.fault_each(Some(Kind::Domains), When::After, Effect::Status(200, Vec::new(), body));
    assert_eq!(kind_of(scene.ours.domains().await), "unknown");
    assert_eq!(scene.model.count(Kind::Domains), 20);
    scene.finish();
}

#[tokio::test]
async fn a_clock_that_disagrees_is_seen() {
    let scene = scene();
    assert_eq!(scene.ours.skew(), None);
    scene.model.edit(|directory| directory.skew = TimeDelta::minutes(3));
    scene.ours.policy().await.unwrap();
    assert_eq!(scene.ours.skew(), Some(TimeDelta::minutes(3)));
    scene.finish();
}

#[tokio::test]
async fn a_method_that_does_not_say_what_it_is_counts() {
    let scene = scene();
    let body = r##"{"value":[{"id":"1"},{"@odata.type":null,"id":"2"},{"@odata.type":"#microsoft.graph.emailAuthenticationMethod","id":"3"}]}"##;
    scene.fault(Kind::Methods, When::Before, Effect::Status(200, Vec::new(), body.to_owned()));
    let methods: Vec<String> =
        scene.ours.methods(scene.hire).await.unwrap().into_iter().map(|method| method.0).collect();
    assert_eq!(methods, ["unknownAuthenticationMethod", "unknownAuthenticationMethod", "emailAuthenticationMethod"]);
}
