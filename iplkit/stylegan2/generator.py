"""The StyleGAN2 generator: z to w, w to styles, styles to an image.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", configuration E/F: skip generator,
modulated convolutions, equalized learning rates.

Axis letters: N images, R rows of W+ (num_ws), D width of w, C channels, H W space.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iplkit.errors import UserError
from iplkit.stylegan2.fir import fir_kernel, upsample
from iplkit.stylegan2.modconv import demodulation, modulated_conv2d
from iplkit.stylegan2.passes import finish
from iplkit.stylegan2.styles import layer_names, row_table

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2)  # keeps the variance through a leaky ReLU
NOISE_MODES = ("random", "const", "none")
WIDE = 128  # from this image side on, memory traffic decides; see `StyledConv`
PIXELS_AT_ONCE = 2 * 1024**2  # of large images, where no gradient is asked for


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator.

    Args:
        size: image side, pixels, a power of 2.
        channels: feature maps at 4, 8, ... up to `size` pixels.
        z_dim: width of z.
        w_dim: width of w.
        n_mlp: layers of the mapping network.
        lr_mul: how much slower than the rest the mapping network learns.
    """

    size: int
    channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    n_mlp: int = 4
    lr_mul: float = 0.01

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON knows only lists
        levels = int(self.size).bit_length() - 2
        if self.size < 8 or self.size != 2 ** (levels + 1):
            raise UserError(f"size needs to be a power of 2 of at least 8; got {self.size}")
        if len(self.channels) != levels:
            raise UserError(f"size {self.size} needs {levels} channel numbers, from 4 px up; got {self.channels}")

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return 2 * (int(self.size).bit_length() - 1) - 2

    def asdict(self) -> dict:
        """As JSON can hold it; ``GeneratorConfig(**d)`` brings it back."""
        return asdict(self) | {"channels": list(self.channels)}


class EqualLinear(nn.Module):
    """Linear layer whose weights are stored at unit size and scaled when used, so all learn at one speed.

    Karras et al. 2018, "Progressive Growing of GANs", Sec. 4.1. In the weights' own precision even under autocast.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        lr_mul: float = 1.0,
        bias_init: float = 0.0,
        activate: bool = False,
        rng: torch.Generator,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features, generator=rng) / lr_mul)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.lr_mul = lr_mul
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            scale = self.lr_mul / math.sqrt(self.weight.shape[1])
            y = F.linear(x.to(self.weight.dtype), self.weight * scale, self.bias * self.lr_mul)
            return F.leaky_relu(y, SLOPE) * GAIN if self.activate else y


class Mapping(nn.Module):
    """From z, which is easy to draw, to w, in which directions mean something. Never in half precision.

    The buffer `w_avg` is the middle of W; truncation pulls towards it.
    """

    def __init__(self, config: GeneratorConfig, rng: torch.Generator):
        super().__init__()
        widths = [config.z_dim] + [config.w_dim] * config.n_mlp
        layers = [EqualLinear(i, o, lr_mul=config.lr_mul, activate=True, rng=rng) for i, o in zip(widths, widths[1:])]
        self.layers = nn.ModuleList(layers)
        self.num_ws = config.num_ws
        self.z_dim = config.z_dim
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def w(self, z: Tensor) -> Tensor:
        """One w per z, without truncation, ``[N, z_dim]`` -> ``[N, w_dim]``.

        z is first scaled so that the mean of its *squares* is 1, not its length.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise UserError(f"z needs shape [N, {self.z_dim}]; got {tuple(z.shape)}")
        x = z.to(self.w_avg.dtype)
        x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = layer(x)
        return x

    def forward(self, z: Tensor, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """One w per row of W+, ``[N, z_dim]`` -> ``[N, R, w_dim]``.

        Args:
            z: latent codes, ``[N, z_dim]``, standard normal.
            truncation_psi: 1 leaves w, 0 gives `w_avg` (Karras et al. 2019, Sec. 2.2).
            truncation_cutoff: truncate only the rows below this one; None means all.
        """
        ws = self.w(z)[:, None].repeat(1, self.num_ws, 1)  # [N, R, D]
        if truncation_psi == 1:
            return ws
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        near = self.w_avg + truncation_psi * (ws[:, :cutoff] - self.w_avg)
        return torch.cat([near, ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def update_w_avg(self, w: Tensor, decay: float = 0.995) -> None:
        """Move `w_avg` a little towards the mean of a batch of w, ``[N, w_dim]``; call it once a training step."""
        self.w_avg.lerp_(w.detach().to(self.w_avg.dtype).mean(dim=0), 1 - decay)

    @torch.no_grad()
    def estimate_w_avg(self, rng: torch.Generator, samples: int = 4096) -> None:
        """Set `w_avg` to the mean over fresh draws of z."""
        z = torch.randn(samples, self.z_dim, generator=rng, device=rng.device).to(self.w_avg.device)
        self.w_avg.copy_(self.w(z).mean(dim=0))


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, then noise, bias and leaky ReLU; doubles the size first if `up`."""

    def __init__(self, i: int, o: int, size: int, w_dim: int, *, up: bool, wide: bool = False, rng: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, 3, 3, generator=rng))
        self.affine = EqualLinear(w_dim, i, bias_init=1, rng=rng)
        self.bias = nn.Parameter(torch.zeros(o))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(size, size, generator=rng))
        self.up = up
        self.wide = wide
        self.size = size

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None, fir: Tensor) -> Tensor:
        """Feature maps, ``[N, I, H, W]`` -> ``[N, O, H, W]``, or twice the side if `up`.

        The leaky ReLU commutes with positive factors, so its gain is applied to the three summands instead. In a `wide`
        generator the summands and the leaky ReLU change the map in place: fewer passes over memory, and autograd keeps one
        map less for each layer. The same numbers up to rounding; small generators stay as they were, to the last bit.
        """
        scale = 1 / math.sqrt(self.weight[0].numel())
        shift = GAIN * self.bias
        if self.wide:
            y = modulated_conv2d(x, self.weight, style * scale, demodulate=False, up_kernel=fir if self.up else None, wide=True)
            factor = GAIN * demodulation(self.weight, style * scale)
            return finish(y, factor, shift, None if noise is None else GAIN * self.noise_strength * noise, SLOPE)
        y = modulated_conv2d(x, self.weight, style * scale, gain=GAIN, up_kernel=fir if self.up else None)
        if noise is not None:
            y = y + (GAIN * self.noise_strength * noise).to(y.dtype)
        return F.leaky_relu(y + shift.to(y.dtype)[None, :, None, None], SLOPE)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to three channels, without demodulation and without nonlinearity."""

    def __init__(self, i: int, w_dim: int, *, rng: torch.Generator):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, i, 1, 1, generator=rng))
        self.affine = EqualLinear(w_dim, i, bias_init=1, rng=rng)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """What this size adds to the image, ``[N, I, H, W]`` -> ``[N, 3, H, W]``, float32.

        With three outputs a kernel per image is smaller than the image, so here the paper's form is the fast one.
        """
        n, i, h, w = x.shape
        kernel = self.weight.view(1, 3, i) * (style / math.sqrt(i))[:, None]  # [N, 3, I]
        y = torch.bmm(kernel.to(x.dtype), x.flatten(2)).to(self.bias.dtype)
        return y.view(n, 3, h, w) + self.bias[None, :, None, None]


class Synthesis(nn.Module):
    """From W+ to the image, by way of the styles. Layers are named as in `styles.layer_names`."""

    def __init__(self, config: GeneratorConfig, rng: torch.Generator):
        super().__init__()
        widths = {4 * 2**level: c for level, c in enumerate(config.channels)}
        self.const = nn.Parameter(torch.randn(1, widths[4], 4, 4, generator=rng))
        self.layers = nn.ModuleDict()
        for name in layer_names(config.num_ws):
            kind, size = name.rstrip("0123456789"), int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
            if kind == "rgb":
                self.layers[name] = ToRGB(widths[size], config.w_dim, rng=rng)
            else:
                i = widths[size // 2] if kind == "up" else widths[size]
                self.layers[name] = StyledConv(i, widths[size], size, config.w_dim, up=kind == "up", wide=config.size >= WIDE, rng=rng)
        self.num_ws = config.num_ws
        self.w_dim = config.w_dim
        self.wide = config.size >= WIDE
        self.at_once = max(1, PIXELS_AT_ONCE // config.size**2)
        self.rows = {name: row for row, names in enumerate(row_table(config.num_ws)) for name in names}
        self.register_buffer("fir", fir_kernel(), persistent=False)

    def styles(self, ws: Tensor) -> dict[str, Tensor]:
        """S space: the scale of every input channel of every layer, ``[N, R, D]`` -> name -> ``[N, C]``, float32."""
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise UserError(f"ws needs shape [N, {self.num_ws}, {self.w_dim}]; got {tuple(ws.shape)}")
        return {name: layer.affine(ws[:, self.rows[name]]) for name, layer in self.layers.items()}

    def from_styles(
        self, styles: dict[str, Tensor], noise_mode: str = "random", generator: torch.Generator | None = None
    ) -> Tensor:
        """The image that belongs to some styles, name -> ``[N, C]`` -> ``[N, 3, H, W]``, float32, about [-1, 1].

        Args:
            styles: as `styles` returns them; every layer is needed.
            noise_mode: "random" draws new noise, "const" uses the stored noise, "none" leaves it out.
            generator: where random noise comes from.

        Raises:
            UserError: if a layer is missing, or random noise has no generator.
        """
        if styles.keys() != self.layers.keys():
            raise UserError(f"styles need the layers {', '.join(self.layers)}; got {', '.join(styles)}")
        if noise_mode not in NOISE_MODES:
            raise UserError(f"noise_mode must be one of {', '.join(NOISE_MODES)}; got {noise_mode!r}")
        if noise_mode == "random" and generator is None:
            raise UserError("noise_mode 'random' needs a torch.Generator; give one, or choose 'const' or 'none'")
        return self.paint(styles, self.draw_noise(len(styles["conv4"]), noise_mode, generator))

    def paint(self, styles: dict[str, Tensor], noise: dict[str, Tensor | None], blockwise: bool = False) -> Tensor:
        """The image of some styles and some noise, both name -> tensor; see `from_styles` and `draw_noise`.

        Where nothing is kept for a way back, large images are drawn some at a time, so that any number of them fits into memory.

        Args:
            blockwise: forget what is inside the layers, and compute it again on the way back: less memory, a third more time.
        """
        n = len(styles["conv4"])
        if not self.wide or n <= self.at_once or self._has_way_back(styles):
            return self._paint(styles, noise, blockwise)
        parts = []
        for start in range(0, n, self.at_once):
            some = slice(start, start + self.at_once)
            parts.append(self._paint({name: style[some] for name, style in styles.items()}, noise_of(noise, some), blockwise))
        return torch.cat(parts)

    def _paint(self, styles: dict[str, Tensor], noise: dict[str, Tensor | None], blockwise: bool) -> Tensor:
        x, image = self.const.expand(len(styles["conv4"]), -1, -1, -1), None
        if self.wide and x.device.type == "cpu" and not self._is_trained():
            x = x.contiguous(memory_format=torch.channels_last)  # faster to the image and to the latents, slower to weights
        for name, layer in self.layers.items():
            if isinstance(layer, ToRGB):
                rgb = layer(x, styles[name])
                image = rgb if image is None else rgb + self._upsample(image)
            elif blockwise:
                x = checkpoint(layer, x, styles[name], noise[name], self.fir, use_reentrant=False, preserve_rng_state=False)
            else:
                x = layer(x, styles[name], noise[name], self.fir)
        return image

    def draw_noise(
        self, n: int, noise_mode: str, generator: torch.Generator | None = None
    ) -> dict[str, Tensor | None]:
        """Noise for `n` images: name of the layer -> ``[n, 1, H, W]``, ``[H, W]`` if stored, or None; see `from_styles`."""
        layers = {name: layer for name, layer in self.layers.items() if isinstance(layer, StyledConv)}
        return {name: self._noise(layer, n, noise_mode, generator) for name, layer in layers.items()}

    def forward(self, ws: Tensor, noise_mode: str = "random", generator: torch.Generator | None = None) -> Tensor:
        """The image of some W+ codes, ``[N, R, D]`` -> ``[N, 3, H, W]``; see `from_styles` for noise."""
        return self.from_styles(self.styles(ws), noise_mode, generator)

    def _has_way_back(self, styles: dict[str, Tensor]) -> bool:
        """Whether somebody may ask for a gradient of these images."""
        tensors = [*styles.values(), *self.parameters()]
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)

    def _is_trained(self) -> bool:
        """Whether this pass will be walked back to a weight."""
        return torch.is_grad_enabled() and any(p.requires_grad for p in self.layers.parameters())

    def _upsample(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            return upsample(image, self.fir)

    @staticmethod
    def _noise(layer: StyledConv, n: int, noise_mode: str, generator: torch.Generator | None) -> Tensor | None:
        if noise_mode == "none":
            return None
        if noise_mode == "const":
            return layer.noise_const
        noise = torch.randn(n, 1, layer.size, layer.size, generator=generator, device=generator.device)
        return noise.to(layer.noise_const.device)


def noise_of(noise: dict[str, Tensor | None], some: slice) -> dict[str, Tensor | None]:
    """Some images' share of a batch's noise, see `Synthesis.draw_noise`; stored noise, ``[H, W]``, is everybody's."""
    return {name: value if value is None or value.ndim == 2 else value[some] for name, value in noise.items()}


class Generator(nn.Module):
    """z to image. `mapping` and `synthesis` are used alone at least as often.

    Args:
        config: sizes.
        seed: of the initial weights and of the stored noise.
    """

    def __init__(self, config: GeneratorConfig, seed: int = 0):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.config = config
        self.mapping = Mapping(config, rng)
        self.synthesis = Synthesis(config, rng)

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return self.config.num_ws

    def forward(
        self,
        z: Tensor,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: str = "random",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Images from latent codes, ``[N, z_dim]`` -> ``[N, 3, H, W]``, float32, about [-1, 1], not clamped."""
        ws = self.mapping(z, truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode, generator)
