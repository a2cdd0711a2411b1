"""Generators in NVIDIA's two layouts, read and written: names and numbers go over, code does not.

What our generator cannot draw is refused in one sentence: classes, other filters, other architectures, StyleGAN 1 and 3.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.stylegan2.fir import fir_kernel
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.nvidia_layout import MAX_NUMBERS, Place, our_shapes, tensorflow_places, torch_filters, torch_places
from iplkit.stylegan2.nvidia_pickle import read_pickle
from iplkit.stylegan2.pickled_arrays import Array
from iplkit.stylegan2.pickled_names import Thing

LR_MUL = 0.01  # of the mapping network, where a file does not say it
MAX_MODULES = 2000
MAX_DEPTH = 8


def load_nvidia_pickle(path: str | Path) -> tuple[Generator, dict]:
    """The averaged generator of a ``.pkl`` of StyleGAN2 or StyleGAN2-ADA, TensorFlow's or torch's.

    Args:
        path: the file; nothing in it is run.

    Returns:
        The generator on the CPU, and what the file says: layout, network, ``conv_clamp``. NVIDIA's half-precision layers
        cut off what is larger than ``conv_clamp``, which is 256 times the usual; ours need no such cut.

    Raises:
        UserError: if the file holds anything but one whole unconditional StyleGAN2 generator.
    """
    content = read_pickle(path)
    try:
        return _of_content(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (TypeError, KeyError, AttributeError, ValueError, IndexError, OverflowError, RuntimeError) as error:
        raise UserError(f"{path} needs to hold a StyleGAN2 generator of NVIDIA; its parts do not fit together") from error


def from_torch_layout(theirs: dict[str, Tensor], lr_mul: float = LR_MUL) -> Generator:
    """A generator from tensors under the names of NVIDIA's torch code.

    Args:
        theirs: what ``G_ema.state_dict()`` gives there; sizes come from the shapes.
        lr_mul: how much slower than the rest the mapping network learned; the tensors do not say it.

    Raises:
        UserError: if a tensor is missing, unknown, of another shape or not finite, or the generator is another one.
    """
    _refuse_others(theirs)
    sides = sorted(int(found[1]) for key in theirs if (found := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.weight", key)))
    depth = sum(re.fullmatch(r"mapping\.fc\d+\.weight", key) is not None for key in theirs)
    _need(theirs, ["mapping.fc0.weight", *(f"synthesis.b{side}.conv1.weight" for side in sides or [4])])
    w_dim, z_dim = _two(theirs, "mapping.fc0.weight")
    channels = [theirs[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides]
    config = _config(sides, channels, z_dim, w_dim, depth, lr_mul)
    for key in (filters := torch_filters(config)) & theirs.keys():
        if theirs[key].shape != (4, 4) or not torch.allclose(theirs[key].float(), fir_kernel(), atol=1e-4):
            raise UserError(f"{key} needs to be the filter [1, 3, 3, 1]; it is another one, so this generator would draw other pictures")
    return _filled(config, {k: t for k, t in theirs.items() if k not in filters}, torch_places(config))


def to_torch_layout(generator: Generator) -> dict[str, Tensor]:
    """A generator's tensors under the names of NVIDIA's torch code, with the filters; its ``load_state_dict`` takes them."""
    ours, config = generator.state_dict(), generator.config
    theirs = {key: _copy(place.theirs(ours[place.ours])) for key, place in torch_places(config).items()}
    return theirs | {key: fir_kernel() for key in torch_filters(config)}


def from_tensorflow_layout(theirs: dict[str, Tensor], lr_mul: float = LR_MUL) -> Generator:
    """A generator from tensors under the names of NVIDIA's TensorFlow code; see `from_torch_layout`."""
    _refuse_others(theirs)
    names = {key: re.fullmatch(r"synthesis/(\d+)x\1/Conv1?/weight", key) for key in theirs}
    sides = {int(found[1]): key for key, found in names.items() if found}
    depth = sum(re.fullmatch(r"mapping/Dense\d+/weight", key) is not None for key in theirs)
    _need(theirs, ["mapping/Dense0/weight", *(["synthesis/4x4/Conv/weight"] if 4 not in sides else [])])
    z_dim, w_dim = _two(theirs, "mapping/Dense0/weight")
    channels = [theirs[sides[side]].shape[-1] for side in sorted(sides)]
    config = _config(sorted(sides), channels, z_dim, w_dim, depth, lr_mul)
    used = {key: t for key, t in theirs.items() if key.rsplit("/", 1)[-1] != "lod"}  # a counter of growing networks
    return _filled(config, used, tensorflow_places(config))


def to_tensorflow_layout(generator: Generator) -> dict[str, Tensor]:
    """A generator's tensors under the names of NVIDIA's TensorFlow code."""
    ours = generator.state_dict()
    return {key: _copy(place.theirs(ours[place.ours])) for key, place in tensorflow_places(generator.config).items()}


def _of_content(content: Any) -> tuple[Generator, dict]:
    if isinstance(content, (tuple, list)) and len(content) == 3 and all(_is(part, "Network") for part in content):
        return _of_tensorflow(content[2])
    found = content.get("G_ema") if type(content) is dict else content
    if not isinstance(found, Thing) or type(found.state) is not dict or "_modules" not in found.state:
        raise UserError("a pickle of NVIDIA needs three networks, or one called G_ema; this one holds something else")
    tensors, options = dict(_tensors(found)), list(_options(found))
    state = found.state
    _refuse_options([state, *options])
    gains = {o["bias_gain"] for o in options if "bias_gain" in o and "weight_gain" in o and o.get("activation") == "lrelu"}
    lr_mul = gains.pop() if len(gains) == 1 else LR_MUL
    clamps = sorted({o["conv_clamp"] for o in options if type(o.get("conv_clamp")) in (int, float)})
    generator = from_torch_layout(tensors, _rate(lr_mul))
    _refuse_other_size(state.get("img_resolution"), generator)
    return generator, {"layout": "NVIDIA, torch", "network": "G_ema", "conv_clamp": clamps[0] if clamps else None}


def _of_tensorflow(network: Thing) -> tuple[Generator, dict]:
    options = network.state["static_kwargs"]
    options = options.items if isinstance(options, Thing) else options
    _refuse_options([options])
    if options.get("mapping_nonlinearity", "lrelu") != "lrelu" or options.get("normalize_latents", True) is not True:
        raise UserError("a StyleGAN2 generator needs leaky ReLU and a scaled z in its mapping network; this one has others")
    lr_mul = _rate(options.get("mapping_lrmul", LR_MUL))
    arrays = dict(_variables(network))
    if sum(array.size for array in arrays.values()) > MAX_NUMBERS:
        raise UserError(f"a generator needs to have at most {MAX_NUMBERS:,} numbers; this one has more")
    generator = from_tensorflow_layout({key: torch.from_numpy(array.astype("float32")) for key, array in arrays.items()}, lr_mul)
    _refuse_other_size(options.get("resolution"), generator)
    clamp = options.get("conv_clamp")
    return generator, {"layout": "NVIDIA, TensorFlow", "network": "Gs", "conv_clamp": clamp if type(clamp) in (int, float) else None}


def _refuse_other_size(said: Any, generator: Generator) -> None:
    if type(said) is int and said != generator.config.size:
        raise UserError(f"a generator needs the size that its file says, {said} px; its layers draw {generator.config.size} px")


def _is(thing: Any, name: str) -> bool:
    return isinstance(thing, Thing) and thing.kind.name == name and type(thing.state) is dict


def _walk(module: Thing) -> Iterator[tuple[str, dict]]:
    """Prefix and state of a module and those inside it; a file in which modules hold each other has an end too."""
    waiting, seen = [("", module, 0)], 0
    while waiting:
        prefix, found, depth = waiting.pop()
        if (seen := seen + 1) > MAX_MODULES or depth > MAX_DEPTH or not isinstance(found, Thing):
            raise UserError("a generator needs a plain tree of modules; this one has no end or other parts")
        yield prefix, found.state
        waiting += [(f"{prefix}{name}.", part, depth + 1) for name, part in found.state["_modules"].items() if part is not None]


def _tensors(module: Thing) -> Iterator[tuple[str, Tensor]]:
    for prefix, state in _walk(module):
        for name, tensor in [*state["_parameters"].items(), *state["_buffers"].items()]:
            if tensor is not None:
                yield f"{prefix}{name}", tensor


def _options(module: Thing) -> Iterator[dict]:
    for _, state in _walk(module):
        yield {name: value for name, value in state.items() if type(value) in (str, int, float, bool)}


def _variables(network: Thing, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    if depth > MAX_DEPTH or not _is(network, "Network"):
        raise UserError("a generator needs a plain tree of networks; this one has no end or other parts")
    for name, array in network.state["variables"]:
        if not isinstance(array, Array) or type(name) is not str:
            raise TypeError
        yield f"{prefix}{name}", array.value
    parts = network.state["components"]
    for name, part in (parts.items if isinstance(parts, Thing) else dict(parts)).items():
        if name in ("mapping", "synthesis"):
            yield from _variables(part, f"{prefix}{name}/", depth + 1)


def _refuse_options(options: list[dict]) -> None:
    """What changes the pictures and cannot be seen in names and shapes."""
    for found in options:
        if found.get("c_dim", found.get("label_size", 0)) not in (0, None):
            raise UserError("a generator without classes is needed; this one is conditional, so it wants a label beside z")
        if found.get("img_channels", found.get("num_channels", 3)) != 3:
            raise UserError("a generator of three color channels is needed; this one has another number")
        if found.get("architecture", "skip") != "skip":
            raise UserError("a StyleGAN2 generator needs the architecture skip; this one has another")
        if found.get("activation", "lrelu") not in ("lrelu", "linear") or found.get("nonlinearity", "lrelu") != "lrelu":
            raise UserError("a StyleGAN2 generator needs leaky ReLU; this one has another activation")
        if found.get("resample_kernel", [1, 3, 3, 1]) not in ([1, 3, 3, 1], (1, 3, 3, 1)):
            raise UserError("a StyleGAN2 generator needs the filter [1, 3, 3, 1]; this one has another")
        if found.get("use_noise", True) is not True:
            raise UserError("a StyleGAN2 generator needs its noise inputs; this one was made without")


def _refuse_others(theirs: dict[str, Tensor]) -> None:
    words = {"mapping.embed": "conditional, so it wants a label beside z", "LabelEmbed": "conditional, so it wants a label beside z"}
    words |= {"LabelConcat": "conditional, so it wants a label beside z", "synthesis.input": "of StyleGAN3"}
    words |= {"StyleMod": "of the first StyleGAN", "_lod": "of an older architecture", ".skip.": "of the residual architecture"}
    for mark, what in words.items():
        if any(mark in key for key in theirs):
            raise UserError(f"an unconditional StyleGAN2 generator is needed; this one is {what}")


def _need(theirs: dict[str, Tensor], keys: list[str]) -> None:
    if missing := [key for key in keys if key not in theirs]:
        raise UserError(f"a StyleGAN2 generator of NVIDIA needs {missing[0]}; it is missing")


def _two(theirs: dict[str, Tensor], key: str) -> tuple[int, int]:
    if theirs[key].ndim != 2:
        raise UserError(f"{key} needs two axes; got {theirs[key].ndim}")
    return tuple(theirs[key].shape)


def _config(sides: list[int], channels: list[int], z_dim: int, w_dim: int, depth: int, lr_mul: float) -> GeneratorConfig:
    if sides != [4 * 2**level for level in range(len(sides))]:
        raise UserError(f"a StyleGAN2 generator needs layers at 4, 8, 16, ... px; this one has {', '.join(map(str, sides[:12])) or 'none'}")
    return GeneratorConfig(sides[-1], tuple(channels), z_dim, w_dim, depth, lr_mul)


def _rate(value: Any) -> float:
    if type(value) not in (int, float) or not (math.isfinite(value) and 0 < value <= 1):
        raise UserError("a mapping network needs a learning rate between 0 and 1; the file says another")
    return float(value)


def _filled(config: GeneratorConfig, theirs: dict[str, Tensor], places: dict[str, Place]) -> Generator:
    """A generator with their numbers; everything is checked before a network is made."""
    shapes = our_shapes(config)
    middle = next(key for key, place in places.items() if place.ours == "mapping.w_avg")
    missing, unknown = sorted(places.keys() - theirs.keys() - {middle}), sorted(theirs.keys() - places.keys())
    if missing or unknown:
        raise UserError(
            f"this layout needs {len(places)} tensors; {len(missing)} are missing and {len(unknown)} unknown, such as {(missing or unknown)[0][:60]}"
        )
    for key, tensor in theirs.items():
        if tuple(tensor.shape) != (want := places[key].shape(shapes[places[key].ours])):
            raise UserError(f"{key} needs shape {want}; got {tuple(tensor.shape)}")
        if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
            raise UserError(f"{key} needs finite numbers; it has others")
    generator = Generator(config)
    ours = generator.state_dict()
    for key, tensor in theirs.items():
        ours[places[key].ours].copy_(places[key].back(tensor.float()))
    if middle not in theirs:
        generator.mapping.estimate_w_avg(torch.Generator().manual_seed(0))
    return generator


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().float().clone(memory_format=torch.contiguous_format)
