//! A server with files in memory, for whole trees.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::sftp::{ExtendedRequest, Limits};

/// A server in memory.
pub(super) struct World {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// What is open, by handle: the path, or the names of a directory that were not given yet.
    pub(super) open: HashMap<Vec<u8>, Open>,
    pub(super) opened: usize,
    pub(super) most_open: usize,
    /// Most handles: further ones are refused as version 3 can.
    pub(super) room: usize,
    /// Longest reply to READ.
    pub(super) piece: usize,
    pub(super) limits: Option<Limits>,
    pub(super) refused: usize,
}

pub(super) enum Open {
    File(String),
    Directory(Vec<String>),
}

impl World {
    pub(super) fn new() -> Self {
        World {
            files: BTreeMap::new(),
            open: HashMap::new(),
            opened: 0,
            most_open: 0,
            room: usize::MAX,
            piece: usize::MAX,
            limits: None,
            refused: 0,
        }
    }

    fn begin(&mut self, what: Open) -> Result<Vec<u8>, StatusCode> {
        if self.open.len() >= self.room {
            self.refused += 1;
            return Err(StatusCode::FAILURE);
        }
        self.opened += 1;
        let handle = self.opened.to_string().into_bytes();
        self.open.insert(handle.clone(), what);
        self.most_open = self.most_open.max(self.open.len());
        Ok(handle)
    }

    fn file(&mut self, handle: &[u8]) -> (&str, &mut Vec<u8>) {
        let Some(Open::File(path)) = self.open.get(handle) else {
            panic!("a handle that is not open: {handle:?}")
        };
        (path, self.files.get_mut(path).unwrap())
    }

    /// Files called "denied" can't be opened, "full" ones not written, and "bad" ones not read.
    pub(super) fn answer(&mut self, id: u32, request: &Request<'_>) -> Vec<u8> {
        match self.try_answer(id, request) {
            Ok(reply) => reply,
            Err(code) => framed(id, &Reply::status(code)),
        }
    }

    fn try_answer(&mut self, id: u32, request: &Request<'_>) -> Result<Vec<u8>, StatusCode> {
        match request {
            Request::Open { path, flags, .. } => {
                let path = String::from_utf8(path.to_vec()).unwrap();
                if path.ends_with("denied") {
                    return Err(StatusCode::PERMISSION_DENIED);
                }
                let handle = self.begin(Open::File(path.clone()))?;
                if flags.contains(OpenFlags::TRUNCATE) {
                    self.files.insert(path, Vec::new());
                }
                Ok(framed(id, &Reply::Handle(&handle)))
            }
            Request::Opendir { .. } => {
                let names = self.files.keys().map(|path| path["/from/".len()..].into());
                let handle = self.begin(Open::Directory(names.collect()))?;
                Ok(framed(id, &Reply::Handle(&handle)))
            }
            Request::Readdir { handle } => {
                let Some(Open::Directory(names)) = self.open.get_mut(*handle) else {
                    panic!("a handle that is not one of a directory: {handle:?}")
                };
                let some = names.split_off(names.len().saturating_sub(50));
                let names = some.into_iter().map(|name| Name {
                    attributes: sized(self.files[&format!("/from/{name}")].len()),
                    file_name: name.into_bytes(),
                    long_name: Vec::new(),
                });
                let names: Vec<_> = names.collect();
                if names.is_empty() {
                    return Err(StatusCode::EOF);
                }
                Ok(framed(id, &Reply::Name(names)))
            }
            Request::Write {
                handle,
                offset,
                data,
            } => {
                let (path, content) = self.file(handle);
                if path.ends_with("full") {
                    return Err(StatusCode::FAILURE);
                }
                assert_eq!(content.len() as u64, *offset, "{path}");
                content.extend_from_slice(data);
                Err(StatusCode::OK)
            }
            Request::Read {
                handle,
                offset,
                length,
            } => {
                let piece = self.piece;
                let (path, content) = self.file(handle);
                if path.ends_with("bad") {
                    return Err(StatusCode::FAILURE);
                }
                let rest = content.get(*offset as usize..).unwrap_or_default();
                let data = &rest[..rest.len().min(*length as usize).min(piece)];
                if data.is_empty() {
                    return Err(StatusCode::EOF);
                }
                Ok(framed(id, &Reply::Data(data)))
            }
            Request::Close { handle } => {
                // A handle that is closed twice may be another file's by then.
                assert!(self.open.remove(*handle).is_some(), "{handle:?}");
                Err(StatusCode::OK)
            }
            Request::Extended(ExtendedRequest::Limits) => {
                let mut out = Vec::new();
                let limits = self.limits.unwrap();
                FrameWriter::write(&mut out, |w| {
                    w.u8(201).u32(id);
                    limits.encode(w);
                });
                Ok(out)
            }
            Request::Stat { .. } => {
                let attributes = Attributes {
                    permissions: Some(0o040_755),
                    ..Attributes::new()
                };
                Ok(framed(id, &Reply::Attrs(attributes)))
            }
            _ => Err(StatusCode::OK),
        }
    }
}
