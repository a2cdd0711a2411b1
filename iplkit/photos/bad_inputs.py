"""What readers give by mistake, one file each, and what the program says to it."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from iplkit.errors import UserError
from iplkit.invert.align import align
from iplkit.invert.encoders import load_encoder
from iplkit.invert.latent_files import read_latent
from iplkit.invert.pictures import Picture, open_picture
from iplkit.invert.portraits import Cutting, portraits_of
from iplkit.invert.tiny_published import SMALL, checkpoint, small_decoder

PICTURES = (
    "no face", "two faces", "a face cut by the border", "one pixel", "20,000 pixels a side", "a GIF that moves", "a text named .jpg",
    "a JPEG cut short",
)  # fmt: skip


def bad_pictures(face: Image.Image, points: np.ndarray, folder: Path) -> dict[str, Path]:
    """Write one picture of each kind.

    Args:
        face: a picture in which a face is found, mode "RGB".
        points: its landmarks, ``[68, 2]``.
        folder: where to; it must be there.

    Returns:
        Kind -> file, in the order of `PICTURES`.
    """
    width, height = face.size
    two = Image.new("RGB", (2 * width, height))
    two.paste(face, (0, 0)), two.paste(face.resize((width * 3 // 4, height * 3 // 4)), (width, 0))
    eyes = points[36:48].mean(axis=0)
    through = face.crop((int(eyes[0]), 0, width, height))  # the border goes through the nose
    path = {kind: folder / f"{kind.replace(' ', '-').replace(',', '')}.png" for kind in PICTURES}
    jpeg = folder / "whole.jpg"
    face.save(jpeg)
    Image.new("RGB", (320, 240), (120, 140, 160)).save(path["no face"])
    two.save(path["two faces"])
    through.save(path["a face cut by the border"])
    Image.new("RGB", (1, 1)).save(path["one pixel"])
    path["20,000 pixels a side"].write_bytes(_png_header(20_000, 20_000))
    path["a GIF that moves"] = folder / "moves.gif"
    frames = [face.rotate(turn).quantize(64) for turn in (0, 4)]
    frames[0].save(path["a GIF that moves"], save_all=True, append_images=frames[1:])
    path["a text named .jpg"] = folder / "text.jpg"
    path["a text named .jpg"].write_text("I am no picture.\n" * 20, encoding="utf-8")
    path["a JPEG cut short"] = folder / "short.jpg"
    path["a JPEG cut short"].write_bytes(jpeg.read_bytes()[: jpeg.stat().st_size // 3])
    return path


def answer(work: Callable[[], object]) -> tuple[str, str]:
    """("refused", the sentence), or ("taken", notes of a portrait or the words of what came)."""
    try:
        found = work()
    except UserError as error:
        return "refused", " ".join(str(error).split())
    notes = "; ".join(found[0].notes) if isinstance(found, list) else str(found)
    return "taken", notes or "nothing to say"


def answers(face: Image.Image, points: np.ndarray, cutting: Cutting, num_ws: int, w_dim: int, folder: Path) -> list[dict[str, str]]:
    """What the program says to each kind of bad input.

    Args:
        face, points, folder: see `bad_pictures`.
        cutting: how portraits are cut; it never takes a picture uncut here.
        num_ws, w_dim: of the generator that latents are for.

    Returns:
        One row a kind: "input", "answer", "sentence"; paths are shortened to names.
    """
    how, rows = replace(cutting, aligned=False), []
    tries = {kind: lambda p=p: portraits_of(open_picture(p), how) for kind, p in bad_pictures(face, points, folder).items()}
    square = align(face, np.array([[0, 0], [0, 200], [200, 200], [200, 0]]), 200)  # landmarks beside the picture
    tries["landmarks of another photo"] = lambda: portraits_of(Picture(square, folder / "square.png"), how, points + 900)
    shapes = {"a latent of another generator": (18, w_dim), "a latent without its rows": (num_ws * w_dim,), "several latents in one file": (3, num_ws, w_dim)}
    for kind, shape in shapes.items():
        np.save(path := folder / f"latent-{len(shape)}-{shape[0]}.npy", np.zeros(shape, np.float32))
        tries[kind] = lambda p=path: read_latent(p, num_ws, w_dim)
    torch.save(checkpoint("e4e"), folder / "e4e.pt")
    tries["an encoder for another size"] = lambda: load_encoder(folder / "e4e.pt", small_decoder(128), sizes=SMALL)
    for kind, work in tries.items():
        came, sentence = answer(work)
        rows.append({"input": kind, "answer": came, "sentence": sentence.replace(f"{folder}/", "")})
    return rows


def _png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and holds nothing: what is refused is refused by its header."""
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
