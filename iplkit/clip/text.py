"""Tokens and the end of a sentence: what CLIP's text tower reads, and where its answer is read out.

Axis letters in this module: N sentences, L tokens (77), D text width, E embedding, V rows of the token table.
"""

import re
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn

from iplkit.errors import UserError

SOT_ID = 49406  # <start_of_text>
EOT_ID = 49407  # <end_of_text>, the largest id in CLIP's vocabulary
PAD_ID = 0  # fills the row behind EOT; it is also the token "!", which no sentence of ours uses
CONTEXT_LENGTH = 77


@cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


def token_list(text: str) -> list[int]:
    """CLIP's byte-pair tokens of one text, without SOT, EOT and padding; case does not matter."""
    return _tokenizer().encode(text)


def token_text(token_id: int) -> str:
    """What one token id spells."""
    return _tokenizer().decode([token_id]).strip()


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters and digits, so "Ukiyo-e" is two words."""
    return re.findall(r"[^\W_]+", text.lower())


def tokenize(texts: Sequence[str], context_length: int = CONTEXT_LENGTH) -> Tensor:
    """Turn sentences into the rows of ids that CLIP reads: SOT, tokens, EOT, zeros.

    Args:
        texts: N sentences.
        context_length: ids in a row; CLIP was trained with 77.

    Returns:
        Ids, ``[N, L]``, int64.

    Raises:
        UserError: if something is not a text or is empty, does not fit into a row, or spells out SOT or EOT itself.
    """
    if isinstance(texts, str):
        raise UserError(f"tokenize needs a list of texts; got the single text {texts!r}")
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"tokenize needs texts; got one of type {type(text).__name__}")
        if not text.strip():
            raise UserError(f"a text needs at least one word or sign; got {text!r}")
    ids = torch.full((len(texts), context_length), PAD_ID)
    for row, text in zip(ids, texts):
        tokens = token_list(text)
        if len(tokens) + 2 > context_length:
            raise UserError(f"a text needs at most {context_length - 2} tokens; {text[:40]!r} has {len(tokens)}")
        if SOT_ID in tokens or EOT_ID in tokens:
            raise UserError(f"a text needs to be free of CLIP's start and end marks; got {text[:80]!r}")
        row[: len(tokens) + 2] = torch.tensor([SOT_ID, *tokens, EOT_ID])
    return ids


def compact_ids(texts: Sequence[str]) -> Tensor:
    """The token ids that a set of sentences uses, with SOT, EOT and the padding id.

    A CLIP trained on a small grammar needs only these rows of the token table. They are sorted, so
    EOT stays the largest id and the rule that finds the end of a sentence still holds.

    Args:
        texts: all sentences of the grammar, or one for each of its words.

    Returns:
        Sorted, distinct ids, ``[V]``, int64.
    """
    used = {token for text in texts for token in token_list(text)}
    return torch.tensor(sorted(used | {PAD_ID, SOT_ID, EOT_ID}))


def to_compact(ids: Tensor, token_ids: Tensor | Sequence[int]) -> Tensor:
    """Replace CLIP's ids by their places in a compact token table.

    Args:
        ids: CLIP's ids, any shape.
        token_ids: the ids that the table holds, sorted, ``[V]`` (see `compact_ids`).

    Returns:
        Row numbers in 0..V-1, the shape of `ids`.

    Raises:
        UserError: if an id is not in the table.
    """
    table = torch.as_tensor(token_ids, device=ids.device)
    rows = torch.searchsorted(table, ids).clamp_max(len(table) - 1)
    missing = ids[table[rows] != ids]
    if len(missing):
        raise UserError(f"every id needs a row in the compact table; {sorted(set(missing.tolist()))[:5]} have none")
    return rows


def eot_position(ids: Tensor, eot_id: int = EOT_ID) -> Tensor:
    """Where each sentence ends: the index of its first end-of-text token, ``[N, L]`` -> ``[N]``.

    Some tokenizers pad with EOT; the first one is the end.

    Args:
        ids: token ids, ``[N, L]``.
        eot_id: the id of EOT; in a compact table its last row.

    Raises:
        UserError: if a row has no EOT, or an id above it.
    """
    is_eot = ids == eot_id
    if ids.numel() == 0 or int(ids.max()) > eot_id or not bool(is_eot.any(dim=-1).all()):
        raise UserError(
            f"every row of ids needs the end-of-text id {eot_id} and nothing above it; got ids of shape "
            f"{tuple(ids.shape)} with row maxima {ids.flatten(1).amax(dim=-1).tolist()[:5] if ids.numel() else []}"
        )
    return is_eot.int().argmax(dim=-1)


def encode_prompt(clip: nn.Module, embeds: Tensor, ids: Tensor) -> Tensor:
    """CLIP's text tower, entered behind its token table: vectors in, one feature per sentence out.

    The ids only say where each sentence ends. Attention is causal, so nothing behind the last EOT of
    the batch can reach a feature: those rows are cut away. The result is exact, and for a sentence
    of seven tokens about ten times cheaper than all 77 rows.

    Args:
        clip: a `Clip` or an ``open_clip.CLIP``. Its weights may be frozen; gradients reach `embeds`.
        embeds: token vectors before positions are added, ``[N, L, D]``.
        ids: ids of the sentences that `embeds` came from, ``[N, L]``, or ``[1, L]`` shared by all.

    Returns:
        Text features, ``[N, E]``, not normalized.

    Raises:
        UserError: if the shapes do not agree, or a row of ids has no clear end.
    """
    n, length, _ = embeds.shape
    if tuple(ids.shape) not in {(n, length), (1, length)}:
        raise UserError(f"embeds {tuple(embeds.shape)} needs ids [{n} or 1, {length}]; got {tuple(ids.shape)}")
    eot = eot_position(ids, clip.token_embedding.num_embeddings - 1).expand(n)
    end = int(eot.max()) + 1
    x = embeds[:, :end] + clip.positional_embedding[:end]  # [N, end, D]
    x = clip.transformer(x, attn_mask=clip.attn_mask[:end, :end])
    at_eot = x[torch.arange(n, device=x.device), eot.to(x.device)]  # [N, D]
    return clip.ln_final(at_eot) @ clip.text_projection  # [N, E]


def encode_branches(clip: nn.Module, start: Tensor, stem: Tensor, branches: Sequence[Tensor]) -> list[Tensor]:
    """Features of sentences that begin alike and end differently, as one call; equal to `encode_prompt` of each.

    Attention is causal, so what sentences begin with is the same in all of them and is computed once: the start for the whole
    batch, the stem for each image. The ends stand behind it side by side, each blind to the others and at its own positions.
    In the last layer only the last rows are computed, because nobody reads the rest.

    Args:
        clip: as `encode_prompt`.
        start: vectors that begin every sentence of the batch, before positions are added, ``[1, A, D]``.
        stem: how each image's sentences go on, ``[N, S, D]``.
        branches: how each of these sentences ends, up to its EOT and no further, ``[N, B, D]`` or ``[1, B, D]`` each.

    Returns:
        Text features, ``[N, E]`` for each branch, not normalized.

    Raises:
        UserError: if a sentence is longer than CLIP reads.
    """
    n, first, lengths = len(stem), start.shape[1], [branch.shape[1] for branch in branches]
    longest = first + stem.shape[1] + max(lengths)
    if longest > len(clip.positional_embedding):
        raise UserError(f"a sentence needs at most {len(clip.positional_embedding)} rows; got {longest}")
    mask, positions, ends = _branch_mask(first, stem.shape[1], lengths)
    head, mask = start + clip.positional_embedding[:first], mask.to(stem)
    x = torch.cat([stem, *(branch.expand(n, -1, -1) for branch in branches)], dim=1) + clip.positional_embedding[positions]
    for layer in clip.transformer.resblocks:
        is_last = layer is clip.transformer.resblocks[-1]
        q, *own = _project(layer, x, ends if is_last else slice(None))
        q_head, *common = _project(layer, head, slice(None))
        k, v = (torch.cat([c.expand(n, -1, -1, -1), o], dim=2) for c, o in zip(common, own))  # [N, heads, A + L, C]
        if is_last:
            x, mask = x[:, ends], mask[ends]
        else:
            head = _attend(layer, head, q_head, *common, clip.attn_mask[:first, :first])
        x = _attend(layer, x, q, k, v, mask)
    return list((clip.ln_final(x) @ clip.text_projection).unbind(dim=1))


def _project(layer: nn.Module, x: Tensor, asking: slice | list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of some rows, keys and values of all, ``[N, L, D]`` -> three times ``[N, heads, rows, C]``."""
    attn, width = layer.attn, x.shape[-1]
    linear = getattr(attn, "linear", F.linear)  # see `iplkit.clip.products`
    x = layer.ln_1(x)
    if asking == slice(None):
        parts = linear(x, attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1)
    else:
        q = linear(x[:, asking], attn.in_proj_weight[:width], attn.in_proj_bias[:width])
        parts = (q, *linear(x, attn.in_proj_weight[width:], attn.in_proj_bias[width:]).chunk(2, dim=-1))
    q, k, v = (part.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for part in parts)
    return q, k, v


def _attend(layer: nn.Module, x: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The rest of a layer, for the rows that `q` belongs to."""
    seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype)).transpose(1, 2).flatten(2)  # [N, L, D]
    x = x + layer.ls_1(layer.attn.out_proj(seen))
    return x + layer.ls_2(layer.mlp(layer.ln_2(x)))


def _branch_mask(first: int, shared: int, lengths: Sequence[int]) -> tuple[Tensor, list[int], list[int]]:
    """What each row behind the start may look at, ``[L, A + L]`` to be added; its position; the row where each branch ends."""
    branch = torch.repeat_interleave(torch.arange(len(lengths) + 1), torch.tensor([first + shared, *lengths]))  # 0: start, stem
    visible = ((branch == 0)[None, :] | (branch[:, None] == branch[None, :])).tril()[first:]
    behind = first + shared
    positions = list(range(first, behind)) + [behind + i for length in lengths for i in range(length)]
    ends = [shared + sum(lengths[: i + 1]) - 1 for i in range(len(lengths))]
    return torch.zeros(visible.shape).masked_fill(~visible, float("-inf")), positions, ends


def encode_prompt_slow(clip: nn.Module, embeds: Tensor, ids: Tensor) -> Tensor:
    """`encode_prompt` as a definition: one sentence at a time, all 77 rows, the published loop.

    Args, returns: as `encode_prompt`. Kept for tests and for the chapter that times both.
    """
    features = []
    for i in range(len(embeds)):
        row = ids[i if len(ids) > 1 else 0]
        x = (embeds[i] + clip.positional_embedding)[None]  # [1, L, D]
        x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask))
        features.append(x[0, int(row.argmax())] @ clip.text_projection)
    return torch.stack(features)
