"""A book for the browser: the real frame, style and extensions, real pages, and a page with every kind of output."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from small_book import REPOSITORY, notebook

from iplkit.execute import NEEDS_KERNEL
from iplkit.filmstrip import filmstrip
from iplkit.stage import FRAME, environment

PAGES = ("book/common_mistakes", "book/model_cards", "book/bibliography", "notebooks/03_layer_edits")
SAMPLE = "notebooks/outputs"
SHOWN = tuple(f"{name}.html" for name in ("book/intro", *PAGES, SAMPLE, "search", "genindex"))
WORDS = """# Outputs

```{margin} What you need
Nothing; {doc}`03_layer_edits` and {term}`row` are only linked. A second sentence makes the note longer than a line or two.
```

A name that no phone holds: `iplkit.adapt.regularizers.keep_differences_between_people_of_one_batch`, see {cite}`okabe2008color`.

## One

### Two
"""


def build(folder: Path) -> Path:
    """Build the pages from their sources; nothing has run, so that some references lead nowhere and only warn.

    Returns:
        The folder of the pages.
    """
    for name in (*FRAME, "notebooks/03_layer_edits.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "full"))
        else:
            shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / f"{SAMPLE}.ipynb").write_text(outputs())
    chapters = "".join(f"  - file: {name}\n" for name in (*PAGES, SAMPLE))
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: book/intro\nchapters:\n{chapters}")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "--quiet"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "_build" / "html"


def outputs() -> str:
    """A notebook that has run: a long line, a wide table, a wide drawing, frames with a slider, what needs a kernel."""
    table = pd.DataFrame([[0.123456] * 16], columns=[f"column {k}" for k in range(16)])
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="672" height="200"><rect width="672" height="200" fill="#0072B2"/></svg>'
    shades = [(name, torch.full((3, 16, 16), value)) for name, value in (("one", -1.0), ("two", 0.0), ("three", 1.0))]
    frames = filmstrip({"up": shades, "down": shades[::-1]}, alt="A gray square.", scale=4)._repr_html_()
    figure = {"mystnb": {"figure": {"caption": "**A claim.** And words.", "name": "fig-sample"}, "image": {"alt": "A blue box."}}}
    shown = [
        ({}, {"text/plain": "a line that is longer than a phone is wide, " * 4}),
        ({"tags": ["hide-input"]}, {"text/html": table.to_html()}),
        (figure, {"image/svg+xml": drawing}),
        ({}, {"text/html": frames}),
        ({}, {"text/html": NEEDS_KERNEL}),
    ]
    book = json.loads(notebook(WORDS, *(f"show({number})" for number in range(len(shown))), "text: $$\n\\x = \\sum_i \\w_i\n$$"))
    cells = [cell for cell in book["cells"] if cell["source"].startswith("show(")]
    for cell, (metadata, data) in zip(cells, shown, strict=True):
        cell["metadata"] = metadata
        cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"text/plain": "shown"} | data}]
    return json.dumps(book)
