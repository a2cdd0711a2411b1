"""kill -9 at random moments, then run again: are the bytes those of a run that was never killed?

``python bench/kill_regeneration.py`` works in a copy of the repository. It is regenerated once without a kill. Then,
for each trial, the results of a few random steps are removed, a regeneration is begun, killed at a random moment, and
run again to its end. Three of four trials kill every process, kernels too; the others only the first process, so that
orphans go on working. Trials that are done are kept: a second call goes on, and prints the table of all.
"""

import argparse
import json
import os
import random
import shutil
import time
from pathlib import Path

from trees import ROOT, copy_repository, different, finish, kill, results, start

ROW = "{trial:>5}  {redo:<58}  {moment:>7}  {killed:>9}  {running:<50}  {equal}"


def main() -> None:
    """Run the trials and print the table; exit code 1 if one gave other bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", default="smoke", choices=("smoke", "laptop"))
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-j", "--jobs", type=int, default=2, help="steps at a time (default 2)")
    parser.add_argument("--redo", type=int, default=3, help="steps whose results are removed before a trial (default 3; 0: all)")
    parser.add_argument("--only", nargs="*", default=[], help="draw these steps from among these names (default: all)")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "kill_regeneration")
    options = parser.parse_args()
    tree, log, kept = options.folder / "tree", options.folder / "log.txt", options.folder / "trials.jsonl"
    if not tree.is_dir():
        copy_repository(tree)
    os.chdir(tree)
    if not (options.folder / "whole.json").is_file():
        print("once without a kill ...", flush=True)
        finish(tree, options.tier, options.jobs, log)
        (options.folder / "whole.json").write_text(json.dumps(results(tree, options.tier)))
    whole = json.loads((options.folder / "whole.json").read_text())
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    print(ROW.format(trial="trial", redo="steps made again", moment="moment", killed="processes", running="running then", equal="same bytes"))
    for row in rows:
        print(ROW.format(**row))
    for trial in range(len(rows), options.trials):
        row = _trial(trial, tree, log, whole, options)
        with open(kept, "a") as file:
            file.write(json.dumps(row) + "\n")
        rows.append(row)
        print(ROW.format(**row), flush=True)
    bad = [row for row in rows if row["equal"] != "yes"]
    print(f"{len(whole)} results compared in each of {len(rows)} trials; {len(bad)} trials differ")
    raise SystemExit(bool(bad))


def _trial(number: int, tree: Path, log: Path, whole: dict[str, str], options: argparse.Namespace) -> dict:
    """Remove, begin, kill, run again, compare."""
    from iplkit.jobs import jobs

    draws = random.Random(f"{options.seed} {number}")
    table = jobs(options.tier)
    known = [job for job in table if not options.only or job.name in options.only]
    chosen = draws.sample(known, min(options.redo, len(known))) if options.redo else known
    share, everything = draws.random(), number % 4 != 3
    finish(tree, options.tier, options.jobs, log)  # what a trial before left different, or unfinished
    for job in chosen:
        for output in job.outputs:
            (tree / output).unlink(missing_ok=True)
    moment = share * _expected(chosen, table, tree, options)
    while True:
        process, begun = start(tree, options.tier, options.jobs, log), time.monotonic()
        while process.poll() is None and time.monotonic() - begun < moment:
            time.sleep(0.05)
        if process.returncode is None:
            break
        moment = share * (time.monotonic() - begun)  # it had ended before; the guess was too long
        for job in chosen:
            (tree / job.outputs[0]).unlink(missing_ok=True)
    running = [job.name for job in table if (tree / job.state).is_file() and (tree / job.state).read_text().strip() == "begin"]
    killed = kill(process, everything)
    finish(tree, options.tier, options.jobs, log)
    found = results(tree, options.tier)
    other = different(whole, found)
    if other:
        shutil.copytree(tree / "_build" / "run", options.folder / f"other-{number}", dirs_exist_ok=True)
        for name in other:  # made again before the next trial, which must not inherit it
            (tree / "_build" / name).unlink(missing_ok=True)
        shutil.rmtree(tree / "_build" / "stage", ignore_errors=True)
    row = {"trial": number + 1, "redo": ", ".join(job.name for job in chosen), "moment": f"{moment:.1f} s", "killed": str(killed)}
    return row | {"running": ", ".join(running) or "none", "equal": "yes" if not other else f"no: {', '.join(other[:5])}"}


def _expected(chosen: list, table: list, tree: Path, options: argparse.Namespace) -> float:
    """Seconds that a regeneration will take: the chosen steps and all that hangs on them, and the planning before."""
    from iplkit.paths import run_folder

    seconds, made = json.loads((run_folder(options.tier) / "seconds.json").read_text()), {output for job in chosen for output in job.outputs}
    steps = list(chosen)
    for job in table:
        if job not in steps and made & set(job.inputs):
            steps.append(job)
            made |= set(job.outputs)
    return 8 + sum(seconds.get(job.name, 10) for job in steps) / options.jobs


if __name__ == "__main__":
    main()
