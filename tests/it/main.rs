//! Stories of the whole program against a model tenant and a model mail server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::print_stderr, reason = "a check that is skipped says so")]

mod entra;
mod feed;
mod feeds_and_clock;
mod mail;
mod mail_peers;
mod graph_mail;
mod xoauth2;
mod stock_mail;
mod model_tenant;
mod bugs;
mod calendar;
mod contract;
mod model_contract;
mod pg;
mod rules;
mod store;
mod model_faults;
mod msgraph;
mod scene;
mod settings;
mod sql;

mod changes;
mod clock_ahead;
mod check_online;
mod check_online_faults;
mod check_online_person;
mod cli;
mod crash;
mod full_disk;
mod crash_commits;
mod crash_pairs;
mod guards;
mod health;
mod guides;
mod house;
mod manifests;
mod moments;
mod moved;
mod invariants;
mod letters;
mod metrics;
mod mornings;
mod notices;
mod one_account;
mod numbers;
mod outages;
mod play;
mod refused;
mod restore;
mod rotation;
mod service;
mod serving;
mod stories;
mod unknown;
mod unknown_refused;
mod void;
mod world;
