"""Networks of the papers where a notebook asks for "the judge" or "the identity": the same questions, as far as they can answer.

Inception knows 1008 classes of things, and neither our domains nor a portrait's factors; who asks for these is told so.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Self

import torch
from torch import Tensor, nn

from iplkit.errors import NotHere
from iplkit.extractors.arcface import ArcFace
from iplkit.extractors.inception import Inception, resize_tf1
from iplkit.images import resize, to_uint8

STEP = 16  # pictures of 299 px at once


class Told(dict):
    """What the judge told of some pictures; what it cannot tell is refused by name."""

    def __missing__(self, key: str):
        raise NotHere(f"Inception knows no {key.replace('_', ' ')}; the world's judge does")


class PaperJudge(nn.Module):
    """Inception of FID behind the face of the world's judge: "pool", the map before the first pooling, the classes.

    Args:
        net: see `iplkit.extractors.inception_net.InceptionNet`.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """Read FID's file."""
        return cls(Inception.from_file(path).net)

    @property
    def heads(self) -> SimpleNamespace:
        """"kinds": the last layer, whose bias one score keeps and the other does not."""
        return SimpleNamespace(kinds=self.net.fc)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """"pool" ``[N, 2048]`` and "stem" ``[N, 64, h, w]`` of pictures ``[N, 3, H, W]``; [-1, 1] is expected and not checked."""
        rows = []
        for part in images.split(STEP):
            maps = self.net.stem((resize_tf1((part + 1) * 127.5) - 128) / 128)
            rows.append((self.net.pool(maps["map192"]), maps["map64"]))
        pool, stem = (torch.cat(parts) for parts in zip(*rows))
        return {"pool": pool, "stem": stem}

    def forward(self, images: Tensor) -> SimpleNamespace:
        """`features` and "kinds_logits" ``[N, 1008]``."""
        features = self.features(images)
        return SimpleNamespace(features=features, kinds_logits=self.net.fc(features["pool"]))

    def tell(self, batch: Tensor) -> dict[str, Tensor]:
        """Of one batch, what `iplkit.features.judge_features` asks and Inception knows: "pool" and "kinds_probs"."""
        out = self(batch)
        return {"pool": out.features["pool"], "kinds_probs": out.kinds_logits.double().softmax(1)}

    only = Told


class PaperIdentity(nn.Module):
    """ArcFace behind the face of the world's identity network: pictures in [-1, 1] of any size -> ``[N, 512]`` of length 1.

    Args:
        extractor: owns crop, size and range.
    """

    def __init__(self, extractor: ArcFace):
        super().__init__()
        self.extractor, self.net = extractor, extractor.net

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """Read ``model_ir_se50.pth``."""
        return cls(ArcFace.from_file(path))

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings; rounded to 8 bits first, as every extractor wants it. Smaller pictures are enlarged, and tell it less."""
        if (side := min(images.shape[-2:])) < ArcFace.smallest:
            images = resize(images, tuple(edge * ArcFace.smallest // side for edge in images.shape[-2:]))
        return self.extractor(to_uint8(images))["embedding"]
