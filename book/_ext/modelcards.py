"""``{model-card} judge``: what `make models` recorded about a shipped model, as a table, a curve and its scores.

The card lies in ``iplkit/shipped/cards``; nothing on the page is typed by hand.
"""

import json
import math
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from iplkit.numbers import format_number

CARDS = "iplkit/shipped/cards"
WIDTH, HEIGHT = 420, 90  # of a curve, screen pixels


class ModelCard(SphinxDirective):
    """The card of one shipped model."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The card's tables, or a sentence where there is none yet."""
        name = self.arguments[0]
        path = Path(self.env.srcdir) / CARDS / f"{name}.json"
        self.env.note_dependency(str(path))
        if not path.is_file():
            return [nodes.paragraph("", "This model has no card yet.")]
        card = json.loads(path.read_text(encoding="utf-8"))
        found: list[nodes.Node] = [table(["What", "Value"], facts(card))]
        if points := curve_of(card):
            found.append(nodes.raw("", svg(points, f"Loss of the {name} over {points[-1][0]:,} steps."), format="html"))
        scores = card.get("scores") or {}
        rows = [[key, format_number(value) if isinstance(value, float) else str(value)] for key, value in scores.items()]
        return [*found, table(["Score, on fresh renders", "Value"], rows)] if rows else found


def facts(card: dict) -> list[list[str]]:
    """The rows of the first table; what a card does not say is left out."""
    data = [f"{d['count']:,} {d['kind']} at {d['size']} px, seed {d['seed']}" for d in card.get("data", {}).values() if isinstance(d, dict) and {"count", "kind", "size", "seed"} <= set(d)]
    phases = [f"{p['name']}: {p.get('steps', 0):,} steps, batch {p.get('batch', '?')}, seed {p.get('seed', '?')}" for p in card.get("phases", [])]
    size = f"{card.get('parameters', 0):,} parameters" + (f", {card['bytes'] / 1e6:.1f} MB" if "bytes" in card else "")
    time = f"{card.get('hours', 0):.2f} hours on {card.get('device', 'an unknown device')}, {card.get('threads', '?')} thread(s)"
    rows = {"Data": "; ".join(data), "Phases": "; ".join(phases), "Training": time, "Size": size, "License": card.get("license", "")}
    rows |= {"SHA-256": card.get("sha256", "")[:16], "Note": card.get("note", "")}
    return [[key, value] for key, value in rows.items() if value]


def curve_of(card: dict) -> list[tuple[int, float]]:
    """(step over all phases, loss) where the card recorded one."""
    points, before, last, phase = [], 0, 0, None
    for row in card.get("curve") or []:
        if row.get("phase") != phase:
            phase, before = row.get("phase"), before + last
        last = row.get("step", 0)
        loss = row.get("loss", row.get("pairs"))  # the generator's curve is that of its pairs
        if isinstance(loss, int | float) and math.isfinite(loss):
            points.append((before + last, loss))
    return points if len(points) > 1 else []


def svg(points: list[tuple[int, float]], alt: str) -> str:
    """A small line drawing in the color of the text."""
    xs, ys = zip(*points, strict=True)
    low, high = min(ys), max(ys)
    scale = (HEIGHT - 20) / ((high - low) or 1)
    path = " ".join(f"{x / xs[-1] * (WIDTH - 60):.1f},{10 + (high - y) * scale:.1f}" for x, y in points)
    labels = "".join(f'<text x="{WIDTH - 54}" y="{y}" font-size="11" fill="currentColor">{v:.3g}</text>' for y, v in ((14, high), (HEIGHT - 6, low)))
    line = f'<polyline points="{path}" fill="none" stroke="#0072B2" stroke-width="1.5"/>'
    return f'<svg class="curve" role="img" aria-label="{escape(alt, quote=True)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">{line}{labels}</svg>'


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    """A plain two-column table."""

    def line(cells: list[str]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))

    columns = [nodes.colspec(colwidth=width) for width in (30, 70)]
    group = nodes.tgroup("", *columns, nodes.thead("", line(head)), nodes.tbody("", *map(line, rows)), cols=2)
    return nodes.table("", group, classes=["model-card"])


def setup(app: Sphinx) -> dict:
    """Register the directive."""
    app.add_directive("model-card", ModelCard)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
