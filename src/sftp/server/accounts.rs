//! Names of users and groups, remembered for a session: asking the system may mean asking a directory.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

/// Most numbers whose names are remembered, and most that are looked up for one request.
pub const MAX_NAMES: usize = 1024;

/// Names by number, `None` where there is none.
#[derive(Debug)]
pub struct Names {
    known: HashMap<u32, Option<Vec<u8>>>,
    look_up: fn(u32) -> Option<String>,
}

impl Names {
    /// The name of a number.
    pub fn name(&mut self, number: u32) -> Option<&[u8]> {
        if self.known.len() >= MAX_NAMES && !self.known.contains_key(&number) {
            self.known.clear();
        }
        let look_up = self.look_up;
        self.known
            .entry(number)
            .or_insert_with(|| look_up(number).map(String::into_bytes))
            .as_deref()
    }

    /// The names of many numbers; empty where there is none, or behind [`MAX_NAMES`].
    pub fn all(&mut self, numbers: &[u32]) -> Vec<Vec<u8>> {
        let mut names: Vec<_> = numbers
            .iter()
            .take(MAX_NAMES)
            .map(|number| self.name(*number).unwrap_or_default().to_vec())
            .collect();
        names.resize(numbers.len(), Vec::new());
        names
    }
}

/// Names of the accounts of this machine.
#[derive(Debug)]
pub struct AccountNames {
    /// Of users.
    pub users: Names,
    /// Of groups.
    pub groups: Names,
}

impl Default for AccountNames {
    fn default() -> Self {
        let names = |look_up| Names {
            known: HashMap::new(),
            look_up,
        };
        AccountNames {
            users: names(|number| {
                let user = User::from_uid(Uid::from_raw(number)).ok()??;
                Some(user.name)
            }),
            groups: names(|number| {
                let group = Group::from_gid(Gid::from_raw(number)).ok()??;
                Some(group.name)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_superuser_has_a_name_and_no_number_is_looked_up_twice() {
        let mut accounts = AccountNames::default();
        assert_eq!(accounts.users.name(0), Some(&b"root"[..]));
        let numbers: Vec<u32> = (0..5000).map(|n| n % 2).collect();
        assert_eq!(accounts.users.all(&numbers).len(), 5000);
        assert_eq!(accounts.users.known.len(), 2);
    }
}
