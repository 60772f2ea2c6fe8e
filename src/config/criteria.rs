//! Match: whether what it asks for is so.

use super::pattern::{matches_host, matches_list};
use crate::codec::printable;

/// What Match may ask about.
pub(super) struct Facts<'a> {
    /// The host, after HostName.
    pub host: &'a str,
    pub original_host: &'a str,
    pub user: &'a str,
    pub local_user: &'a str,
    pub tag: &'a str,
    /// `shell`, `exec`, `subsystem` or `none`.
    pub session_type: &'a str,
    /// Whether the files are read for the second time.
    pub is_final: bool,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub holds: bool,
    /// Whether `final` was asked for, so that the files must be read again.
    pub wants_final: bool,
    /// What could not be decided, because of which it does not hold.
    pub undecided: Vec<String>,
}

/// Runs a command: whether it succeeds, or `None` where nobody is there to run it.
pub(super) type Run<'a> = &'a mut dyn FnMut(&str) -> Result<Option<bool>, String>;

/// Decides. With `skips`, only whether the line makes sense.
///
/// # Errors
/// What makes no sense, and what to do; why a command could not be run.
pub(super) fn decide(
    words: &[String],
    facts: &Facts<'_>,
    skips: bool,
    run: Run<'_>,
) -> Result<Verdict, String> {
    let mut decision = Decision {
        facts,
        verdict: Verdict {
            holds: !skips,
            ..Verdict::default()
        },
        run,
    };
    let mut rest = words.iter().map(String::as_str);
    let mut count = 0_u32;
    while let Some(word) = rest.next().filter(|word| !word.starts_with('#')) {
        let (name, negated) = word
            .strip_prefix('!')
            .map_or((word, false), |name| (name, true));
        if name.eq_ignore_ascii_case("all") {
            if count > 1 || rest.next().is_some() {
                return Err("all stands alone; remove it or the others".into());
            }
            decision.take(!negated);
            count = 1;
            break;
        }
        count = count.saturating_add(1);
        decision.criterion(name, negated, &mut rest)?;
    }
    if count == 0 {
        return Err("Match needs a criterion such as host, user or all".into());
    }
    Ok(decision.verdict)
}

struct Decision<'a, 'b> {
    facts: &'a Facts<'a>,
    verdict: Verdict,
    run: Run<'b>,
}

impl Decision<'_, '_> {
    fn take(&mut self, holds: bool) {
        self.verdict.holds &= holds;
    }

    fn criterion<'w>(
        &mut self,
        name: &'w str,
        negated: bool,
        rest: &mut impl Iterator<Item = &'w str>,
    ) -> Result<(), String> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("canonical") || is("final") {
            self.verdict.wants_final |= is("final") && !negated;
            self.take(self.facts.is_final != negated);
            return Ok(());
        }
        let (name, argument) = match name.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (name, rest.next()),
        };
        let name = name.to_ascii_lowercase();
        let may_be_empty = matches!(name.as_str(), "tagged" | "command");
        let argument = argument
            .filter(|argument| !argument.starts_with('#') && (may_be_empty || !argument.is_empty()))
            .ok_or_else(|| format!("Match {} has no argument", printable(name.as_bytes(), 100)))?;
        let facts = self.facts;
        let holds = match name.as_str() {
            "host" => matches_host(argument, facts.host),
            "originalhost" => matches_host(argument, facts.original_host),
            "user" => matches_list(argument, facts.user),
            "localuser" => matches_list(argument, facts.local_user),
            "tagged" if facts.tag.is_empty() => argument.is_empty(),
            "tagged" => matches_list(argument, facts.tag),
            "sessiontype" => matches_list(argument, facts.session_type),
            "exec" => return self.exec(argument, negated),
            "command" | "localnetwork" | "version" => {
                self.undecided(format!(
                    "Match {name} is not supported, so the block does not apply"
                ));
                return Ok(());
            }
            _ => {
                let name = printable(name.as_bytes(), 100);
                return Err(format!(
                    "Match knows no {name}; remove it, or see whether it is misspelt"
                ));
            }
        };
        self.take(holds != negated);
        Ok(())
    }

    fn exec(&mut self, command: &str, negated: bool) -> Result<(), String> {
        // Nothing is run for a block that does not apply anyway.
        if self.verdict.holds {
            match (self.run)(command)? {
                Some(succeeds) => self.take(succeeds != negated),
                None => self
                    .undecided("Match exec runs nothing here, so the block does not apply".into()),
            }
        }
        Ok(())
    }

    fn undecided(&mut self, why: String) {
        if self.verdict.holds {
            self.verdict.undecided.push(why);
        }
        self.verdict.holds = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn decide_of(line: &str, is_final: bool) -> Result<Verdict, String> {
        let facts = Facts {
            host: "real.example.org",
            original_host: "alias",
            user: "bob",
            local_user: "me",
            tag: "t",
            session_type: "shell",
            is_final,
        };
        let mut run = |command: &str| Ok(Some(command == "true"));
        decide(&words(line), &facts, false, &mut run)
    }

    fn holds(line: &str) -> bool {
        decide_of(line, false).unwrap().holds
    }

    #[test]
    fn criteria() {
        for line in [
            "all",
            "ALL",
            "host real.example.org",
            "host *.EXAMPLE.org",
            "Host=real*",
            "originalhost alias",
            "user alice,bob",
            "localuser me",
            "!user alice",
            "host real* user bob",
            "exec true",
            "!exec false",
            "!canonical",
            "!final",
            "tagged t",
            "sessiontype shell",
            "!final all",
            "user bob # why",
        ] {
            assert!(holds(line), "{line}");
        }
        for line in [
            "!all",
            "host alias",
            "originalhost real.example.org",
            "user Bob",
            "user alice",
            "!user bob",
            "exec false",
            "canonical",
            "final",
            "host real* user alice",
            "tagged x",
            "user !bob,*",
            "final all",
            "version *",
        ] {
            assert!(!holds(line), "{line}");
        }
    }

    #[test]
    fn the_second_time() {
        assert!(decide_of("final", true).unwrap().holds);
        assert!(decide_of("canonical user bob", true).unwrap().holds);
        assert!(!decide_of("!final", true).unwrap().holds);
        assert!(decide_of("final user alice", false).unwrap().wants_final);
        assert!(!decide_of("!final", false).unwrap().wants_final);
        assert!(!decide_of("canonical", false).unwrap().wants_final);
    }

    #[test]
    fn what_makes_no_sense() {
        for line in [
            "",
            "host",
            "user # x",
            "host= user bob",
            "all user bob",
            "final canonical all",
            "colour red",
            "#",
        ] {
            assert!(decide_of(line, false).is_err(), "{line:?}");
        }
    }

    #[test]
    fn nothing_is_run_in_vain() {
        let verdict = |line: &str, skips| {
            let facts = Facts {
                host: "",
                original_host: "",
                user: "bob",
                local_user: "",
                tag: "",
                session_type: "",
                is_final: false,
            };
            let mut runs = 0;
            let mut run = |_: &str| {
                runs += 1;
                Ok(None)
            };
            let verdict = decide(&words(line), &facts, skips, &mut run).unwrap();
            (verdict, runs)
        };
        assert_eq!(verdict("user alice exec x", false), (Verdict::default(), 0));
        assert_eq!(verdict("exec x", true), (Verdict::default(), 0));
        let (undecided, runs) = verdict("!exec x", false);
        assert!(!undecided.holds && undecided.undecided.len() == 1 && runs == 1);
        let (undecided, _) = verdict("!localnetwork 10.0.0.0/8", false);
        assert!(!undecided.holds && undecided.undecided.len() == 1);
    }
}
