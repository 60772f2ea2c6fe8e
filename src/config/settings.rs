//! What has been set so far. The first value of an option stays, but for those that add up.

use std::collections::BTreeMap;

use super::keywords::{Keyword, Kind};
use super::pattern;
use super::Place;
use crate::error::Error;

/// Most values that one option may add up to; identity files, as for OpenSSH, are 100.
const MAX_VALUES: usize = 1000;
const MAX_FILES: usize = 100;

/// Under this name is the second half of RekeyLimit, which has a first value of its own.
pub(super) const REKEY_SECONDS: &str = "RekeyLimit, seconds";

/// One value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// As it was written, without quotation marks.
    pub written: String,
    /// What it means: words in the form of the manual, numbers without units, tokens and `~` replaced.
    pub text: String,
    /// Where; `None` for what holds when nothing is said.
    pub place: Option<Place>,
    /// Whether a file of the user's says so.
    pub(super) is_user: bool,
    /// Whether it is meant as it is written, without tokens and variables.
    pub(super) is_literal: bool,
}

impl Value {
    /// A fault with the place of this value.
    pub(super) fn fault(&self, text: impl Into<String>) -> Error {
        let place = self.place.as_ref();
        super::fault(
            place.map_or_else(|| "a default".to_owned(), Place::to_string),
            text,
        )
    }
}

/// The values that a line gives.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Written, and meant.
    pub values: Vec<(String, String)>,
    /// What could not be taken of them.
    pub notes: Vec<String>,
    /// Whether they are meant as they are written.
    pub is_literal: bool,
}

impl Reading {
    fn is_none(&self) -> bool {
        self.values.first().is_some_and(|(_, text)| text == "none")
    }
}

/// All options that are set, by the names of the keywords.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(BTreeMap<&'static str, Vec<Value>>);

impl Settings {
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(|value| value.text.as_str())
    }

    pub(super) fn all(&self, name: &str) -> &[Value] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn replace(&mut self, name: &'static str, values: Vec<Value>) {
        self.0.insert(name, values);
    }

    pub(super) fn replace_text(&mut self, name: &'static str, text: &str) {
        let place = self.all(name).first().and_then(|value| value.place.clone());
        let value = Value {
            written: text.to_owned(),
            text: text.to_owned(),
            place,
            is_user: false,
            is_literal: false,
        };
        self.0.insert(name, vec![value]);
    }

    pub(super) fn into_map(self) -> BTreeMap<&'static str, Vec<Value>> {
        self.0
    }

    /// Takes in what a line says; whether it changes anything.
    ///
    /// # Errors
    /// That there are too many values.
    pub(super) fn take(
        &mut self,
        keyword: &Keyword,
        reading: &Reading,
        place: &Place,
        is_user: bool,
    ) -> Result<bool, String> {
        let values = reading.values.iter().map(|(written, text)| Value {
            written: written.clone(),
            text: text.clone(),
            place: Some(place.clone()),
            is_user,
            is_literal: reading.is_literal,
        });
        match keyword.kind {
            Kind::File => self.add(keyword.name, values, MAX_FILES, |a, b| {
                (&a.text, a.is_user) == (&b.text, b.is_user)
            }),
            Kind::Forward(_) => self.add(keyword.name, values, MAX_VALUES, |a, b| a.text == b.text),
            Kind::SendEnv => self.send_env(keyword.name, values),
            Kind::Rekey => Ok(self.rekey(keyword.name, values.collect())),
            // What comes first of the two shuts the other out, but for jump hosts that there are to be none of.
            Kind::ProxyCommand if self.first("ProxyJump").is_some_and(|jump| jump != "none") => {
                Ok(false)
            }
            Kind::ProxyJump if self.is_set("ProxyCommand") && !reading.is_none() => Ok(false),
            Kind::SetEnv if !self.is_set(keyword.name) => {
                let name = |value: &Value| value.text.split('=').next().map(str::to_owned);
                self.add(keyword.name, values, MAX_VALUES, |a, b| name(a) == name(b))
            }
            _ => Ok(self.set(keyword.name, values.collect())),
        }
    }

    fn set(&mut self, name: &'static str, values: Vec<Value>) -> bool {
        let changes = !values.is_empty() && !self.is_set(name);
        if changes {
            self.0.insert(name, values);
        }
        changes
    }

    fn add(
        &mut self,
        name: &'static str,
        values: impl Iterator<Item = Value>,
        most: usize,
        are_same: impl Fn(&Value, &Value) -> bool,
    ) -> Result<bool, String> {
        let list = self.0.entry(name).or_default();
        let before = list.len();
        for value in values {
            if list.iter().any(|there| are_same(there, &value)) {
                continue;
            }
            if list.len() >= most {
                return Err(format!("there are more than {most} {name}"));
            }
            list.push(value);
        }
        Ok(list.len() > before)
    }

    /// A name with `-` in front takes out what fits it.
    fn send_env(
        &mut self,
        name: &'static str,
        values: impl Iterator<Item = Value>,
    ) -> Result<bool, String> {
        let mut changes = false;
        for value in values {
            match value.text.strip_prefix('-') {
                Some(pattern) => {
                    let list = self.0.entry(name).or_default();
                    list.retain(|there| !pattern::matches(pattern, &there.text));
                }
                None => {
                    changes |= self.add(name, std::iter::once(value), MAX_VALUES, |_, _| false)?
                }
            }
        }
        Ok(changes)
    }

    fn rekey(&mut self, name: &'static str, values: Vec<Value>) -> bool {
        let mut values = values.into_iter();
        let bytes = self.set(name, values.next().into_iter().collect());
        let seconds = self.set(REKEY_SECONDS, values.next().into_iter().collect());
        bytes || seconds
    }
}
