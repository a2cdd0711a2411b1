"""Pairs (w, e) of a bridge: a generator draws as many codes as wanted, and CLIP looks at each; nobody labels anything.

Pairs are made in chunks. A chunk depends on the seed and its own number only, so a stopped filling goes on where it was,
and several processes can share one. Only e is kept on disk: w is drawn again from the same numbers.

Axis letters: N pairs, D width of w, E width of CLIP's features (256 in the world, 512 for ViT-B/32, 1024 for RN50).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.errors import UserError
from iplkit.features import device_of
from iplkit.images import from_uint8, to_uint8
from iplkit.weights import read_weights, write_weights

CHUNK = 512
BATCH = 16
KIND = "bridge pairs"


@dataclass(frozen=True)
class Pairs:
    """Codes and what CLIP says of their pictures.

    Args:
        w: ``[N, D]``.
        e: unit features, ``[N, E]``.
    """

    w: Tensor
    e: Tensor

    def __post_init__(self):
        if self.w.ndim != 2 or self.e.ndim != 2 or len(self.w) != len(self.e):
            raise UserError(f"pairs need w [N, D] and e [N, E] of one N; got {tuple(self.w.shape)} and {tuple(self.e.shape)}")

    def __len__(self) -> int:
        return len(self.w)

    def __getitem__(self, rows) -> "Pairs":
        return Pairs(self.w[rows], self.e[rows])


def codes(mapping: nn.Module, n: int, seed: int, purpose: str = "bridge", number: int = 0) -> Tensor:
    """w of n draws, ``[n, D]``, not truncated; the same numbers give the same codes."""
    z = torch.randn(n, mapping.z_dim, generator=draw(seed, purpose, number))
    with torch.no_grad():
        return mapping.w(z.to(mapping.w_avg.device)).cpu()


@torch.no_grad()
def pictures(generator: nn.Module, w: Tensor, batch: int = BATCH) -> Tensor:
    """What codes draw without noise, at 8 bits, ``[N, D]`` -> ``[N, 3, S, S]`` in [-1, 1]."""
    parts = []
    for part in w.split(batch):
        ws = part.to(device_of(generator))[:, None].expand(-1, generator.num_ws, -1)
        parts.append(from_uint8(to_uint8(generator.synthesis(ws, noise_mode="none"))).cpu())
    return torch.cat(parts)


@torch.no_grad()
def features(clip: nn.Module, images: Tensor, batch: int = BATCH) -> Tensor:
    """Unit features of pictures, ``[N, 3, S, S]`` -> ``[N, E]``."""
    found = [clip.encode_image(part.to(device_of(clip))).float().cpu() for part in images.split(batch)]
    return F.normalize(torch.cat(found), dim=-1)


@torch.no_grad()
def text_features(clip: nn.Module, texts: list[str]) -> Tensor:
    """Unit features of sentences, ``[N, E]``; an unknown word is refused."""
    return F.normalize(clip.encode_text(clip.tokenize(texts)).float(), dim=-1).cpu()


def make_pairs(generator: nn.Module, clip: nn.Module, n: int, seed: int, purpose: str = "bridge", number: int = 0) -> Pairs:
    """n fresh pairs; see `codes`."""
    w = codes(generator.mapping, n, seed, purpose, number)
    return Pairs(w, features(clip, pictures(generator, w)))


def fill(folder: Path, generator: nn.Module, clip: nn.Module, chunks: Iterable[int], seed: int, about: dict, log=None) -> None:
    """Make the chunks that are not there yet.

    Args:
        folder: one file of e a chunk.
        generator, clip: who draws and who looks.
        chunks: their numbers.
        seed: of the codes.
        about: what the pairs stand on, such as hashes of the weights; kept in each file, and compared when read.
        log: called with one line a chunk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in chunks:
        path = _path(folder, number)
        if not path.is_file():
            e = make_pairs(generator, clip, CHUNK, seed, number=number).e
            write_weights(path, {"e": e}, {"kind": KIND, "seed": seed, "about": about}, torch.float16)
            if log is not None:
                log(f"{folder.name} · chunk {number}")


def read_pairs(folder: Path, mapping: nn.Module, chunks: Iterable[int], seed: int, about: dict) -> Pairs:
    """Chunks that `fill` made, with their codes.

    Raises:
        UserError: if one is missing, or stands on another seed or other weights.
    """
    w, e = [], []
    for number in chunks:
        tensors, record = read_weights(_path(folder, number))
        if record.get("kind") != KIND or record["seed"] != seed or record["about"] != about:
            raise UserError(f"{_path(folder, number)} needs pairs of seed {seed} and of these models; it holds others, so remove it")
        w.append(codes(mapping, CHUNK, seed, number=number)), e.append(F.normalize(tensors["e"], dim=-1))
    if not w:
        raise UserError("pairs need at least one chunk; got none")
    return Pairs(torch.cat(w), torch.cat(e))


def _path(folder: Path, number: int) -> Path:
    return Path(folder) / f"{number:05d}.safetensors"
