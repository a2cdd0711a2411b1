"""All stored cases: each function below computes one case's quantities from its recipe."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from goldens import hash_uniform, normal

from iplkit.metrics.clip_direction import clip_direction
from iplkit.metrics.cmmd import cmmd
from iplkit.metrics.distances import squared_distances
from iplkit.metrics.diversity import prdc
from iplkit.metrics.frechet import fid, frechet_distance
from iplkit.metrics.frechet_infinity import fid_infinity
from iplkit.metrics.identity import identity
from iplkit.metrics.inception_score import inception_score_of_logits, is_ref
from iplkit.metrics.intra_lpips import distance_to_medoids, intra_lpips_nearest
from iplkit.metrics.kernel import kid
from iplkit.metrics.ppl import percentile_filter, ppl_of_distances
from iplkit.metrics.scs import scs
from iplkit.metrics.sifid import map_moments, sifid_pairs, sifid_score
from iplkit.metrics.vendi import vendi

CASES = json.loads((Path(__file__).parent / "metrics_golden.json").read_text(encoding="utf-8"))["cases"]
SCALE = torch.from_numpy(np.arange(1, 33) ** -0.5)  # by numpy, to the last bit
INPUTS = {
    "fid_full_rank_d16": lambda: {"X": normal(0, 1000, 16), "Y": normal(1, 800, 16) * 1.5 + 0.5},
    "fid_full_rank_d64": lambda: {"X": normal(2, 256, 64), "Y": normal(3, 256, 64) * 1.2 + 0.1},
    "fid_rank_deficient_d64": lambda: {"X": normal(4, 50, 64), "Y": normal(5, 40, 64)},
    "fid_mixed_rank_d64": lambda: {"X": normal(12, 40, 64), "Y": normal(13, 500, 64) * 0.8},
    "fid_rank_deficient_d512": lambda: {"X": normal(6, 100, 512), "Y": normal(7, 100, 512)},
    "fid_inception_like_d256": lambda: {"X": normal(8, 500, 256).abs() * 0.3, "Y": normal(9, 300, 256).abs() * 0.35},
    "fid_hash_d32": lambda: {"X": hash_uniform(1, 120, 32), "Y": hash_uniform(2, 90, 32) * 1.3},
    "fid_rank_deficient_d2048": lambda: {"X": normal(14, 48, 2048), "Y": normal(15, 64, 2048) * 1.1 + 0.02},
    "fid_identical_full_rank": lambda: {"X": normal(10, 64, 32), "Y": normal(10, 64, 32)},
    "fid_identical_rank_deficient": lambda: {"X": normal(11, 30, 128), "Y": normal(11, 30, 128)},
    "fid_shift": lambda: {"X": normal(16, 200, 24), "Y": normal(16, 200, 24) + 0.25},
    "fid_scale2": lambda: {"X": normal(16, 200, 24), "Y": normal(16, 200, 24) * 2},
    "fid_1d": lambda: {"X": normal(17, 50, 1), "Y": normal(18, 70, 1) * 2 + 1},
    "fid_rank_deficient_mpmath50": lambda: {"X": normal(19, 8, 20), "Y": normal(20, 6, 20)},
    "fid_infinity": lambda: {"X": normal(21, 3000, 32) * SCALE, "Y": normal(22, 2000, 32) * SCALE * 1.1 + 0.05},
    "is_logits_1000x1008": lambda: {"logits": normal(30, 1000, 1008) * 2},
    "is_uneven_1003": lambda: {"logits": normal(31, 1003, 20) * 3},
    "is_chunk_count_pitfall": lambda: {"logits": normal(31, 1003, 20)[:12] * 3},
    "is_identical_rows": lambda: {"logits": normal(1, 1, 9).repeat(100, 1)},
    "is_onehot_10": lambda: {"logits": torch.eye(10).repeat(100, 1) * 1000},
    "is_hash": lambda: {"logits": (hash_uniform(3, 200, 50) - 0.5) * 8},
    "kid_300_250_d64": lambda: {"X": normal(40, 300, 64), "Y": normal(41, 250, 64) * 1.1 + 0.1},
    "kid_tiny": lambda: {"X": torch.tensor([[0.0], [1.0]]), "Y": torch.tensor([[0.0], [2.0]])},
    "kid_identical": lambda: {"X": normal(42, 100, 16), "Y": normal(42, 100, 16)},
    "cmmd": lambda: {"X": clip_like(43, 200), "Y": clip_like(44, 150)},
    "prdc": lambda: {"real": normal(50, 300, 8), "fake": normal(51, 250, 8) * 0.8 + 0.3},
    "prdc_mode_collapse": lambda: {"real": normal(53, 200, 16) * 3, "fake": normal(52, 200, 16) * 0.1},
    "vendi": lambda: {"X": normal(54, 60, 32) + 2},
    "sifid_feature_maps": lambda: {f"f{seed}": hash_uniform(seed, 16, 12, 12) for seed in (60, 61, 62)},
    "scs": lambda: {f"e{seed}": (hash_uniform(seed, 32, 32) * 1.6 - 0.6).clamp(0, 1) for seed in range(70, 75)},
    "id_cosine": lambda: {"src": normal(80, 40, 512), "tgt": 0.6 * normal(80, 40, 512) + 0.8 * normal(81, 40, 512)},
    "intra_lpips_aggregation": lambda: {"E": normal(90, 60, 10), "C": normal(91, 4, 10)},
    "intra_lpips_to_medoid": lambda: {"E": normal(90, 60, 10), "C": normal(91, 4, 10)},
    "ppl_percentile_filter": lambda: {"dist": torch.from_numpy(np.random.default_rng(95).exponential(1.0, 1000))},
}


def clip_like(seed: int, n: int) -> torch.Tensor:
    rows = torch.from_numpy(normal(seed, n, 128).numpy() + np.linspace(-1, 1, 128))
    return rows / rows.norm(dim=1, keepdim=True)


def frechet_case(X, Y):
    found = {"fid": fid(X, Y, low_rank=True).value}
    return found | {"fid_biased_cov_ddof0_nvlabs": fid(X, Y, low_rank=True, ddof=0).value, "fid_mpmath_50_digits": found["fid"]}


def diagonal_case():
    first, second = torch.arange(1, 9).double() / 4, torch.arange(8, 0, -1).double() / 3
    means = torch.zeros(8).double(), torch.linspace(-1, 1, 8, dtype=torch.float64)
    return {"fid": frechet_distance(means[0], first.diag(), means[1], second.diag())}


def noncommuting_case():
    zero = torch.zeros(2)
    return {"fid": frechet_distance(zero, torch.tensor([[2.0, 1.0], [1.0, 2.0]]), zero, torch.tensor([1.0, 3.0]).diag())}


def infinity_case(X, Y):
    score = fid_infinity(X, Y)
    return {"fid_at_N": score.settings["fid_at"], "slope": score.settings["slope"], "fid_inf": score.value}


def is_logits_case(logits):
    plain, ddof1, mixed = is_ref(logits), is_ref(logits, ddof=1), is_ref(logits, shuffle=2020)
    found = {"splits10_noshuffle_mean": plain.value, "splits10_noshuffle_std_ddof0": plain.spread}
    found |= {"splits10_noshuffle_std_ddof1": ddof1.spread, "splits1_mean": is_ref(logits, 1).value}
    return found | {"splits10_shuffle2020_mean": mixed.value, "splits10_shuffle2020_std_ddof0": mixed.spread}


def is_triple(logits, splits=10, rule="floor"):
    score = inception_score_of_logits(logits, splits, rule=rule)
    return [score.value, score.spread, score.settings["splits"]]


def kid_case(X, Y):
    found = {"kid_full_unbiased": kid(X, Y).value}
    if len(X) >= 250:
        parts = kid(Y, X, subset_size=100, num_subsets=20, seed=2020, subsets="torch-fidelity")  # X is its first input
        found |= {"subsets20_size100_RandomState2020_mean": parts.value, "subsets20_size100_RandomState2020_std_ddof0": parts.spread}
    return found


def prdc_case(real, fake):
    rims = {"lt": "outside", "le": "inside"}
    found = {f"k{k}_{name}": prdc(real, fake, k, rim=rim) for k in (3, 5) for name, rim in rims.items()}
    return {key: {name: score.value for name, score in scores.items()} for key, scores in found.items()}


def vendi_case(X):
    six = X[:6]
    return {"vendi": vendi(X).value, "vendi_10_copies_each_of_6": vendi(six.repeat(10, 1)).value, "vendi_of_the_6": vendi(six).value}


def sifid_case(f60, f61, f62):
    pairs = sifid_pairs(map_moments(f60[None]), map_moments(torch.stack([f61**1.2, f62 * 1.1, f60])))
    return {"per_pair": pairs[0].tolist(), "mean": sifid_score(pairs).value}


def scs_case(e70, e71, e72, e73, e74):
    source, adapted = torch.stack([e70, e72, e74]), torch.stack([e71, (0.7 * e72 + 0.3 * e73).clamp(0, 1), e74])
    found = {}
    for name, truncate in (("float", False), ("uint8_trunc", True)):
        each = [scs(a[None], b[None], truncate=truncate).value for a, b in zip(source, adapted)]
        found |= {f"{name}_per_pair": each, f"{name}_mean": scs(source, adapted, truncate=truncate).value}
    return found


def id_case(src, tgt):
    score = identity(src, tgt)
    return {"mean": score.value, "std_ddof0": score.settings["std"], "min": score.settings["min"]}


def clip_case():
    source, caption = normal(82, 16, 64), (normal(84, 64), normal(85, 64))
    adapted = source + 0.5 * normal(83, 16, 64) + 0.3
    each = [clip_direction(a[None], b[None], *caption).value for a, b in zip(source, adapted)]
    return {"mean": clip_direction(source, adapted, *caption).value, "per_image": each}


def nearest_case(E, C):
    score = intra_lpips_nearest(squared_distances(E, E), squared_distances(E, C), members=None)
    found = {"sizes": score.settings["sizes"], "per_cluster": score.settings["per_cluster"]}
    return found | {"mean_over_clusters": score.value, "std_over_clusters_ddof1": score.spread}


def medoid_case(E, C):
    medoids = squared_distances(E, C).argmin(dim=0)
    score = distance_to_medoids(squared_distances(E, E), medoids)
    found = {"medoid_indices": score.settings["medoids"], "sizes": score.settings["sizes"]}
    return found | {"per_cluster": score.settings["per_cluster"], "avg": score.value, "all": score.settings["all"]}


def ppl_case(dist):
    kept, low, high = percentile_filter(dist)
    return {"lo": low, "hi": high, "kept": len(kept), "mean": ppl_of_distances(dist).value}


COMPUTE = {
    **{name: frechet_case for name in INPUTS if name.startswith("fid_")},
    "fid_stats_diagonal": diagonal_case,
    "fid_stats_2x2_noncommuting": noncommuting_case,
    "fid_infinity": infinity_case,
    "is_logits_1000x1008": is_logits_case,
    "is_uneven_1003": lambda logits: {
        "rule_floor(i*N//S) torch-fidelity,NVlabs": is_triple(logits),
        "rule_drop(N//S, tail dropped) RSSA,dgm-eval": is_triple(logits, rule="drop"),
        "rule_torch.chunk torchmetrics (ddof0 here)": is_triple(logits, rule="chunk"),
    },
    "is_chunk_count_pitfall": lambda logits: {"floor": is_triple(logits), "torch.chunk": is_triple(logits, rule="chunk")},
    "is_identical_rows": lambda logits: dict(zip(("mean", "std"), is_triple(logits))),
    "is_onehot_10": lambda logits: dict(zip(("mean", "std"), is_triple(logits))),
    "is_hash": lambda logits: {"mean_std_n": is_triple(logits, 5)},
    "kid_300_250_d64": kid_case,
    "kid_tiny": kid_case,
    "kid_identical": kid_case,
    "cmmd": lambda X, Y: {"cmmd": cmmd(X, Y).value, "10*|mean diff|^2": cmmd(X, Y).settings["mean_difference"]},
    "prdc": prdc_case,
    "prdc_mode_collapse": prdc_case,
    "vendi": vendi_case,
    "sifid_feature_maps": sifid_case,
    "scs": scs_case,
    "id_cosine": id_case,
    "clip_directional": clip_case,
    "intra_lpips_aggregation": nearest_case,
    "intra_lpips_to_medoid": medoid_case,
    "ppl_percentile_filter": ppl_case,
}
NOT_OURS = ("computed", "closed_form", "fid_via_", "sqrtm_flag", "population_fid")  # of other routes, or in words


def tolerance(case: dict) -> dict[str, float]:
    """The case's own, as pytest.approx wants it; zeros that rounding cannot reach get 1e-9."""
    kind, *size = case["tolerance"].replace(";", " ").split()[:2]
    return {"rel": float(size[0]), "abs": 1e-13} if kind == "rel" else {"abs": float(size[0])} if kind == "abs" else {"rel": 0, "abs": 0}


def flat(value, name: str = "") -> dict[str, float]:
    """Nested expectations -> path -> number."""
    if isinstance(value, dict):
        return {k: v for key, each in value.items() for k, v in flat(each, f"{name}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, each in enumerate(value) for k, v in flat(each, f"{name}/{i}").items()}
    return {name: float(value)}


def test_every_stored_case_is_computed():
    assert len(CASES) == 37 and set(COMPUTE) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_stored_case(name):
    case = CASES[name]
    found = flat(COMPUTE[name](**INPUTS[name]() if name in INPUTS else {}))
    wanted = {k: v for k, v in case["expected"].items() if not k.startswith(NOT_OURS)}
    for key, want in flat(wanted).items():
        assert found[key] == pytest.approx(want, **tolerance(case)), key


@pytest.mark.parametrize("name", [name for name in INPUTS if "input_check" in CASES[name]])
def test_the_inputs_are_those_that_were_stored(name):
    arrays = INPUTS[name]()
    for key, want in CASES[name]["input_check"].items():
        array = arrays[key].double().numpy().astype("<f8")
        assert list(array.shape) == want["shape"]
        assert math.isclose(float(array.sum()), want["sum"], rel_tol=1e-9, abs_tol=1e-9)
        if name != "cmmd":  # its rows are normalized, and libraries round that differently
            assert hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16] == want["sha256_f64le"]
