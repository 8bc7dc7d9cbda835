//! What `check` found: a standing, a key that stays the same for scripts, and a line with the fix.

use serde::{Serialize, Serializer};

use crate::cli::end::Trouble;
use crate::cli::out::Out;
use crate::rules::hire::text_enum;

text_enum! {
    /// What a line is about. Scripts rely on these words: add, never rename.
    Key {
        /// The settings file: read, its mode, what is odd in it.
        Settings = "settings",
        /// A tenant as a whole.
        Tenant = "tenant",
        /// The file with which a tenant signs in, and the days to the end of a certificate.
        Credential = "credential",
        /// A file of certificates to trust.
        CaFile = "ca-file",
        /// Whether Microsoft gives a token.
        Token = "token",
        /// A permission that is needed.
        Permissions = "permissions",
        /// A permission that is more than needed.
        Excess = "permissions-excess",
        /// This host's clock against Microsoft's.
        Clock = "clock",
        /// The tenant's pass policy against `[pass]`.
        Policy = "policy",
        /// Whom the pass policy includes.
        Scope = "policy-scope",
        /// The tenant's verified domains against `[channel]`.
        Domains = "domains",
        /// Whether the registration of sign-in methods is guarded.
        Registration = "registration",
        /// The way letters take, as the settings have it.
        Mail = "mail",
        /// The mail server, or Graph as one.
        MailServer = "mail-server",
        /// Templates of the admin's own.
        Letters = "letters",
        /// Who is told when a person has to look.
        Notices = "notices",
        /// A webhook that is told.
        Webhook = "webhook",
        /// The state database.
        State = "state",
        /// The folder of a feed.
        Folder = "feed-folder",
        /// The newest file of a feed.
        File = "feed-file",
        /// The database behind a feed.
        Database = "feed-database",
        /// Whether a feed is read as often as expected.
        Rhythm = "feed-rhythm",
        /// The next hires of a feed, looked up.
        People = "feed-people",
        /// Time-zone data.
        Zones = "time-zones",
        /// `--user`: one person.
        User = "user",
        /// `--mail`: the test letter.
        TestLetter = "test-letter",
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Ok,
    /// Works, but an admin should know.
    Note,
    Wrong,
}

#[derive(Debug, Serialize)]
struct Finding {
    standing: Standing,
    key: Key,
    /// Which one, in words.
    what: String,
    /// What is so, and the fix.
    text: String,
}

/// What was found so far, in order.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// What [`Findings::no_tenant`] is about.
const TENANTS: &str = "tenants";

impl Findings {
    pub(super) fn ok(&mut self, key: Key, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Ok, key, what: what.into(), text: text.into() });
    }

    pub(super) fn note(&mut self, key: Key, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Note, key, what: what.into(), text: text.into() });
    }

    pub(super) fn wrong(&mut self, key: Key, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Wrong, key, what: what.into(), text: text.into() });
    }

    /// `firstpass run` would end at once, with the status of settings that cannot be used.
    pub(super) fn no_tenant(&mut self) {
        self.wrong(
            Key::Tenant,
            TENANTS,
            "no tenant is usable, so `firstpass run` ends at once; mend what is told of them",
        );
    }

    pub(super) fn no_tenant_is_usable(&self) -> bool {
        self.0.iter().any(|finding| finding.key == Key::Tenant && finding.what == TENANTS)
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    pub(super) fn extend(&mut self, more: Vec<Self>) {
        for one in more {
            self.append(one);
        }
    }

    /// Something needs a person.
    pub(super) fn any_wrong(&self) -> bool {
        self.0.iter().any(|finding| finding.standing == Standing::Wrong)
    }

    pub(super) fn print(&self, out: Out) -> Result<(), Trouble> {
        if out.is_json() {
            return Ok(out.document(&self.0)?);
        }
        let word = |standing| match standing {
            Standing::Ok => "ok   ",
            Standing::Note => "note ",
            Standing::Wrong => "WRONG",
        };
        Ok(out.lines(self.0.iter().map(|one| format!("{} {}: {}", word(one.standing), one.what, one.text)))?)
    }
}
