"""A copy of the committed repository that can be lied in, and put right again."""

import base64
import json
import shutil
from pathlib import Path

from iplkit.checks.tables import read_markdown
from iplkit.files import sha256
from iplkit.sources import names_written, read_notebook

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("figures", "notebooks", "book", "iplkit/shipped/cards", "README.md", "README_zh-cn.md", "_toc.yml", "_config.yml")
LINKED = ("bench", *(f"iplkit/{path.name}" for path in (REPOSITORY / "iplkit").iterdir() if path.name != "shipped"))
LINKED += tuple(f"iplkit/shipped/{path.name}" for path in (REPOSITORY / "iplkit" / "shipped").iterdir() if path.name != "cards")
RUN = "_build/run/world-laptop"
MIMES = {".png": "image/png", ".svg": "image/svg+xml"}


class Tree:
    """A copy of figures, pages, notebooks and cards, around the real code and weights; every change can be taken back.

    Args:
        root: where the copy goes; the folder must not exist.
    """

    def __init__(self, root: Path):
        self.root = root
        self._before: dict[Path, bytes | None] = {}
        root.mkdir(parents=True)
        for name in COPIED:
            source = REPOSITORY / name
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
            else:
                shutil.copyfile(source, root / name)
        for name in LINKED:
            (root / name).symlink_to(REPOSITORY / name)

    def path(self, name: str) -> Path:
        """A file of the copy, by its path in the repository."""
        return self.root / name

    def read(self, name: str) -> str:
        """The text of a file."""
        return self.path(name).read_text(encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> None:
        """Replace a file, or make it."""
        path = self.path(name)
        self._remember(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def replace(self, name: str, old: str, new: str) -> None:
        """Change one place of a text, which must be there once at least."""
        text = self.read(name)
        assert old in text, f"{name} does not hold {old!r} any more; choose another place to lie in"
        self.write(name, text.replace(old, new, 1))

    def remove(self, name: str) -> None:
        """Delete a file."""
        self._remember(self.path(name))
        self.path(name).unlink()

    def exchange(self, one: str, other: str) -> None:
        """Swap the contents of two files."""
        a, b = self.path(one).read_bytes(), self.path(other).read_bytes()
        self.write(one, b)
        self.write(other, a)

    def record(self, name: str) -> dict:
        """A record, as JSON."""
        return json.loads(self.read(f"figures/{name}.json"))

    def forge(self, name: str, **changes) -> None:
        """Write a record so that every hash fits the files that lie there now: what a careful liar would do."""
        record = self.record(name) | changes
        record["files"] = {file: sha256(self.path(f"figures/{file}")) for file in record["files"]}
        self.write(f"figures/{name}.json", json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        run = json.loads(self.read(f"figures/{name}.run.json")) | {"record": sha256(self.path(f"figures/{name}.json"))}
        self.write(f"figures/{name}.run.json", json.dumps(run))

    def recompute(self, *chapters: str) -> None:
        """Lay down what a regeneration at this very state would leave: figures, records, executed chapters."""
        for chapter in chapters:
            notebook = self.path(f"notebooks/{chapter}.ipynb")
            names = names_written(notebook)
            for file in sorted(file for name in names for file in (self.root / "figures").glob(f"{name}.*")):
                self.write(f"{RUN}/figures/{file.name}", file.read_bytes())
            for name in names:
                run = json.loads(self.read(f"figures/{name}.run.json"))
                run["code"] = {file: sha256(self.path(file))[:16] for file in run["code"] if self.path(file).is_file()}
                self.write(f"{RUN}/figures/{name}.run.json", json.dumps(run))
            self.write(f"{RUN}/notebooks/{chapter}.ipynb", self._executed(notebook, names))

    def build(self, page: str, *tables: str) -> None:
        """Lay down a built page that shows some tables, as a reader would get it."""
        parts = [f'<table class="table" id="{name}">{self._rows(name)}</table>' for name in tables]
        self.write(f"_build/stage/_build/html/{page}.html", f"<html><body>{''.join(parts)}</body></html>")

    def undo(self) -> None:
        """Take all changes back."""
        for path, content in self._before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        self._before.clear()

    def _remember(self, path: Path) -> None:
        if path not in self._before:
            self._before[path] = path.read_bytes() if path.is_file() else None

    def _executed(self, notebook: Path, names: tuple[str, ...]) -> str:
        """The chapter with the stored figures as outputs, which is what `iplkit.records.Shown` puts there."""
        content = read_notebook(notebook)
        for cell in (cell for cell in content["cells"] if cell["cell_type"] == "code"):
            saved = [name for name in names if f'"{name}"' in cell["source"]]
            files = [file for name in saved for ending in MIMES if (file := self.path(f"figures/{name}{ending}")).is_file()]
            cell["outputs"] = [self._output(file) for file in files]
        return json.dumps(content)

    @staticmethod
    def _output(file: Path) -> dict:
        content = file.read_bytes()
        data = base64.b64encode(content).decode() if file.suffix == ".png" else content.decode()
        return {"output_type": "execute_result", "data": {MIMES[file.suffix]: data, "text/plain": file.stem}}

    def _rows(self, name: str) -> str:
        rows = read_markdown(self.path(f"figures/{name}.md"))
        return "".join(f"<tr>{''.join(f'<td><p>{cell}</p></td>' for cell in row)}</tr>" for row in rows)


