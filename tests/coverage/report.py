#!/usr/bin/env python3
"""Makes figures of the counters that run.sh has collected.

    report.py --tools FOLDER --profile FILE --library FILE --objects FILE... [--write PAGE] [--gaps FILE] [--least PERCENT]

Lines count that the compiler has made code of for the shared library, as the map in it says: so neither tests inside src/
nor comments, types and braces do. A line is covered when any program of the suite has run it, whether through the shared
library, the static one or the crate. Ends with 1 when less than the least share is.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
Counts = dict[str, dict[int, int]]


def lines_of(tools: pathlib.Path, profile: pathlib.Path, program: pathlib.Path) -> Counts:
    """For each file of src/ the lines with code, and how often each was run."""
    command = [str(tools / "llvm-cov"), "export", "--format=lcov", f"--instr-profile={profile}", str(program)]
    command += ["--skip-functions", "--sources", str(ROOT / "src")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"llvm-cov: {done.stderr.strip()[-2000:]}")
    found: Counts = {}
    for line in done.stdout.splitlines():
        if line.startswith("SF:"):
            here = found.setdefault(str(pathlib.Path(line[3:]).relative_to(ROOT)), {})
        elif line.startswith("DA:"):
            number, count = line[3:].split(",")[:2]
            here[int(number)] = max(here.get(int(number), 0), int(count))
    return found


def folder_of(path: str) -> str:
    parts = pathlib.PurePath(path).parts
    return "/".join(parts[:2]) + "/" if len(parts) > 2 else "src/*.rs"


def gaps_of(product: Counts) -> list[tuple[int, str, int, int]]:
    """Runs of lines that nothing has run, the longest first: how many, the file, the first and the last."""
    found = []
    for path, lines in product.items():
        run: list[int] = []
        for number in sorted(lines) + [0]:
            if number and lines[number] == 0:
                run.append(number)
            elif run:
                found.append((len(run), path, run[0], run[-1]))
                run = []
    return sorted(found, key=lambda gap: (-gap[0], gap[1], gap[2]))


def percent(covered: int, lines: int) -> float:
    return 100 * covered / lines if lines else 100.0


def page(folders: dict[str, list[int]], files: dict[str, list[int]], commit: str) -> str:
    covered, lines = (sum(values[i] for values in folders.values()) for i in (0, 1))
    out = ["# Coverage", "", "Written by `make -C tests coverage`; changes made here are lost.", "",
           f"**{percent(covered, lines):.1f} % of the lines of `src/` are run by the suite**: {covered:,} of {lines:,}.", "",
           f"Last run: {datetime.date.today()}, at {commit}.", "", "| folder | lines | covered | |", "|---|---|---|---|"]
    for folder, (part, whole) in sorted(folders.items()):
        out.append(f"| `{folder}` | {whole:,} | {part:,} | {percent(part, whole):.1f} % |")
    out += ["", "## How it is counted", "", (ROOT / "tests/coverage/method.md").read_text().strip(), "",
            "## What is missing", "", (ROOT / "tests/coverage/missing.md").read_text().strip(), "",
            "The files with the most lines that nothing runs:", "", "| file | lines | not run | covered |", "|---|---|---|---|"]
    for path, (part, whole) in sorted(files.items(), key=lambda item: item[1][0] - item[1][1])[:25]:
        out.append(f"| `{path}` | {whole:,} | {whole - part:,} | {percent(part, whole):.1f} % |")
    return "\n".join(out) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--profile", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--objects", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--gaps", type=pathlib.Path)
    parser.add_argument("--least", type=float, default=90)
    options = parser.parse_args()
    product = lines_of(options.tools, options.profile, options.library)
    # One after another: of functions that have the same name in several, llvm-cov would look at one.
    for program in options.objects:
        here = lines_of(options.tools, options.profile, program)
        for path, lines in product.items():
            for number in lines:
                lines[number] = max(lines[number], here.get(path, {}).get(number, 0))
    folders: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    files = {}
    for path, lines in product.items():
        files[path] = [sum(count > 0 for count in lines.values()), len(lines)]
        for i in (0, 1):
            folders[folder_of(path)][i] += files[path][i]
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    text = page(folders, files, commit.stdout.strip())
    if options.gaps:
        options.gaps.write_text("".join(f"{length:5} {path}:{first}-{last}\n" for length, path, first, last in gaps_of(product)))
    if options.write:
        options.write.write_text(text)
    covered, lines = (sum(values[i] for values in folders.values()) for i in (0, 1))
    for folder, (part, whole) in sorted(folders.items()):
        print(f"{folder:28} {part:6} of {whole:6} {percent(part, whole):6.1f} %")
    print(f"coverage: {covered} of {lines} lines, {percent(covered, lines):.2f} %")
    return 0 if percent(covered, lines) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
