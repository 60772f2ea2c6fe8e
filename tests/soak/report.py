"""The page of the soak test, and its graphs."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import subprocess

from programs import Sample
from rule import GROWTH, PEAK, Verdict, judge

COLOURS = {"client": "#1b6ca8", "server": "#b5651d"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 320, 80, 20, 40, 40


@dataclasses.dataclass(frozen=True)
class Figure:
    """Something that is watched: how to get it from a sample, its unit, and what it may grow by besides the share."""

    name: str
    value: object
    unit: str
    slack: float


FIGURES = (
    Figure("resident memory", lambda one: one.resident_kib / 1024, "MiB", 1),
    Figure("allocated memory", lambda one: one.said["heap"] / 1024, "MiB", 1),
    Figure("descriptors", lambda one: one.descriptors, "", 10),
    Figure("threads", lambda one: one.threads, "", 5),
    Figure("handles", lambda one: one.said["handles"], "", 10),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure of one process, and what the rule says."""

    process: str
    name: str
    unit: str
    points: list[tuple[float, float]]
    verdict: Verdict


def rows(client: list[Sample], server: list[Sample], warm_up: float) -> list[Row]:
    """Judged are the samples taken while the client's connections were all open and still."""
    found = []
    until = client[-2].time
    calm = [one.time for one in client if one.said["calm"]]
    for process, samples in (("client", client), ("server", server)):
        busy = [one for one in samples if one.time <= until]
        # The server's are those between two calm ones of the client's.
        still = [one for one in busy if one.said.get("calm") or any(
            early <= one.time <= late and late - early < 5 for early, late in zip(calm, calm[1:]))]
        for figure in FIGURES:
            all_points, points = ([(one.time, figure.value(one)) for one in some] for some in (busy, still))
            found.append(Row(process, figure.name, figure.unit, all_points, judge(points, warm_up, figure.slack)))
    return found


def number(value: float, unit: str) -> str:
    return f"{value:,.1f} {unit}" if unit else f"{value:,.0f}"


def table(found: list[Row]) -> str:
    lines = ["| | | warm-up: median | most | after it: median | most | may be | growth | may be | |", "|" + "---|" * 10]
    for row in found:
        said = row.verdict
        cells = [number(value, row.unit) for value in (said.warm_median, said.warm_most, said.median, said.most, said.may_reach)]
        cells += [f"{said.growth:+,.2f}", f"{said.may_grow:,.2f}", "flat" if said.flat else "**not flat**"]
        lines.append(f"| {row.process} | {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ticks(most: float) -> list[float]:
    """Round values from 0 to above the largest."""
    step = 1.0
    while most / step > 6:
        step *= 2.5 if str(step).startswith("2") else 2
    return [step * i for i in range(int(most / step) + 2)]


def svg(title: str, lines: list[Row], warm_up: float) -> str:
    """Lines over minutes, the warm-up shaded."""
    end = max(time for row in lines for time, _ in row.points)
    marks = ticks(max(value for row in lines for _, value in row.points))

    def place(time: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * time / end
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / marks[-1]
        return f"{x:.1f},{y:.1f}"

    def text(x: float, y: float, what: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" fill="#222"{more}>{what}</text>'

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', text(12, 22, title, ' font-size="15"'),
    ]
    x, _ = place(warm_up, 0).split(",")
    out.append(f'<rect x="{LEFT}" y="{TOP}" width="{float(x) - LEFT:.1f}" height="{HEIGHT - TOP - BOTTOM}" fill="#f2f2f2"/>')
    out.append(text(LEFT + 6, TOP + 14, "warm-up", ' font-size="11"'))
    for mark in marks:
        (x, y), (right, _) = (point.split(",") for point in (place(0, mark), place(end, mark)))
        out.append(f'<line x1="{x}" y1="{y}" x2="{right}" y2="{y}" stroke="#dddddd"/>')
        out.append(text(LEFT - 8, float(y) + 4, f"{mark:g}", ' text-anchor="end"'))
    for minute in range(0, int(end / 60) + 1, 5 if end > 900 else 1):
        x, y = place(minute * 60, 0).split(",")
        out.append(text(float(x), float(y) + 18, f"{minute} min", ' text-anchor="middle"'))
    for index, row in enumerate(lines):
        colour = COLOURS[row.process]
        points = " ".join(place(time, value) for time, value in row.points)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x = WIDTH - RIGHT - 180 + 90 * index
        out.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>' + text(x + 18, 24, row.process))
    out.append("</svg>")
    return "\n".join(out) + "\n"


PAGE = """# Soak

Written by `make -C tests soak`; changes made here are lost.

{minutes:g} minutes of connections that come, work, break and come again, {workers} of them at once, beside {openssh_clients}
programs of OpenSSH's and {victims} connections of a client that is killed again and again. Our client and our server are a
process each. Last run: {date}, {cores} cores, Linux {kernel}, {openssh}.

**{outcome}**

{pictures}

## What stays flat

Now and then the client's workers pause, all at once, with their connections open. What is held then is judged, for it does not
depend on how much is under way, and so on how busy the machine is; the graphs show everything. Memory that the allocator can
give back is given back before it is looked at (`malloc_trim`).

The warm-up is the first sixth of the time. After it a figure may grow by {growth:.0f} % of the warm-up's median, plus 1 MiB, 10
descriptors or handles, or 5 threads, and may not be more than {peak:.0f} % above the warm-up's maximum (plus the same). The
growth is the median of the slopes of all pairs of samples, times the time that is left; `tests/soak/rule.py` is the rule, and
`tests/soak/test_rule.py` shows that a leak of 64 bytes for each connection breaks it. At the end, when everything is closed,
both processes have to have no handle left. Allocated memory is what `malloc` has given out and not got back: resident memory
that grows while it does not is memory in pieces, not a leak. {allocator}

{table}

## What was done

| | |
|---|---|
{counts}

- Six of eight connections of our client go to our server, half of these over the library's listener; two go to sshd. Each
  logs in (by key, by password, sometimes with a wrong one first), does one to six things with rests between, and goes.
- Things: a command with its exit status; a stream to `cat` and back, compared byte for byte, with new keys on demand in its
  midst and each 128 KiB to 1 MiB besides; a download; a file up, listed, down, compared and removed by SFTP; connections
  through a channel, a local and a remote forwarding; a subsystem that is refused.
- Of six connections three say goodbye. One is just dropped, one is reset or shut down under a stream in both directions,
  and one is reset by the server, where that can be.
- A second sshd loses a session by SIGKILL every other second, and a second client of ours is killed and started anew.
  What fails there is meant to.
- OpenSSH's `ssh` and `sftp` do the same to our server: streams, files, `-W`, `-L`, `-R`, new keys each 128 KiB, and being
  killed.
- Everything else that fails is a problem: the client counts it, the server counts why sessions ended.

{problems}"""

ALLOCATOR_TEXT = {
    False: """Both processes run with `MALLOC_ARENA_MAX=4`
and `MALLOC_MMAP_THRESHOLD_=131072`, which servers with many threads do well to set: with glibc's own settings about twice of
what is allocated is resident, and that mark creeps up for long (`run.py --default-allocator` shows it). They run without
glibc's caches for each thread (`glibc.malloc.tcache_count=0`), for what lies in these counts as allocated, and the client's 200
threads take as many minutes to fill them as the machine is slow.""",
    True: "Both processes run with glibc's own settings.",
}


def first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter((done.stdout + done.stderr).strip().splitlines()), "absent").strip()


def counts(soak) -> str:
    client, server = soak.client_program.last, soak.server_program.last
    warm_up, until = 10 * soak.options.minutes, soak.client_program.samples[-2].time
    open_now, both = ([one.said["open"] for one in program.samples if warm_up < one.time <= until]
                      for program in (soak.server_program, soak.client_program))
    lines = [
        ("connections of our client", f"{client['rounds']:,}"),
        ("open at once in our client, after the warm-up: least, most", f"{min(both)}, {max(both)}"),
        ("open at once in our server, after the warm-up: least, most", f"{min(open_now)}, {max(open_now)}"),
        ("sessions of our server", f"{server['ended']:,}"),
        ("why they ended", ", ".join(f"{name} {count:,}" for name, count in server["causes"].items())),
        ("things done by our client", f"{client['acts']:,}"),
        ("moved by our client, both ways", f"{client['moved'] / 2**30:.1f} GiB"),
        ("key exchanges of our client", f"{client['key_exchanges']:,}"),
        ("connections broken on purpose by our client", f"{client['cuts']:,}"),
        ("failures that were meant to be", f"{client['planned']:,}"),
        ("failures that were not", f"{client['unplanned']:,}"),
        ("runs of OpenSSH's programs, and how many of them were killed", f"{soak.ssh_runs:,}, {soak.ssh_killed:,}"),
        ("what took OpenSSH's programs the longest", f"{soak.ssh_longest[0]}, {soak.ssh_longest[1]:.1f} s"),
        ("what took our client the longest", f"{client['longest']}, {client['longest_ms'] / 1000:.1f} s"),
        ("sessions of sshd that were killed", f"{soak.sessions_killed:,}"),
        ("clients of ours that were killed", f"{soak.victims:,}"),
        ("handles left at the end: client, server", f"{client['handles']}, {server['handles']}"),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in lines)


def write(folder: pathlib.Path, soak, found: list[Row]) -> None:
    pictures = []
    for figure in FIGURES:
        lines = [row for row in found if row.name == figure.name]
        name = f"soak-{figure.name.split()[0]}.svg"
        title = figure.name + (f", {figure.unit}" if figure.unit else "")
        (folder / name).write_text(svg(title, lines, 10 * soak.options.minutes))
        pictures.append(f"![{title}]({name})")
    problems = soak.problems
    (folder / "soak.md").write_text(PAGE.format(
        minutes=soak.options.minutes, workers=soak.options.workers, date=datetime.date.today(),
        openssh_clients=8, victims=4, cores=len(os.sched_getaffinity(0)), kernel=first_line("uname", "-r"),
        openssh=first_line("ssh", "-V"), growth=100 * GROWTH, peak=100 * PEAK, pictures="\n\n".join(pictures),
        outcome="Everything stayed flat, and nothing failed that was not meant to." if not problems
        else f"{len(problems)} problems, see the end.",
        allocator=ALLOCATOR_TEXT[soak.options.default_allocator], table=table(found), counts=counts(soak),
        problems="" if not problems else "## Problems\n\n" + "\n".join(f"- {problem}" for problem in problems[:50]) + "\n",
    ))
