#!/usr/bin/env python3
"""libgit2 as pygit2 carries it, with a libssh2 of its own in place of a program."""

import sys
import tempfile

import pygit2
from common import *  # noqa: F403 - the words of the contract

ME = pygit2.Signature("x", "x@example.org")
HEAD = "refs/heads/main"


class Answers(pygit2.RemoteCallbacks):
    """Logs in once, and lets every host pass."""

    asked = 0

    def credentials(self, url, username, allowed):
        self.asked += 1
        # What was refused is asked for again, without end.
        if self.asked > 1:
            raise pygit2.GitError("refused")
        if AUTH == "password":
            return pygit2.UserPass(USER, PASSWORD)
        with open(KEY + ".pub", encoding="utf-8") as file:
            public = scratch("public", file.read())
        return pygit2.Keypair(USER, public, KEY, "")

    def certificate_check(self, certificate, valid, host):
        return True


def remote(repository: pygit2.Repository, there: str) -> pygit2.Remote:
    return repository.remotes.create("there", f"ssh://{USER}@127.0.0.1:{PORT}{there}")


def push(repository: pygit2.Repository, here: str, there: str) -> None:
    """A commit with one file, named as that is here."""
    tree = repository.TreeBuilder()
    tree.insert(os.path.basename(here), repository.create_blob_fromdisk(here), pygit2.enums.FileMode.BLOB)
    repository.create_commit(HEAD, ME, ME, "all of it", tree.write(), [])
    remote(repository, there).push([f"+{HEAD}"], callbacks=Answers())


def fetch(repository: pygit2.Repository, there: str, here: str) -> None:
    """The only file of the newest commit."""
    remote(repository, there).fetch([f"+{HEAD}:{HEAD}"], callbacks=Answers())
    [entry] = repository.get(repository.references[HEAD].target).tree
    with open(here, "wb") as file:
        file.write(entry.data)


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ["PEER_SCRATCH"]) as place:
        repository = pygit2.init_repository(place, bare=True)
        match sys.argv[2:]:
            case ["heads", there]:
                for head in remote(repository, there).list_heads(callbacks=Answers()):
                    print(head.name)
            case ["push", here, there]:
                push(repository, here, there)
            case ["fetch", there, here]:
                fetch(repository, there, here)
            case _:
                cannot("libgit2 moves commits only")


if sys.argv[1:] == ["version"]:
    print(f"libgit2 {pygit2.LIBGIT2_VERSION} of pygit2 {pygit2.__version__}")
    sys.exit()
if REKEY:
    cannot("libgit2 has no call for that")
if AUTH == "keyboard-interactive":
    cannot("pygit2 has no answers for that")
try:
    main()
except pygit2.GitError as error:
    sys.exit(f"{type(error).__name__}: {error}")
