//! The words that every room uses for a hire: keys, addresses, states, reasons.
//!
//! Everything here is parsed once at the edge and then trusted (`MailAddress` *is* an address).
//! Nothing here asks a clock, a file or a network. Read on in [`super::record`] (text → hire) and
//! [`super::calendar`] (start → instants).

use std::fmt;

use chrono::{NaiveDate, NaiveTime};
use uuid::Uuid;

/// One person who will start, as one tenant's HR feed names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HireKey {
    /// `name` of the `[[tenant]]`.
    pub tenant: String,
    /// As the feed writes it: leading zeros count.
    pub employee_id: String,
}

impl fmt::Display for HireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.employee_id)
    }
}

/// Who the account is, as the feed says it. On disk: the text, or `""` for "ask by employee id".
///
/// ```
/// use firstpass::rules::hire::UserRef;
/// assert_eq!(UserRef::parse("Ada@Contoso.example"), UserRef::Upn("Ada@Contoso.example".into()));
/// assert!(matches!(UserRef::parse("87d349ed-44d7-43e1-9a83-5f2406dee5bd"), UserRef::ObjectId(_)));
/// assert_eq!(UserRef::parse("EMP1222"), UserRef::ByEmployeeId);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRef {
    /// A user principal name.
    Upn(String),
    /// The directory's object id.
    ObjectId(Uuid),
    /// The feed names nobody: the directory is asked by employee id.
    ByEmployeeId,
}

impl UserRef {
    /// A value that is neither a UPN nor an object id names nobody (contract 4).
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(id) = Uuid::try_parse(text) {
            return Self::ObjectId(id);
        }
        match text.split_once('@') {
            Some((name, domain)) if !name.is_empty() && domain.contains('.') && !domain.contains('@') => {
                Self::Upn(text.to_owned())
            }
            _ => Self::ByEmployeeId,
        }
    }

    /// The text that [`Self::parse`] reads back.
    pub fn as_text(&self) -> String {
        self.clone().into_text()
    }

    /// As [`Self::as_text`], without a copy.
    pub fn into_text(self) -> String {
        match self {
            Self::Upn(upn) => upn,
            Self::ObjectId(id) => id.to_string(),
            Self::ByEmployeeId => String::new(),
        }
    }
}

/// An IANA zone name that the system's or the bundled time-zone data knows.
/// Made by [`super::calendar::Zone`]'s parser only.
pub use super::calendar::Zone;

/// A civil start: what HR means, kept as HR wrote it. `zone: None` is `zone-unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Start {
    /// The civil day.
    pub date: NaiveDate,
    /// Wall time, whole minutes or seconds.
    pub time: NaiveTime,
    /// Where both are meant.
    pub zone: Option<Zone>,
}

/// What the feed says about a hire at this reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hire {
    /// Key inside the tenant.
    pub employee_id: String,
    /// The account.
    pub user: UserRef,
    /// The feed's name for the person, or empty.
    pub display_name: String,
    /// Start day, time, zone.
    pub start: Start,
    /// A cross-check against the directory's manager; never an address to mail to. Empty = none named.
    pub manager: String,
    /// BCP 47 tag for the letter, or empty.
    pub language: String,
    /// The feed withdraws this person.
    pub withdrawn: bool,
}

/// A mail address that may stand in an envelope: one ASCII `local@domain`, no quotes, no literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress(String);

/// Why a text is no address that we would mail to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mail address that a pass may be sent to: {0}")]
pub struct BadAddress(pub &'static str);

impl MailAddress {
    /// # Errors
    /// [`BadAddress`] for anything but a plain `local@domain.tld` in ASCII of at most 254 octets.
    ///
    /// ```
    /// use firstpass::rules::hire::MailAddress;
    /// assert!(MailAddress::parse("mia@contoso.example").is_ok());
    /// for bad in ["", "mia", "a@b@c.d", "a@localhost", "a,b@c.d", "a@c.d\r\nBcc: x@y.z", "\"a b\"@c.d", "a@[127.0.0.1]"] {
    ///     assert!(MailAddress::parse(bad).is_err(), "{bad}");
    /// }
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        const LOCAL: &str = "!#$%&'*+-/=?^_`{|}~.";
        if text.len() > 254 || !text.is_ascii() {
            return Err(BadAddress("too long or not ASCII"));
        }
        let (local, domain) = text.split_once('@').ok_or(BadAddress("no @"))?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(|c| c.is_ascii_alphanumeric() || LOCAL.contains(c));
        if !local_ok {
            return Err(BadAddress("characters before the @ that we do not send to"));
        }
        let labels: Vec<&str> = domain.split('.').collect();
        let domain_ok = labels.len() >= 2
            && labels.iter().all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
        if !domain_ok {
            return Err(BadAddress("no domain name behind the @"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain in lower case.
    pub fn domain(&self) -> String {
        self.0.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// For logs: `m…@contoso.example`.
    pub fn masked(&self) -> String {
        let first = self.0.chars().next().unwrap_or('?');
        format!("{first}…@{}", self.domain())
    }
}

/// A plain enum whose variants are texts on disk, in `--json` and in the views.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its place in [`Self::ALL`].
            #[expect(clippy::as_conversions, reason = "a plain enum counts its values from 0")]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The text that users, scripts and the database see.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::rules::hire::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(crate::rules::hire::UnknownWord { kind: stringify!($name), text: text.to_owned() }),
                }
            }
        }
    };
}
pub(crate) use text_enum;

/// A word in the database or an argument that none of our enums knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} has no value {text:?}")]
pub struct UnknownWord {
    /// Which enum.
    pub kind: &'static str,
    /// The word.
    pub text: String,
}

text_enum! {
    /// State of a hire (contract 7).
    State {
        /// Waits for its morning, or for the next look.
        Pending = "pending",
        /// A POST is intended or was sent.
        Issuing = "issuing",
        /// A pass exists, its letter is on the way.
        Sending = "sending",
        /// The letter was accepted.
        Delivered = "delivered",
        /// A person must look.
        Attention = "attention",
        /// An admin holds it.
        Held = "held",
        /// Withdrawn by the feed or cancelled by an admin.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// Why a hire is in attention, or waits (contract 6).
    Reason {
        UserMissing = "user-missing",
        UserDisabled = "user-disabled",
        UserExternal = "user-external",
        UserAmbiguous = "user-ambiguous",
        UserPrivileged = "user-privileged",
        UserOutOfScope = "user-out-of-scope",
        UserRegistered = "user-registered",
        Unanswered = "unanswered",
        ForeignPass = "foreign-pass",
        PolicyOff = "policy-off",
        PolicyScope = "policy-scope",
        PolicyLifetime = "policy-lifetime",
        ManagerMissing = "manager-missing",
        ManagerMismatch = "manager-mismatch",
        ManagerUnusable = "manager-unusable",
        ChannelUnverified = "channel-unverified",
        ChannelDomain = "channel-domain",
        ChannelCooling = "channel-cooling",
        MailRejected = "mail-rejected",
        GraphRefused = "graph-refused",
        GraphUnexpected = "graph-unexpected",
        Missed = "missed",
        TriesExhausted = "tries-exhausted",
        Vanished = "vanished",
        ZoneUnknown = "zone-unknown",
        TenantStopped = "tenant-stopped",
        MailStopped = "mail-stopped",
        Clock = "clock",
    }
}

text_enum! {
    /// What became of a delivered pass (contract 7).
    Outcome {
        Unused = "unused",
        Used = "used",
        Ended = "ended",
        Replaced = "replaced",
        Deleted = "deleted",
    }
}

text_enum! {
    /// What the feed wants now.
    FeedStatus {
        Active = "active",
        Withdrawn = "withdrawn",
        /// A complete file no longer names the person.
        Vanished = "vanished",
    }
}

text_enum! {
    /// What an operator wants now.
    OperatorStatus {
        None = "none",
        Held = "held",
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// State of a pass row (design 3): `intended → issued → mailing → mailed → over`, and from the
    /// middle ones `condemned → gone`.
    PassState {
        /// On disk before the POST; its outcome is unknown until settled.
        Intended = "intended",
        /// 201 was read; the code is in this process's memory only.
        Issued = "issued",
        /// The letter is being handed over.
        Mailing = "mailing",
        /// The letter was accepted.
        Mailed = "mailed",
        /// Must be deleted in the directory.
        Condemned = "condemned",
        /// Deleted in the directory by us.
        Gone = "gone",
        /// Never made, or past its life, or replaced, or deleted by others.
        Over = "over",
    }
}

impl Reason {
    /// Reasons that `retry` alone ends (contract 6); all others are looked at again by themselves.
    pub fn waits_for_retry(self) -> bool {
        matches!(self, Self::MailRejected | Self::GraphUnexpected | Self::Missed | Self::TriesExhausted)
    }

    /// Before the send time these keep the hire `pending` with its reason filled (contract 6).
    pub fn is_forecast(self) -> bool {
        matches!(self, Self::UserMissing | Self::UserDisabled | Self::PolicyScope)
    }
}
