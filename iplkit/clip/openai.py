"""A CLIP that OpenAI's own module loaded, made into ours: the same weights behind the same three functions.

Radford et al. 2021. OpenAI's ``clip.load`` gives a module, or a TorchScript program, whose tensors have the names
that open_clip uses too. Sizes are read from their shapes; nothing of OpenAI's code is called or needed.
"""

import torch
from open_clip import CLIP
from torch import Tensor, nn

from iplkit.clip.model import OPENAI_EXTRAS
from iplkit.clip.products import hasten
from iplkit.clip.towers import HEAD_WIDTH, Clip, freeze
from iplkit.errors import UserError

PATCHES = "visual.conv1.weight"


def from_openai(model: nn.Module | dict[str, Tensor]) -> Clip:
    """Our `Clip` with the weights of a model of OpenAI's ``clip`` module; tokens and features are the same.

    Half precision, which that module uses on a GPU, becomes float32: differences of features are small,
    and half precision rounds them away. The given model is not changed.

    Args:
        model: what ``clip.load`` returned first (with ``jit`` either way), or its state dict.

    Returns:
        The frozen model, on the weights' device; it knows all words.

    Raises:
        UserError: if these are not the weights of a CLIP in OpenAI's layout.
    """
    tensors = model.state_dict() if isinstance(model, nn.Module) else dict(model)
    tensors = {name: tensor for name, tensor in tensors.items() if name not in OPENAI_EXTRAS}
    sizes = openai_sizes(tensors)
    with torch.random.fork_rng(devices=[]):
        ours = CLIP(**sizes, quick_gelu=True)
    try:
        ours.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError("from_openai needs all weights of a CLIP in OpenAI's layout; some are missing or do not fit") from error
    return freeze(Clip(hasten(ours)).to(tensors[PATCHES].device))


def openai_sizes(tensors: dict[str, Tensor]) -> dict:
    """open_clip's words for the sizes of a CLIP in OpenAI's layout, from the shapes of its tensors.

    Heads have 64 channels, as in every model that OpenAI published.

    Raises:
        UserError: if a tensor that tells a size is missing.
    """
    try:
        length, width = tensors["positional_embedding"].shape
        embed_dim = tensors["text_projection"].shape[1]
        rows = tensors["token_embedding.weight"].shape[0]
        vision = _transformer_sizes(tensors) if "visual.proj" in tensors else _resnet_sizes(tensors)
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(f"from_openai needs a CLIP in OpenAI's layout; {error.args[0]!r} is missing or has another shape") from error
    layers = _count(tensors, "transformer.resblocks")
    text = dict(context_length=length, vocab_size=rows, width=width, heads=width // HEAD_WIDTH, layers=layers)
    return dict(embed_dim=embed_dim, vision_cfg=vision, text_cfg=text)


def _transformer_sizes(tensors: dict[str, Tensor]) -> dict:
    width, _, patch, _ = tensors[PATCHES].shape
    layers = _count(tensors, "visual.transformer.resblocks")
    side = patch * _grid(tensors["visual.positional_embedding"])
    return dict(image_size=side, patch_size=patch, width=width, layers=layers, head_width=HEAD_WIDTH)


def _resnet_sizes(tensors: dict[str, Tensor]) -> dict:
    width = tensors["visual.layer1.0.conv1.weight"].shape[0]
    layers = tuple(_count(tensors, f"visual.layer{level}") for level in (1, 2, 3, 4))
    side = 32 * _grid(tensors["visual.attnpool.positional_embedding"])
    return dict(image_size=side, width=width, layers=layers, head_width=HEAD_WIDTH)


def _grid(positions: Tensor) -> int:
    """Patches along a side: one row is the summary's, the others are a square."""
    return round((len(positions) - 1) ** 0.5)


def _count(tensors: dict[str, Tensor], prefix: str) -> int:
    """How many numbered parts stand behind a prefix."""
    return len({name[len(prefix) + 1 :].split(".")[0] for name in tensors if name.startswith(prefix + ".")})
