"""Selectors: which layers of the generator move.

IPL and NADA let CLIP vote: the rows of W+ along which the target similarity changes most name the
layers to train (Gal et al. 2022, Sec. 4.2). The vote needs gradients with respect to w only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.adapt.lean import InputsOnly
from iplkit.adapt.settings import AdaptSettings
from iplkit.errors import UserError
from iplkit.latents import sample_z
from iplkit.losses import clip_similarity_loss
from iplkit.stylegan2.styles import parameters_of_rows


@dataclass(frozen=True)
class Selector:
    """A way to choose, and how often to choose again."""

    every: int  # steps from one choice to the next; 0 chooses once
    choose: Callable[[nn.Module, int], tuple[int, ...]]  # (generator_target, step) -> rows of W+
    parameters: Callable[[nn.Module, tuple[int, ...]], list[nn.Parameter]]  # (generator_target, rows) -> what to train


def num_rows(num_ws: int, share: float) -> int:
    """How many of `num_ws` rows an adaptive choice frees: 12 of 18 at 1024 px with a share of 2/3."""
    return max(1, int(share * num_ws + 1e-9))


def all_layers() -> Selector:
    """Train the whole synthesis network, the learned constant included; the mapping network never moves."""
    return Selector(
        every=0,
        choose=lambda generator, step: tuple(range(generator.num_ws)),
        parameters=lambda generator, rows: list(generator.synthesis.parameters()),
    )


def rows_to_free(settings: AdaptSettings, num_ws: int) -> int:
    """k, the rows that an adaptive choice frees in a generator of `num_ws` rows.

    Raises:
        UserError: if `settings.rows_k` is more than there are.
    """
    if settings.rows_k > num_ws:
        raise UserError(f"rows_k must be at most the generator's {num_ws} rows of W+; got {settings.rows_k}")
    return settings.rows_k or num_rows(num_ws, settings.rows_share)


def oracle_layers(settings: AdaptSettings) -> Selector:
    """Train the layers of the rows that somebody knows to be right, for the whole run."""
    return Selector(every=0, choose=lambda generator, step: _checked(settings.rows, generator), parameters=_table(settings))


def manual_layers(settings: AdaptSettings) -> Selector:
    """Train by a timetable: `settings.schedule` says from which step on which rows move.

    The named phases of StyleGAN-NADA's code ("shape" before "texture") are such timetables.
    """

    def choose(generator: nn.Module, step: int) -> tuple[int, ...]:
        rows = [rows for first, rows in settings.schedule if first <= step][-1]
        return _checked(rows, generator)

    return Selector(every=1, choose=choose, parameters=_table(settings))


def _checked(rows: tuple[int, ...], generator: nn.Module) -> tuple[int, ...]:
    if not all(0 <= row < generator.num_ws for row in rows):
        raise UserError(f"rows must lie in 0 to {generator.num_ws - 1} for this generator; got {list(rows)}")
    return tuple(sorted(set(rows)))


def _table(settings: AdaptSettings) -> Callable[[nn.Module, tuple[int, ...]], list[nn.Parameter]]:
    table = "upstream" if settings.has("selection_off_by_one") else "true"
    return lambda generator, rows: parameters_of_rows(generator, rows, table=table)


def adaptive_layers(
    clip: nn.Module, target: str, settings: AdaptSettings, seed: int, more: Sequence[tuple[nn.Module, float]] = ()
) -> Selector:
    """Let CLIP vote for the rows that reach the target word, and train the layers these rows drive.

    If the share covers all rows there is nothing to vote on, and nothing is computed.

    Args:
        clip: frozen CLIP.
        target: the target domain's word.
        settings: share, interval, batch and quirks of the choice.
        seed: which latents vote.
        more: further CLIPs that vote, with their weights; `settings.clip_weights[0]` is the first one's.

    Raises:
        UserError: on the choice, if `settings.rows_k` is more rows than there are.
    """
    caption = target if settings.has("selection_bare_word") else f"{settings.prompt} {target}"
    with torch.no_grad():
        text = clip.encode_text(clip.tokenize([caption]))  # [1, E]
        others = [(other, other.encode_text(other.tokenize([caption])), weight) for other, weight in more]

    def choose(generator: nn.Module, step: int) -> tuple[int, ...]:
        k = rows_to_free(settings, generator.num_ws)
        if k >= generator.num_ws:
            return tuple(range(generator.num_ws))
        z = sample_z(settings.select_batch, draw(seed, "selection", step), generator.config.z_dim).to(text.device)
        with torch.no_grad():
            ws = generator.mapping(z)
        scores = row_scores(generator, clip, text, ws, settings.select_micro, settings.clip_weights[0], others)
        return tuple(sorted(scores.topk(k).indices.tolist()))

    return Selector(every=settings.select_every, choose=choose, parameters=_table(settings))


def row_scores(
    generator: nn.Module,
    clip: nn.Module,
    text: Tensor,
    ws: Tensor,
    micro_batch: int,
    weight: float = 1.0,
    more: Sequence[tuple[nn.Module, Tensor, float]] = (),
) -> Tensor:
    """How strongly each W+ row steers an image toward a caption: mean absolute gradient of the similarity.

    The published code takes one SGD step on w and measures how far each row moved, which ranks alike.
    Stored pixel noise makes the result independent of `micro_batch`. Nothing is kept for gradients of weights (see `InputsOnly`).

    Args:
        generator: the generator being trained.
        clip: frozen CLIP.
        text: features of the caption, `[1, E]`.
        ws: latents that vote, `[N, num_ws, 512]`.
        micro_batch: how many of them are held in memory at a time.
        weight: of this CLIP.
        more: further CLIPs, each with its features of the caption and its weight.

    Returns:
        `[num_ws]`, not negative.
    """
    total = torch.zeros(ws.shape[1], device=ws.device)
    with frozen(generator), InputsOnly():
        for part in ws.split(micro_batch):
            leaf = part.detach().requires_grad_(True)
            images = generator.synthesis(leaf, noise_mode="const")
            voters = ((clip, text, weight), *more)
            loss = len(part) * sum(share * clip_similarity_loss(c.encode_image(images), t) for c, t, share in voters)
            (gradient,) = torch.autograd.grad(loss, leaf)
            total += gradient.abs().sum(dim=(0, 2))
    return total / (ws.shape[0] ** 2 * ws.shape[2])  # the loss is a mean over N, the score a mean over N and channels


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients for a module's weights inside the block; as it was afterwards."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    training = [m for m in module.modules() if m.training]
    module.eval().requires_grad_(False)
    try:
        yield
    finally:
        for p in wanted:
            p.requires_grad_(True)
        for m in training:
            m.training = True


def make_selector(
    clip: nn.Module, target: str, settings: AdaptSettings, seed: int, more: Sequence[tuple[nn.Module, float]] = ()
) -> Selector:
    """The selector that the settings name; see `adaptive_layers` for the arguments."""
    if settings.selector == "adaptive":
        return adaptive_layers(clip, target, settings, seed, more)
    return {"all": all_layers, "manual": lambda: manual_layers(settings), "oracle": lambda: oracle_layers(settings)}[settings.selector]()
