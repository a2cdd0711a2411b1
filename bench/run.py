"""All benches, one after the other, and one table of ratios with their spread and the machine's name.

    python bench/run.py             the size of the book's world: at most 15 minutes on two cores
    python bench/run.py --full      the real sizes, three rounds or more, no limit
    python bench/run.py --full --only memory --only steps       some of them, for example what an interruption left

Each bench is a process of its own. What it finds is printed as it comes, added to bench/results/history.csv, and shown once more
as a table at the end. A bench that fails is named there; the others go on.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import add, machine

HERE = Path(__file__).parent
WORLD = {
    "generator": ["bench_generator.py", "--sizes", "64", "--rounds", "5", "--no-roofline"],
    "steps": ["bench_ipl.py", "--size", "world"],
    "steps, two threads": ["bench_ipl.py", "--size", "world", "--threads", "2"],
    "metrics": ["bench_metrics.py", "--images", "32"],
    "world": ["bench_world.py"],
    "inversion": ["bench_inversion.py", "--only", "throughput", "--rounds", "3"],
    "relevance": ["bench_relevance.py"],
    "clip": ["bench_clip.py"],
    "regeneration": ["bench_regeneration.py"],
}
FULL = {
    "generator": ["bench_generator.py", "--sizes", "64", "256", "1024", "--rounds", "5"],
    "generator, stock allocator": ["bench_generator.py", "--sizes", "256", "--rounds", "3", "--stock", "--no-roofline"],
    "generator, native operations": ["bench_generator.py", "--sizes", "256", "1024", "--rounds", "5", "--native"],
    "memory": ["bench_memory.py", "--memory", "6GB", "12GB", "--rounds", "3"],
    # The published order of work holds all its images at once. At full batches it needs more than 24 GB.
    "steps": ["bench_ipl.py", "--size", "256", "--threads", "2", "--rounds", "3", "--steps", "1", "--text-steps", "5", "--mapper-batch", "8", "--no-tenths"],
    "steps, 1024 px": ["bench_ipl.py", "--size", "paper", "--threads", "2", "--rounds", "3", "--steps", "1", "--micro", "1", "--voters", "2", "--mapper-batch", "2", "--no-tenths"],
    "metrics": ["bench_metrics.py"],
    "world": ["bench_world.py"],
    "inversion": ["bench_inversion.py", "--only", "throughput", "--rounds", "3"],
    "relevance": ["bench_relevance.py"],
    "clip": ["bench_clip.py"],
    "regeneration": ["bench_regeneration.py", "--tier", "laptop", "--rounds", "3"],
}


def commands(full: bool) -> dict[str, list[str]]:
    """Name -> what Python runs, from the repository's root."""
    return {name: [str(HERE / script), *rest] for name, (script, *rest) in (FULL if full else WORLD).items()}


def run(name: str, command: list[str]) -> tuple[list[dict], str]:
    """The JSON lines a bench printed, and what went wrong or an empty text."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        child = subprocess.run([sys.executable, *command], cwd=HERE.parent, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        errors.seek(0)
        last = (errors.read().strip().splitlines() or [""])[-1]
    lines = []
    for text in child.stdout.splitlines():
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict) and "quantity" in found and "ratio" in found:
            lines.append({"bench": name} | found)
    print(f"{name}: {len(lines)} lines in {time.perf_counter() - began:.0f} s", flush=True)
    return lines, f"exit code {child.returncode}: {last}" if child.returncode else ""


def table(lines: list[dict]) -> str:
    """One row a quantity. What was counted, not timed, has no spread, and says so."""
    rows = [("quantity", "ratio", "lowest", "highest", "asked", "met")]
    for line in lines:
        low, high = ("counted", "") if line.get("counted") else (line["low"], line["high"])
        met = {True: "yes", False: "no"}.get(line.get("met"), "")
        rows.append(tuple(str(cell) for cell in (line["quantity"], line["ratio"], low, high, line.get("asked", ""), met)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main() -> int:
    """Run, add to the history, print the table; exit code 1 if a bench failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the real sizes")
    parser.add_argument("--only", action="append", help="one bench; can be repeated")
    parser.add_argument("--peer", type=Path, help="folder with the model.py of rosinality's code, to time it, too")
    options = parser.parse_args()
    chosen = commands(options.full)
    if unknown := sorted(set(options.only or ()) - set(chosen)):
        raise SystemExit(f"--only needs one of {', '.join(chosen)}; got {', '.join(unknown)}")
    if options.peer:
        if not (options.peer / "model.py").is_file():
            raise SystemExit(f"--peer needs a folder with model.py; {options.peer} has none")
        chosen["generator"] += ["--peer", str(options.peer.resolve())]
    about, lines, wrong, began = machine(), [], {}, time.perf_counter()
    print(f"{about['machine']}, {about['cores']} cores, load {about['load_before']}, torch {about['torch']}", flush=True)
    names = options.only or list(chosen)
    for number, name in enumerate(names, 1):
        print(f"{number} of {len(names)}, {name} ...", flush=True)
        found, problem = run(name, chosen[name])
        if name.partition(",")[0] not in ("generator", "memory"):  # these write their own
            add([about | line | {"seconds": ""} for line in found], None)
        lines += found
        wrong |= {name: problem} if problem else {}
    print(f"\n{table(lines)}\n\n{len(lines)} quantities in {(time.perf_counter() - began) / 60:.1f} minutes.")
    for name, problem in wrong.items():
        print(f"{name} failed: {problem}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
