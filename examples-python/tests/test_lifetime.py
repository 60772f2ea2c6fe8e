"""Objects that end in any order, garbage collection at bad moments, forks, and the end of the interpreter."""

import gc
import itertools
import os
import pathlib
import shutil
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest
import weakref

import sshwire
from pair import LIMIT, Case, Pair, eventually
from sshwire import Kind, _callbacks, _process


class Orders(Case):
    def test_every_order(self):
        names = ("client", "accepted", "server", "near", "far")
        for order in itertools.islice(itertools.permutations(names), 0, None, 7):
            pair = Pair().login()
            near, far = pair.channel()
            things = {"client": pair.client, "accepted": pair.accepted, "server": pair.server, "near": near, "far": far}
            for name in order:
                things[name].free()
                things[name].free()
            for use in (lambda: near.write(b"x"), lambda: pair.client.open_session(1), lambda: pair.server.set_banner("x"),
                        lambda: near.read(1)):
                with self.assertRaises(sshwire.Error) as caught:
                    use()
                self.assertEqual(caught.exception.name, "SSH_ERR_BAD_HANDLE")

    def test_collected(self):
        """Without anybody's free(), nothing is left behind: no object, and no function in the registry."""
        before = set(_callbacks.registry)
        pair = Pair().login()
        near, far = pair.channel()
        references = [weakref.ref(thing) for thing in (pair.client, pair.accepted, pair.server, near, far)]
        near.cycle = [near, pair.client]  # a cycle, so that only the collector finds it
        pair.cycle = pair
        del pair, near, far
        self.assertTrue(eventually(lambda: not any(reference() for reference in references)))
        self.assertTrue(eventually(lambda: not _callbacks.registry.keys() - before))

    def test_collector_always(self):
        """The collector runs at every few allocations, in every thread, while sessions come and go."""
        thresholds = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *thresholds)
        gc.set_threshold(10, 2, 2)
        failures = []

        def work():
            try:
                for _ in range(6):
                    pair = Pair().login()
                    for _ in range(3):
                        channel = pair.client.open_session(LIMIT)
                        channel.cycle = (channel, pair)
                        channel.exec("talk", LIMIT)
                        assert channel.read(timeout=LIMIT) == b"out"
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_replaced_functions_end(self):
        class Target:
            def __call__(self, request):
                pass

        target = Target()
        reference = weakref.ref(target)
        server = sshwire.Server()
        server.on(Kind.EXEC, target)
        del target
        self.assertIsNotNone(reference())
        server.on(Kind.EXEC, lambda request: None)
        self.assertTrue(eventually(lambda: reference() is None))
        server.free()
        target = Target()
        reference = weakref.ref(target)
        with self.assertRaises(sshwire.Error):
            server.on(Kind.EXEC, target)
        del target
        self.assertTrue(eventually(lambda: reference() is None))

    def test_free_inside_a_function(self):
        done = threading.Event()

        def free_all(request):
            pair.client.free()
            pair.accepted.free()
            pair.server.free()
            request.free()
            done.set()

        pair = Pair(free_all).login()
        channel = pair.client.open_session(LIMIT)
        with self.assertRaises(sshwire.Error):
            channel.exec("x", LIMIT)
        self.assertTrue(done.wait(LIMIT))

    def test_free_under_a_reader(self):
        pair = Pair().login()
        near, _far = pair.channel()
        failures = []

        def read():
            try:
                near.read(1)
            except sshwire.Error as error:
                failures.append(error.name)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        near.free()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(len(failures), 3)
        self.assertLessEqual(set(failures), {"SSH_ERR_CLOSED", "SSH_ERR_BAD_HANDLE"})


class Forks(Case):
    def child(self, work):
        """Runs ``work`` in a forked child, to its ordinary end and with every finalizer. False when Python did not get
        through the fork itself, which then never returns in the child."""
        begun, begin = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.alarm(LIMIT)
                os.write(begin, b"x")
                work()
                gc.collect()
                _process.end()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(begin)
        came, _, _ = select.select([begun], [], [], LIMIT / 2)
        os.close(begun)
        if not came:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        self.assertEqual(status, 0 if came else signal.SIGKILL)
        return bool(came)

    def test_fork(self):
        for _ in range(3):
            pair = Pair().login()
            near, far = pair.channel()

            def work():
                for use in (lambda: near.write(b"x"), lambda: near.read(1), lambda: pair.client.open_session(1)):
                    with self.assertRaisesRegex(sshwire.Forked, "process"):
                        use()
                pair.accepted.atfork()
                own = Pair().login()
                self.assertEqual(own.client.run("talk", timeout=LIMIT).stdout, b"out")
                near.free()
                pair.client.free()

            self.assertTrue(self.child(work))
            near.write(b"still here")
            self.assertEqual(far.read(10, timeout=LIMIT), b"still here")

    def test_fork_while_calls_are_made(self):
        """Forks while other threads are inside of the library, which calls no function of the program."""
        pair, stop = Pair().login(), threading.Event()
        near, far = pair.channel()

        def send():
            while not stop.is_set():
                near.write(b"x" * 1000)
            near.close()

        def receive():
            while far.read(5000):
                pass

        threads = [threading.Thread(target=work) for work in (send, receive)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                self.assertTrue(self.child(
                    lambda: self.assertEqual(Pair().login().client.run("talk", timeout=LIMIT).stdout, b"out")))
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_fork_while_busy(self):
        """Forks while functions of the program run on other threads."""
        pair, stop = Pair().login(), threading.Event()

        def work():
            while not stop.is_set():
                pair.client.run("talk", timeout=LIMIT)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            # CPython 3.11 has a lock that a thread of another library holds for a moment when it enters Python. A fork
            # in that moment leaves a child that waits for it, in PyOS_AfterFork_Child, for ever.
            children = [self.child(lambda: self.assertEqual(Pair().login().client.run("talk", timeout=LIMIT).stdout, b"out"))
                        for _ in range(5)]
            self.assertIn(True, children)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_multiprocessing(self):
        program = ("import multiprocessing, pair\n"
                   "def work(_):\n"
                   "    return pair.Pair().login().client.run('talk', timeout=60).stdout\n"
                   "if __name__ == '__main__':\n"
                   "    parent = pair.Pair().login()\n"
                   "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
                   "        assert pool.map(work, range(4)) == [b'out'] * 4\n"
                   "    assert work(0) == parent.client.run('talk', timeout=60).stdout\n")
        run(self, program)


class Exits(Case):
    def test_exit_in_the_middle(self):
        """The interpreter ends while threads of the library are on their way into it."""
        program = ("import threading, time, sshwire, pair\n"
                   "count = 0\n"
                   "def serve(request):\n"
                   "    global count\n"
                   "    count += 1\n"
                   "    try: pair.Pair.serve(request)\n"
                   "    except sshwire.Error: pass\n"
                   "sshwire.set_log(__import__('logging').getLogger('x'), 10)\n"
                   "pairs = [pair.Pair(serve).login() for _ in range(4)]\n"
                   "def work(p):\n"
                   "    try:\n"
                   "        while True: p.client.run('talk')\n"
                   "    except sshwire.Error: pass\n"
                   "for p in pairs: threading.Thread(target=work, args=(p,), daemon=True).start()\n"
                   "while count < 40: time.sleep(0.001)\n")
        for _ in range(5):
            run(self, program)

    def test_exit_with_an_unanswered_question(self):
        run(self, "import pair, threading\n"
                  "kept = []\n"
                  "p = pair.Pair(kept.append).login()\n"
                  "channel = p.client.open_session(60)\n"
                  "def ask():\n"
                  "    try: channel.exec('x', 60)\n"
                  "    except Exception: pass\n"
                  "threading.Thread(target=ask, daemon=True).start()\n"
                  "while not kept: pass\n")

    def test_exit_with_functions_that_do_not_return(self):
        """One that sleeps, and one that goes on and on; and a session over an object of the program's."""
        for body in ("threading.Event().wait()", "while True: count()", "while True: time.sleep(0.01)"):
            run(self, "import itertools, pair, socket, sshwire, threading, time\n"
                      "count, begun = itertools.count().__next__, threading.Event()\n"
                      "def serve(request):\n"
                      "    begun.set()\n"
                      f"    {body}\n"
                      "class Stream:\n"
                      "    def __init__(self, sock): self.sock = sock\n"
                      "    def read(self, size, timeout): return self.sock.recv(size)\n"
                      "    def write(self, data, timeout): return self.sock.send(data)\n"
                      "    def close(self): self.sock.shutdown(socket.SHUT_RDWR)\n"
                      "near, far = socket.socketpair()\n"
                      "p = pair.Pair(serve)\n"
                      "p.client = sshwire.Transport.from_stream(Stream(near))\n"
                      "p.accepted = sshwire.Transport.from_socket(far)\n"
                      "p.login()\n"
                      "def ask():\n"
                      "    try: p.client.open_session(60).exec('x', 60)\n"
                      "    except sshwire.Error: pass\n"
                      "threading.Thread(target=ask, daemon=True).start()\n"
                      "begun.wait()\n")

    def test_exit_in_a_transfer(self):
        run(self, "import os, pair, sshwire, tempfile, threading, time\n"
                  "folder = tempfile.TemporaryDirectory()\n"
                  "with open(folder.name + '/large', 'wb') as file: file.truncate(64 << 20)\n"
                  "p, directory, begun = pair.Pair(), sshwire.SftpDirectory(folder.name), threading.Event()\n"
                  "p.server.on(sshwire.Kind.SUBSYSTEM, lambda request: request.serve_sftp(directory))\n"
                  "sftp = p.login().client.sftp()\n"
                  "def copy():\n"
                  "    try: sftp.get('large', os.devnull, lambda *_: begun.set() or time.sleep(0.1))\n"
                  "    except sshwire.Error: pass\n"
                  "threading.Thread(target=copy, daemon=True).start()\n"
                  "begun.wait()\n")

    def test_interrupt_ends_the_program(self):
        """Ctrl-C while it reads: the ordinary end, with every finalizer."""
        program = ("import pair\n"
                   "p = pair.Pair().login()\n"
                   "near, far = p.channel()\n"
                   "print('reads', flush=True)\n"
                   "try: near.read()\n"
                   "except KeyboardInterrupt: print('interrupted')\n")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                              cwd=pathlib.Path(__file__).parent) as child:
            self.assertEqual(child.stdout.readline(), "reads\n")
            time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            self.assertIn("interrupted", child.communicate(timeout=LIMIT)[0])
            self.assertEqual(child.returncode, 0)

    def test_where_the_library_is(self):
        (library,) = {line.split()[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines()
                      if "libsshwire" in line}
        program = "import sshwire; print(sshwire.__version__)"

        def imported(**environment):
            clean = {name: value for name, value in os.environ.items()
                     if name not in ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "SSHWIRE_LIBRARY")}
            return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT,
                                  env={**clean, **environment})

        lib = os.path.dirname(library)
        self.assertEqual(imported(SSHWIRE_LIBRARY=library).returncode, 0)
        self.assertEqual(imported(LD_LIBRARY_PATH=lib).returncode, 0)
        if shutil.which("pkg-config"):
            self.assertEqual(imported(PKG_CONFIG_PATH=lib + "/pkgconfig").returncode, 0)
        self.assertIn("/nowhere", imported(SSHWIRE_LIBRARY="/nowhere", LD_LIBRARY_PATH=lib).stderr)

    def test_import_alone(self):
        run(self, "import sshwire\n")


def run(case, program):
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True,
                          timeout=10 * LIMIT, cwd=pathlib.Path(__file__).parent)
    case.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
