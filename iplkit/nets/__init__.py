"""Networks that look at portraits: critic for losses, judge for numbers, identity network for persons, encoder for codes."""

from iplkit.nets.critic import Critic, load_critic, save_critic
from iplkit.nets.encoder import Encoder, EncoderConfig, load_encoder, save_encoder
from iplkit.nets.identity import Identity, IdentityConfig, load_identity, save_identity
from iplkit.nets.judge import Judge, load_judge, save_judge
from iplkit.nets.readout import ClassifierConfig, Readout

__all__ = ["ClassifierConfig", "Critic", "Encoder", "EncoderConfig", "Identity", "IdentityConfig", "Judge", "Readout"]
__all__ += ["load_critic", "load_encoder", "load_identity", "load_judge", "save_critic", "save_encoder", "save_identity", "save_judge"]
