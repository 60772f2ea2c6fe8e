//! Open files and directories by the handles that the client was given.

use std::collections::HashMap;

use super::failure::Failure;

/// What a handle leads to, by numbers that are never given twice in a session.
///
/// A handle on the wire is such a number in four bytes. Nothing is believed about the bytes that come back:
/// they are looked up.
#[derive(Debug)]
pub struct Handles<T> {
    open: HashMap<u32, T>,
    next: u32,
    limit: usize,
}

impl<T> Handles<T> {
    /// An empty table for at most `limit` handles.
    pub fn new(limit: usize) -> Self {
        Handles {
            open: HashMap::new(),
            next: 1,
            limit,
        }
    }

    /// Refuses when no further handle may be opened. To be asked before anything is made for one.
    pub fn check_room(&self) -> Result<(), Failure> {
        if self.open.len() >= self.limit || self.next == u32::MAX {
            return Err(Failure::other("too many open files"));
        }
        Ok(())
    }

    /// Adds what a new handle leads to.
    pub fn insert(&mut self, value: T) -> Result<u32, Failure> {
        self.check_room()?;
        let number = self.next;
        self.next = number.saturating_add(1);
        self.open.insert(number, value);
        Ok(number)
    }

    /// Adds what a new handle leads to, which may want to know the number.
    pub fn insert_with(&mut self, make: impl FnOnce(u32) -> T) -> Result<u32, Failure> {
        let number = self.next;
        self.insert(make(number))
    }

    /// Ends all handles.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.open.drain().map(|(_, value)| value)
    }

    /// What the bytes lead to.
    pub fn get(&mut self, handle: &[u8]) -> Result<&mut T, Failure> {
        number(handle)
            .and_then(|number| self.open.get_mut(&number))
            .ok_or_else(unknown)
    }

    /// Ends a handle.
    pub fn remove(&mut self, handle: &[u8]) -> Result<T, Failure> {
        number(handle)
            .and_then(|number| self.open.remove(&number))
            .ok_or_else(unknown)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// The number in a handle; `None` for bytes that no handle has.
pub fn number(handle: &[u8]) -> Option<u32> {
    handle.try_into().ok().map(u32::from_be_bytes)
}

fn unknown() -> Failure {
    Failure::other("no such handle")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_and_made_up_handles_lead_nowhere() {
        let mut handles = Handles::new(2);
        let one = handles.insert("one").unwrap();
        let two = handles.insert("two").unwrap();
        assert!(handles.insert("three").is_err());
        assert_eq!(*handles.get(&one.to_be_bytes()).unwrap(), "one");
        assert_eq!(handles.remove(&one.to_be_bytes()).unwrap(), "one");
        assert!(handles.remove(&one.to_be_bytes()).is_err());
        let three = handles.insert("three").unwrap();
        assert!(three != one && three != two);
        for bytes in [&b""[..], b"\0", &[0; 4], &[0; 256], &[0xff; 4], &[0; 5]] {
            assert!(handles.get(bytes).is_err());
        }
        assert_eq!(handles.len(), 2);
    }
}
