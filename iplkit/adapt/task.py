"""What a method is given, and what it gives back."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from iplkit.adapt.look import Look
from iplkit.adapt.loop import Plugs
from iplkit.adapt.mapper_checkpoint import MapperCheckpoint
from iplkit.adapt.parts import Parts
from iplkit.adapt.settings import AdaptSettings
from iplkit.clip.prompts import PromptMapper


@dataclass(frozen=True)
class Task:
    """What a method is given."""

    generator_source: nn.Module
    clip: nn.Module
    source: str
    target: str
    settings: AdaptSettings
    seed: int
    look: Look
    templates: tuple[str, ...]
    cache_dir: Path | None = None
    progress: bool = True
    more: tuple[tuple[nn.Module, float], ...] = ()  # further CLIPs with their weights; they vote for layers too
    keep: MapperCheckpoint | None = None  # where a first stage goes on after an interruption
    parts: Parts | None = None  # how batches are drawn; None draws them whole


@dataclass(frozen=True)
class Recipe:
    """What a method gives back."""

    plugs: Plugs
    mapper: PromptMapper | None = None
    mapper_log: tuple[dict, ...] = ()
