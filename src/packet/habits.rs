//! What peers do that the protocol does not have, known by the software that they name (RFC 4253 §4.2).

use crate::packet::Ident;

/// The habits of one peer that have to be met. Others are met for everybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerHabits {
    /// Answers global requests that want no reply, when it does not know them. GNU lsh does, and sshd takes such an answer
    /// for one to its keepalives.
    pub answers_unasked: bool,
    /// Ends when its last channel is closed, but looks whether it is before it closes channels, and then waits for
    /// anything from the server. dbclient does, up to 2026.94 at least, where the server's CLOSE came while it could not
    /// yet write out what had come before. With sshd it stays for ever.
    pub overlooks_its_end: bool,
    /// Serves files in a process, or behind a pipe, of their own: what is more at a time than goes through it has one of the two
    /// wait for the other. So does sshd, whose SFTP server announces four times as much.
    pub pipes_files: bool,
    /// Takes a KEXINIT, and a guess behind it, that come with the identification line, before its own has been seen, and passes
    /// over a guess that is wrong. There are servers that lose what follows the line, so these are the ones with which it has been
    /// tried. OpenSSH's of 2015 take a wrong guess for a right one.
    pub takes_guesses: bool,
    /// Prefers what a client guesses, where it has that. Ours do.
    pub adopts_guesses: bool,
}

impl PeerHabits {
    /// The habits of the peer that sent this line.
    pub fn of(ident: &Ident) -> Self {
        let is_one_of = |names: &[&str]| names.iter().any(|name| ident.software.starts_with(name));
        PeerHabits {
            answers_unasked: is_one_of(&["lsh-", "lshd-"]),
            overlooks_its_end: is_one_of(&["dropbear"]),
            pipes_files: is_one_of(&["OpenSSH"]),
            takes_guesses: is_one_of(&["libsshwire", "OpenSSH", "dropbear"])
                && !is_one_of(&["OpenSSH_6.8", "OpenSSH_6.9", "OpenSSH_7.0", "OpenSSH_7.1"]),
            adopts_guesses: is_one_of(&["libsshwire"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Role;

    fn habits(line: &[u8]) -> PeerHabits {
        PeerHabits::of(&Ident::parse(line, Role::Server).unwrap())
    }

    #[test]
    fn those_who_answer_unasked() {
        let answers = |line| habits(line).answers_unasked;
        assert!(answers(b"SSH-2.0-lsh-2.1 lsh - a GNU ssh"));
        assert!(answers(b"SSH-2.0-lshd-2.1 lsh - a GNU ssh"));
        assert!(!answers(b"SSH-2.0-OpenSSH_9.2 lsh-2.1"));
        assert!(!answers(b"SSH-2.0-lsh"));
    }

    #[test]
    fn those_who_overlook_their_end() {
        let overlooks = |line| habits(line).overlooks_its_end;
        assert!(overlooks(b"SSH-2.0-dropbear_2022.83"));
        assert!(overlooks(b"SSH-2.0-dropbear"));
        assert!(!overlooks(b"SSH-2.0-OpenSSH_9.2 dropbear"));
        assert!(!overlooks(b"SSH-2.0-lsh-2.1 lsh - a GNU ssh"));
    }

    #[test]
    fn those_who_take_guesses() {
        let takes = |line| habits(line).takes_guesses;
        assert!(takes(b"SSH-2.0-libsshwire_0.1.0"));
        assert!(takes(b"SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        assert!(takes(b"SSH-2.0-dropbear_2022.83"));
        assert!(takes(b"SSH-2.0-OpenSSH_7.4"));
        assert!(!takes(b"SSH-2.0-OpenSSH_7.1p2 Debian-2"));
        assert!(!takes(b"SSH-2.0-OpenSSH_6.8"));
        assert!(!takes(b"SSH-2.0-Cisco-1.25"));
        assert!(!takes(b"SSH-2.0-paramiko_2 OpenSSH"));
        assert!(habits(b"SSH-2.0-libsshwire_0.1.0").adopts_guesses);
        assert!(!habits(b"SSH-2.0-OpenSSH_9.2p1 Debian-2").adopts_guesses);
    }

    #[test]
    fn those_who_pipe_files() {
        let pipes = |line| habits(line).pipes_files;
        assert!(pipes(b"SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        assert!(pipes(b"SSH-2.0-OpenSSH_for_Windows_9.5"));
        assert!(!pipes(b"SSH-2.0-dropbear_2022.83"));
        assert!(!pipes(b"SSH-2.0-sshwire_0.1.0 OpenSSH"));
    }
}
