"""Connections that do nothing: how much memory each takes, how many threads there are, and what keeping them alive costs."""
import contextlib
import json
import os
import resource
import subprocess
import time

import plan
from peers import LOGGED_IN
from processes import NOBODY, Failed, Process, family, free_port, proportional_kib, read_until, status_of

IDLE = int(os.environ.get("BENCH_IDLE", "2000"))
MANY = int(os.environ.get("BENCH_MANY", "10000"))
KEEPALIVE = int(os.environ.get("BENCH_KEEPALIVE", "60"))
OPENSSH_IDLE, PEER_IDLE = 50, 300


def hold(bench, port, count):
    """Our client with idle connections that last as long as its standard input."""
    command = bench.program("sshwire_client") + ["127.0.0.1", str(port), bench.user, bench.path("id")]
    command += ["idle", str(count), plan.GCM]
    return Process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, BENCH_HOLD="1"), bufsize=0
    )


def let_go(client):
    client.process.stdin.close()
    client.process.stdin = None
    if client.wait() != 0:
        raise Failed("an idle connection did not last")


def warm_up(bench, port):
    command = bench.program("sshwire_client") + ["127.0.0.1", str(port), bench.user, bench.path("id")]
    subprocess.run(command + ["handshake", "5", plan.GCM], check=True, stdout=NOBODY)
    time.sleep(0.5)


def sshwire(bench):
    pid, port = bench.server("sshwire")
    warm_up(bench, port)
    before, threads_before = status_of(pid, "VmRSS"), status_of(pid, "Threads")
    with hold(bench, port, IDLE) as client:
        figures = json.loads(read_until(client.process.stdout, b"}"))
        result = {
            "connections": IDLE, "client_kib": figures["rss_kb_per_conn"], "client_threads": figures["threads"],
            "server_kib": (status_of(pid, "VmRSS") - before) / IDLE, "server_threads": status_of(pid, "Threads"),
            "server_threads_before": threads_before,
        }
        let_go(client)
    return result


def openssh(bench):
    """OpenSSH takes processes for each connection: what those hold, shared pages counted once."""
    pid, port = bench.server("openssh")
    bench.settle(pid)
    before = proportional_kib(family(pid))
    with hold(bench, port, OPENSSH_IDLE) as client:
        read_until(client.process.stdout, b"}")
        # One more connection than asked for is open: the one our client begins with.
        server_kib = (proportional_kib(family(pid)) - before) / (OPENSSH_IDLE + 1)
    _, port = bench.server("sshwire")
    with contextlib.ExitStack() as stack:
        clients = []
        for _number in range(OPENSSH_IDLE):
            command = bench.ssh(port, plan.GCM, "-N", *LOGGED_IN)
            clients.append(Process(command, stdin=NOBODY, stdout=NOBODY, stderr=subprocess.PIPE))
            stack.enter_context(clients[-1])
            read_until(clients[-1].process.stderr, b"ready")
        client_kib = proportional_kib([client.process.pid for client in clients]) / OPENSSH_IDLE
    return {"connections": OPENSSH_IDLE, "server_kib": server_kib, "client_kib": client_kib}


def peer(bench, name):
    """A contract peer: its client's memory against our server, and its server's with our client."""
    result = {"connections": PEER_IDLE}
    client = bench.program(f"{name}_client")
    if client is not None:
        _, port = bench.server("sshwire")
        command = client + ["127.0.0.1", str(port), bench.user, bench.path("id"), "idle", str(PEER_IDLE), plan.GCM]
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        if done.returncode == 0:
            result["client_kib"] = json.loads(done.stdout.decode().splitlines()[-1])["rss_kb_per_conn"]
    if bench.program(f"{name}_server") is not None:
        pid, port = bench.server(name)
        warm_up(bench, port)
        before = proportional_kib(family(pid))
        with hold(bench, port, PEER_IDLE) as held:
            read_until(held.process.stdout, b"}")
            result["server_kib"] = (proportional_kib(family(pid)) - before) / (PEER_IDLE + 1)
            let_go(held)
    return result


def many(bench):
    """Very many connections in one server process, which asks each now and then whether it is still there."""
    limit = MANY + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < limit:
        raise Failed(f"{hard} descriptors for a process are allowed, {limit} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    port = free_port()
    pid = bench.start(
        bench.command_of_server("sshwire", str(port)), port, "the sshwire server", BENCH_KEEPALIVE=str(KEEPALIVE)
    )
    warm_up(bench, port)
    threads_before = status_of(pid, "Threads")
    with hold(bench, port, MANY) as client:
        figures = json.loads(read_until(client.process.stdout, b"}"))
        time.sleep(1)
        before, start = bench.server_cpu(pid), time.monotonic()
        time.sleep(KEEPALIVE)
        result = {
            "connections": MANY, "seconds_to_connect": figures["secs"],
            "cpu_percent": 100 * (bench.server_cpu(pid) - before) / (time.monotonic() - start),
            "threads_before": threads_before, "threads": status_of(pid, "Threads"),
            "kib": status_of(pid, "VmRSS") / MANY, "keepalive": KEEPALIVE,
        }
        let_go(client)
    return result
