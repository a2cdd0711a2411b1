"""M4 and M5: does CLIP read portraits it never saw, and does it follow the way from photo to each domain?"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from iplkit.bars.row import Row, rate_row, value_row
from iplkit.bars.sets import Scale, draw_renders, people, renders, texture_seed
from iplkit.clip.prompts import template_anchor
from iplkit.errors import UserError
from iplkit.features import clip_features, device_of
from iplkit.images import to_uint8
from iplkit.metrics.auc import spearman
from iplkit.metrics.oracle import balanced_accuracy
from iplkit.world.captions import KEPT_TEMPLATES, ZERO_SHOT
from iplkit.world.predicates import predicate_index, truth
from iplkit.world.render import DOMAINS, blend


@torch.no_grad()
def text_centers(clip: nn.Module, phrases: Sequence[str], templates: Sequence[str] = KEPT_TEMPLATES) -> Tensor:
    """One unit vector a phrase, ``[C, E]``: the mean over the templates."""
    centers = torch.cat([template_anchor(clip, phrase, templates) for phrase in phrases])
    return nn.functional.normalize(centers, dim=-1).cpu()


def zero_shot(image_features: Tensor, centers: Tensor) -> Tensor:
    """The class of the most similar text, ``[N, E], [C, E]`` -> ``[N]``."""
    return (image_features @ centers.T).argmax(dim=1)


def domain_rows(scale: Scale, clip: nn.Module) -> list[Row]:
    """Zero-shot accuracy over all domains, each with as many renders, and domain by domain."""
    question = ZERO_SHOT["domain"]  # phrase -> domain
    centers, each = text_centers(clip, list(question)), max(1, scale.n // len(question))
    hits = {}
    for i, domain in enumerate(question.values()):
        features = clip_features(clip, renders(scale, f"reading {domain}", domain, each))
        hits[domain] = int((zero_shot(features, centers) == i).sum())
    note = f"{len(KEPT_TEMPLATES)} templates kept from training"
    rows = [rate_row("M4", f"zero-shot accuracy over {len(hits)} domains", sum(hits.values()), each * len(hits), ">= 0.97", note)]
    return rows + [rate_row("M4", f"zero-shot accuracy, {domain}", h, each) for domain, h in hits.items()]


def label(factors: Tensor, statements: Sequence[str]) -> Tensor:
    """Which statement is true of each portrait, ``[N, F]`` -> ``[N]``; -1 where none surely is.

    Raises:
        UserError: if two are true of one portrait, since then no answer is right.
    """
    true = truth(factors)[:, [predicate_index(s) for s in statements]] == 1  # [N, C]; NaN, better unsaid, is not true
    if bool((true.sum(dim=1) > 1).any()):
        raise UserError(f"one answer must be true of a portrait; of some, several of {', '.join(statements)} are")
    return torch.where(true.any(dim=1), true.int().argmax(dim=1), -1)


def attribute_rows(scale: Scale, clip: nn.Module) -> list[Row]:
    """Balanced zero-shot accuracy of each attribute on photo renders; a portrait without a sure answer is left out."""
    factors = people(scale, "attributes")
    features = clip_features(clip, draw_renders(scale, factors, "photo", texture_seed(scale, "attributes")))
    rows = []
    for attribute, question in ZERO_SHOT.items():
        if attribute == "domain":
            continue
        answer = label(factors, list(question.values()))
        sure = answer >= 0
        predicted = zero_shot(features[sure], text_centers(clip, list(question)))
        score = balanced_accuracy(predicted, answer[sure])
        note = " / ".join(question)
        rows.append(value_row("M4", f"{attribute}, balanced accuracy", score.value, score.num_fake, ">= 0.9", score.spread, note))
    return rows


def m4(scale: Scale, clip: nn.Module) -> list[Row]:
    """Zero-shot reading of domains and attributes."""
    return domain_rows(scale, clip) + attribute_rows(scale, clip)


@torch.no_grad()
def _blends(scale: Scale, factors: Tensor, target: str, seed: int) -> Iterator[Tensor]:
    """All shares of a few people at a time, ``[people * shares, 3, H, W]`` uint8, a person's shares together."""
    shares = torch.linspace(0, 1, scale.shares)
    step = max(1, scale.batch // scale.shares)
    for start in range(0, len(factors), step):
        part = factors[start : start + step]
        rows = part.repeat_interleave(scale.shares, dim=0).to(scale.device)
        seeds = (seed + start + torch.arange(len(part))).repeat_interleave(scale.shares)  # one texture a person
        way = shares.repeat(len(part)).to(scale.device)
        yield to_uint8(blend(rows, "photo", target, way, scale.size, seeds.to(scale.device)))


def blend_correlation(scale: Scale, clip: nn.Module, target: str) -> Tensor:
    """For each person, Spearman's correlation of share and CLIP similarity to the target caption, ``[people]``."""
    caption = f"a photo of a {target}"
    with torch.no_grad():
        text = nn.functional.normalize(clip.encode_text(clip.tokenize([caption]).to(device_of(clip))), dim=-1).cpu()[0]
    factors = people(scale, f"blends {target}", scale.people)
    features = clip_features(clip, _blends(scale, factors, target, texture_seed(scale, "blends")))
    similarity = (features @ text).reshape(scale.people, scale.shares)
    return spearman(similarity, torch.linspace(0, 1, scale.shares).expand_as(similarity))


def m5(scale: Scale, clip: nn.Module) -> list[Row]:
    """Along blends from photo to each target, does CLIP's similarity to the target caption rise?"""
    medians, rows = {}, []
    for target in DOMAINS[1:]:
        rho = blend_correlation(scale, clip, target)
        medians[target] = float(rho.median())
        low, high = float(rho.quantile(0.05)), float(rho.quantile(0.95))
        note = f"5 to 95 % of people: {low:.2f} to {high:.2f}"
        rows.append(value_row("M5", f"blend to {target}, median Spearman", medians[target], scale.people, note=note))
    good = sum(m >= 0.9 for m in medians.values())
    return [value_row("M5", "domains with median Spearman of 0.9", good, len(medians), ">= 11")] + rows
