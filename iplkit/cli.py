"""Command line: ``iplkit COMMAND``; every command has ``--help`` with examples.

Exit codes: 0 done; 1 something that was checked is wrong; 2 something given does not fit, one sentence says what.
"""

import os
import sys
import warnings
from pathlib import Path

import click

from iplkit.cli_edit import directions, edit
from iplkit.cli_options import device_option, dry_run_option, profile_option, tier_option
from iplkit.cli_photos import adapt_photo, invert
from iplkit.cli_zoo import COMMANDS as zoo_files_commands
from iplkit.cli_zoo import check_files
from iplkit.errors import UserError, full_disk
from iplkit.paths import PROFILES, TIERS


class OneSentence(click.Group):
    """A group whose errors are one plain sentence, and exit code 2."""

    def main(self, *args, **kwargs):
        """Run, and turn what a reader can cause into a sentence."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except (UserError, click.ClickException) as error:
            _stop(error.format_message() if isinstance(error, click.ClickException) else str(error))
        except click.Abort:
            _stop("interrupted", 130)
        except OSError as error:
            if not (sentence := full_disk(error)):
                raise
            _stop(sentence)
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":  # torch's; torch itself may not be loaded
                raise
            _stop("the GPU has no room for this; --memory draws batches in parts, and --device cpu needs no GPU")
        sys.exit(code if isinstance(code, int) else 0)


def _stop(sentence: str, code: int = 2) -> None:
    if os.environ.get("RANK", "0") == "0":  # of several processes that torch's launcher started, the first one speaks
        click.echo(f"Error: {' '.join(sentence.split())}", err=True)
    sys.exit(code)


@click.group(cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iplkit")
def main() -> None:
    """Image-specific prompt learning, from the latent code to the figure in the book."""


main.add_command(invert)
main.add_command(adapt_photo)
main.add_command(edit)
main.add_command(directions)


@main.command()
@click.option("--source", default="photo", show_default=True, help="Domain the generator draws now.")
@click.option("--target", required=True, help="Domain it shall draw, for example \"ukiyo-e\".")
@click.option("--method", default="ipl", show_default=True, help="nada, ipl, ...; --list shows all.")
@tier_option
@profile_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the result; default: where the notebooks look.")
@click.option("-f", "--force", is_flag=True, help="Train again although the result is there.")
@click.option("--allow-unknown", is_flag=True, help="Let words through that the CLIP never saw; the result is marked.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Another setting, for example lr=0.002; can be repeated. --list shows all.")
@click.option("--prompts", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="For ipl_star: sentences about the target, one a line, or .json with a list for each target.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Also write a g_ema file that the published code reads.")
@click.option("--memory", metavar="SIZE", help="What the process may hold, for example 6GB: batches are drawn in parts that fit, and a cost card is printed.")
@click.option("--native", "with_native", is_flag=True, help="Build operations in C++ and CUDA (a minute, once) and use them: faster from 128 px on, the same up to rounding.")
@click.option("--compile", "compiled", is_flag=True, help="Draw with torch.compile: minutes of waiting first, then faster steps; the same result up to rounding. Not with --memory.")
@device_option
@click.option("--list", "listing", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _list_settings(c) if v else None, help="Show methods, settings and quirks, and stop.")
@dry_run_option
def adapt(
    source: str, target: str, method: str, tier: str, profile: str, seed: int, out: Path | None, force: bool, allow_unknown: bool,
    changes: tuple[str, ...], prompts: Path | None, export: Path | None, memory: str | None, compiled: bool, with_native: bool, device: str, dry_run: bool,
) -> None:  # fmt: skip
    """Teach the generator another domain from nothing but two phrases.

    \b
    Examples:
      iplkit adapt --target "ukiyo-e"                          IPL, minutes on a laptop
      iplkit adapt --target sketch --method nada --tier smoke  seconds: only proves that it runs
      iplkit adapt --target zombie --out mine                  into a folder of your own
      iplkit adapt --target "watercolor" --allow-unknown       a word that was never learned: see what happens
      iplkit adapt --target sketch --set selector=oracle --set rows=[4,5]   only these rows of W+ move
      iplkit adapt --target sketch --method mix --set second=statue --set share=0.3
      iplkit adapt --target sketch --method ipl_star --prompts mine.txt     prompts near sentences of your own
      iplkit adapt --target sketch --profile paper --memory 6GB -n          what it will cost, and how it fits
      iplkit adapt --target sketch --profile paper --native                 with operations built on this machine
      iplkit adapt --target sketch --profile paper --device cuda --compile  for long runs: waits first, then steps are faster
      iplkit adapt --target sketch --set precision=bfloat16                 other rounding, so it is a setting and in the record
    """
    from iplkit.adapt.cost import parse_memory
    from iplkit.keep_memory import keep_memory
    from iplkit.adapt.products import changed_settings, export_product, make_product, product_settings, with_prompts

    settings = changed_settings(method, profile, tier, changes)
    if prompts is not None:
        settings = with_prompts(settings or product_settings(method, profile, tier), prompts, target, profile, allow_unknown)
    budget = {} if memory is None else {"memory": parse_memory(memory), "say": click.echo}
    if not budget:
        keep_memory()
    options = budget | {"progress": sys.stderr.isatty(), "allow_unknown": allow_unknown, "compile_with": "inductor" if compiled else None, "device": device}
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: click.echo(f"Warning: {message}", err=True)
        if with_native and not dry_run:
            from iplkit import native

            native.enable()  # where it cannot, one warning says why, and torch's own do the work
        product = make_product(source, target, method, profile, tier, seed, out, dry_run, settings=settings, force=force, **options)
    click.echo(f"{'Written' if product.made else 'Would be written' if dry_run else 'There already'}: {product.path}")
    if export and not dry_run:
        click.echo(f"Exported: {export_product(product, export, profile)}")


def _list_settings(context: click.Context) -> None:
    from iplkit.adapt import METHODS, QUIRKS, AdaptSettings

    click.echo(f"methods: {', '.join(METHODS)}")
    for name, value in (AdaptSettings().record() | AdaptSettings.later()).items():
        click.echo(f"{name:<20} {value}")
    for name, about in QUIRKS.items():
        click.echo(f"quirk {name:<24} {about}")
    context.exit(0)


@main.command()
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--tier", type=click.Choice(TIERS), default="full", show_default=True, help="How much to compute; full cells are printed.")
@click.option("--method", "methods", multiple=True, help="Only this method; can be repeated.")
@click.option("--target", "targets", multiple=True, help="Only this domain; can be repeated.")
@click.option("--part", default="0/1", show_default=True, help="K/N: only every Nth domain, from the Kth on, so that N processes share the work.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of this process; one makes the same bytes again.")
@dry_run_option
def sweep(plans: tuple[str, ...], tier: str, methods: tuple[str, ...], targets: tuple[str, ...], part: str, threads: int, dry_run: bool) -> None:
    """Fill the thesis table: adapt and measure every cell (method, domain, seed) that is not there yet.

    A finished cell is never computed again. An interrupted sweep goes on where it stopped; several can run at once.

    \b
    Examples:
      iplkit sweep --dry-run                        what is missing of all plans
      iplkit sweep table                            NADA and IPL, five seeds, thirteen domains: hours
      iplkit sweep table --part 0/2 & iplkit sweep table --part 1/2
      iplkit sweep laptop --tier laptop             what make thesis computes again
    """
    import torch

    from iplkit.sweep.cells import cell_folder
    from iplkit.sweep.plans import PLANS, choose, plan
    from iplkit.sweep.run import run_cells, waiting

    cells, folder = choose(plan(plans or tuple(PLANS)), methods, targets, part), cell_folder(tier)
    todo = waiting(cells, folder)
    click.echo(f"{len(cells)} cells, {len(todo)} of them to do.")
    if dry_run:
        click.echo("\n".join(cell.name for cell in todo))
        return
    torch.set_num_threads(threads)
    click.echo(f"{run_cells(cells, folder, tier, progress=sys.stderr.isatty())} cells written into {folder}")


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@tier_option
@profile_option
@click.option("-j", "--jobs", "workers", type=click.IntRange(min=1), help="Steps at a time.  [default: cores, or what the cluster's profile says]")
@click.option("-f", "--force", is_flag=True, help="Run again what is up to date, too.")
@click.option("--keep", is_flag=True, help="Then copy the figures, tables and records into figures/.")
@click.option("--workflow-profile", "cluster", type=click.Path(path_type=Path), metavar="FOLDER", help="A Snakemake profile that says where steps run: profiles/slurm or profiles/kubernetes.")
@dry_run_option
def regenerate(
    names: tuple[str, ...], tier: str, profile: str, workers: int | None, force: bool, keep: bool, cluster: Path | None, dry_run: bool
) -> None:
    """Run what is out of date: adaptations, notebooks, the book.

    A NAME is a chapter, a figure, a table, an adapted generator, or "book"; without a NAME, everything is meant.
    Results go to _build/run/PROFILE-TIER, logs to its folder logs.

    \b
    Examples:
      iplkit regenerate --dry-run            what would run, and why
      iplkit regenerate                      everything that is out of date
      iplkit regenerate 12_metrics -f        one chapter, again
      iplkit regenerate --tier smoke -j 1    seconds a notebook, one at a time
      iplkit regenerate --keep               and print the new figures
      iplkit regenerate --tier full --workflow-profile profiles/slurm    on a cluster
    """
    from iplkit import regenerate as workflow
    from iplkit.jobs import jobs, left_out, select

    if keep and profile == "paper":
        raise UserError("--keep prints the world's figures into figures/; those of profile paper stay in _build/run")

    table = jobs(tier, profile)
    select(table, names)  # refuses an unknown name before anything runs
    if profile == "paper":
        for name, why in left_out().items():
            click.echo(f"Left out: {name} {why}.")
    if dry_run:
        reasons = workflow.plan(table, names, tier, profile, force)
        for job in table:
            if job.name in reasons:
                click.echo(f"{job.kind:<9}{job.name}: {reasons[job.name]}")
        click.echo(f"{len(reasons)} of {len(table)} steps would run.")
        return
    seconds = workflow.regenerate(names, tier, profile, workers, force, cluster)
    if keep:
        click.echo(f"{len(workflow.keep(tier, profile))} files copied into figures/.")
    click.echo(f"Done in {seconds / 60:.1f} minutes." if seconds >= 90 else f"Done in {seconds:.0f} seconds.")


@main.command()
@tier_option
@profile_option
@click.option("--pdf", is_flag=True, help="Then print all pages as one PDF, _build/thesis.pdf; needs Chromium, Chrome or Edge.")
@click.option("--code", is_flag=True, help="Print the code that the pages show, too.")
@click.option("--browser", default="", metavar="PROGRAM", help="Print with this browser.  [default: the first one found]")
def book(tier: str, profile: str, pdf: bool, code: bool, browser: str) -> None:
    """Build the pages from the notebooks that have run; runs no notebook.

    \b
    Examples:
      iplkit book
      iplkit book --tier smoke
      iplkit book --pdf                        the whole thesis as one PDF, without code
      iplkit book --pdf --browser /opt/chrome/chrome
    """
    if pdf:
        from iplkit.pdf.make import make_pdf

        click.echo(f"Printed: {make_pdf(tier, profile, code, browser)}")
        return
    if code or browser:
        raise UserError("--code and --browser say how to print; they need --pdf")
    from iplkit.stage import build_book

    click.echo(f"Built: {build_book(tier, profile)}")


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def serve(port: int, no_browser: bool) -> None:
    """Show the built book on this machine.

    \b
    Examples:
      iplkit serve
      iplkit serve --port 8080 --no-browser
    """
    from iplkit.serve import serve as serve_book

    serve_book(port, not no_browser)


@main.command()
def verify() -> None:
    """Compare records, figures, text and what was computed again.

    Exit code 1 if something is wrong. A record whose code changed since is aged: listed, and no error.

    \b
    Example:
      iplkit verify
    """
    from iplkit.verify import verify as check

    report = check()
    for line in report.aged:
        click.echo(f"aged   {line}")
    for line in report.wrong:
        click.echo(f"WRONG  {line}")
    click.echo(f"{report.checked} records and pages checked: {len(report.wrong)} wrong, {len(report.aged)} aged.")
    if report.wrong:
        sys.exit(1)


@main.command()
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--steps", type=click.IntRange(min=1), help="Only so many steps of each phase, to see that it runs.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads; one makes the same weights again.")
@click.option("--ship", is_flag=True, help="Then put the result into the package, in place of the shipped one.")
@device_option
@dry_run_option
def models(names: tuple[str, ...], steps: int | None, threads: int, ship: bool, device: str, dry_run: bool) -> None:
    """Retrain shipped models from their seeds; a stopped run goes on where it was.

    \b
    Examples:
      iplkit models --dry-run        which models, and what their recipes say
      iplkit models judge            one model
      iplkit models --steps 20       every phase, 20 steps: does it run?
      iplkit models --device cuda    minutes instead of hours
    """
    from iplkit.train import run

    if ship and steps:
        raise UserError("--ship needs models that were trained to their end; --steps trains them only a little")
    names = names or run.MODELS
    recipes = {name: run.recipe(name) for name in names}  # refuses an unknown name before anything runs
    if dry_run:
        for name, recipe in recipes.items():
            click.echo(f"{name}: {recipe}")
        return
    for path in run.retrain(names, steps, device, threads):
        click.echo(f"Trained: {path}")
    for name in names if ship else ():
        click.echo(f"Shipped: {run.ship(name)}")


@main.group()
def zoo() -> None:
    """The models: which there are, how good they are, and how to get the published ones."""


for _command in zoo_files_commands:
    zoo.add_command(_command)


@zoo.command("list")
@profile_option
def zoo_list(profile: str) -> None:
    """Name, size, license and purpose of every model.

    \b
    Examples:
      iplkit zoo list
      iplkit zoo list --profile paper
    """
    from iplkit.zoo import adapted_names, table

    rows = table(profile)
    wide = max(len(row["license"]) for row in rows)
    for row in rows:
        size = "missing" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        click.echo(f"{row['name']:<21} {size:>9}  {row['license']:<{wide}}  {row['purpose']}")
    if profile == "world":
        click.echo(f"adapted               {', '.join(adapted_names()) or 'none'}")


@zoo.command("check")
@click.option("-n", "--number", type=click.IntRange(min=100), default=10_000, show_default=True, help="Samples or renders a set.")
@click.option("--quick", is_flag=True, help="A tenth of everything: does it run?")
@click.option("--bar", "bars", multiple=True, help="Only this bar, for example M2; can be repeated.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("figures"), show_default=True, help="Folder for the table.")
@device_option
@click.option("-f", "--force", is_flag=True, help="Measure again what is stored.")
@profile_option
@click.option("--accept", multiple=True, metavar="FILE", help="With --profile paper: take this changed file as it is; can be repeated.")
def zoo_check(number: int, quick: bool, bars: tuple[str, ...], out: Path, device: str, force: bool, profile: str, accept: tuple[str, ...]) -> None:
    """Measure the world and its models against their bars, with judges that took no part in training.

    With --profile paper: are your published files the ones that they were, and the published ones?
    Exit code 1 if a bar is not reached, or a file is wrong.

    \b
    Examples:
      iplkit zoo check                           all bars, the printed table
      iplkit zoo check --profile paper           your published files
      iplkit zoo check --quick --out /tmp/check  minutes: does it run?
      iplkit zoo check --bar M4 --bar M5
    """
    if profile == "paper":
        if not check_files(accept):
            sys.exit(1)
        return
    from iplkit.zoo_check import run_check

    report = run_check(out, number, quick, bars or None, device=device, force=force)
    if not report.met:
        sys.exit(1)


@zoo.command("steer")
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("figures"), show_default=True, help="Folder whose full/ takes the records.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Folder for the adapted generators; default: none is kept.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of this process.")
@device_option
@click.option("-f", "--force", is_flag=True, help="Steer again where a record stands.")
def zoo_steer(domains: tuple[str, ...], out: Path, keep: Path | None, threads: int | None, device: str, force: bool) -> None:
    """Steer the generator into target domains, the products behind bar M7; what is recorded is kept.

    \b
    Examples:
      iplkit zoo steer                      all thirteen domains
      iplkit zoo steer "ukiyo-e" zombie -f  two of them, again
    """
    from iplkit.bars.sets import Scale
    from iplkit.zoo_steer import steer, todo

    waiting = todo(out, domains or None, force)
    click.echo(f"{len(waiting)} domains to do: {', '.join(waiting) or 'none'}")
    steer(out, domains or None, force=force, threads=threads, keep=keep, scale=Scale(device=device))


@zoo.command("synthetic")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--size", type=int, default=1024, show_default=True, help="Side of the generator's pictures: 16, 32, ... 1024.")
@click.option("--width", type=click.IntRange(min=4), default=512, show_default=True, help="Most feature maps of the generator; 32 makes it fast.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def zoo_synthetic(folder: Path, names: tuple[str, ...], size: int, width: int, seed: int) -> None:
    """Write files of the paper profile with RANDOM weights: true names and layouts, nothing learned.

    They show that everything runs, and how long real sizes take. Pictures and numbers made with them mean nothing.

    \b
    Examples:
      iplkit zoo synthetic /tmp/random --size 64 --width 32    small and fast
      iplkit zoo synthetic /tmp/random                         true sizes, 1.9 GB
      iplkit zoo synthetic /tmp/random mapper-afro styleclip-fs3-ffhq styleclip-mean-std    StyleCLIP's files
      IPLKIT_PAPER_WEIGHTS=/tmp/random iplkit regenerate --profile paper --tier smoke
    """
    from iplkit.synthetic import USUAL, make

    for path in make(folder, names or USUAL, size, seed, width, lambda name: click.echo(f"{name} ...")):
        click.echo(f"{path}  {path.stat().st_size / 1e6:.0f} MB, random weights")


@main.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--metric", "metrics", multiple=True, help="Only this metric, for example scs; can be repeated.  [default: all that apply]")
@profile_option
@click.option("-n", "--n", "number", type=click.IntRange(min=1), help="Images of each side.  [default: all of a folder, 1000 of a generator]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first latent and of the bootstrap.")
@click.option("--bootstrap", "rounds", type=click.IntRange(min=0), default=100, show_default=True, help="Rounds for 95 % intervals; 0 for none.")
@click.option("--source", default="", help="Caption of A's domain, for the metrics of CLIP.")
@click.option("--target", default="", help="Caption of B's domain.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the result here: .csv or .json.")
@click.option("--allow-random", is_flag=True, help="Random weights where a file is missing; the result is marked.")
@click.option("--no-cache", is_flag=True, help="Compute features that are stored, and store none.")
@click.option("--list", "listing", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _list_metrics(c) if v else None, help="Show all metrics, and stop.")
@device_option
def evaluate(a: Path, b: Path, metrics: tuple[str, ...], number: int | None, rounds: int, no_cache: bool, out: Path | None, **options) -> None:
    """Compare B with A: two folders of pictures, two generators, their records (.json), or stored features.

    Paired metrics (scs, id, lpips, clip_direction) need pictures of equal names, or two generators, which then draw
    the same latents. What cannot be computed is skipped with its reason; a metric asked for by name is refused.

    \b
    Examples:
      iplkit evaluate renders/ukiyo-e samples/ukiyo-e --out results.csv
      iplkit evaluate generator nada-sketch -n 500 --source photo --target sketch
      iplkit evaluate photos adapted --metric scs --metric id
      torchrun --nproc-per-node 2 -m iplkit.cli evaluate generator nada-disney    two processes share the images
    """
    from iplkit import processes
    from iplkit.evaluate import Options
    from iplkit.evaluate import evaluate as compare
    from iplkit.extractors.cache import cache_folder

    cache = None if no_cache else cache_folder()
    options |= {"metrics": metrics, "n": number, "rounds": rounds, "cache": cache, "progress": sys.stderr.isatty()}
    with processes.team() as team:
        report = compare(a, b, Options(**options), out, team)
    for line in report.lines() if report is not None else ():
        click.echo(line)


def _list_metrics(context: click.Context) -> None:
    from iplkit.evaluate_table import ROLES, TABLE

    for metric in TABLE:
        profiles = ", ".join(p for p in PROFILES if metric.role in ROLES[p])
        click.echo(f"{metric.name:<20} {metric.works_on:<6} {profiles:<13} {metric.about}")
    context.exit(0)


if __name__ == "__main__":
    main()
