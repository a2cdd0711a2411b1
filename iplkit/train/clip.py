"""How the world's CLIP was trained: contrastive, with soft and with withheld judgments.

Radford et al. 2021, Sec. 2.3, with three changes that a small world needs. (1) Many captions of a batch are true of
many pictures: the target of a picture is every caption that is true of it, and a pair of which truth cannot be said is
left out. (2) A blend is as much of a domain as its share says, so similarity keeps rising up to the pure style and half
a style does not satisfy. (3) Parts of a picture are hidden while training, so every part has to show the style.

Axis letters: N pictures, M captions, L tokens.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from iplkit.clip.model import build_world_clip, compact_ids, save_clip, to_compact
from iplkit.clip.text import CONTEXT_LENGTH, EOT_ID, PAD_ID, SOT_ID, token_list
from iplkit.clip.towers import Clip
from iplkit.nets.readout import ClassifierConfig, Heads, Readout
from iplkit.train import augment
from iplkit.train.classifier import loss_of_readout, truth_of
from iplkit.train.common import LossOfStep, Phase, Recipe
from iplkit.train.pool import FLAGS, Pool, PoolSettings
from iplkit.world.captions import CLASSES, KEPT_TEMPLATES, TRAIN_TEMPLATES, ZERO_SHOT, Caption, agreement, all_texts, bare_captions, draw_captions, vocabulary
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.predicates import predicate_index, truth

LARGEST_SCALE = 100.0  # of the logits, as in CLIP


class Pupil(nn.Module):
    """A CLIP in training, with heads that say what a picture shows; only the CLIP is kept.

    Captions teach little about a mouth: most of them do not speak of it. The heads ask for every factor of every picture.
    """

    def __init__(self, clip: Clip, seed: int):
        super().__init__()
        self.clip = clip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = Heads(ClassifierConfig(size=clip.image_size), clip.config.vision_width * 32, clip.image_size // 32)

    def see(self, images: Tensor) -> tuple[Tensor, Readout]:
        """Image features ``[N, E]``, as `Clip.encode_image` gives them, and what the heads read from the last map."""
        tower = self.clip.visual
        x = tower.stem(self.clip.tower_input(images))
        for layer in (tower.layer1, tower.layer2, tower.layer3, tower.layer4):
            x = layer(x)
        return tower.attnpool(x), self.heads(x, {})


@cache
def _word_tokens(word: str) -> tuple[int, ...]:
    return tuple(token_list(word))


def quick_ids(texts: list[str]) -> Tensor:
    """The same ids as `iplkit.clip.text.tokenize`, word by word with a memory, ``[M, 77]``."""
    ids = torch.full((len(texts), CONTEXT_LENGTH), PAD_ID)
    for row, text in zip(ids, texts):
        tokens = [SOT_ID, *(t for word in text.split() for t in _word_tokens(word)), EOT_ID]
        row[: len(tokens)] = torch.tensor(tokens)
    return ids


def attention_for(device: str):
    """On a CPU the plain form of attention is faster backwards, for short rows."""
    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()


def soft_contrastive_loss(logits: Tensor, weight: Tensor, unsure: Tensor) -> Tensor:
    """Cross-entropy both ways between logits and soft truth.

    Args:
        logits: ``[N, M]``.
        weight: how true each caption is of each picture, ``[N, M]`` in [0, 1]; see `captions.agreement`.
        unsure: pairs to leave out, ``[N, M]`` bool.
    """
    logits = logits.masked_fill(unsure, -1e4)

    def one_way(values: Tensor, true: Tensor) -> Tensor:
        total = true.sum(dim=1, keepdim=True)
        rows = -(true / total.clamp_min(1e-6) * values.log_softmax(dim=1)).sum(dim=1)
        return rows[total[:, 0] > 1e-6].mean()

    return (one_way(logits, weight) + one_way(logits.T, weight.T)) / 2


def disturb(images: Tensor, generator: torch.Generator) -> Tensor:
    """Crop, shift, blur, tint, noise: no single spot may decide."""
    images = augment.crop(images, generator, 0.75)
    images = augment.soften(images, generator, 0.3)
    images = augment.tint(images, generator, 0.08)
    return augment.grain(images, generator, 0.10)


def look_twice(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, blur, tint, noise: for the first phase, in which places count."""
    images = augment.move(images, generator, shift=0.03)
    images = augment.soften(images, generator, 0.3)
    images = augment.tint(images, generator, 0.08)
    return augment.grain(images, generator, 0.08)


def say(pool: Pool, rows: Tensor, generator: torch.Generator) -> tuple[list[Caption], Tensor, Tensor]:
    """Captions for a batch, with their truth for every picture of it.

    One caption a picture (a blend's names either of its domains, as often as its share says), a second one for each
    photo, and one bare caption a domain.

    Returns:
        M captions, weight and unsure as of `captions.agreement`.
    """
    two, share = pool.classes(rows)
    said = truth(pool.factors(rows))
    named_second = torch.rand(len(rows), generator=generator) < share
    chosen = torch.where(named_second, two[:, 1], two[:, 0]).tolist()
    others = torch.where(named_second, two[:, 0], two[:, 1]).tolist()
    names, rest = [CLASSES[k] for k in chosen], [CLASSES[k] if k != c else None for k, c in zip(others, chosen)]
    claims = draw_captions(said, names, generator, rest)
    photos = ((two == 0).all(dim=1)).nonzero().flatten()
    claims += draw_captions(said[photos], ["photo"] * len(photos), generator)
    claims += bare_captions(generator)
    return claims, *agreement(said, pool.shares(rows), claims)


def begin(model: Pupil, phase: Phase, pools: dict[str, Pool]) -> LossOfStep:
    """Phase settings: "captions", whether texts are read at all; "readout", the weight of the heads' loss; "epsilon", the
    strength of hardening, 0 for none; "photos", the share of a batch that is pure photos; "questions", the weight of
    `question_loss`."""
    pool, clip, wanted = pools["pool"], model.clip, phase.settings
    photos = _photo_rows(pool, wanted.get("photos", 0.0), phase.batch)
    device = next(model.parameters()).device

    def see(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = pool.rows(step, phase.batch, phase.seed)
        images = look_twice(pool.images(rows), generator).contiguous(memory_format=torch.channels_last)
        return loss_of_readout(model.see(images.to(device))[1], *truth_of(pool, rows, device))

    def read(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = photos(pool.rows(step, phase.batch, phase.seed), generator)
        images = disturb(pool.images(rows), generator).contiguous(memory_format=torch.channels_last).to(device)
        claims, weight, unsure = (t.to(device) if isinstance(t, Tensor) else t for t in say(pool, rows, generator))
        ids = to_compact(quick_ids([c.text for c in claims]), torch.tensor(clip.token_ids)).to(device)
        with attention_for(device.type):
            text = F.normalize(clip.encode_text(ids).float(), dim=-1)
            scale = clip.scale.clamp(max=LARGEST_SCALE)
            if wanted.get("epsilon", 0.0) > 0:
                images = harden(clip, images, scale * text, weight, unsure, wanted["epsilon"], generator)
            image, out = model.see(images)
            image = scale * F.normalize(image.float(), dim=-1)
            asked = question_loss(clip, pool, rows, image, generator)
        loss, told = soft_contrastive_loss(image @ text.T, weight, unsure), loss_of_readout(out, *truth_of(pool, rows, device))
        numbers = {"scale": float(scale.detach()), "said": float(loss.detach()), "asked": float(asked.detach())} | told[1]
        return loss + wanted.get("questions", 0.0) * asked + wanted.get("readout", 0.0) * told[0], numbers

    return read if wanted.get("captions", True) else see


def _photo_rows(pool: Pool, share: float, batch: int) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Replaces the first `share` of a batch's rows by pure photos of the training part."""
    count = round(share * batch)
    pure = pool.train[(pool.flags(pool.train) == FLAGS.index("pure")) & (pool.classes(pool.train)[0] == 0).all(1)]

    def replace(rows: Tensor, generator: torch.Generator) -> Tensor:
        chosen = pure[torch.randint(len(pure), (count,), generator=generator)] if count else rows[:0]
        return torch.cat([chosen, rows[count:]])

    return replace


def question_loss(model: Clip, pool: Pool, rows: Tensor, image: Tensor, generator: torch.Generator) -> Tensor:
    """Which answer fits? Cross-entropy over the few answers to one question, asked of the photos of a batch.

    A caption that differs from the right one in a single word is a rare neighbor in a batch of fourteen domains; here
    such captions stand side by side. Templates are the training ones, so the kept ones still test.

    Args:
        image: scaled unit image features of `rows`, ``[N, E]``.
    """
    two, _ = pool.classes(rows)
    is_photo = (two == 0).all(dim=1) & (pool.flags(rows) == FLAGS.index("pure"))
    said = truth(pool.factors(rows))
    questions = [answers for name, answers in ZERO_SHOT.items() if name != "domain"]
    texts = [phrase for answers in questions for phrase in answers]
    pick = torch.randint(len(TRAIN_TEMPLATES), (len(texts),), generator=generator).tolist()
    ids = to_compact(quick_ids([TRAIN_TEMPLATES[k].format(t) for k, t in zip(pick, texts)]), torch.tensor(model.token_ids))
    text = F.normalize(model.encode_text(ids.to(image.device)).float(), dim=-1)
    losses, start = [], 0
    for answers in questions:
        right = said[:, [predicate_index(name) for name in answers.values()]] == 1
        sure = ((right.sum(1) == 1) & is_photo).to(image.device)
        logits = image @ text[start : start + len(answers)].T
        start += len(answers)
        if bool(sure.any()):
            losses.append(F.cross_entropy(logits[sure], right.to(image.device)[sure].float().argmax(1)))
    return sum(losses) / max(1, len(losses))


def harden(
    model: Clip, images: Tensor, text: Tensor, weight: Tensor, unsure: Tensor, epsilon: float, generator: torch.Generator
) -> Tensor:
    """Change half of the pictures by a small step that misleads the model: random first, then where it hurts most.

    Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples", Sec. 4, with the random start of Wong et
    al. 2020, "Fast is better than free". A model that resists has gradients that look like the thing itself, which is
    what steering by a CLIP needs.

    Args:
        images: ``[N, 3, H, W]`` in [-1, 1]; the first half is changed.
        text: scaled unit text features, ``[M, E]``.
        weight, unsure: truth, ``[N, M]``.
        epsilon: largest change in pixel values; each picture has its own strength up to it.
        generator: of strengths and starts.
    """
    half = len(images) // 2
    strength = epsilon * torch.rand(half, 1, 1, 1, generator=generator).to(images)
    start = strength * (2 * torch.rand(images[:half].shape, generator=generator).to(images) - 1)
    attacked = (images[:half] + start).detach().requires_grad_()
    image = F.normalize(model.encode_image(attacked).float(), dim=-1)
    loss = soft_contrastive_loss(image @ text.detach().T, weight[:half], unsure[:half])
    (gradient,) = torch.autograd.grad(loss, attacked)
    change = (start + 1.25 * strength * gradient.sign()).clamp(-strength, strength)
    return torch.cat([images[:half] + change, images[half:]]).detach()


@torch.no_grad()
def image_features(model: Clip, pool: Pool, rows: Tensor) -> Tensor:
    """Unit features of pictures of a pool, ``[N, E]``."""
    device = next(model.parameters()).device
    parts = [model.encode_image(pool.images(r).to(device)).float().cpu() for r in rows.split(128)]
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def phrase_features(model: Clip, phrases, templates=KEPT_TEMPLATES) -> Tensor:
    """Unit means over templates, one row a phrase, ``[K, E]``; works for compact and for full models."""
    out = []
    for phrase in phrases:
        ids = quick_ids([t.format(phrase) for t in templates])
        ids = to_compact(ids, torch.tensor(model.token_ids)) if model.is_compact else ids
        features = F.normalize(model.encode_text(ids.to(next(model.parameters()).device)).float().cpu(), dim=-1)
        out.append(F.normalize(features.mean(0), dim=0))
    return torch.stack(out)


def check(pupil: Pupil, pools: dict[str, Pool]) -> dict[str, float]:
    """Zero-shot accuracies with the kept templates on held-out pictures, and how similarity follows a blend's share."""
    pool, model = pools["pool"], pupil.clip
    rows = pool.test
    pure = rows[pool.flags(rows) == FLAGS.index("pure")]
    features, domain = image_features(model, pool, pure), pool.classes(pure)[0][:, 0]
    words = phrase_features(model, ZERO_SHOT["domain"])
    scores = {"zero-shot domain": _balanced((features @ words.T).argmax(1), domain)}
    photo = domain == 0
    said = truth(pool.factors(pure[photo]))
    for question, answers in ZERO_SHOT.items():
        if question == "domain":
            continue
        right = said[:, [predicate_index(name) for name in answers.values()]] == 1
        sure = right.sum(1) == 1
        called = (features[photo] @ phrase_features(model, answers).T).argmax(1)
        scores[f"zero-shot {question}"] = _balanced(called[sure], right[sure].float().argmax(1))
    return scores | _blend_scores(model, pool, rows, words)


def _blend_scores(model: Clip, pool: Pool, rows: Tensor, words: Tensor) -> dict[str, float]:
    rows = rows[pool.flags(rows) == FLAGS.index("blend")]
    if len(rows) == 0:
        return {}
    two, share = pool.classes(rows)
    similarity = (image_features(model, pool, rows) * words[two[:, 1]]).sum(1)
    each = [_rank_correlation(share[two[:, 1] == k], similarity[two[:, 1] == k]) for k in range(1, len(DOMAINS)) if (two[:, 1] == k).sum() > 4]
    return {"Spearman of share, mean of domains": sum(each) / len(each)} if each else {}


def _rank_correlation(x: Tensor, y: Tensor) -> float:
    ranks = torch.stack([v.argsort().argsort().double() for v in (x, y)])
    return float(torch.corrcoef(ranks)[0, 1])


def _balanced(called: Tensor, true: Tensor) -> float:
    each = [(called[true == k] == k).float().mean() for k in true.unique()]
    return float(torch.stack(each).mean()) if each else float("nan")


def build() -> Pupil:
    """The untrained model with the token rows of the grammar."""
    return Pupil(build_world_clip(token_ids=compact_ids(all_texts()), seed=15), seed=16)


def save(path, model: Pupil | Clip, metadata: dict, dtype=None) -> None:
    """Write the model; it will accept the words of the grammar and no others."""
    save_clip(path, getattr(model, "clip", model), words=vocabulary(), metadata=metadata, dtype=dtype)


LOUD = {"photos": 0.3, "questions": 1.0, "readout": 0.5}
PHASES = (
    Phase("see", steps=4000, lr=2e-3, seed=21, batch=64, share=0.2, settings={"captions": False}),
    Phase("speak", steps=2000, lr=1e-3, seed=22, batch=128, share=0.4, weight_decay=0.05, settings=LOUD),
    Phase("harden", steps=1300, lr=8e-4, seed=23, batch=128, share=0.4, weight_decay=0.05, settings=LOUD | {"questions": 2.0, "epsilon": 0.08}),
)
RECIPE = Recipe("clip", PHASES, build, {"pool": PoolSettings()}, begin, check, save)
