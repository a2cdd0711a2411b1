"""What each channel of S does in CLIP's eyes: the relevance matrix, by finite differences and by reverse mode.

Patashnik et al. 2021, "StyleCLIP", Sec. 6, push one channel up and down in many pictures and average how CLIP's feature
moves. That draws two pictures a channel and a picture. The same derivative comes out of one backward pass for all channels
at once, for one prompt (`prompt_slopes`) or, output by output of CLIP, for all prompts (`reverse_matrix`).

Axis letters: N pictures, C channels of S, K channels asked for, E width of CLIP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.edit.style_space import StyleSpace, style_space
from iplkit.errors import UserError

BASES, CENTRES = ("independent", "cumulative"), ("mean", "code")
BATCH = 32  # pictures drawn at once


@dataclass(frozen=True)
class Relevance:
    """How CLIP's feature answers to channels of S.

    Args:
        columns: the channels, ``[K]``.
        rows: mean of the pictures' unit directions, of unit length again, ``[K, E]``: what published code keeps.
        slopes: mean change of the unit feature per standard deviation, ``[K, E]``.
        renders: pictures drawn, or as much work in backward passes, counted as 2 each.
    """

    columns: Tensor
    rows: Tensor
    slopes: Tensor
    renders: int


@dataclass(frozen=True)
class Eye:
    """From S to CLIP's unit feature.

    Args:
        generator: frozen.
        clip: frozen.
    """

    generator: nn.Module
    clip: nn.Module

    @property
    def space(self) -> StyleSpace:
        """The generator's S."""
        return style_space(self.generator.config)

    def draw(self, codes: Tensor) -> Tensor:
        """Pictures of style codes with the stored noise, ``[N, C]`` -> ``[N, 3, H, W]``, cut to [-1, 1]."""
        return self.generator.synthesis.from_styles(self.space.named(codes), "const").clamp(-1, 1)

    def __call__(self, codes: Tensor) -> Tensor:
        """Unit features of style codes, ``[N, C]`` -> ``[N, E]``; gradients flow to the codes."""
        return F.normalize(self.clip.encode_image(self.draw(codes)), dim=-1)

    @torch.no_grad()
    def many(self, codes: Tensor) -> Tensor:
        """The same in batches, without gradients."""
        return torch.cat([self(part) for part in codes.split(BATCH)])


def finite_differences(
    eye: Eye,
    codes: Tensor,
    mean: Tensor,
    std: Tensor,
    columns: Tensor | Sequence[int] | None = None,
    step: float = 5.0,
    base: str = "independent",
    centre: str = "mean",
    progress: Callable[[int], None] | None = None,
) -> Relevance:
    """The relevance of channels, each pushed up and down by `step` standard deviations.

    Args:
        eye: see `Eye`.
        codes: style codes of N people, ``[N, C]``.
        mean, std: ``[C]``.
        columns: which channels; None means all convolutions', in order.
        step: published: 5.
        base: "independent" pushes each channel in the same N pictures, as the paper says. "cumulative" leaves every channel at
            its mean once it was pushed, which published code does by writing into shared arrays: the later a channel comes,
            the more alike the N pictures are.
        centre: push from the channel's mean over people ("mean", published), or from where each person has it ("code").
        progress: called with the number of channels after each batch.

    Raises:
        UserError: codes or columns that do not fit the generator, a step that is not above 0, or an unknown way.
    """
    columns = _checked(eye, codes, mean, std, columns)
    if not step > 0 or base not in BASES or centre not in CENTRES:
        raise UserError(f"a step above 0, base {' or '.join(BASES)} and centre {' or '.join(CENTRES)} are needed; got {step}, {base!r}, {centre!r}")
    codes, rows, slopes = codes.clone(), [], []
    for group in columns.split(max(1, BATCH // (2 * len(codes)))):  # so many channels fill a batch
        pushed = []
        for column in group.tolist():
            middle = mean[column].expand(len(codes)) if centre == "mean" else codes[:, column].clone()
            pushed.append(codes.repeat(2, 1))
            pushed[-1][:, column] = torch.cat([middle + step * std[column], middle - step * std[column]])
            if base == "cumulative":
                codes[:, column] = mean[column]
        up, down = eye.many(torch.cat(pushed)).unflatten(0, (len(group), 2, len(codes))).unbind(1)  # [channels, N, E]
        rows.append(mean_direction((up - down).transpose(0, 1)))
        slopes.append((up - down).mean(1) / (2 * step))
        if progress is not None:
            progress(len(group))
    return Relevance(columns, torch.cat(rows), torch.cat(slopes), 2 * len(codes) * len(columns))


def mean_direction(differences: Tensor) -> Tensor:
    """Unit directions of N pictures averaged and made unit again, ``[N, ..., E]`` -> ``[..., E]``; zero stays zero."""
    return F.normalize(F.normalize(differences, dim=-1).mean(0), dim=-1)


def smoothed(codes: Tensor, std: Tensor, spread: float, draws: int, seed: int) -> Tensor:
    """Each code `draws` times with noise on all channels at once, ``[N, C]`` -> ``[N draws, C]``.

    A derivative sees only the nearest surroundings; a step of several standard deviations does not. Averaged over noise of
    `spread` standard deviations the derivative looks as far.
    """
    if spread == 0:
        return codes
    noise = torch.randn(draws, *codes.shape, generator=torch.Generator().manual_seed(seed))
    return (codes + spread * std * noise).flatten(0, 1)


def prompt_slopes(eye: Eye, codes: Tensor, std: Tensor, direction: Tensor) -> Tensor:
    """How far one standard deviation of each channel moves the feature along one direction, averaged over people.

    One forward and one backward pass a picture, whatever the number of channels.

    Args:
        eye: see `Eye`.
        codes: ``[N, C]``.
        std: ``[C]``.
        direction: unit, ``[E]``, of a text (see `iplkit.edit.texts`).

    Returns:
        ``[C]``, ToRGB included.
    """
    _checked(eye, codes, std, std, None)
    total = torch.zeros_like(std)
    for part in codes.split(BATCH):
        part = part.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad((eye(part) @ direction).sum(), part)
        total += gradient.sum(0)
    return total / len(codes) * std


def channel_strengths(eye: Eye, codes: Tensor, std: Tensor, probes: int = 16, seed: int = 0) -> Tensor:
    """How strongly the feature answers to each channel in any direction: root mean square of the Jacobian's columns, ``[C]``.

    For a random cotangent v of unit variance the expected (v J)² is |J|² (Hutchinson); `probes` of them share one forward pass.
    It is computed once and serves every prompt.

    Args:
        eye, codes, std: see `prompt_slopes`.
        probes: random cotangents a picture.
        seed: of these.
    """
    _checked(eye, codes, std, std, None)
    rng, total = torch.Generator().manual_seed(seed), torch.zeros_like(std)
    for part in codes.split(BATCH):
        part = part.detach().clone().requires_grad_()
        features = eye(part)
        for _ in range(probes):
            cotangent = torch.randn(features.shape, generator=rng).to(features)
            (gradient,) = torch.autograd.grad(features, part, cotangent, retain_graph=True)
            total += gradient.square().sum(0)
    return (total / (len(codes) * probes)).sqrt() * std


def reverse_matrix(eye: Eye, codes: Tensor, std: Tensor, columns: Tensor | None = None, progress: Callable[[int], None] | None = None) -> Relevance:
    """The whole matrix by reverse mode: one backward pass for each of CLIP's E outputs, for all channels at once.

    Args:
        eye, codes, std: see `prompt_slopes`.
        columns: which channels to keep; None means all convolutions'.
        progress: called with the number of pictures after each batch.
    """
    columns = _checked(eye, codes, std, std, columns)
    rows, slopes, outputs = 0, 0, 0
    for part in codes.split(BATCH):
        part = part.detach().clone().requires_grad_()
        features = eye(part)
        outputs = features.shape[1]
        parts = [torch.autograd.grad(features[:, e].sum(), part, retain_graph=True)[0][:, columns] for e in range(outputs)]
        jacobian = torch.stack(parts, dim=-1) * std[columns, None]  # [n, K, E]
        slopes = slopes + jacobian.sum(0)
        rows = rows + F.normalize(jacobian, dim=-1).sum(0)
        if progress is not None:
            progress(len(part))
    return Relevance(columns, F.normalize(rows, dim=-1), slopes / len(codes), len(codes) * (1 + 2 * outputs))


def _checked(eye: Eye, codes: Tensor, mean: Tensor, std: Tensor, columns: Tensor | Sequence[int] | None) -> Tensor:
    """The columns, once everything fits the generator."""
    c = eye.space.channels
    if codes.ndim != 2 or codes.shape[1] != c or len(codes) == 0:
        raise UserError(f"relevance needs style codes [N, {c}] of this generator; got {tuple(codes.shape)}")
    if mean.shape != (c,) or std.shape != (c,):
        raise UserError(f"relevance needs a mean and a spread [{c}]; got {tuple(mean.shape)} and {tuple(std.shape)}")
    columns = eye.space.convolutions if columns is None else torch.as_tensor(columns, dtype=torch.long)
    if columns.ndim != 1 or not len(columns) or int(columns.min()) < 0 or int(columns.max()) >= c:
        raise UserError(f"channels of this S are 0 to {c - 1}; got {columns.tolist()}")
    return columns
