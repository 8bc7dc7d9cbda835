//! The rules at their edges, as tables: what no story of the world comes by, because the model
//! directory says everything, and says it at once (I12, I19, F68, F100, F101).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::rules::attempt::{Code, Intended, IssuedPass, Made};
use firstpass::rules::calendar::{Morning, Schedule};
use firstpass::rules::channel::{self, ChannelFacts, ChannelRules, Manager, ManagerKind, Mismatch, Named};
use firstpass::rules::guard::{
    self, Account, AccountFacts, AccountKind, ForeignPass, Found, GuardRules, Leave, ListedPass, PassRules, Policy,
    Target,
};
use firstpass::rules::hire::{FeedStatus, MailAddress, OperatorStatus, Reason, State};
use firstpass::rules::next::{Next, Wanted, next};
use firstpass::rules::pace::slots;
use firstpass::rules::unsettled::{Intent, NotFound, made_by, not_found};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::store::cleared;
use crate::world::at;

const ADA: Uuid = Uuid::from_u128(0x11);
const MIA: Uuid = Uuid::from_u128(0x22);
const OMAR: Uuid = Uuid::from_u128(0x33);

fn account(enabled: Option<bool>) -> Account {
    Account {
        object_id: ADA,
        upn: "ada@contoso.example".to_owned(),
        display_name: "Ada".to_owned(),
        enabled,
        kind: AccountKind::Member,
    }
}

fn policy() -> Policy {
    Policy {
        code_length: Some(8),
        enabled: true,
        shortest_min: 60,
        longest_min: 480,
        one_time: false,
        include: vec![Target::Everyone],
        exclude: Vec::new(),
    }
}

#[test]
fn what_the_directory_does_not_say_counts_against_the_account() {
    assert!(guard::account(Found::One(account(Some(true)))).is_ok());
    for enabled in [Some(false), None] {
        let refusal = guard::account(Found::One(account(enabled))).unwrap_err();
        assert_eq!(refusal.reason, Reason::UserDisabled, "{enabled:?}");
    }
}

#[test]
fn exclusion_wins_and_an_unknown_target_excludes() {
    let with =
        |include: Target, exclude: &[Target]| Policy { include: vec![include], exclude: exclude.to_vec(), ..policy() };
    for (policy, groups, covered) in [
        (with(Target::Everyone, &[]), vec![], true),
        (with(Target::Group(MIA), &[]), vec![MIA], true),
        (with(Target::Group(MIA), &[]), vec![], false),
        (with(Target::User(ADA), &[]), vec![], true),
        (with(Target::Everyone, &[Target::Group(MIA)]), vec![MIA], false),
        (with(Target::Everyone, &[Target::User(ADA)]), vec![], false),
        (with(Target::Everyone, &[Target::Unknown]), vec![], false),
        (with(Target::Unknown, &[]), vec![], false),
    ] {
        assert_eq!(policy.covers(ADA, &groups), covered, "{policy:?} {groups:?}");
    }
}

#[test]
fn the_policy_cuts_the_wish() {
    let rules =
        GuardRules { registered_methods: Leave::Refuse, ignore_methods: Vec::new(), foreign_pass: ForeignPass::Refuse };
    let wish = PassRules { lifetime: Duration::from_hours(24), shortest: Duration::from_mins(30), one_time: false };
    let facts = AccountFacts {
        account: account(Some(true)),
        methods: Vec::new(),
        roles: Vec::new(),
        passes: Vec::new(),
        policy: Policy { one_time: true, ..policy() },
        groups: Vec::new(),
    };
    let order = guard::judge(&rules, &wish, &facts, &guard::OurPasses::default(), at("2027-03-01T06:00:00Z")).unwrap();
    assert_eq!((order.lifetime_min, order.one_time, order.cuts.len()), (480, true, 2));
}

fn mia() -> Manager {
    Manager {
        object_id: MIA,
        kind: ManagerKind::Member,
        upn: "mia@contoso.example".to_owned(),
        display_name: "Mia".to_owned(),
        mail: Some("Mia@Contoso.example".to_owned()),
        enabled: Some(true),
        language: None,
    }
}

#[test]
fn a_manager_is_one_enabled_member_at_an_allowed_domain() {
    let rules = ChannelRules { domains: Vec::new(), manager_mismatch: Mismatch::Refuse };
    let judge = |manager: Manager, named: Named| {
        let verified_domains = vec!["contoso.example".to_owned()];
        let facts = ChannelFacts {
            hire: ADA,
            manager: Some(manager),
            named,
            named_as: "lena.brandt@contoso.example".to_owned(),
            verified_domains,
        };
        channel::judge(&rules, &facts).map_err(|refusal| (refusal.reason, refusal.what_to_do))
    };
    assert_eq!(judge(mia(), Named::Objects(vec![MIA])).unwrap().address.as_str(), "Mia@Contoso.example");
    assert_eq!(judge(mia(), Named::UnknownEmployeeId).unwrap().notes.len(), 1);
    let mut told = judge(mia(), Named::UnknownEmployeeId).unwrap().notes;
    for named in [vec![OMAR], vec![MIA, OMAR], vec![]] {
        let (reason, sentence) = judge(mia(), Named::Objects(named)).unwrap_err();
        assert_eq!(reason, Reason::ManagerMismatch, "{sentence}");
        told.push(sentence);
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    the feed names a manager by the employee id lena.brandt@contoso.example, which nobody in the directory has
    the feed names lena.brandt@contoso.example as manager, the directory mia@contoso.example; correct whichever is wrong. firstpass looks again by itself
    the feed names lena.brandt@contoso.example, which matches more than one account, as manager, the directory mia@contoso.example; correct whichever is wrong. firstpass looks again by itself
    the feed names lena.brandt@contoso.example, whom the directory does not know, as manager, the directory mia@contoso.example; correct whichever is wrong. firstpass looks again by itself
    ");
    for (manager, why) in [
        (Manager { kind: ManagerKind::Contact, ..mia() }, "is a contact"),
        (Manager { kind: ManagerKind::Guest, ..mia() }, "is a guest"),
        (Manager { enabled: None, ..mia() }, "is disabled"),
        (Manager { enabled: Some(false), ..mia() }, "is disabled"),
        (Manager { mail: Some(String::new()), ..mia() }, "has no mail address"),
        (Manager { mail: Some("mia@x.example,eve@y.example".to_owned()), ..mia() }, "no letter can go to"),
        (Manager { object_id: ADA, ..mia() }, "is the hire"),
    ] {
        let (reason, told) = judge(manager, Named::Nobody).unwrap_err();
        assert!(reason == Reason::ManagerUnusable && told.contains(why), "{why}: {told}");
    }
    for mail in ["mia@evilcontoso.example", "mia@hr.contoso.example", "mia@contoso.example.evil.example"] {
        let (reason, _) = judge(Manager { mail: Some(mail.to_owned()), ..mia() }, Named::Nobody).unwrap_err();
        assert_eq!(reason, Reason::ChannelDomain, "{mail}");
    }
}

#[test]
fn an_address_is_masked() {
    assert_eq!(MailAddress::parse("mia.manager@Contoso.example").unwrap().masked(), "m…@contoso.example");
}

fn wanted() -> Wanted {
    Wanted {
        feed: FeedStatus::Active,
        operator: OperatorStatus::None,
        state: State::Pending,
        reason: None,
        what_to_do: String::new(),
        morning: Some(Morning {
            send: at("2027-03-01T06:00:00Z"),
            start: at("2027-03-01T08:00:00Z"),
            day_from: at("2027-02-28T23:00:00Z"),
            day_until: at("2027-03-01T23:00:00Z"),
        }),
        window_from: at("2027-03-01T06:00:00Z"),
        window_until: at("2027-03-01T16:00:00Z"),
        attention_since: None,
        tries: 0,
    }
}

/// What is next for it at seven in Berlin: the state and reason of its rest, `None` = a pass.
fn at_seven(wanted: &Wanted) -> Option<(State, Option<Reason>)> {
    let schedule = Schedule {
        send_at: "07:00:00".parse().unwrap(),
        start_at: "09:00:00".parse().unwrap(),
        late_until: Duration::from_hours(8),
        ready_check: Duration::from_hours(96),
        tries: 20,
    };
    match next(wanted, &schedule, at("2027-03-01T06:00:00Z")) {
        Next::Rest(rest) => Some((rest.state, rest.reason)),
        Next::Issue => None,
        Next::Look => panic!("the send time has come"),
    }
}

#[test]
fn i12_tries_have_a_cap() {
    assert_eq!(at_seven(&Wanted { tries: 19, ..wanted() }), None);
    let spent = Some((State::Attention, Some(Reason::TriesExhausted)));
    assert_eq!(at_seven(&Wanted { tries: 20, ..wanted() }), spent);
}

#[test]
fn who_is_withdrawn_vanished_or_without_a_zone_is_not_served() {
    let attention = |reason| Some((State::Attention, Some(reason)));
    for (wanted, rest) in [
        (wanted(), None),
        (Wanted { feed: FeedStatus::Withdrawn, ..wanted() }, Some((State::Cancelled, None))),
        (Wanted { operator: OperatorStatus::Cancelled, ..wanted() }, Some((State::Cancelled, None))),
        (Wanted { operator: OperatorStatus::Held, ..wanted() }, Some((State::Held, None))),
        (Wanted { feed: FeedStatus::Vanished, ..wanted() }, attention(Reason::Vanished)),
        (Wanted { morning: None, ..wanted() }, attention(Reason::ZoneUnknown)),
    ] {
        assert_eq!(at_seven(&wanted), rest, "{wanted:?}");
    }
}

#[test]
fn no_pass_is_made_for_a_place_that_a_code_in_hand_takes() {
    let now = at("2027-03-01T06:00:30Z");
    let sent = [now - TimeDelta::seconds(61), now - TimeDelta::seconds(20)];
    assert_eq!([0, 1, 2, 9].map(|in_hand| slots(&sent, in_hand, 3, now)), [2, 1, 0, 0]);
}

#[test]
fn an_intent_counts_as_not_made_after_two_looks_and_ten_minutes() {
    let made_at = at("2027-03-01T06:00:00Z");
    for (looks, minutes, not_made) in [(1, 1, false), (5, 9, false), (1, 10, false), (1, 600, false), (2, 10, true)] {
        let found = not_found(made_at, looks, made_at + TimeDelta::minutes(minutes));
        assert_eq!(found == NotFound::NotMade, not_made, "{looks} looks, {minutes} minutes: {found:?}");
    }
}

fn listed(created: DateTime<Utc>) -> ListedPass {
    ListedPass {
        id: "p1".to_owned(),
        created: Some(created),
        start: Some(at("2027-03-01T08:00:00Z")),
        lifetime_min: Some(480),
        one_time: Some(true),
        usability: "NotYetValid".to_owned(),
    }
}

#[test]
fn a_listed_pass_is_ours_only_when_every_mark_fits() {
    let made_at = at("2027-03-01T06:00:00Z");
    let intent = Intent { made_at, start: Some(at("2027-03-01T08:00:00Z")), lifetime_min: 480, one_time: true };
    let ours = |pass: ListedPass, known: &[String]| made_by(&intent, &[pass], known, Duration::from_secs(30)).is_some();
    let good = || listed(made_at + TimeDelta::seconds(5));
    assert!(ours(good(), &["p0".to_owned()]));
    let unlike = [
        ("made before", listed(made_at - TimeDelta::minutes(3))),
        ("made after", listed(made_at + TimeDelta::minutes(3))),
        ("another start", ListedPass { start: Some(at("2027-03-01T08:02:00Z")), ..good() }),
        ("another life", ListedPass { lifetime_min: Some(60), ..good() }),
        ("another use", ListedPass { one_time: Some(false), ..good() }),
        ("no start", ListedPass { start: None, ..good() }),
        ("no time of making", ListedPass { created: None, ..good() }),
    ];
    for (what, pass) in unlike {
        assert!(!ours(pass, &[]), "{what}: somebody else's pass is never deleted");
    }
    assert!(!ours(good(), &["p1".to_owned()]), "it belongs to another row of ours");
}

#[test]
fn a_pass_that_nobody_can_use_is_not_mailed() {
    let now = at("2027-03-01T06:00:00Z");
    let answered = |usability: &str| {
        let code = Some(Code::new(Zeroizing::new("canary".to_owned())));
        let made = Made { listed: ListedPass { usability: usability.to_owned(), ..listed(now) }, code };
        IssuedPass::from_answer(&Intended::new(1, cleared(), now), made, now)
            .map(drop)
            .map_err(|refusal| refusal.reason)
    };
    for usability in ["NotYetValid", "EnabledByPolicy", "", "ANewWord"] {
        assert_eq!(answered(usability), Ok(()), "{usability}");
    }
    for usability in ["DisabledByPolicy", "Expired", "OneTimeUsed"] {
        assert_eq!(answered(usability), Err(Reason::GraphUnexpected), "{usability}");
    }
}
