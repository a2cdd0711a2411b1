"""DINOv2, a network that learned from pictures alone: features that follow what a person would call alike.

Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision"; Stein et al. 2023, "Exposing flaws of
generative model evaluation metrics ...", Sec. 3, for its use in place of Inception. A vision transformer (Dosovitskiy
et al. 2021) whose branches are scaled channel by channel (Touvron et al. 2021).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.clip.products import hasten
from iplkit.extractors.base import FileExtractor
from iplkit.images import from_uint8, resize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for pixels in [0, 1]
OFFSET = 0.1  # that the published code adds before it stretches the table of positions


@dataclass(frozen=True)
class VitConfig:
    """Sizes; the defaults are ViT-L/14."""

    width: int = 1024
    depth: int = 24
    heads: int = 16
    patch: int = 14  # pixels
    grid: int = 37  # patches along a side when it was trained, 518 px


class Scale(nn.Module):
    """One learned factor a channel."""

    def __init__(self, width: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Attention(nn.Module):
    """Every token looks at every other."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width))


class Layer(nn.Module):
    """Attention, then two linear layers at each token."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1, self.ls2 = Scale(width), Scale(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))


class Vit(nn.Module):
    """The transformer; names as in Meta's files."""

    def __init__(self, config: VitConfig):
        super().__init__()
        self.config, width = config, config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, config.patch, config.patch)})
        self.blocks = nn.ModuleList(Layer(width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def positions(self, side: int) -> Tensor:
        """The table of positions for `side` patches along each axis, ``[1, 1 + side², width]``."""
        grid = self.config.grid
        if side == grid:
            return self.pos_embed
        table = self.pos_embed[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        table = F.interpolate(table, scale_factor=(side + OFFSET) / grid, mode="bicubic", align_corners=False)
        return torch.cat([self.pos_embed[:, :1], table.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalized square pictures ``[N, 3, S, S]`` -> the class token ``[N, width]``."""
        patches = self.patch_embed["proj"](x)
        tokens = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1) + self.positions(patches.shape[-1])
        for layer in self.blocks:
            x = layer(x)
        return self.norm(x)[:, 0]


class DinoV2(FileExtractor):
    """What is in the picture: "embedding" ``[N, 1024]``, the class token of ViT-L/14, not normalized."""

    name = "dinov2"
    profile = "paper"
    layers = ("embedding",)
    protocol = {"resize": "bicubic to 224, antialias, clamped", "range": "ImageNet mean and std"}
    ignored = ("mask_token",)
    config = VitConfig()

    @classmethod
    def build(cls) -> nn.Module:
        """342 tensors and an unused one, named as in ``dinov2_vitl14_pretrain.pth``."""
        with torch.device("meta"):
            return hasten(Vit(cls.config))

    def compute(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """See the class."""
        mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        x = (resize(from_uint8(images), 16 * self.config.patch).clamp(-1, 1) + 1) / 2
        return {"embedding": self.net((x - mean) / std)}
