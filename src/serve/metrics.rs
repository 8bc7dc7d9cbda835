//! `/metrics`: the figures of the service as Prometheus text. No name, address or code is ever in it
//! (promise 4, I24).

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::config::tz_versions;
use crate::store::StoreError;
use crate::work::Work;

/// What [`text`] is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures as they are now.
///
/// # Errors
/// The state cannot be read.
#[expect(clippy::unused_async, reason = "the figures of hires are read from the state")]
pub async fn text(_work: &Work) -> Result<String, StoreError> {
    let mut registry = Registry::default();
    let zones = tz_versions();
    let build = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("tz_system", zones.system.clone().unwrap_or_default()),
        ("tz_bundled", zones.bundled.to_owned()),
    ];
    registry.register("firstpass_build", "Version of firstpass and of the time-zone data", Info::new(build));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    Ok(text)
}
