"""M7: can CLIP lead the generator all the way into another domain, in the eyes of a judge that took no part?"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.bars.row import Row, value_row
from iplkit.bars.sets import Scale, rng, samples
from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.images import grid
from iplkit.latents import sample_z
from iplkit.metrics.frechet import fid
from iplkit.metrics.oracle import called, wilson_interval
from iplkit.world.render import DOMAINS

SHARE, RATIO, DOMAINS_ASKED = 0.7, 0.5, 9
FOLDER = "full"  # inside figures/


def steer_file(figures: Path, domain: str, suffix: str = ".json") -> Path:
    """Where one domain's steering is recorded."""
    return Path(figures) / FOLDER / f"steer-{domain.replace(' ', '-')}{suffix}"


def steering_row(
    domain: str,
    adapted_generator: nn.Module,
    judge: nn.Module,
    target_features: dict[str, Tensor],
    photo_features: dict[str, Tensor],
    scale: Scale = Scale(),
) -> dict:
    """How far an adapted generator has come.

    The three sets are cut to one size, since FID grows when samples are few.

    Args:
        domain: where it should have gone.
        adapted_generator: after adaptation.
        judge: see `iplkit.features.judge_features`.
        target_features, photo_features: judge's features of true target renders and of photos.
        scale: how many samples, and their seed.

    Returns:
        Numbers: "share" called the domain with its interval, "none" called nothing, "fid", "fid_photo", their
        "ratio", "n", and "met".
    """
    if domain not in DOMAINS:
        raise UserError(f"domain must be one of {', '.join(DOMAINS)}; got {domain!r}")
    found = judge_features(judge, samples(scale, adapted_generator, "steered", scale.steered))
    n = min(len(found["pool"]), len(target_features["pool"]), len(photo_features["pool"]))
    fake, target, photo = (features["pool"][:n] for features in (found, target_features, photo_features))
    share = called(found["domain_probs"], DOMAINS.index(domain))
    none = called(found["domain_probs"], len(DOMAINS))
    after, before = fid(target, fake, low_rank=True), fid(target, photo, low_rank=True)
    ratio = after.value / before.value
    return {
        "domain": domain, "share": share.value, "interval": share.settings["interval"], "none": none.value,
        "fid": after.value, "fid_photo": before.value, "ratio": ratio, "n": n,
        "met": bool(share.value >= SHARE and ratio <= RATIO),
    }


@torch.no_grad()
def steering_strip(generator: nn.Module, scale: Scale, columns: int = 8) -> Tensor:
    """The same few people drawn by one generator, side by side, ``[3, H, W]`` in [-1, 1]; no pixel noise."""
    z = sample_z(columns, rng(scale, "strip"), generator.config.z_dim).to(scale.device)
    images = generator.synthesis(generator.mapping(z), noise_mode="none")
    return grid(images.cpu().clamp(-1, 1), columns, 2)


def stored_rows(figures: Path) -> dict[str, dict]:
    """Domain -> recorded numbers, for the domains that were steered."""
    files = {domain: steer_file(figures, domain) for domain in DOMAINS[1:]}
    return {domain: json.loads(file.read_text(encoding="utf-8")) for domain, file in files.items() if file.is_file()}


def m7(figures: Path) -> list[Row]:
    """The steering table from what `iplkit.zoo_steer` recorded; nothing is trained here."""
    stored = stored_rows(figures)
    rows = []
    for domain, found in stored.items():
        low, high = wilson_interval(round(found["share"] * found["n"]), found["n"])
        rows.append(Row("M7", f"steered to {domain}, called so", found["share"], low, high, "", None, found["n"]))
        note = f"from {found['fid_photo']:.4g} to {found['fid']:.4g}"
        rows.append(value_row("M7", f"steered to {domain}, FID left of the photo's", found["ratio"], found["n"], note=note))
    good = sum(found["met"] for found in stored.values())
    asked = f">= {DOMAINS_ASKED}"
    note = f"called so >= {SHARE} and FID <= {RATIO} of the photo's; {len(stored)} of {len(DOMAINS) - 1} steered"
    return [value_row("M7", "domains reached after 300 steps", good, len(stored), asked, note=note)] + rows


