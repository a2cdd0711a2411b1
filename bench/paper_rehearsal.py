"""Does every notebook reach its last cell with the paper's models? On files of the true layout with random weights.

    python bench/paper_rehearsal.py FOLDER --size 64 --width 32      small and fast
    python bench/paper_rehearsal.py FOLDER --size 1024               true sizes; hours on a CPU

Writes the files into FOLDER if they are not there, runs what `iplkit regenerate --profile paper --tier smoke` would run,
one step at a time, and prints a line a notebook: cells run, figures and tables written, parts left out, seconds.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click

from iplkit import paths
from iplkit.jobs import Job, chapters, jobs, left_out
from iplkit.paper_files import synthetic
from iplkit.stage import environment
from iplkit.zoo import PAPER_FOLDER

TIER, HEAD = "smoke", f"{'notebook':<28}{'last cell':>10}{'figures, tables':>17}{'left out':>10}{'not so':>8}{'seconds':>9}"


def run(job: Job) -> tuple[int, float]:
    """Exit code and seconds of a step, its output in its log."""
    log = paths.root() / job.log
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run([sys.executable, *job.command], cwd=paths.root(), env=environment(), stdout=file, stderr=file, check=False)
    return done.returncode, time.monotonic() - begun


def line(job: Job, code: int, seconds: float, written: tuple[str, ...]) -> str:
    """What a notebook did."""
    executed = paths.root() / job.outputs[0]
    if code or not executed.is_file():
        return f"{job.name:<28}{'NO':>10}{'':>35}{seconds:>9.0f}  see {job.log}"
    cells = [cell for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    text = "".join("".join(o.get("text", "")) for cell in cells for o in cell["outputs"] if o["output_type"] == "stream")
    there = sum((paths.run_folder(TIER, "paper") / "figures" / f"{name}.json").is_file() for name in written)
    reached = "yes" if all(cell["execution_count"] for cell in cells if "".join(cell["source"]).strip()) else "NO"
    return f"{job.name:<28}{reached:>10}{f'{there} of {len(written)}':>17}{text.count('Left out with'):>10}{text.count('Not so with'):>8}{seconds:>9.0f}"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1)
@click.option("--size", default=64, show_default=True)
@click.option("--width", default=32, show_default=True)
def main(folder: Path, names: tuple[str, ...], size: int, width: int) -> None:
    """See above; NAMES are chapters, none means all."""
    if not synthetic(folder):
        subprocess.run([sys.executable, "-m", "iplkit.cli", "zoo", "synthetic", str(folder), "--size", str(size), "--width", str(width)], check=True)
    os.environ[PAPER_FOLDER] = str(folder.resolve())
    table, written = jobs(TIER, "paper"), {source.name: source.writes for source in chapters()}
    wanted = [job for job in table if job.kind == "notebook" and (not names or job.name in names)]
    products = {path for job in wanted for path in job.inputs}
    failed = 0
    for job in table:
        if job.kind == "adapt" and products & set(job.outputs):
            code, seconds = run(job)
            failed += bool(code)
            click.echo(f"{job.name:<28}{'NO' if code else 'made':>10}{seconds:>44.0f}")
    click.echo(HEAD)
    for job in wanted:
        code, seconds = run(job)
        told = line(job, code, seconds, written[job.name])
        failed += " NO" in told
        click.echo(told)
    for name, why in left_out().items():
        if not names or name in names:
            click.echo(f"{name:<28}{'NO':>10}  {why}")
            failed += 1
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
