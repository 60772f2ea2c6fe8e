"""Medians of what was measured, by what was measured."""
import statistics

import plan


class Figures:
    """Finds the repetitions of a task, and what they come to."""

    def __init__(self, run):
        self.idle, self.facts = run["idle"], run["facts"]
        self.tasks = {}
        for result in run["results"]:
            key = tuple(result[name] for name in ("mode", "cipher", "client", "server", "delay", "kex"))
            self.tasks.setdefault(key, []).append(result)

    def repetitions(self, mode, client, server, cipher=plan.GCM, delay=0, kex=""):
        return self.tasks.get((mode, cipher, client, server, delay, kex), [])

    def values(self, what, *task, **more):
        """All values of `rate`, `client_cpu` or `server_cpu` (seconds for each), or of another field."""
        found = self.repetitions(*task, **more)
        if what == "rate":
            return [result["amount"] / result["seconds"] for result in found]
        if what in ("client_cpu", "server_cpu"):
            return [result[what] / result["amount"] for result in found]
        return [result[what] for result in found]

    def median(self, what, *task, **more):
        values = self.values(what, *task, **more)
        return statistics.median(values) if values else None

    def best(self, what, mode, pairs, better=max, **more):
        """The best of some pairs of a client and a server: its value and their names."""
        found = [(self.median(what, mode, *pair, **more), pair) for pair in pairs]
        found = [one for one in found if one[0] is not None]
        return better(found, key=lambda one: one[0]) if found else (None, None)

    def wire(self, what, cipher=plan.GCM):
        return self.median(what, "wire", "wire", "wire", cipher=cipher)
