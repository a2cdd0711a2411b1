"""Where a CLIP comes from: built anew, read from our small file, or from the reader's own file.

This is the door of the room; what a `Clip` does is in `towers`, what it reads in `text`.
Our file holds only the rows of the token table that were trained. Loading lays them out in CLIP's
full table of 49408 rows, so that the shipped model is an ordinary CLIP under an ordinary tokenizer.
"""

import difflib
from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path

import open_clip
import torch
from torch import Tensor

from iplkit.clip.products import hasten
from iplkit.clip.text import compact_ids, to_compact
from iplkit.clip.torchscript import archive_tensors, is_archive
from iplkit.clip.towers import Clip, ClipConfig, build_world_clip, freeze
from iplkit.errors import UserError
from iplkit.weights import file_kind, read_weights, write_weights, zip_inside

__all__ = [
    "Clip",
    "ClipConfig",
    "build_world_clip",
    "compact_ids",
    "freeze",
    "load_clip",
    "load_open_clip",
    "save_clip",
    "to_compact",
]

OPENAI_EXTRAS = {"input_resolution", "context_length", "vocab_size"}  # numbers kept among OpenAI's weights
TABLE = "token_embedding.weight"
KIND = "clip"


def save_clip(
    path: str | Path,
    clip: Clip,
    token_ids: Tensor | Sequence[int] | None = None,
    words: Sequence[str] | None = None,
    metadata: dict | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a world CLIP with the rows of its token table that were trained.

    Args:
        path: the safetensors file.
        clip: a compact model, or a full one whose other rows are dropped.
        token_ids: CLIP's ids of the rows, ``[V]``; None takes the model's own.
        words: the words that `tokenize` shall accept; None takes the model's own.
        metadata: anything to remember about the training, JSON values.
        dtype: storage type, for example `torch.float16`; None keeps float32.

    Raises:
        UserError: if the model has no config or the rows do not fit the ids.
    """
    ids = clip.token_ids if token_ids is None else torch.as_tensor(token_ids).tolist()
    if clip.config is None or ids is None:
        raise UserError("save_clip needs a CLIP of build_world_clip and its token_ids; got one without them")
    tensors = dict(clip.model.state_dict())
    table = tensors[TABLE]
    if len(table) == clip.config.vocab_size:
        tensors[TABLE] = table[ids]
    elif len(table) != len(ids):
        raise UserError(f"a compact CLIP of {len(table)} rows needs as many token_ids; got {len(ids)}")
    known = clip.words if words is None else sorted(words)
    record = dict(metadata or {}) | dict(kind=KIND, config=asdict(clip.config), words=known)
    write_weights(path, tensors | {"token_ids": torch.tensor(ids)}, record, dtype=dtype)


def load_clip(path: str | Path, sha256: str | None = None) -> Clip:
    """Read a world CLIP, frozen, with CLIP's full token table; rows nobody trained are zero.

    Args:
        path: a file of `save_clip`.
        sha256: the hash the file must have; None accepts any.

    Raises:
        UserError: if the file is not whole, not ours, or not a CLIP.
    """
    tensors, record = read_weights(path, sha256)
    if record.get("kind") != KIND or "token_ids" not in tensors:
        raise UserError(f"{path} needs to hold a CLIP written by save_clip; it holds {record.get('kind', 'something else')}")
    config, ids = ClipConfig(**record["config"]), tensors.pop("token_ids").long()
    table = torch.zeros(config.vocab_size, config.text_width)
    table[ids] = tensors[TABLE]
    clip = build_world_clip(config)
    _fill(clip.model, tensors | {TABLE: table}, path)
    return freeze(Clip(clip.model, config=config, token_ids=ids, words=record["words"]))


def load_open_clip(name: str, path: str | Path) -> Clip:
    """The paper profile: an open_clip architecture with weights from a file the reader has.

    Nothing is downloaded. OpenAI's weights belong to the names that end in "-quickgelu"; under the
    plain name they load as well and give slightly wrong features.

    Args:
        name: an architecture of open_clip, for example "ViT-B-32-quickgelu".
        path: a safetensors file, a state dict of torch, or OpenAI's own archive (its code is not loaded).

    Returns:
        The frozen model; it knows all words.

    Raises:
        UserError: if the name is unknown, the file is not plain weights, or they do not fit.
    """
    if name not in open_clip.list_models():
        near = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        raise UserError(f"name needs to be an open_clip architecture; {name!r} is not one, the nearest: {', '.join(near)}")
    sizes = open_clip.get_model_config(name)
    if sizes.keys() - {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"} or "hf_model_name" in sizes["text_cfg"]:
        raise UserError(f"name needs an architecture with CLIP's own text tower; {name!r} has another")
    with torch.random.fork_rng(devices=[]):
        model = open_clip.CLIP(**sizes)
    _fill(model, _plain_weights(path, model.state_dict().keys()), path)
    return freeze(Clip(hasten(model)))


def _plain_weights(path: str | Path, names: Set[str]) -> dict[str, Tensor]:
    kind = file_kind(path)
    if kind == "safetensors":
        tensors, _ = read_weights(path)
    elif is_archive(path):  # also holds masks and numbers that are no weights
        tensors = {name: tensor for name, tensor in archive_tensors(path).items() if name in names}
    elif packed := zip_inside(path):
        raise UserError(f"{path} needs to be a safetensors file or a state dict of torch; it is an archive with {packed} inside, so unpack it first")
    elif kind in ("zip", "pickle"):
        tensors = _torch_weights(path)
    else:
        raise UserError(f"{path} needs to be a safetensors file or a state dict of torch; it is {kind}")
    tensors = tensors.get("state_dict", tensors) if isinstance(tensors, dict) else {}
    tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in tensors.items() if name not in OPENAI_EXTRAS}


def _torch_weights(path: str | Path) -> dict[str, Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path} needs to be a plain state dict of tensors; torch could not read it as one") from error


def _fill(model: torch.nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        needed, found = model.state_dict(), tensors
        wrong = sorted(k for k in needed.keys() | found.keys() if _shape(needed, k) != _shape(found, k))
        first = wrong[0] if wrong else "?"
        raise UserError(
            f"{path} needs {first} of shape {_shape(needed, first)}; it has {_shape(found, first)}, "
            f"and {len(wrong)} of {len(needed)} tensors do not fit"
        ) from error


def _shape(tensors: dict[str, Tensor], name: str) -> tuple | None:
    return tuple(tensors[name].shape) if name in tensors else None
