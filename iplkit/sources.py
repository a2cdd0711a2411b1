"""What a notebook is made of, read from its code without running it.

The workflow needs to know which modules a notebook imports, which adapted generators it opens, which cells of the
thesis table and which printed files it reads, and which figures, tables and records it writes and reads. All of it
stands in the code as literals, so no second list can go stale.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from iplkit import paths
from iplkit.errors import UserError
from iplkit.paper_files import names_of
from iplkit.shelves import finding_path

PARAMETERS = ("PROFILE", "TIER", "OUT")
PRINTED = {  # function -> what it reads of figures/
    "cell_folder": "full/cells/*.json", "stored_rows": "full/steer-*.json", "steer_file": "full/steer-*",
    "read_measured": "full/inversion/bench-*.json",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One notebook: what goes in and what comes out.

    Args:
        notebook: its path.
        modules: files of `iplkit` it imports, directly or through other modules, and the data files that these name.
        adapted: (method, target) of every adapted generator it opens.
        cells: plans whose cells it reads.
        printed: files in ``figures/`` that it reads as they are printed.
        reads: records of other notebooks that it reads.
        writes: figures and tables that it writes, in order.
        exports: whether it writes what the live page fetches.
        models: what it cannot do without in the profile "paper", from its call of `begin`; None without such a call.
    """

    notebook: Path
    modules: tuple[Path, ...]
    adapted: tuple[tuple[str, str], ...]
    cells: tuple[str, ...]
    printed: tuple[Path, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    exports: bool
    models: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The file's name without its ending: ``00_world``."""
        return self.notebook.stem


def read_source(notebook: Path) -> Source:
    """Read a notebook's code.

    Raises:
        UserError: if it is missing or not a notebook, if its code cannot be parsed, or if a name is not a literal.
    """
    tree = _parse(notebook)
    calls = [node for node in _walk(tree) if isinstance(node, ast.Call)]

    def literals(function: str, positions: tuple[int, ...]) -> list[tuple[str, ...]]:
        found = [call for call in calls if _called(call) == function]
        return list(dict.fromkeys(_literals(call, positions, function, notebook) for call in found))

    return Source(
        notebook,
        modules_of_notebook(notebook),
        tuple(literals("adapted_path", (0, 1))),
        tuple(name for (name,) in literals("cells_path", (0,))),
        tuple(sorted({*_printed(tree, {_called(call) for call in calls}), *_findings(literals("read_finding", (0, 1)))})),
        tuple(name for (name,) in literals("read_numbers", (0,))),
        names_written(notebook),
        "iplkit.web.export.export" in _imports(tree, "") and any(_called(call) == "export" for call in calls),
        _models(literals("begin", (1,))),
    )


def _models(needs: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    return tuple(names_of(needs[0][0])) if needs else None


def names_written(notebook: Path) -> tuple[str, ...]:
    """Figures, then tables, that a notebook writes.

    Raises:
        UserError: as `read_source`.
    """
    calls = [node for node in _walk(_parse(notebook)) if isinstance(node, ast.Call)]
    found = [_literals(call, (1,), f, notebook) for f in ("save_figure", "save_table") for call in calls if _called(call) == f]
    return tuple(dict.fromkeys(name for (name,) in found))


def _printed(tree: ast.Module, called: set[str]) -> tuple[Path, ...]:
    """Printed files that the code names, or reads through a function that `PRINTED` knows."""
    figures = paths.root() / "figures"
    named = {name for name in _texts(tree) if re.fullmatch(r"[\w-]+\.(md|csv|json|png|svg)", name)}
    found = {path for name in PRINTED if name in called for path in figures.glob(PRINTED[name])}
    return tuple(sorted(found | {figures / name for name in named if (figures / name).is_file()}))


def _findings(named: list[tuple[str, ...]]) -> Iterator[Path]:
    """The printed numbers of some studies, as far as they are there."""
    yield from (path for shelf, name in named if (path := finding_path(shelf, name)).is_file())


def modules_of_notebook(notebook: Path) -> tuple[Path, ...]:
    """Files of `iplkit` that a notebook imports, directly or through other modules, sorted."""
    return _closure(_imports(_parse(notebook), ""))


def modules_of_module(name: str) -> tuple[Path, ...]:
    """Files of `iplkit` that a module needs, itself among them, sorted."""
    return _closure({name})


def modules_of_script(path: Path) -> tuple[Path, ...]:
    """Files of `iplkit` that a script outside of it imports, directly or through other modules, sorted."""
    return _closure(_imports(ast.parse(path.read_text(encoding="utf-8")), ""))


def _closure(todo: set[str]) -> tuple[Path, ...]:
    seen, package = set(), _package()
    while todo:
        name = todo.pop()
        for path in _files(name, package):
            if path not in seen:
                seen |= {path, *_data_files(path)}
                todo |= _module_imports(path)
    return tuple(sorted(seen))


def code_cells(notebook: Path) -> list[dict]:
    """The code cells of a notebook."""
    return [cell for cell in read_notebook(notebook)["cells"] if cell["cell_type"] == "code"]


def read_notebook(notebook: Path) -> dict:
    """The notebook as plain JSON.

    Raises:
        UserError: if it is missing or not a notebook.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            cell["source"] = "".join(cell["source"])
    except FileNotFoundError as error:
        raise UserError(f"a notebook is needed at {notebook}; there is none") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{notebook} needs to be a notebook; it is not one") from error
    return content


def _parse(notebook: Path) -> ast.Module:
    """All code cells as one program; lines for the shell and for IPython are left out."""
    lines = [line for cell in code_cells(notebook) for line in [*cell["source"].splitlines(), ""]]
    try:
        return ast.parse("\n".join("" if line.startswith(("%", "!")) else line for line in lines))
    except SyntaxError as error:
        raise UserError(f"{notebook.name} needs code that Python can parse; {error.msg}: {(error.text or '').strip()}") from error


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _literals(call: ast.Call, positions: tuple[int, ...], function: str, notebook: Path) -> tuple[str, ...]:
    values = [call.args[p] if p < len(call.args) else None for p in positions]
    if not all(isinstance(v, ast.Constant) and isinstance(v.value, str) for v in values):
        raise UserError(f"{notebook.name} needs names given to {function} as literal strings; line is: {ast.unparse(call)[:80]}")
    return tuple(v.value for v in values)


@cache
def _module_imports(path: Path) -> set[str]:
    package = ".".join(path.relative_to(_package().parent).parent.parts)
    tree = _tree(path)
    return _imports(tree, package) | _dynamic_imports(tree)


@cache
def _data_files(path: Path) -> list[Path]:
    """Files beside a module that its code names, such as ``prompts.json``."""
    named = {name for name in _texts(_tree(path)) if re.fullmatch(r"[\w-]+\.\w+", name)}
    return [path.with_name(name) for name in sorted(named) if path.with_name(name).is_file()]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _walk(tree: ast.Module) -> list[ast.AST]:
    """All nodes; several functions look through the same tree."""
    return list(ast.walk(tree))


def _texts(tree: ast.Module) -> set[str]:
    return {node.value for node in _walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _dynamic_imports(tree: ast.Module) -> set[str]:
    """Modules that the code imports by a string: ``"iplkit.nets.judge:load_judge"``, or a folder, ``f"iplkit.x.{name}"``."""
    words = {node.attr if isinstance(node, ast.Attribute) else node.id for node in _walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    if "import_module" not in words:
        return set()
    names = {match[0] for text in _texts(tree) if (match := re.match(r"iplkit(\.\w+)+\.?", text))}
    folders = {name[:-1] for name in names if name.endswith(".")}
    plugs = {f"{folder}.{path.stem}" for folder in folders for path in _package().joinpath(*folder.split(".")[1:]).glob("*.py")}
    return names - {f"{folder}." for folder in folders} | folders | plugs


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Names of modules of ours that the code imports, also inside functions."""
    names = set()
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "iplkit"}


@cache
def _files(name: str, package: Path) -> list[Path]:
    """Files of a module and of the packages it lies in; none for a name that is no module."""
    parts = name.split(".")[1:]
    candidates = [package.joinpath(*parts[:k], "__init__.py") for k in range(len(parts) + 1)]
    if parts:
        candidates.append(package.joinpath(*parts[:-1], f"{parts[-1]}.py"))
    return [path for path in candidates if path.is_file()]


def _package() -> Path:
    """The package of the repository at hand, or else the one that runs."""
    here = paths.root() / "iplkit"
    return here if here.is_dir() else Path(__file__).resolve().parent
