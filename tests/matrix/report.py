"""The page that a run writes."""

from __future__ import annotations

HEAD = """# Who it talks to

Written by `make -C tests matrix`; changes made here are lost.

Each implementation below has talked to ours in the roles named: as the client of our server (`examples-c/server`), and as
the server of our clients (`examples-c/exec`, `sftp` and `ssh`). The programs that drive them are in `tests/matrix/adapters`,
what is checked is in `tests/matrix/checks.py`: sessions over loopback, 10 MiB each way compared by hash, new keys each MiB.
`git`, `rsync`, `sshfs`, `lftp`, `rclone` and `ansible`, over our server and most of them over our `ssh`, are in
[real-runs.md](real-runs.md).

✓ holds · – the other side does not have it, and our side or its adapter has said so · ✗ does not hold

"""


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def mark(outcome) -> str:
    return {"yes": "✓", "absent": "–", "no": "✗"}[outcome.verdict]


def table(results, role: str) -> str:
    """One row for each check, one column for each peer."""
    columns = [(peer, {outcome.check: outcome for outcome in outcomes}) for peer, _, of, outcomes, _ in results if of == role]
    if not columns:
        return ""
    names = [name for _, outcomes in columns for name in outcomes]
    rows = list(dict.fromkeys(names))
    lines = ["| | " + " | ".join(peer.name for peer, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [mark(outcomes[row]) if row in outcomes else " " for _, outcomes in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page(results) -> str:
    """All of it, in Markdown."""
    days = sorted({day for *_, day in results})
    parts = [HEAD, f"The pairs were run: {' to '.join(dict.fromkeys([days[0], days[-1]]))}.\n\n"]
    parts += ["## Their clients, our server\n\n", table(results, "client")]
    parts += ["\n## Our clients, their servers\n\n", table(results, "server")]
    parts.append("\n## Versions, and what is negotiated by default\n\n| | version | as client | as server |\n|---|---|---|---|\n")
    best = {}
    for peer, told, role, outcomes, _ in results:
        entry = best.setdefault(peer.name, {"version": told})
        entry[role] = next((outcome.detail for outcome in outcomes if outcome.check.startswith("connect")), "")
    for name, entry in best.items():
        cells = [entry.get(key, "") for key in ("version", "client", "server")]
        parts.append(f"| {name} | " + " | ".join(escaped(cell) for cell in cells) + " |\n")
    parts.append("\n## What is not there\n\n")
    for peer, _, role, outcomes, _ in results:
        for outcome in outcomes:
            if outcome.verdict != "yes":
                parts.append(f"- {peer.name} as {role}, {outcome.check} ({mark(outcome)}): {escaped(outcome.detail[:300])}\n")
    # A ✓ of one run would hide these.
    parts.append("\n## What held in this run, and is known to fail now and then\n\n")
    for peer, _, role, outcomes, _ in results:
        for outcome in outcomes:
            known = peer.lack(role, outcome.check)
            if outcome.verdict == "yes" and known:
                parts.append(f"- {peer.name} as {role}, {outcome.check}: {escaped(known)}\n")
    return "".join(parts)
