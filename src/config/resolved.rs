//! What holds for one destination.

use std::collections::BTreeMap;
use std::fmt;

use super::forward::{self, Forward, ForwardKind};
use super::jump::Hop;
use super::keywords;
use super::settings::{Settings, Value};
use super::Place;

/// Something in the files that has no effect here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The keyword as it is written there, safe to show.
    pub keyword: String,
    /// Where it is.
    pub place: Place,
    /// Why it has none.
    pub why: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.keyword, self.why)
    }
}

/// What holds for one destination: a value for every option that has one, by itself or by default.
#[derive(Debug, Clone)]
pub struct Resolved {
    original_host: String,
    values: BTreeMap<&'static str, Vec<Value>>,
    jumps: Vec<Hop>,
    remarks: Vec<Remark>,
}

impl Resolved {
    pub(super) fn new(
        original_host: String,
        settings: Settings,
        jumps: Vec<Hop>,
        remarks: Vec<Remark>,
    ) -> Self {
        Resolved {
            original_host,
            values: settings.into_map(),
            jumps,
            remarks,
        }
    }

    /// The keyword in the manual's form, also for another name of it; `None` for what is none.
    pub fn keyword(name: &str) -> Option<&'static str> {
        keywords::find(name).map(|keyword| keyword.name)
    }

    /// The host as it was given.
    pub fn original_host(&self) -> &str {
        &self.original_host
    }

    /// The values of an option, by its keyword in any case; `None` for what is no keyword. Empty where it is not set
    /// and has no default.
    pub fn values(&self, keyword: &str) -> Option<&[Value]> {
        let name = Self::keyword(keyword)?;
        Some(self.values.get(name).map_or(&[], Vec::as_slice))
    }

    /// The text of the first value.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.values(keyword)?
            .first()
            .map(|value| value.text.as_str())
    }

    /// The texts of all values.
    pub fn texts<'a>(&'a self, keyword: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values(keyword)
            .unwrap_or_default()
            .iter()
            .map(|value| value.text.as_str())
    }

    /// Whether an option is `yes`.
    pub fn is_yes(&self, keyword: &str) -> bool {
        self.text(keyword) == Some("yes")
    }

    /// An option that is a number.
    pub fn number(&self, keyword: &str) -> Option<u64> {
        self.text(keyword)?.parse().ok()
    }

    /// The host to connect to.
    pub fn host_name(&self) -> &str {
        self.text("HostName").unwrap_or(&self.original_host)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.text("Port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(22)
    }

    /// The user there.
    pub fn user(&self) -> &str {
        self.text("User").unwrap_or_default()
    }

    /// After how many bytes, and after how many seconds, keys are to be exchanged anew; 0 leaves it to the library.
    pub fn rekey_limit(&self) -> (u64, u64) {
        let text = self.text("RekeyLimit").unwrap_or_default();
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// The hosts to go through, first one first.
    pub fn jumps(&self) -> &[Hop] {
        &self.jumps
    }

    /// What is to be forwarded.
    pub fn forwards(&self, kind: ForwardKind) -> Vec<Forward> {
        let name = match kind {
            ForwardKind::Local => "LocalForward",
            ForwardKind::Remote => "RemoteForward",
            ForwardKind::Dynamic => "DynamicForward",
        };
        self.texts(name).filter_map(forward::read_back).collect()
    }

    /// What has no effect, in the order in which it was found.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// All options that have a value, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &[Value])> {
        self.values
            .iter()
            .map(|(name, values)| (*name, values.as_slice()))
    }
}
