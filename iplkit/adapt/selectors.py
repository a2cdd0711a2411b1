"""Selectors: which layers of the generator move.

IPL and NADA let CLIP vote: the rows of W+ along which the target similarity changes most name the
layers to train (Gal et al. 2022, Sec. 4.2). The vote needs gradients with respect to w only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iplkit.adapt.draws import draw
from iplkit.adapt.settings import AdaptSettings
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


def adaptive_layers(clip: nn.Module, target: str, settings: AdaptSettings, seed: int) -> Selector:
    """Let CLIP vote for the rows that reach the target word, and train the layers these rows drive.

    If the share covers all rows there is nothing to vote on, and nothing is computed.

    Args:
        clip: frozen CLIP.
        target: the target domain's word.
        settings: share, interval, batch and quirks of the choice.
        seed: which latents vote.
    """
    caption = target if settings.has("selection_bare_word") else f"{settings.prompt} {target}"
    with torch.no_grad():
        text = clip.encode_text(clip.tokenize([caption]))  # [1, E]

    def choose(generator: nn.Module, step: int) -> tuple[int, ...]:
        k = num_rows(generator.num_ws, settings.rows_share)
        if k >= generator.num_ws:
            return tuple(range(generator.num_ws))
        z = sample_z(settings.select_batch, draw(seed, "selection", step), generator.config.z_dim).to(text.device)
        with torch.no_grad():
            ws = generator.mapping(z)
        scores = row_scores(generator, clip, text, ws, settings.select_micro)
        return tuple(sorted(scores.topk(k).indices.tolist()))

    def parameters(generator: nn.Module, rows: tuple[int, ...]) -> list[nn.Parameter]:
        table = "upstream" if settings.has("selection_off_by_one") else "true"
        return parameters_of_rows(generator, rows, table=table)

    return Selector(every=settings.select_every, choose=choose, parameters=parameters)


def row_scores(generator: nn.Module, clip: nn.Module, text: Tensor, ws: Tensor, micro_batch: int) -> Tensor:
    """How strongly each W+ row steers an image toward a caption: mean absolute gradient of the similarity.

    The published code takes one SGD step on w and measures how far each row moved, which ranks alike.
    Stored pixel noise makes the result independent of `micro_batch`.

    Args:
        generator: the generator being trained.
        clip: frozen CLIP.
        text: features of the caption, `[1, E]`.
        ws: latents that vote, `[N, num_ws, 512]`.
        micro_batch: how many of them are held in memory at a time.

    Returns:
        `[num_ws]`, not negative.
    """
    total = torch.zeros(ws.shape[1], device=ws.device)
    with frozen(generator):
        for part in ws.split(micro_batch):
            leaf = part.detach().requires_grad_(True)
            images = generator.synthesis(leaf, noise_mode="const")
            loss = len(part) * clip_similarity_loss(clip.encode_image(images), text)
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


def make_selector(clip: nn.Module, target: str, settings: AdaptSettings, seed: int) -> Selector:
    """The selector that the settings name."""
    return all_layers() if settings.selector == "all" else adaptive_layers(clip, target, settings, seed)
