"""Run one notebook with its parameters; the executed copy appears only if every cell ran."""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from iplkit import paths
from iplkit.errors import UserError, one_sentence
from iplkit.files import atomic_path, files_of, sha256
from iplkit.sources import PARAMETERS, read_notebook, read_source
from iplkit.web.kernel_only import WIDGET

SECONDS_PER_CELL = {"smoke": 120, "laptop": 900, "full": 86400}
LONGER = {"world": 1, "paper": 30}  # real sizes take their time, on a CPU above all
KERNEL_SECONDS = 600  # a busy machine takes its time to start a kernel
LIVE = "live.json"  # in a run: which files a notebook exported for the live page, with their hashes
KINDS = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}  # as a notebook declares them
NEEDS_KERNEL = '<p class="needs-kernel">Here a running notebook shows controls. Open it in Jupyter to move them.</p>'


def check_parameters(notebook: Path, given: dict) -> None:
    """Refuse what papermill would only warn about, or not even that.

    Raises:
        UserError: if the notebook has no cell tagged ``parameters``, declares other names than those given, or another
            type than a value has.
    """
    import papermill

    cells = read_notebook(notebook)["cells"]
    if sum("parameters" in cell["metadata"].get("tags", []) for cell in cells) != 1:
        raise UserError(f"{notebook.name} needs exactly one cell tagged parameters")
    declared = papermill.inspect_notebook(str(notebook))
    if unknown := sorted(set(given) - set(declared)):
        raise UserError(f"{notebook.name} knows the parameters {', '.join(sorted(declared)) or 'none'}; it got {', '.join(unknown)}")
    if missing := sorted(set(PARAMETERS) - set(declared)):
        raise UserError(f"{notebook.name} needs the parameters {', '.join(PARAMETERS)}; it lacks {', '.join(missing)}")
    for name, value in given.items():
        kind = declared[name]["inferred_type_name"]
        if kind in KINDS and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool")):
            raise UserError(f"{notebook.name} needs a value of type {kind} for {name}; it got {value!r}")


def run_notebook(notebook: Path, executed: Path, log: Path, parameters: dict, seconds_per_cell: int) -> None:
    """Execute a notebook from the repository's root.

    Args:
        notebook: the source; never changed.
        executed: where the finished copy goes, as the page shows it.
        log: where the copy grows while it runs; after a failure it holds the failing cell and its traceback.
        parameters: name -> value.
        seconds_per_cell: a cell that takes longer stops the run.

    Raises:
        UserError: for parameters the notebook does not declare.
        papermill.PapermillExecutionError: if a cell fails.
    """
    import papermill

    check_parameters(notebook, parameters)
    executed.unlink(missing_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        str(notebook), str(log), parameters=parameters, cwd=str(paths.root()), kernel_name="python3",
        progress_bar=False, execution_timeout=seconds_per_cell, start_timeout=KERNEL_SECONDS,
    )  # fmt: skip
    with atomic_path(executed) as temporary:
        shutil.copyfile(log, temporary)
        _prepare_page(temporary)


def _prepare_page(path: Path) -> None:
    """Take out what belongs to this run and not to the page."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("remove-cell")
            cell.id = "injected-parameters"  # papermill draws one
        if "outputs" in cell:
            cell.outputs = join_streams(cell.outputs)
        for output in cell.get("outputs", []):
            if output.get("data", {}).pop(WIDGET, None) is not None:
                output["data"]["text/html"] = NEEDS_KERNEL
    nbformat.write(notebook, path)


def join_streams(outputs: list) -> list:
    """Neighbouring pieces of one stream as one; how often a kernel sends what was printed depends on the machine's load.

    Args:
        outputs: of a cell, as nbformat has them; their pieces are used up.
    """
    joined: list = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output["output_type"] == "stream" and output["name"] == before.get("name"):
            before["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def remove_results(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of figures and tables, so that none of an earlier run stands beside those of this one."""
    for path in [path for name in names for path in folder.glob(f"{name}.*")]:
        path.unlink()


def seal_live(run: Path) -> None:
    """Write down what a notebook exported for the live page, so that a change of it, or half of it, is seen."""
    files = {path.relative_to(run).as_posix(): sha256(path) for path in files_of(run / "live")}
    with atomic_path(run / LIVE) as temporary:
        temporary.write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


@click.command()
@click.argument("name")
@click.option("--tier", default="laptop")
@click.option("--profile", default="world")
def main(name: str, tier: str, profile: str) -> None:
    """Run notebooks/NAME.ipynb; the workflow calls this, one process a notebook."""
    with one_sentence():
        _run(name, tier, profile)


def _run(name: str, tier: str, profile: str) -> None:
    import papermill

    run, notebook = paths.run_folder(tier, profile), paths.root() / "notebooks" / f"{name}.ipynb"
    figures, log = run / "figures", run / "logs" / f"{name}.ipynb"
    parameters = {"PROFILE": profile, "TIER": tier, "OUT": figures.relative_to(paths.root()).as_posix()}
    source, whole = read_source(notebook), False
    remove_results(figures, source.writes)
    try:
        run_notebook(notebook, run / "notebooks" / notebook.name, log, parameters, SECONDS_PER_CELL[tier] * LONGER[profile])
        if source.exports:
            seal_live(run)
        whole = True
    except papermill.PapermillExecutionError as error:
        click.echo("\n".join(error.traceback), err=True)
        where = log.relative_to(paths.root())
        click.echo(f"Error: {name} stopped in code cell {error.exec_count}: {error.ename}: {error.evalue}; the cell and its traceback are in {where}", err=True)
        sys.exit(1)
    finally:
        if not whole:
            remove_results(figures, source.writes)


if __name__ == "__main__":
    main()
