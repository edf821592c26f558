//! Typed reading of the merged tree. A [`Node`] is a value with its place; each reader gives what it understood, notes
//! a fault otherwise, and so every key is about one line for the caller and every fault is found in one run.
//!
//! Booleans and numbers may be written as texts, so that they can be substituted (keycloak-adapter:
//! `SystemPropertiesJsonParserFactory`). No message ever quotes a value.

use std::{fmt, ops::RangeInclusive, path::Path, time::Duration};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    fault::{JsonPath, Report},
    file::{self, FileError},
    nearest::nearest,
    units,
};
use crate::domain::SecretString;

/// A value, or its absence, at its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: Option<&'a Value>,
    path: JsonPath,
    report: &'a Report,
}

impl<'a> Node<'a> {
    /// The whole tree.
    pub(super) fn root(value: &'a Value, report: &'a Report) -> Self {
        let path = JsonPath::default();
        let value = Some(value);
        Self { value, path, report }
    }

    /// Whether nothing stands here; `null` is nothing.
    pub(super) fn is_absent(&self) -> bool {
        self.value.is_none()
    }

    /// The value as it stands.
    pub(super) fn raw(&self) -> Option<&'a Value> {
        self.value
    }

    /// The text of the file at `path`.
    pub(super) fn read_text(&self, path: &Path) -> Result<Zeroizing<String>, FileError> {
        file::read_text(path, self.report)
    }

    /// What stands in the file at `path`.
    pub(super) fn read_bytes(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        file::read_bytes(path, self.report)
    }

    /// Where this is, for messages elsewhere.
    pub(super) fn path(&self) -> &JsonPath {
        &self.path
    }

    /// Notes a fault here.
    pub(super) fn fault(&self, message: impl fmt::Display) {
        self.report.fault(&self.path, message);
    }

    /// Notes a warning here.
    pub(super) fn warn(&self, message: impl fmt::Display) {
        self.report.warn(&self.path, message);
    }

    /// Notes a fault when nothing stands here.
    pub(super) fn required(self) -> Self {
        if self.is_absent() {
            self.fault("is required");
        }
        self
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::String(_) => self.refuse("must not be empty"),
            _ => self.refuse("must be a text"),
        }
    }

    /// A text that `read` understands; else its error is the fault.
    pub(super) fn parse<T, E: fmt::Display>(&self, read: impl FnOnce(&'a str) -> Result<T, E>) -> Option<T> {
        match read(self.text()?) {
            Ok(read) => Some(read),
            Err(error) => self.refuse(error),
        }
    }

    /// One of the texts in `choices`, compared without case.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = match self.value? {
            Value::Bool(flag) => {
                if *flag {
                    "true"
                } else {
                    "false"
                }
            }
            _ => self.text()?,
        };
        let choice = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let names = || choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        choice.map(|(_, choice)| *choice).or_else(|| self.refuse(format!("must be one of {}", names())))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.value? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => self.refuse("must be true or false"),
        }
    }

    /// A whole number within `range`.
    pub(super) fn number(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let number = match self.value? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let within = number.filter(|number| range.contains(number));
        within.or_else(|| self.refuse(format!("must be a whole number from {} to {}", range.start(), range.end())))
    }

    /// A whole number of things within `range`.
    pub(super) fn count(&self, range: RangeInclusive<u32>) -> Option<usize> {
        let number = self.number(i64::from(*range.start())..=i64::from(*range.end()))?;
        usize::try_from(number).ok()
    }

    /// A length of time within `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let within = self.scaled(units::duration).filter(|duration| range.contains(duration));
        within.or_else(|| {
            let (least, most) = (units::written(*range.start()), units::written(*range.end()));
            self.value?;
            self.refuse(format!("must be seconds, or a text as `500ms`, `30s`, `10m`, `10h`, from {least} to {most}"))
        })
    }

    /// A size in bytes within `range`.
    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let within = self.scaled(units::size).filter(|size| range.contains(size));
        within.or_else(|| {
            let (least, most) = (range.start(), range.end());
            self.value?;
            self.refuse(format!("must be bytes, or a text as `64k`, `10m`, `1g`, from {least} to {most} bytes"))
        })
    }

    fn scaled<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.value? {
            Value::Number(number) => read(&number.as_u64()?.to_string()),
            Value::String(text) => read(text),
            _ => None,
        }
    }

    /// A secret. One that still holds an unresolved `${…}` is a fault: everybody who can read the file would know it.
    pub(super) fn secret(&self) -> Option<SecretString> {
        let text = self.text()?;
        if text.contains("${") && self.report.is_unresolved(&self.path) {
            return self.refuse("holds a `${…}` that nothing resolves, which cannot be a secret");
        }
        Some(SecretString::new(text))
    }

    /// The items of a list. One that is `null` is a fault and left out.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let items = match self.value {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.fault("must be a list");
                return Vec::new();
            }
        };
        let item = |(index, value)| self.at(self.path.index(index), Some(value));
        items.iter().enumerate().map(item).map(Node::required).filter(|item| !item.is_absent()).collect()
    }

    /// The items of a list, each read by `read`; those it does not understand are left out.
    pub(super) fn each<T>(&self, read: impl Fn(&Node<'a>) -> Option<T>) -> Vec<T> {
        self.items().iter().filter_map(read).collect()
    }

    /// Like [`Node::each`], for a list whose emptiness could be read two ways: it must not be empty when it is there.
    pub(super) fn some_of<T>(&self, read: impl Fn(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        if self.value?.as_array().is_some_and(Vec::is_empty) {
            return self.refuse("must not be empty; leave it out instead");
        }
        Some(self.each(read))
    }

    /// The members of an object under any names.
    pub(super) fn members(&self) -> Vec<(&'a str, Node<'a>)> {
        let member = |(name, value): (&'a String, _)| (name.as_str(), self.at(self.path.key(name), Some(value)));
        self.map().into_iter().flatten().map(member).collect()
    }

    /// An object whose members are `known`. Others are faults: a misspelt key must not fall back to its default in
    /// silence.
    pub(super) fn object(&self, known: &[&str]) -> Object<'a> {
        self.object_with_later(known, &[])
    }

    /// Like [`Node::object`]; members in `later` are refused as not supported yet.
    pub(super) fn object_with_later(&self, known: &[&str], later: &[&str]) -> Object<'a> {
        let node = self.clone();
        for (name, member) in self.members() {
            if later.contains(&name) {
                member.fault("is not supported yet");
            } else if !known.contains(&name) {
                member.fault(unknown(name, known));
            }
        }
        Object { node }
    }

    fn map(&self) -> Option<&'a Map<String, Value>> {
        match self.value? {
            Value::Object(map) => Some(map),
            _ => self.refuse("must be an object"),
        }
    }

    fn at(&self, path: JsonPath, value: Option<&'a Value>) -> Self {
        let value = value.filter(|value| !value.is_null());
        let report = self.report;
        Self { value, path, report }
    }

    fn refuse<T>(&self, message: impl fmt::Display) -> Option<T> {
        self.fault(message);
        None
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("is not a known key; did you mean `{near}`?"),
        None => "is not a known key".to_owned(),
    }
}

/// An object whose members' names have been checked.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    node: Node<'a>,
}

impl<'a> Object<'a> {
    /// The member `name`, there or not.
    pub(super) fn at(&self, name: &str) -> Node<'a> {
        let members = self.node.value.and_then(Value::as_object);
        let value = members.and_then(|members| members.get(name));
        self.node.at(self.node.path.key(name), value)
    }

    /// The member `name`, which may also be written `alias`; the alias brings a warning, both together a fault.
    pub(super) fn at_or_alias(&self, name: &str, alias: &str) -> Node<'a> {
        let (proper, other) = (self.at(name), self.at(alias));
        if other.is_absent() {
            return proper;
        }
        if !proper.is_absent() {
            other.fault(format!("is another name of `{name}`, which is set too"));
        }
        other.warn(format!("is taken as `{name}`, which is its name"));
        other
    }

    /// The object itself.
    pub(super) fn node(&self) -> &Node<'a> {
        &self.node
    }
}
