"""NVIDIA's names and shapes of StyleGAN2's weights, beside ours: TensorFlow's of 2019 and 2020, and torch's of 2021.

The facts: TensorFlow keeps kernels as ``[K, K, I, O]``, linear weights as ``[I, O]``, the modulation's bias without the 1
that is added when it is used, and the kernels of upsampling layers turned by 180 degrees against torch's. Torch's names
follow the modules ``mapping`` and ``synthesis.b4``, ``b8``, ... (NVlabs/stylegan2, NVlabs/stylegan2-ada-pytorch).
"""

from dataclasses import dataclass

from torch import Tensor

from iplkit.errors import UserError
from iplkit.stylegan2.generator import GeneratorConfig

MAX_NUMBERS = 400_000_000  # of a generator; config-f at 1024 px has 33 million
FILTER = "resample_filter"


@dataclass(frozen=True)
class Place:
    """Where one of their tensors goes.

    Args:
        ours: our name of it.
        kind: how it is stored: "same", "first" (without a leading axis of 1), "single" (with two leading axes of 1),
            "linear", "kernel", "up" or "plus one".
    """

    ours: str
    kind: str = "same"

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """Shape on their side of a tensor whose shape on our side is `ours`."""
        match self.kind:
            case "first":
                return ours[1:]
            case "single":
                return (1, 1, *ours)
            case "linear":
                return ours[::-1]
            case "kernel" | "up":
                o, i, height, width = ours
                return (height, width, i, o)
        return ours

    def theirs(self, tensor: Tensor) -> Tensor:
        """Our tensor as they store it."""
        match self.kind:
            case "first":
                return tensor[0]
            case "single":
                return tensor[None, None]
            case "linear":
                return tensor.T
            case "kernel":
                return tensor.permute(2, 3, 1, 0)
            case "up":
                return tensor.flip(2, 3).permute(2, 3, 1, 0)
            case "plus one":
                return tensor - 1
        return tensor

    def back(self, tensor: Tensor) -> Tensor:
        """Their tensor as we store it."""
        match self.kind:
            case "first":
                return tensor[None]
            case "single":
                return tensor[0, 0]
            case "linear":
                return tensor.T
            case "kernel":
                return tensor.permute(3, 2, 0, 1)
            case "up":
                return tensor.permute(3, 2, 0, 1).flip(2, 3)
            case "plus one":
                return tensor + 1
        return tensor


def our_shapes(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of a generator's tensors, without making one.

    Raises:
        UserError: if a generator of these sizes would be unreasonably large.
    """
    c, d = config.channels, config.w_dim
    shapes = {"mapping.w_avg": (d,), "synthesis.const": (1, c[0], 4, 4)}
    for i in range(config.n_mlp):
        layer = f"mapping.layers.{i}"
        shapes |= {f"{layer}.weight": (d, config.z_dim if i == 0 else d), f"{layer}.bias": (d,)}
    for level, wide in enumerate(c):
        side = 4 * 2**level
        for kind, inside in (("up", c[level - 1]), ("conv", wide), ("rgb", wide)):
            if kind == "up" and level == 0:
                continue
            layer, out, k = f"synthesis.layers.{kind}{side}", 3 if kind == "rgb" else wide, 1 if kind == "rgb" else 3
            shapes |= {f"{layer}.weight": (out, inside, k, k), f"{layer}.bias": (out,)}
            shapes |= {f"{layer}.affine.weight": (inside, d), f"{layer}.affine.bias": (inside,)}
            if kind != "rgb":
                shapes |= {f"{layer}.noise_strength": (), f"{layer}.noise_const": (side, side)}
    if sum(_product(shape) for shape in shapes.values()) > MAX_NUMBERS:
        raise UserError(f"a generator needs to have at most {MAX_NUMBERS:,} numbers; one of {config.size} px with {max(c)} channels has more")
    return shapes


def torch_places(config: GeneratorConfig) -> dict[str, Place]:
    """Name in NVIDIA's torch code -> where it goes; without the filters, see `torch_filters`."""
    places = {"mapping.w_avg": Place("mapping.w_avg"), "synthesis.b4.const": Place("synthesis.const", "first")}
    for i in range(config.n_mlp):
        places |= {f"mapping.fc{i}.{part}": Place(f"mapping.layers.{i}.{part}") for part in ("weight", "bias")}
    for layer, side in _layers(config):
        theirs = f"synthesis.b{side}.{ {'up': 'conv0', 'conv': 'conv1', 'rgb': 'torgb'}[layer] }"
        parts = ["weight", "bias", "affine.weight", "affine.bias"]
        parts += [] if layer == "rgb" else ["noise_strength", "noise_const"]
        places |= {f"{theirs}.{part}": Place(f"synthesis.layers.{layer}{side}.{part}") for part in parts}
    return places


def torch_filters(config: GeneratorConfig) -> set[str]:
    """Names under which NVIDIA's torch code keeps the low-pass filter, ``[4, 4]`` with sum 1, again and again."""
    blocks = {f"synthesis.b{4 * 2**level}.{FILTER}" for level in range(len(config.channels))}
    return blocks | {name.replace("noise_const", FILTER) for name in torch_places(config) if name.endswith("noise_const")}


def tensorflow_places(config: GeneratorConfig) -> dict[str, Place]:
    """Name in NVIDIA's TensorFlow code -> where it goes."""
    places = {"dlatent_avg": Place("mapping.w_avg"), "synthesis/4x4/Const/const": Place("synthesis.const")}
    for i in range(config.n_mlp):
        ours = f"mapping.layers.{i}"
        places |= {f"mapping/Dense{i}/weight": Place(f"{ours}.weight", "linear"), f"mapping/Dense{i}/bias": Place(f"{ours}.bias")}
    noises = 0
    for layer, side in _layers(config):
        name = {"up": "Conv0_up", "conv": "Conv" if side == 4 else "Conv1", "rgb": "ToRGB"}[layer]
        theirs, ours = f"synthesis/{side}x{side}/{name}", f"synthesis.layers.{layer}{side}"
        places[f"{theirs}/weight"] = Place(f"{ours}.weight", "up" if layer == "up" else "kernel")
        places[f"{theirs}/bias"] = Place(f"{ours}.bias")
        places[f"{theirs}/mod_weight"] = Place(f"{ours}.affine.weight", "linear")
        places[f"{theirs}/mod_bias"] = Place(f"{ours}.affine.bias", "plus one")
        if layer != "rgb":
            places[f"{theirs}/noise_strength"] = Place(f"{ours}.noise_strength")
            places[f"synthesis/noise{noises}"] = Place(f"{ours}.noise_const", "single")
            noises += 1
    return places


def _layers(config: GeneratorConfig) -> list[tuple[str, int]]:
    """Kind and side of every layer, in the order in which they run."""
    sides = [4 * 2**level for level in range(len(config.channels))]
    return [(kind, side) for side in sides for kind in ("up", "conv", "rgb") if (kind, side) != ("up", 4)]


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
