"""Networks that look at portraits: the critic for losses, the judge for numbers, the identity network for persons."""

from iplkit.nets.critic import Critic, load_critic, save_critic
from iplkit.nets.identity import Identity, IdentityConfig, load_identity, save_identity
from iplkit.nets.judge import Judge, load_judge, save_judge
from iplkit.nets.readout import ClassifierConfig, Readout

__all__ = ["ClassifierConfig", "Critic", "Identity", "IdentityConfig", "Judge", "Readout"]
__all__ += ["load_critic", "load_identity", "load_judge", "save_critic", "save_identity", "save_judge"]
