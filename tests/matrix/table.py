"""The peers, and what each is here for. One line here and one program in adapters/ make a peer."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Peer:
    """One implementation that is not ours."""

    name: str
    # The command that runs its adapter, relative to adapters/; words in braces are paths that set-up found.
    command: tuple[str, ...]
    roles: tuple[str, ...]
    # Prints the version.
    version: tuple[str, ...]
    # It runs commands, or else it moves nothing but files, by SFTP or as commits of git.
    work: Literal["commands", "files", "commits"] = "commands"
    # What this peer is known not to do, by role and how the check begins, with the reason. Anything else that fails is a failure.
    lacks: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The name as part of a file's."""
        return re.sub("[^a-z0-9]", "", self.name.lower())

    def lack(self, role: str, check: str) -> str | None:
        """Why it may fail in this check, if it is known to."""
        return next((why for what, why in self.lacks.items() if f"{role}: {check}".startswith(what)), None)


BOTH = ("client", "server")

_OVERTAKES = (
    "EOF overtakes data that waits for the window or for a key exchange. Of 10 MiB, 6.5 to 9.8 reach the client of OpenSSH 9.2 "
    "too with RekeyLimit=1M, and 6.1 to 7.2 without new keys where its output is read slowly, 64 KiB each 10 ms; it drops what "
    "comes after EOF, ours ends the session for it"
)

PEERS = (
    Peer("OpenSSH", ("openssh.py",), BOTH, ("ssh", "-V")),
    Peer("OpenSSH (newest)", ("newest_openssh.py",), BOTH, ("newest_openssh.py", "version")),
    Peer("dropbear", ("dropbear.py",), BOTH, ("dropbear", "-V")),
    Peer("PuTTY", ("putty.py",), ("client",), ("plink", "-V")),
    Peer("libssh", ("{build}/libssh",), BOTH, ("{build}/libssh", "version"), lacks={
        "server: forwarding": "its servers are not told of such channels by callback",
    }),
    Peer("libssh2", ("{build}/libssh2",), ("client",), ("{build}/libssh2", "version")),
    Peer("libssh2 (newest)", ("{build}/libssh2-newest",), ("client",), ("{build}/libssh2-newest", "version")),
    Peer("libgit2", ("{python}", "with_libgit2.py"), ("client",), ("{python}", "with_libgit2.py", "version"), work="commits"),
    Peer("curl", ("curl.py",), ("client",), ("curl", "--version"), work="files"),
    Peer("paramiko", ("{python}", "with_paramiko.py"), BOTH, ("{python}", "-c", "import paramiko; print(paramiko.__version__)")),
    Peer("asyncssh", ("{python}", "with_asyncssh.py"), BOTH, ("{python}", "-c", "import asyncssh; print(asyncssh.__version__)")),
    Peer("Twisted Conch", ("{python}", "with_conch.py"), BOTH, ("{python}", "-c", "import twisted; print(twisted.__version__)"), lacks={
        "server: exec, 10 MiB each way": _OVERTAKES,
        "server: rekey, asked for by ours": _OVERTAKES,
        "server: user key rsa": "its server-sig-algs are the types of its own host keys, so that for OpenSSH's ssh, too, there is "
        "no mutual signature algorithm",
        "server: forwarding": "the end of one direction is not passed on: for OpenSSH's ssh -W, too, 300,000 bytes arrive and "
        "come back, and then whoever is at the far end waits for an end in vain",
    }),
    Peer("x/crypto/ssh", ("{build}/go-ssh",), BOTH, ("{build}/go-ssh", "version")),
    Peer("russh", ("{build}/russh",), BOTH, ("{build}/russh", "version")),
    Peer("node ssh2", ("node", "{build}/node/ssh2.mjs"), BOTH, ("node", "{build}/node/ssh2.mjs", "version")),
    Peer("JSch", ("java", "-cp", "{java}", "WithJsch"), ("client",), ("java", "-cp", "{java}", "WithJsch", "version"), lacks={
        "client: rekey, asked for by the peer": "told to renew keys between two reads of a download it stands still; with OpenSSH's "
        "sshd, too, after 1.6 of 10.5 MB",
    }),
    Peer("sshj", ("java", "-cp", "{java}", "WithSshj"), ("client",), ("java", "-cp", "{java}", "WithSshj", "version"), lacks={
        "client: rekey, asked for by the peer": "told to renew keys between two reads of a download it stands still for its 30 s; with "
        "OpenSSH's sshd, too, after 9.4 of 10.5 MB",
    }),
    Peer("Apache MINA", ("java", "-cp", "{java}", "WithMina"), BOTH, ("java", "-cp", "{java}", "WithMina", "version")),
    Peer("Net::SSH (Ruby)", ("ruby", "net_ssh.rb"), ("client",), ("ruby", "net_ssh.rb", "version"), lacks={
        "client: user key ecdsa": "Debian's does not read these keys with its OpenSSL 3",
        "client: user key rsa": "Debian's does not read these keys with its OpenSSL 3 (rsa#set_key= is incompatible)",
    }),
    Peer("Net::SSH2 (Perl)", ("perl", "net_ssh2.pl"), ("client",), ("perl", "net_ssh2.pl", "version")),
    Peer("Erlang ssh", ("escript", "erlang_ssh.escript"), BOTH, ("escript", "erlang_ssh.escript", "version"), lacks={
        "client: forwarding": "the end of one direction ends both: with OpenSSH's sshd nothing of 300,000 bytes comes back either",
        "server: forwarding": "the end of one direction ends both: for OpenSSH's ssh -W, too, 10,220 of 300,000 bytes come back",
    }),
    Peer("GNU lsh", ("gnu_lsh.py",), BOTH, ("lsh", "--version"), lacks={
        "server: user key e": "it has RSA and DSA keys only",
    }),
    Peer("tinyssh", ("tinyssh.py",), ("server",), ("dpkg-query", "-Wf", "tinyssh ${{Version}}", "tinysshd"), lacks={
        "server: user key ecdsa": "it has Ed25519 keys only",
        "server: user key rsa": "it has Ed25519 keys only",
        "server: rekey, asked for by ours": "it stalls now and then when a key exchange begins while it sends: with ssh of OpenSSH "
        "9.2 and RekeyLimit=1M two of two downloads stood still after a third of 10 MiB, with ours one of three",
        "server: forwarding": "it has one session and nothing else",
    }),
)
