"""One CLIP for both profiles: images in [-1, 1] and sentences in, features out.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
The towers are open_clip's; this file owns what must never travel apart from them: the size and the
normalization of the pictures, the tokenizer, and the list of words that the weights were trained on.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip import CLIP
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

from iplkit.clip.text import CONTEXT_LENGTH, EOT_ID, encode_prompt, token_list, token_text, tokenize, words_of
from iplkit.errors import UserError

VOCAB_SIZE = EOT_ID + 1
HEAD_WIDTH = 64  # channels of an attention head, as in every published CLIP


@dataclass(frozen=True)
class ClipConfig:
    """Sizes of a CLIP that we train ourselves; the defaults are the world profile's.

    The picture tower is one of the two kinds of Radford et al. 2021, Sec. 2.4: a ResNet, with four numbers of blocks in
    `vision_layers`, or a vision transformer, with one number of layers. A small transformer sees colors for a long time
    and no mouth; convolutions look at shapes from the start.
    """

    image_size: int = 64  # pixels
    patch_size: int = 8  # pixels; of a transformer
    vision_width: int = 24
    vision_layers: int | tuple[int, ...] = (2, 2, 3, 1)
    text_width: int = 192
    text_layers: int = 4
    text_heads: int = 3
    embed_dim: int = 256
    context_length: int = CONTEXT_LENGTH
    vocab_size: int = VOCAB_SIZE

    def __post_init__(self):
        if self.is_resnet:
            object.__setattr__(self, "vision_layers", tuple(self.vision_layers))
            if len(self.vision_layers) != 4 or self.image_size % 32 or self.vision_width % 2:
                sizes = f"{self.vision_layers}, {self.image_size} and {self.vision_width}"
                raise UserError(f"a ResNet needs 4 numbers of blocks, an image_size of whole 32s and an even vision_width; got {sizes}")
        elif self.image_size % self.patch_size:
            raise UserError(f"image_size needs to be a multiple of patch_size {self.patch_size}; got {self.image_size}")
        elif self.vision_width % HEAD_WIDTH:
            raise UserError(f"vision_width needs to be a multiple of {HEAD_WIDTH}; got {self.vision_width}")
        if self.text_width % self.text_heads:
            raise UserError(f"text_width needs to be a multiple of text_heads {self.text_heads}; got {self.text_width}")

    @property
    def is_resnet(self) -> bool:
        """Whether the picture tower is a ResNet."""
        return not isinstance(self.vision_layers, int)

    def towers(self, rows: int) -> dict:
        """open_clip's own words for these sizes, with a token table of `rows` rows."""
        vision = dict(image_size=self.image_size, width=self.vision_width, layers=self.vision_layers, head_width=HEAD_WIDTH)
        if not self.is_resnet:
            vision |= dict(patch_size=self.patch_size)
        text = dict(context_length=self.context_length, vocab_size=rows, width=self.text_width)
        text |= dict(heads=self.text_heads, layers=self.text_layers)
        return dict(embed_dim=self.embed_dim, vision_cfg=vision, text_cfg=text)


class Clip(nn.Module):
    """An ``open_clip.CLIP`` with its picture convention, its tokenizer and its known words.

    Features are returned as the towers give them, not normalized.

    Args:
        model: the two towers, with a causal text tower that is read out at EOT.
        config: the sizes, if the model is one of ours; it travels with the weights.
        token_ids: CLIP's ids that the weights were trained on, ``[V]``; None means all.
        words: the words the weights were trained on; None means all, as in the published models.
        mean, std: the picture normalization, for pixels in [0, 1].
    """

    def __init__(
        self,
        model: CLIP,
        config: ClipConfig | None = None,
        token_ids: Tensor | Sequence[int] | None = None,
        words: Sequence[str] | None = None,
        mean: Sequence[float] = OPENAI_DATASET_MEAN,
        std: Sequence[float] = OPENAI_DATASET_STD,
    ):
        super().__init__()
        if not isinstance(model, CLIP) or model.attn_mask is None or model.text_pool_type != "argmax":
            kind = type(model).__name__
            raise UserError(f"Clip needs CLIP's own causal text tower, read out at EOT; got {kind} without one")
        self.model = model
        self.config = config
        self.token_ids = None if token_ids is None else torch.as_tensor(token_ids).tolist()
        self.words = None if words is None else sorted({part for word in words for part in words_of(word)})
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    visual = property(lambda self: self.model.visual)
    token_embedding = property(lambda self: self.model.token_embedding)
    positional_embedding = property(lambda self: self.model.positional_embedding)
    transformer = property(lambda self: self.model.transformer)
    attn_mask = property(lambda self: self.model.attn_mask)
    ln_final = property(lambda self: self.model.ln_final)
    text_projection = property(lambda self: self.model.text_projection)
    logit_scale = property(lambda self: self.model.logit_scale)  # a logarithm, as it is trained
    scale = property(lambda self: self.model.logit_scale.exp())  # 100 in the published models
    embed_dim = property(lambda self: self.model.text_projection.shape[1])
    text_width = property(lambda self: self.model.token_embedding.embedding_dim)
    image_size = property(lambda self: _side(self.model.visual.image_size))
    is_compact = property(lambda self: self.model.token_embedding.num_embeddings < VOCAB_SIZE)

    def encode_image(self, images: Tensor, antialias: bool = True) -> Tensor:
        """Features of pictures of any size; gradients flow to the pictures.

        Args:
            images: ``[N, 3, H, W]`` in [-1, 1]; values outside pass unchanged.
            antialias: filter before shrinking. False is what the published code did with the
                library of its day; a large picture then aliases and scores differently.

        Returns:
            Image features, ``[N, E]``, not normalized.
        """
        return self.model.visual(self.tower_input(images, antialias))

    def tower_input(self, images: Tensor, antialias: bool = True) -> Tensor:
        """What the picture tower wants: its own size, and its own scale of values. See `encode_image`."""
        images = resize_and_crop(images, self.image_size, antialias)
        return ((images + 1) / 2 - self.mean) / self.std

    def tokenize(self, texts: Sequence[str], allow_unknown: bool = False) -> Tensor:
        """CLIP's ids of sentences, ``[N, 77]``; a word the weights never saw is refused.

        An unseen word has a vector that was never trained. Its feature would look like an answer
        and mean nothing.

        Args:
            texts: N sentences.
            allow_unknown: let unseen words through, to show what they do.

        Returns:
            CLIP's own ids, also for a compact model, which reads `to_compact` of them.

        Raises:
            UserError: for an unseen word, with the nearest known ones, or a text that is too long.
        """
        ids = tokenize(texts, self.model.context_length)
        if not allow_unknown:
            for text in texts:
                self._refuse_unknown(text)
        return ids

    def let_unknown_through(self) -> "Clip":
        """From now on no word is refused, for readers who want to see what unseen words do; returns itself."""
        self.words = self.token_ids = None
        return self

    def _refuse_unknown(self, text: str) -> None:
        if self.words is not None:
            for word in words_of(text):
                if word not in self.words:
                    near = difflib.get_close_matches(word, self.words, n=3, cutoff=0.5)
                    hint = f"the nearest it knows: {', '.join(near)}" if near else "it knows none that is near"
                    raise UserError(f"a text needs words that this CLIP was trained on; {word!r} is not one, {hint}")
        if self.token_ids is not None:
            unseen = [token for token in token_list(text) if token not in set(self.token_ids)]
            if unseen:
                raise UserError(f"a text needs signs that this CLIP was trained on; {token_text(unseen[0])!r} is not one")

    def encode_text(self, ids: Tensor) -> Tensor:
        """Features of sentences, ``[N, 77]`` ids -> ``[N, E]``, not normalized; see `encode_prompt`."""
        ids = ids.to(self.token_embedding.weight.device)
        if ids.numel() and int(ids.max()) >= self.token_embedding.num_embeddings:
            rows = self.token_embedding.num_embeddings
            raise UserError(f"a compact CLIP needs ids below {rows}, made by to_compact; got {int(ids.max())}")
        return encode_prompt(self, self.token_embedding(ids), ids)

    def forward(self, images: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit image features ``[N, E]``, unit text features ``[N, E]`` and the scale of their logits."""
        image, text = self.encode_image(images), self.encode_text(ids)
        return F.normalize(image, dim=-1), F.normalize(text, dim=-1), self.scale


def _side(image_size: int | tuple[int, int]) -> int:
    return image_size if isinstance(image_size, int) else image_size[0]


def resize_and_crop(images: Tensor, size: int, antialias: bool = True) -> Tensor:
    """Shrink or grow until the shorter side fits, then keep the middle: a square of `size` pixels.

    Args:
        images: ``[N, 3, H, W]``, any range; bicubic overshoot is not clamped, as published.
        size: side of the result, pixels.
        antialias: filter before shrinking.

    Returns:
        ``[N, 3, size, size]``; unchanged if it already fits.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(f"images need shape [N, 3, H, W]; got {tuple(images.shape)}")
    height, width = images.shape[-2:]
    short = min(height, width)
    if short != size:
        height, width = int(size * height / short), int(size * width / short)
        images = F.interpolate(images, (height, width), mode="bicubic", align_corners=False, antialias=antialias)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return images[..., top : top + size, left : left + size]


def freeze(module: nn.Module) -> nn.Module:
    """Switch a module to evaluation and keep gradients out of its weights; they still pass through it."""
    return module.eval().requires_grad_(False)


def build_world_clip(
    config: ClipConfig = ClipConfig(), token_ids: Tensor | Sequence[int] | None = None, seed: int = 0
) -> Clip:
    """A fresh CLIP of our own sizes, with open_clip's own initialization.

    Args:
        config: the sizes.
        token_ids: the ids of a grammar (see `compact_ids`). The token table then has only their rows,
            which is what is trained. None gives the full table.
        seed: of the initialization; the global random state is left as it was.

    Raises:
        UserError: if `token_ids` is not sorted or lacks SOT, EOT or padding.
    """
    if token_ids is not None:
        _check_token_ids(torch.as_tensor(token_ids), config)
    rows = config.vocab_size if token_ids is None else len(token_ids)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIP(**config.towers(rows), quick_gelu=False)
    return Clip(model, config=config, token_ids=token_ids)


def _check_token_ids(token_ids: Tensor, config: ClipConfig) -> None:
    last = config.vocab_size - 1
    ends = token_ids.tolist()[:1] + token_ids.tolist()[-2:]
    if ends != [0, last - 1, last] or not bool((token_ids.diff() > 0).all()):
        raise UserError(f"token_ids need to be sorted, distinct, and hold 0, {last - 1} and {last}; got ends {ends}")
