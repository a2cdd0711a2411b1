"""W1 to W3: does a stranger see a face in our renders, are they fast, and do sizes agree?"""

import time
from statistics import median

import torch
import torch.nn.functional as F

from iplkit.bars.row import Row, meets, rate_row, value_row
from iplkit.bars.sets import Scale, draw_renders, people, texture_seed
from iplkit.faces import find_face, landmark_error
from iplkit.world.factors import indices
from iplkit.world.render import DOMAINS, render
from iplkit.world.truth import landmarks

LARGE = 256  # pixels at which dlib looks


def frontal_people(scale: Scale, n: int) -> torch.Tensor:
    """Factors of people who look ahead: yaw and pitch in the middle tenth of their range."""
    factors = people(scale, "frontal", n)
    columns = indices(("yaw", "pitch"))
    factors[:, columns] = 0.45 + 0.1 * factors[:, columns]
    return factors


def w1(scale: Scale) -> list[Row]:
    """dlib's detection rate on frontal photo renders, and how far its landmarks lie from the truth."""
    factors = frontal_people(scale, scale.frontal)
    truth = landmarks(factors, "photo", LARGE)
    small = Scale(**{**vars(scale), "batch": 20})  # 256 px pictures are 16 times larger
    errors, seen = [], 0
    for batch in draw_renders(small, factors, "photo", texture_seed(scale, "frontal"), LARGE):
        for image in batch:
            face = find_face(image)
            if face is not None:
                errors.append(float(landmark_error(face.landmarks, truth[seen].float())))
            seen += 1
    how, unit = "dlib frontal detector, one upsampling, 256 px", "mean over 68 points, unit: outer eye corners"
    return [
        rate_row("W1", "faces found in frontal photo renders", len(errors), seen, ">= 0.9", how),
        median_row("W1", "landmark error, median", errors, "<= 0.08", unit),
    ]


def median_row(bar: str, quantity: str, values: list[float], asked: str, note: str) -> Row:
    """A median with the 95 % interval that its neighbors in order give, whatever the law."""
    if not values:
        return value_row(bar, quantity, float("nan"), 0, asked, note=note)
    ordered, n = sorted(values), len(values)
    reach = 0.98 * n**0.5  # 1.96 standard deviations of a count of coin throws
    low, high = ordered[max(0, int(n / 2 - reach))], ordered[min(n - 1, int(n / 2 + reach))]
    value = median(values)
    return Row(bar, quantity, value, low, high, asked, meets(value, asked), n, note)


@torch.no_grad()
def photo_rate(n: int = 600, size: int = 64, batch: int = 100, rounds: int = 3) -> float:
    """Photo renders a second, the best of some rounds after one to warm up. A speed: compare it to nothing elsewhere."""
    factors = people(Scale(), "speed", n)
    render(factors[:batch], "photo", size=size, seed=0)
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for start in range(0, n, batch):
            render(factors[start : start + batch], "photo", size=size, seed=start)
        best = min(best, time.perf_counter() - began)
    return n / best


@torch.no_grad()
def size_gap(scale: Scale, domain: str) -> float:
    """Mean absolute difference, in 255ths, of a 256 px render averaged to 64 px and the render at 64 px."""
    factors, seed = people(scale, f"sizes {domain}", scale.paired), texture_seed(scale, "sizes")
    total, step = 0.0, 8
    for start in range(0, len(factors), step):
        part = factors[start : start + step].to(scale.device)
        large = render(part, domain, size=LARGE, seed=seed + start)
        small = render(part, domain, size=scale.size, seed=seed + start)
        gap = F.avg_pool2d(large, LARGE // scale.size) - small
        total += float(gap.abs().mean()) * len(part)
    return total / len(factors) * 127.5


def w3(scale: Scale) -> list[Row]:
    """Do 256 px and 64 px renders agree, in each domain? The worst one decides."""
    gaps = {domain: size_gap(scale, domain) for domain in DOMAINS}
    worst = max(gaps, key=gaps.get)
    rows = [value_row("W3", "256 px against 64 px, worst domain, /255", gaps[worst], scale.paired * len(gaps), "<= 3", note=worst)]
    return rows + [value_row("W3", f"256 px against 64 px, {domain}, /255", gap, scale.paired) for domain, gap in gaps.items()]
