"""Adaptation: one loop with five plugs. `methods` names the plugs, `loop` turns them."""

from iplkit.adapt.methods import METHODS, PAPER, AdaptResult, adapt
from iplkit.adapt.settings import QUIRKS, AdaptSettings
from iplkit.adapt.stage1 import train_mapper

__all__ = ["METHODS", "PAPER", "QUIRKS", "AdaptResult", "AdaptSettings", "adapt", "train_mapper"]
