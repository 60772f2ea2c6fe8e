"""What can be seen of a thing that takes too long, from outside and without waking anybody: a debugger would."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess

AT_MOST = 5


def threads(pid: int) -> str:
    """In which system call each thread of a process is, with its arguments, and where in the kernel it sleeps."""
    lines = []
    with contextlib.suppress(OSError):
        for task in sorted(pathlib.Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name)):
            with contextlib.suppress(OSError):
                name, call, where = ((task / file).read_text(errors="replace").strip() for file in ("comm", "syscall", "wchan"))
                lines.append(f"  {task.name} {name}: {call} ({where})")
    return "\n".join(lines)


class Evidence:
    """A folder for what was seen of things that took too long."""

    def __init__(self, folder: pathlib.Path, pids: dict[str, int]) -> None:
        self._folder, self._pids, self._taken = folder, pids, 0
        for old in folder.glob("stalled-*.txt"):
            old.unlink()

    def take(self, what: str) -> None:
        self._taken += 1
        if self._taken > AT_MOST:
            return
        sockets = subprocess.run(["ss", "-tnpoi"], capture_output=True, text=True, check=False)
        parts = [what, sockets.stdout + sockets.stderr]
        parts += [f"{name}, process {pid}:\n{threads(pid)}" for name, pid in self._pids.items()]
        (self._folder / f"stalled-{self._taken}.txt").write_text("\n\n".join(parts) + "\n")
