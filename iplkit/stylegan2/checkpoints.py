"""Generators on disk: our safetensors, the layout of rosinality's stylegan2-pytorch that most FFHQ files use, and NVIDIA's.

Nothing here runs code from a file. Our files hold tensors only; a ``.pt`` is read by torch's reader for plain
tensors, after its first bytes have shown what it is; a ``.pkl`` by `nvidia_pickle`, which knows data and no calls.
"""

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from iplkit.errors import UserError
from iplkit.stylegan2.differences import load_difference, save_difference
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.nvidia import from_torch_layout, load_nvidia_pickle, to_torch_layout
from iplkit.stylegan2.nvidia_layout import our_shapes
from iplkit.weights import atomic_path, file_kind, read_weights, write_weights, zip_inside

__all__ = [
    "from_rosinality",
    "infer_config",
    "load_difference",
    "load_generator",
    "save_difference",
    "save_generator",
    "save_nvidia",
    "save_rosinality",
    "to_rosinality",
]

LR_MUL = 0.01  # of the mapping network; the layout does not store it
NVIDIA_KIND = "generator, NVIDIA's names"
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began until version 1.5


def save_generator(path: str | Path, generator: Generator, metadata: dict | None = None, dtype: torch.dtype | None = None) -> None:
    """Write a generator with its sizes into one safetensors file.

    Args:
        path: the file to write.
        generator: its weights, its stored noise and its `w_avg` are kept.
        metadata: what else to record; "kind" and "config" are taken.
        dtype: storage type, for example `torch.float16` at half the bytes; None keeps float32.

    Raises:
        UserError: if `metadata` uses a name that is taken.
    """
    write_weights(path, generator.state_dict(), _record(metadata, kind="generator", config=generator.config.asdict()), dtype)


def load_generator(path: str | Path, sha256: str | None = None) -> Generator:
    """Read a generator from our safetensors, rosinality's ``.pt`` or NVIDIA's ``.pkl``; sizes come from the file.

    A file without a mean latent gets one from 4096 draws with seed 0, so truncation means the same each time.

    Args:
        path: the file.
        sha256: the hash that a safetensors file must have; None accepts any.

    Returns:
        The generator on the CPU, in float32.

    Raises:
        UserError: if the file is missing, damaged, a web page, or holds anything but a generator.
    """
    kind = file_kind(path)
    if kind == "pickle" and not _is_old_torch(path):
        return load_nvidia_pickle(path)[0]
    if kind != "safetensors":
        return from_rosinality(_read_torch(path))
    tensors, record = read_weights(path, sha256)
    if record.get("kind") == NVIDIA_KIND:
        return from_torch_layout(tensors, record["config"]["lr_mul"])
    if record.get("kind") != "generator":
        raise UserError(f"{path} needs to hold a generator; it holds {record.get('kind', 'weights of no stated kind')}")
    generator = Generator(GeneratorConfig(**record["config"]))
    _load_strictly(generator, tensors)
    return generator


def save_nvidia(path: str | Path, generator: Generator, metadata: dict | None = None) -> None:
    """Write safetensors under the names of NVIDIA's torch code, for its ``load_state_dict``; `load_generator` reads it too.

    A ``.pkl`` of theirs holds their source code as well, and is not written.
    """
    write_weights(path, to_torch_layout(generator), _record(metadata, kind=NVIDIA_KIND, config=generator.config.asdict()))


def save_rosinality(path: str | Path, generator: Generator) -> None:
    """Write a ``.pt`` that code in rosinality's layout can load: ``g_ema`` and ``latent_avg``."""
    checkpoint = {"g_ema": to_rosinality(generator), "latent_avg": generator.mapping.w_avg.detach().cpu().clone()}
    with atomic_path(path) as temporary, open(temporary, "wb") as file:  # torch would write a path's name into the bytes
        torch.save(checkpoint, file)


def to_rosinality(generator: Generator) -> dict[str, Tensor]:
    """A generator's tensors under rosinality's names and shapes; `w_avg` has no place there.

    Raises:
        UserError: if the layout cannot say what this generator is.
    """
    config = generator.config
    if config.lr_mul != LR_MUL or config.z_dim != config.w_dim:
        raise UserError(
            f"rosinality's layout needs lr_mul {LR_MUL} and z_dim equal to w_dim; "
            f"got {config.lr_mul}, {config.z_dim} and {config.w_dim}"
        )
    ours = generator.state_dict()
    theirs = {
        key: ours[name].detach().cpu().float().reshape(shape).clone(memory_format=torch.contiguous_format)
        for key, (name, shape) in _key_map(ours, config).items()
    }
    kernel = 4 * generator.synthesis.fir.detach().cpu().float()
    return theirs | {key: kernel.clone() for key in _kernel_keys(config)}


def from_rosinality(checkpoint: dict) -> Generator:
    """A generator from rosinality's layout; size, channels and depth of the mapping network come from the keys.

    Args:
        checkpoint: the whole file (``g_ema``, perhaps ``latent_avg``), or what is under ``g_ema``.

    Raises:
        UserError: if a tensor is missing, unknown or of another shape, or if the generator is conditional.
    """
    theirs = checkpoint.get("g_ema", checkpoint)
    if not isinstance(theirs, dict) or "input.input" not in theirs:
        raise UserError("a rosinality checkpoint needs the key g_ema or input.input; it has neither")
    config = infer_config(theirs)
    our_shapes(config)  # refuses sizes that no computer holds
    generator = Generator(config)
    ours = generator.state_dict()
    names = _key_map(ours, config)
    _compare_keys(theirs, names.keys() | _kernel_keys(config))
    for key, (name, shape) in names.items():
        if theirs[key].shape != shape:
            raise UserError(f"{key} needs shape {tuple(shape)}; got {tuple(theirs[key].shape)}")
        ours[name].copy_(theirs[key].reshape(ours[name].shape))
    for key in _kernel_keys(config):
        if theirs[key].shape != (4, 4) or not torch.allclose(theirs[key].float(), 4 * generator.synthesis.fir, atol=1e-4):
            raise UserError(f"{key} needs the filter [1, 3, 3, 1] with gain 4; it holds another one")
    if isinstance(checkpoint.get("latent_avg"), Tensor):
        generator.mapping.w_avg.copy_(checkpoint["latent_avg"].reshape(-1))
    else:
        generator.mapping.estimate_w_avg(torch.Generator().manual_seed(0))
    return generator


def infer_config(theirs: dict[str, Tensor]) -> GeneratorConfig:
    """Sizes of a generator from the names and shapes of its tensors in rosinality's layout.

    Raises:
        UserError: if the generator is conditional, or a tensor that tells a size is missing.
    """
    depth = sum(key.startswith("style.") and key.endswith(".weight") for key in theirs)
    levels = sum(key.startswith("to_rgbs.") and key.endswith(".conv.weight") for key in theirs) + 1
    needed = ["style.1.weight", "conv1.conv.weight", *(f"convs.{2 * i + 1}.conv.weight" for i in range(levels - 1))]
    if missing := [key for key in needed if key not in theirs]:
        raise UserError(f"a rosinality generator needs {missing[0]}; it is missing")
    w_dim, z_dim = theirs["style.1.weight"].shape
    if w_dim != z_dim:
        raise UserError(f"style.1.weight needs as many columns as rows; got {w_dim} x {z_dim}, so this generator is conditional")
    channels = tuple(theirs[key].shape[1] for key in needed[1:])
    return GeneratorConfig(2 ** (levels + 1), channels, z_dim, w_dim, depth, LR_MUL)


def _key_map(ours: dict[str, Tensor], config: GeneratorConfig) -> dict[str, tuple[str, torch.Size]]:
    """Their key -> our key and their shape."""
    pairs = {"input.input": "synthesis.const"}
    for i in range(config.n_mlp):
        pairs |= {f"style.{i + 1}.{part}": f"mapping.layers.{i}.{part}" for part in ("weight", "bias")}
    noises = 0
    for name, prefix in _layer_prefixes(config).items():
        layer = f"synthesis.layers.{name}"
        pairs[f"{prefix}.conv.weight"] = f"{layer}.weight"
        pairs |= {f"{prefix}.conv.modulation.{part}": f"{layer}.affine.{part}" for part in ("weight", "bias")}
        if name.startswith("rgb"):
            pairs[f"{prefix}.bias"] = f"{layer}.bias"
        else:
            pairs[f"{prefix}.noise.weight"] = f"{layer}.noise_strength"
            pairs[f"{prefix}.activate.bias"] = f"{layer}.bias"
            pairs[f"noises.noise_{noises}"] = f"{layer}.noise_const"
            noises += 1
    return {key: (name, _their_shape(key, ours[name].shape)) for key, name in pairs.items()}


def _their_shape(key: str, shape: torch.Size) -> torch.Size:
    if key.endswith(".conv.weight"):
        return torch.Size((1, *shape))
    if key.startswith("noises."):
        return torch.Size((1, 1, *shape))
    if key.startswith("to_rgb") and key.count(".") == key.startswith("to_rgbs.") + 1 and key.endswith(".bias"):
        return torch.Size((1, 3, 1, 1))
    return torch.Size((1,)) if key.endswith(".noise.weight") else shape


def _layer_prefixes(config: GeneratorConfig) -> dict[str, str]:
    prefixes = {"conv4": "conv1", "rgb4": "to_rgb1"}
    for i in range(len(config.channels) - 1):
        size = 8 * 2**i
        prefixes |= {f"up{size}": f"convs.{2 * i}", f"conv{size}": f"convs.{2 * i + 1}", f"rgb{size}": f"to_rgbs.{i}"}
    return prefixes


def _kernel_keys(config: GeneratorConfig) -> set[str]:
    levels = range(len(config.channels) - 1)
    return {f"convs.{2 * i}.conv.blur.kernel" for i in levels} | {f"to_rgbs.{i}.upsample.kernel" for i in levels}


def _compare_keys(got: dict, needed: set[str]) -> None:
    missing, unknown = sorted(needed - got.keys()), sorted(got.keys() - needed)
    if missing or unknown:
        names = ", ".join((missing or unknown)[:3])
        raise UserError(f"this layout needs {len(needed)} tensors; {len(missing)} are missing and {len(unknown)} unknown, such as {names}")


def _load_strictly(generator: Generator, tensors: dict[str, Tensor]) -> None:
    needed = generator.state_dict()
    _compare_keys(tensors, set(needed))
    for name, tensor in needed.items():
        if tensors[name].shape != tensor.shape:
            raise UserError(f"{name} needs shape {tuple(tensor.shape)}; got {tuple(tensors[name].shape)}")
    generator.load_state_dict(tensors)


def _record(metadata: dict | None, **ours) -> dict:
    metadata = metadata or {}
    if taken := sorted(metadata.keys() & ours.keys()):
        raise UserError(f"metadata needs names other than {', '.join(sorted(ours))}; got {', '.join(taken)}")
    return metadata | ours


def _is_old_torch(path: str | Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(LEGACY_MAGIC)) == LEGACY_MAGIC


def _read_torch(path: str | Path) -> dict:
    kind = file_kind(path)
    if kind == "html":
        raise UserError(f"{path} needs to be a generator; it is a web page, so the download failed")
    packed = zip_inside(path)
    if packed or not (kind == "zip" and zipfile.is_zipfile(path) or _is_old_torch(path)):
        what = f"an archive with {packed} inside, so unpack it first" if packed else "something else or cut short"
        raise UserError(f"{path} needs to be safetensors, a torch file or a pickle of NVIDIA; it is {what}")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path} needs to hold plain tensors only; torch refuses it ({type(error).__name__})") from error
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path} needs to hold a dictionary of tensors; it holds a {type(checkpoint).__name__}")
    return checkpoint
