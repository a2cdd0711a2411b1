"""Published encoders at work: a picture to a code in one pass, or in several that look at what is still wrong.

The architectures are `iplkit.invert.published_nets`, their files `iplkit.invert.checkpoints`.

Axis letters: N images, P passes, R rows of W+, D width of w, S side of a picture.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.images import resize
from iplkit.invert.checkpoints import Checkpoint, fill_exactly, kinds_of, read_checkpoint
from iplkit.invert.published_nets import DESIGNS, PublishedNet, Sizes
from iplkit.stylegan2.checkpoints import from_rosinality

PASSES = 5  # of ReStyle; its first ones do most
DRAWS = 10_000  # of z, where a file has no mean code


@dataclass(frozen=True)
class Passes:
    """What each pass of an encoder gave.

    Args:
        ws: ``[P, N, R, D]``.
        images: what they draw, ``[P, N, 3, S, S]``, full size.
        errors: of each picture after each pass, ``[P, N]``; smaller is better.
    """

    ws: Tensor
    images: Tensor
    errors: Tensor

    def best(self) -> tuple[Tensor, Tensor]:
        """The codes of each picture's best pass ``[N, R, D]``, and which pass that was ``[N]``, from 0."""
        which = self.errors.argmin(dim=0)
        return self.ws[which, torch.arange(len(which), device=which.device)], which


class PublishedEncoder(nn.Module):
    """An encoder with the generator it answers for and the mean code it starts from.

    Args:
        net: see `PublishedNet`.
        generator: frozen.
        latent_avg: ``[R, D]``.
        about: kind, name, where the mean code came from, what in the options was guessed.
    """

    def __init__(self, net: PublishedNet, generator: nn.Module, latent_avg: Tensor, about: dict):
        super().__init__()
        self.net, self.generator, self.about = net, generator, about
        self.register_buffer("latent_avg", latent_avg)

    @property
    def iterative(self) -> bool:
        """Whether it looks at the running render."""
        return self.net.channels == 6

    def look(self, images: Tensor) -> Tensor:
        """Pictures at the side that the net wants, ``[N, 3, S, S]`` -> ``[N, 3, 256, 256]``, as it was trained: plain averages."""
        side = self.net.sizes.side
        return F.adaptive_avg_pool2d(images, side) if images.shape[-1] >= side else resize(images, side).clamp(-1, 1)

    def draw(self, ws: Tensor) -> Tensor:
        """Codes to pictures with the stored noise, ``[N, R, D]`` -> ``[N, 3, S, S]``."""
        return self.generator.synthesis(ws, noise_mode="const")

    @torch.no_grad()
    def forward(self, images: Tensor, passes: int | None = None) -> Tensor:
        """The codes after the last pass, ``[N, 3, S, S]`` in [-1, 1] -> ``[N, R, D]``; see `run`."""
        return self.run(images, passes).ws[-1]

    @torch.no_grad()
    def run(self, images: Tensor, passes: int | None = None, distance=None, *, unseen_pass: bool = False) -> Passes:
        """Encode, and keep every pass.

        Args:
            images: aligned, square, ``[N, 3, S, S]`` in [-1, 1].
            passes: of ReStyle; None is 5. pSp and e4e have one.
            distance: (renders, images) at the net's side -> ``[N]``, by which `Passes.best` chooses; None is the mean square.
            unseen_pass: a quirk: ask once more and draw that code without having looked at the render before it, so that 5 passes
                ask 6 times. IPL's code for real pictures does so.

        Raises:
            UserError: pictures that are not square, no pass, or several of an encoder that knows only one.
        """
        passes = (PASSES if self.iterative else 1) if passes is None else passes
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise UserError(f"an encoder needs square images [N, 3, S, S]; got {list(images.shape)}")
        if passes < 1 or (not self.iterative and (passes > 1 or unseen_pass)):
            raise UserError(f"{self.about.get('kind', 'this encoder')} takes {'at least one pass' if self.iterative else 'one pass'}; got {passes}")
        seen, distance = self.look(images), distance or _mean_square
        ws = self.latent_avg.expand(len(images), -1, -1)
        render = self.look(self.draw(ws[:1])).expand_as(seen) if self.iterative else None
        found = []
        for _ in range(passes + unseen_pass):
            ws = ws + self.net(seen if render is None else torch.cat([seen, render], dim=1))
            image = self.draw(ws)
            render = self.look(image) if self.iterative else None
            found.append((ws, image, distance(self.look(image), seen)))
        return Passes(*(torch.stack(part) for part in zip(*found)))


def _mean_square(renders: Tensor, images: Tensor) -> Tensor:
    return (renders - images).square().mean(dim=(1, 2, 3))


def load_encoder(path: str | Path, generator: nn.Module | None = None, kind: str | None = None, sizes: Sizes = Sizes()) -> PublishedEncoder:
    """Read a published checkpoint of pSp, e4e, ReStyle-pSp or ReStyle-e4e.

    Args:
        path: the file as it was published; a device or path in its options is not used.
        generator: draws the codes; None takes the one in the file.
        kind: "psp", "e4e", "restyle-psp" or "restyle-e4e"; only needed where the file does not say it, since pSp and e4e have the
            same tensors and mean different things by them.
        sizes: those of the published files.

    Returns:
        The encoder, frozen, on the CPU. Its `about` says what was guessed.

    Raises:
        UserError: a file that is no such checkpoint, tensors that are missing, unknown, of another shape or not finite, options
            that contradict them, or a generator of another size.
    """
    file = read_checkpoint(path)
    name, num_ws, channels = file.type_name(kind), file.num_ws(), file.channels()
    design = DESIGNS[name]
    if channels not in ((3, 6) if design.channels is None else (design.channels,)):
        wanted = "3 or 6" if design.channels is None else design.channels
        raise UserError(f"{path} needs an encoder of photos ({name}, {wanted} input channels); it takes {channels}")
    if "cars" in str(file.options.get("dataset_type", "")):
        raise UserError(f"{path} needs an encoder of square pictures; it is one of cars, which are 192 x 256")
    with torch.device("meta"):
        net = PublishedNet(design, num_ws, channels, sizes)
    fill_exactly(net, file.encoder, str(path))
    generator, whose = _generator(file, generator, num_ws, sizes.width)
    mean, origin = _mean_code(file, generator, num_ws, sizes.width, channels)
    about = {"kind": kinds_of(name, channels)[0], "encoder_type": name, "generator": whose, "latent_avg": origin, "size_known": _size_known(file)}
    return PublishedEncoder(net, generator, mean, about).eval().requires_grad_(False)


def _size_known(file: Checkpoint) -> bool:
    return "stylegan_size" in file.options or "output_size" in file.options


def _generator(file: Checkpoint, generator: nn.Module | None, num_ws: int, width: int) -> tuple[nn.Module, str]:
    if generator is None:
        if not file.decoder:
            raise UserError(f"{file.origin} has no generator (decoder.) in it, so one has to be given; got none")
        try:
            mean = {} if file.latent_avg is None or file.latent_avg.shape[1] != width else {"latent_avg": file.latent_avg.mean(dim=0)}
            generator, whose = from_rosinality({"g_ema": file.decoder} | mean), "file"
        except UserError as error:
            raise UserError(f"{file.origin} needs a whole generator under decoder.: {error}") from error
    else:
        whose = "given"
    if generator.num_ws != num_ws or generator.config.w_dim != width:
        raise UserError(
            f"{file.origin} is for generators of {2 ** (num_ws // 2 + 1)} px ({num_ws} rows of {width}); "
            f"this one draws {generator.config.size} px ({generator.num_ws} rows of {generator.config.w_dim})"
        )
    return generator, whose


def _mean_code(file: Checkpoint, generator: nn.Module, num_ws: int, width: int, channels: int) -> tuple[Tensor, str]:
    """What is added to the first answer, ``[R, D]``, and where it came from."""
    if channels == 3 and file.options.get("start_from_latent_avg", True) is False:
        return torch.zeros(num_ws, width), "none: this encoder says whole codes"
    mean = file.latent_avg
    if mean is None:
        rng = torch.Generator().manual_seed(0)
        z = torch.randn(DRAWS, generator.mapping.z_dim, generator=rng)
        with torch.no_grad():
            w = torch.cat([generator.mapping.w(part.to(generator.mapping.w_avg.device)) for part in z.split(1000)])
        return w.mean(dim=0).cpu().expand(num_ws, -1).clone(), f"estimated from {DRAWS} draws"
    if mean.shape not in ((1, width), (num_ws, width)):
        raise UserError(f"{file.origin} needs latent_avg of shape [{num_ws}, {width}], [1, {width}] or [{width}]; it has {list(mean.shape)}")
    return mean.expand(num_ws, -1).clone(), "file"
