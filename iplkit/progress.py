"""What a reader sees of a run: which step runs, for how long, and how much is left, guessed from earlier runs."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from iplkit import paths
from iplkit.files import atomic_path
from iplkit.jobs import Job

GUESS = {"adapt": 60.0, "cells": 90.0, "notebook": 30.0, "book": 10.0}  # seconds, where nothing has been measured yet
QUICK = {"smoke": 0.5, "laptop": 1.0, "full": 20.0}  # a tier's share of the laptop's time, where only that one is known
START = 8.0  # seconds until a kernel has begun and a notebook's imports are done
TICK = 0.2  # seconds between two looks


class Progress:
    """Follows the states of a run's jobs and says when one begins and ends.

    Args:
        todo: the jobs that will run.
        workers: how many at a time.
        tier, profile: of the run; its times are kept in its folder.
    """

    def __init__(self, todo: Sequence[Job], workers: int, tier: str, profile: str):
        self.jobs, self.workers = {job.name: job for job in todo}, workers
        self.memory = paths.run_folder(tier, profile) / "seconds.json"
        known = _read(self.memory)
        self.expected = {job.name: known.get(job.name) or QUICK[tier] * printed_seconds(job) for job in todo}
        self.begun, self.seconds, self.failed = {}, {}, []
        self.live, self.shown = sys.stdout.isatty(), ""
        for job in todo:
            path = paths.root() / job.state
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        click.echo(f"{len(todo)} steps, {workers} at a time, about {duration(self.left())}. Logs: {Path(todo[0].log).parent}")

    def look(self) -> None:
        """Say what has begun or ended since the last look."""
        for name, job in self.jobs.items():
            if name in self.seconds:
                continue
            path = paths.root() / job.state
            word = path.read_text().strip() if path.is_file() else ""
            if word and name not in self.begun:
                self.begun[name] = time.time()
                self._say(f"        {name} ...")
            if word in ("done", "failed"):
                self._ended(name, word)
        if self.live:
            self._show(self._line())

    def left(self) -> float:
        """Seconds until the end."""
        rest = [self._rest(name) for name in self.expected if name not in self.seconds]
        return max(sum(rest) / self.workers, max(rest, default=0))

    def running(self) -> list[str]:
        """Names of the jobs at work."""
        return [name for name in self.begun if name not in self.seconds]

    def close(self) -> None:
        """Take the last line away."""
        if self.live:
            self._show("")

    def _rest(self, name: str) -> float:
        gone = time.time() - self.begun[name] if name in self.begun else 0
        return max(self.expected[name] - gone, 1)

    def _ended(self, name: str, word: str) -> None:
        self.seconds[name] = round(time.time() - self.begun[name], 1)
        if word == "failed":
            self.failed.append(name)
        else:
            with atomic_path(self.memory) as temporary:
                temporary.write_text(json.dumps(_read(self.memory) | {name: self.seconds[name]}, indent=2, sort_keys=True) + "\n")
        ended = "failed after" if word == "failed" else "done in"
        self._say(f"[{len(self.seconds):2}/{len(self.jobs)}] {name} {ended} {duration(self.seconds[name])}; about {duration(self.left())} left")

    def _line(self) -> str:
        parts = [f"{name} {time.time() - self.begun[name]:.0f} of about {self.expected[name]:.0f} s" for name in self.running()]
        return " | ".join([*parts, f"about {duration(self.left())} left"])

    def _say(self, text: str) -> None:
        self.close()
        click.echo(text)

    def _show(self, text: str) -> None:
        if text == self.shown:
            return
        self.shown = text
        click.echo("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1], nl=False)


def printed_seconds(job: Job) -> float:
    """What a job took when the printed figures were made; a guess by its kind if none of its figures is printed."""
    records = [paths.root() / "figures" / Path(output).name for output in job.outputs if output.endswith(".run.json")]
    found = [_read(path).get("seconds", {}).get("since the notebook began", 0) for path in records]
    return max(found) + START if any(found) else GUESS[job.kind]


def duration(seconds: float) -> str:
    """``42 s`` or ``7 min``."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
