"""A slider over pictures computed before: needs no kernel and no library, works offline, from a file and by keyboard.

All frames lie in one picture, and the slider moves it behind a window. Equal frames are stored once. Where scripts are
not allowed the slider is hidden, and the frames stand side by side with their labels.
"""

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
from PIL import Image
from torch import Tensor

from iplkit.errors import UserError
from iplkit.images import to_pil

SHOW = (  # what the slider does: move the picture, say the label
    "const p=this.parentNode,d=(p.querySelector('select')?.selectedOptions[0]||this).dataset,[x,y]=JSON.parse(d.at)[this.value],"
    "t=JSON.parse(d.labels)[this.value];p.style.setProperty('--x',x);p.style.setProperty('--y',y);"
    "p.querySelector('output').value=t;this.setAttribute('aria-valuetext',t)"
)
CHOOSE = (  # what the menu does: give the slider another row of frames
    "const d=this.selectedOptions[0].dataset,r=this.parentNode.querySelector('input');"
    "r.max=JSON.parse(d.at).length-1;r.value=d.start;r.oninput()"
)
HIDE = "<style>.filmstrip>:is(select,input,output){display:none}</style>"


def filmstrip(parts: Mapping[str, Sequence[tuple[str, Tensor]]], *, alt: str, scale: int = 1, start: str = "") -> "Filmstrip":
    """Frames to slide over.

    Args:
        parts: what moves -> its frames, each a label and a picture ``[3, H, W]`` or ``[1, 3, H, W]`` in [-1, 1]. With
            more than one part a menu chooses among them.
        alt: one sentence for readers who cannot see it.
        scale: each picture pixel becomes a block of this many screen pixels, at each side.
        start: label of the frame of the first part that is shown at the start; empty means the first one.

    Raises:
        UserError: if there is no frame, a part is empty, the pictures differ in size, or no frame has that label.
    """
    if not parts or not all(parts.values()):
        raise UserError("a filmstrip needs at least one frame in every part; there is none")
    bytes_of = {title: [(label, _bytes(image)) for label, image in frames] for title, frames in parts.items()}
    shapes = {frame.shape for frames in bytes_of.values() for _, frame in frames}
    if len(shapes) > 1:
        raise UserError(f"a filmstrip needs frames of one size; got {', '.join(map(str, sorted(shapes)))}")
    labels = [label for label, _ in next(iter(bytes_of.values()))]
    if start and start not in labels:
        raise UserError(f"a filmstrip starts at one of {', '.join(labels)}; got {start!r}")
    return Filmstrip(bytes_of, alt, scale, labels.index(start) if start else 0)


@dataclass(frozen=True)
class Part:
    """One row of the slider: its frames' labels, where they lie in the sprite (column, row), and where the slider begins."""

    title: str
    labels: list[str]
    at: list[tuple[int, int]]
    start: int

    def data(self) -> str:
        """For the slider's script, as attributes."""
        values = {"at": json.dumps(self.at, separators=(",", ":")), "labels": json.dumps(self.labels, ensure_ascii=False), "start": str(self.start)}
        return " ".join(f'data-{name}="{html.escape(value, quote=True)}"' for name, value in values.items())


class Filmstrip:
    """What `filmstrip` returns; a notebook shows it as a slider, a printed page as its first frame."""

    def __init__(self, frames: dict[str, list[tuple[str, np.ndarray]]], alt: str, scale: int, start: int):
        self.alt, self.scale = alt, scale
        self.first = next(iter(frames.values()))[start][1]
        self.parts, self.sprite = _sheet(frames, self.first)

    def __repr__(self) -> str:
        return f"a filmstrip of {sum(len(part.labels) for part in self.parts)} frames"  # no address: the same run, the same bytes

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        picture = Image.fromarray(self.first)
        picture.resize((picture.width * self.scale, picture.height * self.scale), resample=0).save(file, "PNG")
        return file.getvalue()

    def _repr_html_(self) -> str:
        height, width = self.first.shape[:2]
        rows, columns = self.sprite.shape[0] // height, self.sprite.shape[1] // width
        w, h = width * self.scale, height * self.scale
        x, y = self.parts[0].at[self.parts[0].start]
        style = f"--x:{x};--y:{y};--w:{w}px;--h:{h}px;--sprite:url(data:image/webp;base64,{base64.b64encode(self.webp()).decode()})"
        box = f"width:{w}px;height:{h}px;background:var(--sprite) calc(var(--x)*-{w}px) calc(var(--y)*-{h}px)/{columns * w}px {rows * h}px;image-rendering:pixelated"
        alt, first = html.escape(self.alt, quote=True), self.parts[0]
        return (
            f'<div class="filmstrip" style="{style}"><div role="img" aria-label="{alt}" style="{box}"></div>{self._menu()}'
            f'<input type="range" autocomplete="off" min="0" max="{len(first.at) - 1}" value="{first.start}" aria-label="{alt}" '
            f'aria-valuetext="{html.escape(first.labels[first.start], quote=True)}" {first.data()} oninput="{SHOW}">'
            f"<output>{html.escape(first.labels[first.start])}</output>"
            f"<noscript>{HIDE}{self._unrolled(rows, columns)}</noscript></div>"
        )

    def webp(self) -> bytes:
        """All frames as one picture, without loss."""
        file = io.BytesIO()
        Image.fromarray(self.sprite).save(file, "WEBP", lossless=True, quality=80, method=4)
        return file.getvalue()

    def _menu(self) -> str:
        if len(self.parts) == 1:
            return ""
        options = "".join(f"<option {part.data()}>{html.escape(part.title)}</option>" for part in self.parts)
        return f'<select aria-label="What the slider moves" autocomplete="off" onchange="{CHOOSE}">{options}</select>'

    def _unrolled(self, rows: int, columns: int) -> str:
        """Every part with its frames in a row, at their natural size."""
        height, width = self.first.shape[:2]
        size = f"{columns * width}px {rows * height}px"
        found = []
        for part in self.parts:
            cells = "".join(
                f'<figure style="display:inline-block;vertical-align:top;width:{max(width, 88)}px;margin:0 .5rem .5rem 0"><div style="width:{width}px;height:{height}px;'
                f'background:var(--sprite) -{x * width}px -{y * height}px/{size}"></div><figcaption>{html.escape(label)}</figcaption></figure>'
                for label, (x, y) in zip(part.labels, part.at, strict=True)
            )
            found.append((f'<p style="text-align:left">{html.escape(part.title)}</p>' if part.title else "") + f'<div style="text-align:left">{cells}</div>')
        return "".join(found)


def frames_of(text: str) -> list[tuple[str, str, Image.Image]]:
    """What the HTML of a strip holds, for pages that cannot slide, as (title of the part, label, picture)."""
    tags = _Tags()
    tags.feed(text)
    style = " ".join(filter(None, (tag.get("style") for tag in tags.found)))
    sprite = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^)]+)\)", style)[1]))).convert("RGB")
    w, h, all_w, all_h = map(int, re.search(r"width:(\d+)px;height:(\d+)px;background:.*?/(\d+)px (\d+)px", style).groups())
    width, height = sprite.width * w // all_w, sprite.height * h // all_h
    parts = [tag for tag in tags.found if tag["tag"] == "option"] or [tag for tag in tags.found if tag["tag"] == "input"]
    return [
        (part["text"], label, sprite.crop((x * width, y * height, (x + 1) * width, (y + 1) * height)))
        for part in parts
        for label, (x, y) in zip(json.loads(part["data-labels"]), json.loads(part["data-at"]), strict=True)
    ]


class _Tags(HTMLParser):
    """Every tag with its attributes and the text that follows it, up to the next one."""

    def __init__(self):
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(dict(attrs) | {"tag": tag, "text": ""})

    def handle_endtag(self, tag: str) -> None:
        self.found.append({"tag": "", "text": ""})

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1]["text"] += data


def _sheet(frames: dict[str, list[tuple[str, np.ndarray]]], first: np.ndarray) -> tuple[list[Part], np.ndarray]:
    """Lay the frames out, one row a part, each different frame once; rows without a new frame take no place."""
    places, rows, parts = {}, [], []
    for title, labelled in frames.items():
        row, pictures = [], [frame for _, frame in labelled]
        for frame in pictures:
            if frame.tobytes() not in places:
                places[frame.tobytes()] = (len(row), len(rows))
                row.append(frame)
        rows += [row] if row else []
        at = [places[frame.tobytes()] for frame in pictures]
        start = at.index(places[first.tobytes()]) if places.get(first.tobytes()) in at else 0
        parts.append(Part(title, [label for label, _ in labelled], at, start))
    height, width = first.shape[:2]
    sheet = np.full((len(rows) * height, max(map(len, rows)) * width, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, frame in enumerate(row):
            sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = frame
    return parts, sheet


def _bytes(image: Tensor) -> np.ndarray:
    return np.asarray(to_pil(image))
