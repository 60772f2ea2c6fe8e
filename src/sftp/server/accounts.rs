//! Names of users and groups, remembered for a session: asking the system may mean asking a directory.

use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

/// Most numbers whose names are remembered, and most that are answered in one request.
pub const MAX_NAMES: usize = 1024;
/// Most numbers that the system is asked about for one request: it may ask a directory that takes its time, and OpenSSH's client has
/// at most some hundred names in a listing.
const MAX_LOOKUPS: usize = 128;

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

    /// The names of many numbers; empty where there is none, or behind [`MAX_NAMES`] or [`MAX_LOOKUPS`].
    pub fn all(&mut self, numbers: &[u32]) -> Vec<Vec<u8>> {
        let mut lookups = 0;
        let mut name = |number: &u32| {
            if !self.known.contains_key(number) {
                lookups += 1;
                if lookups > MAX_LOOKUPS {
                    return Vec::new();
                }
            }
            self.name(*number).unwrap_or_default().to_vec()
        };
        let mut names: Vec<_> = numbers.iter().take(MAX_NAMES).map(&mut name).collect();
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

    #[test]
    fn the_system_is_asked_a_bounded_number_of_times() {
        let mut names = Names {
            known: HashMap::new(),
            look_up: |number| Some(number.to_string()),
        };
        let numbers: Vec<u32> = (0..1000).collect();
        let first = names.all(&numbers);
        assert_eq!(first.len(), 1000);
        assert_eq!(first[MAX_LOOKUPS - 1], b"127");
        assert!(first[MAX_LOOKUPS..].iter().all(Vec::is_empty));
        // What is known costs nothing, so those behind have their turn.
        let second = names.all(&numbers);
        assert_eq!(second[2 * MAX_LOOKUPS - 1], b"255");
        assert!(second[2 * MAX_LOOKUPS..].iter().all(Vec::is_empty));
    }
}
