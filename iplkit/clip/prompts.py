"""Prompts, fixed and learned: the template ensemble of NADA and the sentences that IPL learns.

Gal et al. 2022, "StyleGAN-NADA"; Guo et al. 2023, "Zero-shot Generative Model Adaptation via
Image-specific Prompt Learning". Axis letters: N images, M learned vectors, D text width, L tokens, E embedding.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES
from torch import Tensor

from iplkit.clip.mapper import PromptMapper, load_mapper, save_mapper
from iplkit.clip.text import encode_branches, encode_prompt, eot_position, token_list, words_of
from iplkit.clip.towers import Clip
from iplkit.errors import UserError

__all__ = [
    "TEMPLATES",
    "PromptContext",
    "PromptMapper",
    "learned_text_features",
    "learned_text_pair",
    "load_mapper",
    "save_mapper",
    "template_anchor",
    "template_features",
]

LEFT_OUT = "a photo of many {}."
TEMPLATES = tuple(t for t in (make("{}") for make in OPENAI_IMAGENET_TEMPLATES) if t != LEFT_OUT)
"""The 79 sentences of NADA and IPL: CLIP's 80 for ImageNet, all distinct and in its order, without the one plural."""

SIDES = ("source", "target")


@torch.no_grad()
def template_features(
    clip: Clip, class_word: str, templates: Sequence[str] = TEMPLATES, allow_unknown: bool = False
) -> Tensor:
    """One class word in many sentences, ``[T, E]``, each feature on the unit sphere.

    Args:
        clip: the model.
        class_word: "photo", "anime painting", ...
        templates: T sentences with a ``{}``.
        allow_unknown: as `Clip.tokenize`.

    Raises:
        UserError: if a template has no ``{}`` (the class would silently vanish), or a word is unknown.
    """
    if not isinstance(class_word, str) or not words_of(class_word):
        raise UserError(f"a template needs a class word; got {class_word!r}")
    for template in templates:
        if "{}" not in template:
            raise UserError(f"a template needs a {{}} for the class word; got {template!r}")
    ids = clip.tokenize([template.format(class_word) for template in templates], allow_unknown)
    return F.normalize(clip.encode_text(ids), dim=-1)


def template_anchor(clip: Clip, class_word: str, templates: Sequence[str] = TEMPLATES, **options) -> Tensor:
    """The center of a class in text space, ``[1, E]``: the mean of its `template_features`.

    The mean is shorter than 1 and stays so, as published; a cosine does not notice.
    """
    return template_features(clip, class_word, templates, **options).mean(dim=0, keepdim=True)


class PromptContext:
    """The two sentences that learned vectors are set into: "[v1]..[vM] photo" and "[v1]..[vM] disney".

    The words of `ctx_init` give the number of vectors and the place of the end, and nothing else:
    their own vectors are replaced. As published, these sentences have no full stop.

    Args:
        clip: the model whose token table gives the fixed vectors; not a compact one.
        ctx_init: the words that are replaced; underscores count as spaces. "" gives M times "X".
        n_ctx: M. None takes the number of words; with `ctx_init` "" it must be given.
        source, target: class words, one or more tokens each.

    Raises:
        UserError: if `n_ctx` is not the number of words, if one of these words is more than one token
            (the class would be cut in the middle), if a sentence is longer than CLIP reads, or if a
            class word is unknown, empty or no text.
    """

    def __init__(
        self,
        clip: Clip,
        ctx_init: str = "a photo of a",
        n_ctx: int | None = 4,
        source: str = "photo",
        target: str = "disney",
    ):
        if clip.is_compact:
            raise UserError("PromptContext needs a CLIP with its full token table; got a compact one")
        if not isinstance(ctx_init, str):
            raise UserError(f"ctx_init needs to be a text; got one of type {type(ctx_init).__name__}")
        self.ctx_init = ctx_init.replace("_", " ").strip()
        self.n_ctx = _count_vectors(self.ctx_init, n_ctx)
        self.source, self.target = source, target
        self.words, self.ids, self._embeds = dict(source=source, target=target), {}, {}
        for side in SIDES:
            if not isinstance(self.words[side], str) or not words_of(self.words[side]):
                raise UserError(f"the {side} needs a class word; got {self.words[side]!r}")
            clip.tokenize([self.words[side]])  # refuses what this CLIP never saw
            self.ids[side] = clip.tokenize([self.sentence(side)], allow_unknown=True)  # [1, L]
            self._embeds[side] = clip.token_embedding(self.ids[side].to(clip.mean.device)).detach()  # [1, L, D]

    def sentence(self, which: str, full_stop: bool = False) -> str:
        """The sentence of one side in words, "a photo of a disney"; the base sentence of stage 1 ends in a full stop."""
        placeholder = self.ctx_init or " ".join(["X"] * self.n_ctx)
        return f"{placeholder} {self.words[_side(which)]}" + "." * full_stop

    def prefix(self, which: str) -> Tensor:
        """The vector of SOT, ``[1, 1, D]``."""
        return self._embeds[_side(which)][:, :1]

    def suffix(self, which: str) -> Tensor:
        """The vectors of the class word, EOT and padding, ``[1, L - 1 - M, D]``."""
        return self._embeds[_side(which)][:, 1 + self.n_ctx :]

    def ending(self, which: str) -> Tensor:
        """The vectors of the class word and of EOT, without padding, ``[1, B, D]``."""
        eot = int(eot_position(self.ids[_side(which)]))
        return self._embeds[which][:, 1 + self.n_ctx : eot + 1]

    def assemble(self, prompts: Tensor, which: str = "target") -> tuple[Tensor, Tensor]:
        """Set learned vectors between the start and the class word.

        Args:
            prompts: ``[N, M, D]``.
            which: "source" or "target".

        Returns:
            Token vectors ``[N, L, D]``, and the ids that tell the end, ``[1, L]``.

        Raises:
            UserError: if the prompts are not M vectors of width D.
        """
        width = self.prefix(which).shape[-1]
        if prompts.ndim != 3 or prompts.shape[1:] != (self.n_ctx, width):
            raise UserError(f"prompts need shape [N, {self.n_ctx}, {width}]; got {tuple(prompts.shape)}")
        n = len(prompts)
        parts = [self.prefix(which).expand(n, -1, -1), prompts, self.suffix(which).expand(n, -1, -1)]
        return torch.cat(parts, dim=1), self.ids[which]


def _side(which: str) -> str:
    if which not in SIDES:
        raise UserError(f"which needs to be 'source' or 'target'; got {which!r}")
    return which


def _count_vectors(ctx_init: str, n_ctx: int | None) -> int:
    """M, once words, tokens and `n_ctx` are known to agree."""
    if n_ctx is not None and n_ctx < 1:
        raise UserError(f"n_ctx needs to be at least 1; got {n_ctx}")
    if not ctx_init:
        if n_ctx is None:
            raise UserError("an empty ctx_init needs n_ctx; got None")
        return n_ctx
    words, tokens = len(ctx_init.split()), len(token_list(ctx_init))
    if tokens != words:
        raise UserError(f"ctx_init needs words of one token each; {ctx_init!r} has {words} words and {tokens} tokens")
    if n_ctx is not None and n_ctx != words:
        raise UserError(f"n_ctx needs to be the number of words in ctx_init {ctx_init!r}, {words}; got {n_ctx}")
    return words


def learned_text_features(clip: Clip, prompts: Tensor, context: PromptContext, which: str = "target") -> Tensor:
    """The text feature of each image's own sentence, ``[N, M, D]`` -> ``[N, E]``, not normalized.

    Gradients reach the prompts. All N sentences are one call of the text tower (see `encode_prompt`).

    Args:
        clip: the model.
        prompts: learned vectors, from a `PromptMapper`.
        context: the sentences to set them into.
        which: "source" or "target".
    """
    return encode_prompt(clip, *context.assemble(prompts, which))


def learned_text_pair(clip: Clip, prompts: Tensor, context: PromptContext) -> tuple[Tensor, Tensor]:
    """`learned_text_features` of source and target, ``[N, M, D]`` -> twice ``[N, E]``, at half the price.

    The two sentences of an image differ in the class word only (see `encode_branches`).

    Args:
        clip, prompts, context: as `learned_text_features`.

    Raises:
        UserError: if the prompts are not M vectors of width D.
    """
    if prompts.ndim != 3 or prompts.shape[1:] != (context.n_ctx, clip.text_width):
        raise UserError(f"prompts need shape [N, {context.n_ctx}, {clip.text_width}]; got {tuple(prompts.shape)}")
    source, target = encode_branches(clip, context.prefix("source"), prompts, [context.ending(which) for which in SIDES])
    return source, target
