"""Files of the paper profile with random weights: the true names, layouts and sizes, and nothing learned.

They go through the same readers as the published files. So whoever has none can still see that every notebook runs to
its end, and how long real sizes take. A list in the folder names them, so that nobody takes them for the real ones.
"""

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.paper_files import LIST, synthetic
from iplkit.weights import atomic_path
from iplkit.zoo_files import write_down

CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}  # Karras et al. 2020, configuration F
SIZES = tuple(size for size in CHANNELS if size >= 16)
ENCODERS = {"psp": 3, "e4e": 3, "restyle-psp": 6, "restyle-e4e": 6}
USUAL = ("generator", "clip", "identity", "judge", "inception-torchvision", "vgg16", "lpips-heads", "hed", "e4e")
EDITS, ADAPTED = ("mapper-", "styleclip-fs3-ffhq", "styleclip-mean-std"), ("ipl-", "nada-")
VGG_CLASSES = {"classifier.0": (4096, 25088), "classifier.3": (4096, 4096), "classifier.6": (1000, 4096)}


def make(folder: Path, names: Sequence[str] = USUAL, size: int = 1024, seed: int = 0, width: int = 512, told: Callable[[str], None] = lambda name: None) -> list[Path]:
    """Write synthetic files under their published names.

    Args:
        folder: made if missing; a file that stands there and is not on its list is never replaced.
        names: models of the profile, see `iplkit.zoo.PAPER`.
        size: side of the generator's pictures and of the encoders' generator, pixels.
        seed: of all weights.
        width: most feature maps of the generator; fewer make it fast and keep every name.
        told: called with each name before its file is drawn.

    Returns:
        The files.

    Raises:
        UserError: an unknown name or size, or a real file in the way.
    """
    makers = _makers(size, seed, width)
    if size not in SIZES:
        raise UserError(f"size must be one of {', '.join(map(str, SIZES))}; got {size}")
    for name in names:
        if name not in makers:
            raise UserError(f"there is no synthetic {name!r}; {zoo.nearest(name, makers)}")
    folder, listed = Path(folder), synthetic(folder)
    targets = {name: folder / zoo.entry(name, "paper").file for name in names}
    if real := [path.name for path in targets.values() if path.exists() and path.name not in listed]:
        raise UserError(f"{folder} needs to hold no real files under these names; there are {', '.join(real)}, and nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in targets.items():
        told(name)
        with atomic_path(path) as temporary:
            makers[name](temporary)
        listed[path.name] = write_down(path)  # not a change of a reader's file if there was another one of ours
        with atomic_path(folder / LIST) as temporary:
            temporary.write_text(json.dumps({"random weights": True, "size": size, "seed": seed, "files": listed}, indent=1) + "\n", encoding="utf-8")
    synthetic.cache_clear()
    return list(targets.values())


def _makers(size: int, seed: int, width: int) -> dict[str, Callable[[Path], None]]:
    from iplkit.extractors.arcface import ArcFace
    from iplkit.extractors.dinov2 import DinoV2
    from iplkit.extractors.hed import Hed
    from iplkit.extractors.inception import Inception, TorchvisionInception
    from iplkit.stylegan2.checkpoints import to_rosinality
    from iplkit.synthetic_styleclip import write_styleclip

    nets = {"identity": ArcFace, "judge": Inception, "inception-torchvision": TorchvisionInception, "hed": Hed, "dinov2": DinoV2}
    makers = {name: lambda path, kind=kind: torch.save(_state(kind.build(), seed), path) for name, kind in nets.items()}
    makers |= {"vgg16": lambda path: torch.save(_vgg(seed)[0], path), "lpips-heads": lambda path: torch.save(_vgg(seed)[1], path)}
    makers |= {"generator": lambda path: _generator(path, size, seed, width)}
    makers |= {"clip": lambda path: _openai_archive(path, seed), "clip-judge": lambda path: torch.save(_clip("ViT-L-14", seed), path)}
    makers |= {name: lambda path, name=name: torch.save(_encoder(name, size, seed, width), path) for name in ENCODERS}
    for found in zoo.entries("paper"):
        if found.name.startswith(EDITS):
            makers[found.name] = lambda path, name=found.name: write_styleclip(path, name, _new_generator(size, seed, width), seed)
        elif found.name.startswith(ADAPTED):
            makers[found.name] = lambda path: torch.save({"g_ema": to_rosinality(_new_generator(size, seed + 1, width))}, path)
    return makers


def _state(net: nn.Module, seed: int) -> dict[str, Tensor]:
    from iplkit.extractors.base import random_state

    return random_state(net, seed)


def _new_generator(size: int, seed: int, width: int) -> nn.Module:
    from iplkit.stylegan2.generator import Generator, GeneratorConfig

    channels = tuple(min(CHANNELS[side], width) for side in CHANNELS if side <= size)
    generator = Generator(GeneratorConfig(size, channels, n_mlp=8), seed=seed)
    generator.mapping.estimate_w_avg(torch.Generator().manual_seed(seed))
    return generator.requires_grad_(False)


def _generator(path: Path, size: int, seed: int, width: int) -> None:
    from iplkit.stylegan2.checkpoints import save_rosinality

    save_rosinality(path, _new_generator(size, seed, width))


def _clip(architecture: str, seed: int) -> dict[str, Tensor]:
    import open_clip

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.CLIP(**open_clip.get_model_config(architecture)).state_dict()


def _openai_archive(path: Path, seed: int) -> None:
    """ViT-B/32 as OpenAI publishes it: a TorchScript archive in half precision with three numbers beside the weights."""
    root = _Holder()
    for name, tensor in _clip("ViT-B-32-quickgelu", seed).items():
        if name != "attn_mask":
            root.put(name.split("."), nn.Parameter(tensor.half(), requires_grad=False))
    for name, value in {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}.items():
        root.register_buffer(name, torch.tensor(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; the published file is still made of it
        torch.jit.script(root).save(str(path))


class _Holder(nn.Module):
    """Modules that only hold tensors under dotted names."""

    def put(self, names: list[str], parameter: nn.Parameter) -> None:
        """Keep a tensor under its names, outermost first."""
        if len(names) == 1:
            self.register_parameter(names[0], parameter)
            return
        if names[0] not in self._modules:
            self.add_module(names[0], _Holder())
        self._modules[names[0]].put(names[1:], parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Nothing; an archive needs a program."""
        return x


def _vgg(seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """torchvision's VGG-16 with its classifier, and the heads of LPIPS, which are not negative."""
    from iplkit.extractors.lpips import VggLpips

    state = _state(VggLpips.build(), seed)
    trunk = {name: tensor for name, tensor in state.items() if name.startswith("features.")}
    for name, (out, inside) in VGG_CLASSES.items():
        trunk |= {f"{name}.weight": torch.zeros(out, inside, dtype=torch.float16), f"{name}.bias": torch.zeros(out)}
    return trunk, {name: tensor.abs() for name, tensor in state.items() if name.startswith("lin")}


def _encoder(name: str, size: int, seed: int, width: int) -> dict:
    """An encoder with its generator, options and mean code, as pSp, e4e and ReStyle write them."""
    from iplkit.invert.published_nets import DESIGNS, KINDS, PublishedNet, Sizes
    from iplkit.stylegan2.checkpoints import to_rosinality

    generator = _new_generator(size, seed, width)
    with torch.device("meta"):
        net = PublishedNet(DESIGNS[KINDS[name]], generator.num_ws, ENCODERS[name], Sizes())
    state = {f"encoder.{key}": tensor for key, tensor in _state(net, seed).items()}
    state |= {f"decoder.{key}": tensor for key, tensor in to_rosinality(generator).items()}
    options = {"encoder_type": KINDS[name], "stylegan_size" if name == "e4e" else "output_size": size, "start_from_latent_avg": True}
    return {"state_dict": state, "opts": options, "latent_avg": generator.mapping.w_avg.expand(generator.num_ws, -1).clone()}
