#!/usr/bin/env python3
"""Measures libsshwire and its peers side by side over the loopback interface.

Everything is measured in one run, each repetition in a new random order, so that what drifts on the machine hits all of
them alike: compare figures of one run, never of two. Only the standard library is used; only processes that were started
here are ended. Peers other than OpenSSH are those that peers.sh has built; the report names the ones that are absent.

Environment:
  BENCH_REPS       repetitions of everything (3)
  BENCH_SCALE      multiplies the amount of work of one measurement (1)
  BENCH_GROUPS     what to measure, separated by commas: see plan.py, and idle, many
  BENCH_IDLE       idle connections whose memory is measured (2000)
  BENCH_MANY       idle connections that are to work at all (10000)
  BENCH_KEEPALIVE  seconds between the questions to those, and how long they are watched (60)
  BENCH_LIMIT      seconds after which one measurement has failed (120)
  BENCH_SEED       of the random order
"""
import argparse
import ctypes
import json
import os
import contextlib
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import idle
import peers
import plan
import report
from processes import Failed

REPS = int(os.environ.get("BENCH_REPS", "3"))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
GROUPS = os.environ.get("BENCH_GROUPS", ",".join(plan.GROUPS + ("idle", "many"))).split(",")
PR_SET_CHILD_SUBREAPER = 36
WIRE_CIPHERS = {"aes128-gcm": plan.GCM, "chacha20": plan.CHACHA, "aes256-ctr": plan.CTR}


def everything(bench):
    """All measurements, interleaved."""
    wanted = plan.tasks([group for group in plan.GROUPS if group in GROUPS], SCALE)
    tasks = [task for task in wanted if bench.has(task)]
    results, failed = [], {}
    order = random.Random(os.environ.get("BENCH_SEED"))
    for repetition in range(REPS):
        order.shuffle(tasks)
        for task in tasks:
            if task in failed:
                continue
            try:
                results.append(dict(peers.measure(bench, task), repetition=repetition))
            except (Failed, subprocess.TimeoutExpired, OSError) as cause:
                print(*task, f"FAILED: {cause}", file=sys.stderr)
                failed[task] = str(cause)
        results += limits(bench, repetition)
        print(f"repetition {repetition + 1} of {REPS} done", file=sys.stderr, flush=True)
    return results, failed


def limits(bench, repetition):
    """Framing and cipher over the loopback interface with no protocol, and the first transport of a process."""
    found = []
    if "bulk" in GROUPS:
        wire = os.path.join(bench.programs, "peers", "wirelimit")
        for name, cipher in WIRE_CIPHERS.items():
            if not os.access(wire, os.X_OK):
                break
            done = subprocess.run([wire, name, str(1 << 30), "1"], capture_output=True, check=True, timeout=120)
            rate, sender, receiver = re.search(rb"([\d.]+) MB/s\D+([\d.]+) s/GiB\D+([\d.]+) s/GiB", done.stdout).groups()
            found.append({
                **plan.task("bulk", "wire", "wire", "wire", 1 << 30, cipher=cipher)._asdict(),
                "seconds": (1 << 30) / float(rate) / 1e6, "client_cpu": float(receiver), "server_cpu": float(sender),
                "repetition": repetition,
            })
    if "handshake" in GROUPS:
        task = plan.task("handshake", "first", "sshwire", "none", 1)
        result = peers.contract_client(bench, 0, task, {})
        found.append({**task._asdict(), **result, "server_cpu": 0.0, "repetition": repetition})
    return found


def idle_figures(bench):
    figures = {}
    if "idle" in GROUPS:
        figures["sshwire"] = idle.sshwire(bench)
        figures["openssh"] = idle.openssh(bench)
        for name in ("libssh", "libssh2", "russh", "go"):
            if bench.program(f"{name}_client"):
                figures[name] = idle.peer(bench, name)
    if "many" in GROUPS:
        figures["many"] = idle.many(bench)
    return figures


def size_of_library(path):
    """Bytes of the shared library as it is installed: without symbols that nothing needs at run time."""
    if not path or not os.path.exists(path) or shutil.which("strip") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped.so")
        subprocess.run(["strip", "--strip-unneeded", "-o", stripped, path], check=True)
        return os.stat(stripped).st_size


def facts_of(bench, library):
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = re.search(r"model name\s*:\s*(.*)", file.read()).group(1)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, check=False).stderr.decode().strip()
    revision = subprocess.run(
        ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
        capture_output=True, check=False,
    ).stdout.decode().strip()
    absent = [f"{name} (client)" for name in plan.CLIENTS[2:] if bench.program(f"{name}_client") is None]
    absent += [f"{name} (server)" for name in plan.SERVERS[2:] if bench.program(f"{name}_server") is None]
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "openssh": ssh, "revision": revision,
        "date": time.strftime("%Y-%m-%d"), "repetitions": REPS, "scale": SCALE, "kex": plan.KEX,
        "host_key": peers.HOST_KEY, "mac": peers.MAC, "load": os.getloadavg()[0], "absent": absent,
        "library_bytes": size_of_library(library), "groups": GROUPS,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where contract_client, contract_server and loopback are")
    parser.add_argument("--library", help="the shared library")
    parser.add_argument("--write", help="the folder for performance.md and its plots")
    parser.add_argument("--from", dest="earlier", help="write the report of an earlier run's results.json")
    arguments = parser.parse_args()
    if arguments.earlier:
        with open(arguments.earlier, encoding="utf-8") as file:
            run = json.load(file)
    else:
        for program in ("ssh", "ssh-keygen"):
            if shutil.which(program) is None:
                sys.exit(f"{program} is missing: the benchmarks compare with OpenSSH")
        # Processes that sshd leaves behind come to us, and their CPU time is counted.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        began = time.monotonic()
        # In memory where that can be had: a disk is not measured here.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sshwire-bench-", dir=memory))
            log = stack.enter_context(open(os.path.join(arguments.programs, "servers.log"), "wb"))
            bench = peers.Bench(os.path.abspath(arguments.programs), folder, stack, log)
            run = {"facts": facts_of(bench, arguments.library), "idle": idle_figures(bench)}
            run["results"], failed = everything(bench)
        run["facts"]["failed"] = [f"{' '.join(map(str, task[1:5]))}: {cause}" for task, cause in failed.items()]
        run["facts"]["minutes"] = (time.monotonic() - began) / 60
        with open(os.path.join(arguments.programs, "results.json"), "w", encoding="utf-8") as file:
            json.dump(run, file, indent=1)
    print(report.text(run))
    if arguments.write:
        report.write(arguments.write, run)
    # A peer that can't do something is named in the report; ours must do everything.
    sys.exit(1 if any("sshwire" in one.split(":")[0] for one in run["facts"]["failed"]) else 0)


if __name__ == "__main__":
    main()
