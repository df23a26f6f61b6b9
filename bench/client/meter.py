"""Counts what a program's own code was handed, and says how long that took. Of the standard library alone:
it runs in each client's own environment."""

import json
import os
import time


class Meter:
    """From the first event to the last."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self._wall = self._cpu = 0.0

    def first(self) -> None:
        """The first event is here; it is not counted."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def done(self) -> None:
        """Say it, and end the program, whatever threads it has."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        print(json.dumps({"events": self.count, "seconds": wall, "cpu": cpu}), flush=True)
        os._exit(0)
