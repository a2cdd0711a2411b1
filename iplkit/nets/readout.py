"""What critic and judge say of pictures, the sizes they share, and how they are kept on disk."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.images import resize
from iplkit.weights import read_weights, write_weights


@dataclass(frozen=True)
class ClassifierConfig:
    """Sizes of a classifier of portraits; the last of the domain classes is "none"."""

    size: int = 64  # pixels; pictures of another size are resized to it
    width: int = 32  # channels of the first layers
    num_domains: int = 15
    num_factors: int = 25
    num_kinds: int = 40

    def __post_init__(self):
        if self.size % 16 or self.size < 32:
            raise UserError(f"size needs to be a multiple of 16 from 32 up; got {self.size}")


class Readout(NamedTuple):
    """Everything a classifier says of N pictures."""

    domain_logits: Tensor  # [N, num_domains], the last class is "none"
    factors: Tensor  # [N, num_factors] in (0, 1)
    kinds_logits: Tensor  # [N, num_kinds]
    features: dict[str, Tensor]  # layer name -> [N, C, H, W], and "pool" -> [N, D]


class Heads(nn.Module):
    """Three answers from one last map: domain and kind from its mean, factors from where things are.

    Args:
        config: how many answers.
        channels: of the last map.
        side: its side.
        places: channels that keep their place for the factors.
    """

    def __init__(self, config: ClassifierConfig, channels: int, side: int, places: int = 24):
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, places, 1), nn.SiLU())
        self.shared = nn.Sequential(nn.Linear(channels + places * side * side, 192), nn.SiLU())
        self.domain = nn.Linear(channels, config.num_domains)
        self.factors = nn.Linear(192, config.num_factors)
        self.kinds = nn.Linear(192, config.num_kinds)

    def forward(self, last: Tensor, features: dict[str, Tensor]) -> Readout:
        """Answers for the last map ``[N, C, side, side]``; its mean joins the features as "pool"."""
        pool = last.mean(dim=(2, 3))
        shared = self.shared(torch.cat([pool, self.squeeze(last).flatten(1)], dim=1))
        answers = self.domain(pool), self.factors(shared).float().sigmoid(), self.kinds(shared)
        return Readout(answers[0].float(), answers[1], answers[2].float(), features | {"pool": pool})


def fit_size(images: Tensor, size: int) -> Tensor:
    """Pictures of any size at the network's own; gradients pass.

    Raises:
        UserError: if the tensor is not ``[N, 3, H, W]``.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(f"images need shape [N, 3, H, W]; got {tuple(images.shape)}")
    return images if images.shape[-2:] == (size, size) else resize(images, size)


def save_net(path: str | Path, net: nn.Module, kind: str, metadata: dict | None = None, dtype=None) -> None:
    """Write a network with its config; `kind` says which network reads it."""
    tensors = {name: t for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    write_weights(path, tensors, dict(metadata or {}) | {"kind": kind, "config": asdict(net.config)}, dtype=dtype)


def load_net(path: str | Path, kind: str, config_class: type, net_class: type, sha256: str | None = None) -> nn.Module:
    """Read a network of `save_net`, frozen.

    Raises:
        UserError: if the file is damaged, of another kind, or its weights do not fit its config.
    """
    tensors, record = read_weights(path, sha256)
    if record.get("kind") != kind:
        raise UserError(f"{path} needs to hold a {kind}; it holds {record.get('kind', 'something else')}")
    net = net_class(config_class(**record["config"]))
    wanted = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
    try:
        net.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise UserError(f"{path} needs weights that fit its own sizes; some do not") from error
    if wanted != set(tensors):
        raise UserError(f"{path} needs {len(wanted)} tensors; {len(wanted ^ set(tensors))} are missing or too many")
    return net.eval().requires_grad_(False)
