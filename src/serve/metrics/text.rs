//! The two forms of the answer: OpenMetrics where it is asked for, else the text that everything reads.
//!
//! prometheus-client writes OpenMetrics. The older text (0.0.4) differs in what stands before the
//! samples: a counter is named with its `_total`, there is no `info` type, no `# UNIT` and no `# EOF`.

use std::fmt::Write as _;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Prometheus text, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// By the `Accept` of the request.
    ///
    /// ```
    /// use firstpass::serve::metrics::Form;
    /// assert_eq!(Form::of(None), Form::Text);
    /// assert_eq!(Form::of(Some("text/html, */*")), Form::Text);
    /// assert_eq!(Form::of(Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")), Form::OpenMetrics);
    /// ```
    pub fn of(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.to_ascii_lowercase().contains("application/openmetrics-text") => Self::OpenMetrics,
            Some(_) | None => Self::Text,
        }
    }

    /// For the answer's `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

pub(super) fn written(registry: &Registry, form: Form) -> String {
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = encode(&mut text, registry);
    match form {
        Form::OpenMetrics => text,
        Form::Text => older(&text),
    }
}

fn older(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // The name that it is given depends on the type, which comes next.
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            let _ = writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
