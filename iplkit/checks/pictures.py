"""Do two files show the same picture? For recomputations elsewhere, where bytes may differ and pictures must not."""

import re
from pathlib import Path

LEVELS = 24  # of 255: mean difference of two pictures that are no longer the same one
SHARED = 0.5  # of the words in two plots
VIEW = re.compile(r'<svg[^>]* viewBox="([^"]*)"')
WORDS = re.compile(r"<!-- (?P<text>.*?) -->", re.DOTALL)  # matplotlib leaves each text of a plot as a comment


def unlike(one: Path, other: Path) -> str:
    """In what two figures differ; empty if they can be the same one, or are no figures."""
    if not (one.is_file() and other.is_file()):
        return f"{(one if other.is_file() else other).name} is missing"
    if one.suffix == ".png":
        return _other_pixels(one, other)
    return _other_words(one, other) if one.suffix == ".svg" else ""


def _other_pixels(one: Path, other: Path) -> str:
    import numpy as np
    from PIL import Image

    with Image.open(one) as a, Image.open(other) as b:
        if a.size != b.size:
            return f"{a.size[0]} by {a.size[1]} pixels here, {b.size[0]} by {b.size[1]} there"
        apart = np.abs(np.asarray(a.convert("RGB"), dtype=float) - np.asarray(b.convert("RGB"), dtype=float)).mean()
    return f"{apart:.0f} levels apart on average" if apart > LEVELS else ""


def _other_words(one: Path, other: Path) -> str:
    texts = [path.read_text(encoding="utf-8") for path in (one, other)]
    here, there = (match[1] if (match := VIEW.search(text)) else "" for text in texts)
    if here != there:
        return f"drawn as {here} here, as {there} there"
    a, b = (_words(text) for text in texts)
    if (a or b) and len(a & b) < SHARED * len(a | b):
        return f"it says {', '.join(sorted(b - a)[:3]) or 'nothing'} in place of {', '.join(sorted(a - b)[:3]) or 'nothing'}"
    return ""


def _words(svg: str) -> set[str]:
    """The texts of a plot that hold a letter: labels, and no numbers of ticks."""
    found = (match["text"].strip() for match in WORDS.finditer(svg))
    return {text for text in found if re.search(r"[^\W\d_]", text)}
