"""The contract of every extractor: uint8 images in, a dictionary of named float32 layers on the CPU out.

An extractor owns what must never travel apart from its weights: the size, the filter and the range that they want.
"""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.extractors.files import fill, read_state
from iplkit.images import from_uint8, resize


def state_hash(state: dict[str, Tensor]) -> str:
    """SHA-256 of named tensors, 64 digits; names, shapes, types and values count, their order does not."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class Extractor:
    """What all extractors share; a subclass says `name`, `profile`, `layers`, `protocol` and how it computes.

    Args:
        net: the network, or None where the extractor learned nothing.
        sha256: of the file the weights came from; None hashes the weights themselves.
        random: the weights are random. Whatever is computed with them carries the mark.
    """

    name: ClassVar[str]
    profile: ClassVar[str]  # "world" or "paper"
    layers: ClassVar[tuple[str, ...]]
    protocol: ClassVar[dict] = {}  # everything beside the weights that moves a value: size, filter, range, crop
    bulky: ClassVar[tuple[str, ...]] = ()  # layers too large to be kept on disk
    smallest: ClassVar[int] = 1  # side that an image must have, pixels

    def __init__(self, net: nn.Module | None, sha256: str | None = None, random: bool = False):
        self.net = None if net is None else net.eval().requires_grad_(False)
        self.hash = sha256 or state_hash({} if net is None else net.state_dict())
        self.random = random

    @property
    def device(self) -> torch.device:
        """Where the work is done; results are always on the CPU."""
        return torch.device("cpu") if self.net is None else next(self.net.parameters()).device

    def to(self, device: str | torch.device) -> Self:
        """Move the weights."""
        if self.net is not None:
            self.net.to(device)
        return self

    def origin(self) -> dict:
        """What a result has to say about its extractor."""
        about = {"extractor": self.name, "profile": self.profile, "sha256": self.hash}
        return about | {"random": self.random, "protocol": dict(self.protocol)}

    def check_layers(self, layers: Sequence[str] | None) -> tuple[str, ...]:
        """The layers asked for, all of them for None.

        Raises:
            UserError: if the extractor has no such layer.
        """
        layers = self.layers if layers is None else tuple(layers)
        for layer in layers:
            if layer not in self.layers:
                raise UserError(f"the {self.profile} extractor {self.name} has the layers {', '.join(self.layers)}; got {layer!r}")
        return layers

    @torch.inference_mode()
    def __call__(self, images: Tensor, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Named layers of one batch.

        Args:
            images: uint8, ``[N, 3, H, W]``.
            layers: which; None is all of them.

        Returns:
            Layer -> float32 on the CPU, ``[N, ...]``.

        Raises:
            UserError: for anything but bytes of three channels, or an unknown layer.
        """
        layers = self.check_layers(layers)
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise UserError(f"an extractor needs uint8 images [N, 3, H, W]; got {images.dtype} {tuple(images.shape)}")
        if min(images.shape[-2:]) < self.smallest:
            raise UserError(f"{self.name} needs images of at least {self.smallest} pixels; got {tuple(images.shape[-2:])}")
        with exact_float32(self.device):
            found = self.compute(images.to(self.device), layers)
        return {layer: found[layer].float().cpu().clone() for layer in layers}

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """At least the asked `layers` of uint8 images ``[N, 3, H, W]``; what a subclass has to say."""
        raise NotImplementedError


class FileExtractor(Extractor):
    """An extractor whose network is built here and filled from a reader's file.

    Args:
        state: tensors in the published key layout.
        sha256, random: see `Extractor`.
        origin: what to call the tensors in a refusal.

    Raises:
        UserError: if a tensor is missing, unknown, or of another shape.
    """

    ignored: ClassVar[tuple[str, ...]] = ()  # prefixes of tensors that a file may hold and nothing here uses

    def __init__(self, state: dict[str, Tensor], sha256: str | None = None, random: bool = False, origin: str | Path = "the state"):
        net = self.build()
        fill(net, state, origin, self.ignored)
        super().__init__(self.finish(net), sha256 or state_hash(state), random)

    @classmethod
    def build(cls) -> nn.Module:
        """The network without its weights, its keys those of the published file."""
        raise NotImplementedError

    @staticmethod
    def finish(net: nn.Module) -> nn.Module:
        """What is done to a filled network to make it fast; it keeps the values."""
        return net

    @classmethod
    def from_file(cls, path: str | Path, sha256: str | None = None) -> Self:
        """Read a file of the published layout; see `iplkit.extractors.files.read_state` for what is refused."""
        state, found = read_state(path, sha256)
        return cls(state, found, origin=path)

    @classmethod
    def net_of(cls, path: str | Path) -> nn.Module:
        """The network of a file alone, for use outside of measuring."""
        return cls.from_file(path).net

    @classmethod
    def random_weights(cls, seed: int = 0) -> Self:
        """Weights drawn from a seed: values keep their size from layer to layer, and mean nothing."""
        return cls(random_state(cls.build(), seed), random=True)


def shrink(images: Tensor, side: int = 256) -> Tensor:
    """Bytes as floats, and pictures larger than `side` at that size: the size that the papers measure at.

    Args:
        images: uint8, ``[N, 3, H, W]``.
        side: of the longer edge, pixels; smaller pictures stay as they are.

    Returns:
        ``[N, 3, h, w]`` in [-1, 1]; bicubic with antialias, clamped.
    """
    x, longest = from_uint8(images), max(images.shape[-2:])
    if longest <= side:
        return x
    height, width = (max(1, round(edge * side / longest)) for edge in images.shape[-2:])
    return resize(x, (height, width)).clamp(-1, 1)


def random_state(net: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """A state for a network from a seed: He et al. 2015, Eq. (10), for kernels; the rest near what it does at rest."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in net.state_dict().items():
        draw = torch.randn(tensor.shape, generator=rng) if tensor.is_floating_point() else torch.zeros((), dtype=torch.long)
        if tensor.ndim >= 2:
            draw *= (2 / tensor[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            draw = 1 + 0.1 * draw.abs()
        elif name.endswith("weight"):
            draw = 1 + 0.1 * draw
        elif tensor.is_floating_point():
            draw *= 0.1
        state[name] = draw
    return state


def exact_float32(device: torch.device):
    """Keep a GPU from rounding convolutions and products to ten bits (TF32), as it does by default for some."""
    if device.type != "cuda":
        return nullcontext()
    return _Exact()


class _Exact:
    def __enter__(self):
        self.before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def __exit__(self, *_):
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = self.before
