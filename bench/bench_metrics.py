"""Metrics against torch-fidelity: from images to four metrics, and from features to one distance.

Both sides get the same images, the same random weights in the published layout, the same batch size and the same number
of threads, and take turns; medians count. Bars: 1.5 times faster from images at 256 + 256, 2.5 times from 2500 features
and 8 times from 1000. Run it on an idle machine: python bench/bench_metrics.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from record import ratios

PINS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def take_turns(ours: Callable[[], dict], theirs: Callable[[], dict], rounds: int) -> tuple[dict, dict, list[float], list[float]]:
    """Last results of both and their seconds, round by round; who starts changes with the round, and round 0 is a warm-up."""
    seconds, results = {ours: [], theirs: []}, {}
    for turn in range(rounds + 1):
        for run in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
            start = time.perf_counter()
            results[run] = run()
            seconds[run].append(time.perf_counter() - start)
    return results[ours], results[theirs], seconds[ours][1:], seconds[theirs][1:]


def line(quantity: str, asked: float, found: tuple, threads: int, load: float | None) -> dict:
    """One row: medians, their ratio, and how far the values are from each other."""
    mine, other, seconds, reference = found
    apart = {name: float(f"{abs(mine[name] - other[name]) / max(abs(other[name]), 1e-12):.1e}") for name in other}
    found = ratios(reference, seconds)
    row = {"bar": "M3", "quantity": quantity, "asked": f">= {asked:g}", "met": found["ratio"] >= asked} | found
    row |= {"seconds": [round(s, 2) for s in seconds], "reference_seconds": [round(s, 2) for s in reference]}
    return row | {"values": mine, "relative_difference": apart, "threads": threads, "load_before": load}


def from_images(number: int, side: int, batch: int, rounds: int) -> tuple:
    """FID, IS, KID, precision and recall of two sets of pictures, each side from the weights file on."""
    import torch
    import torch_fidelity
    from torch.utils.data import TensorDataset

    from iplkit.extractors.inception import Inception
    from iplkit.features import extract
    from iplkit.metrics.diversity import precision_recall
    from iplkit.metrics.frechet import fid
    from iplkit.metrics.inception_score import is_ref
    from iplkit.metrics.kernel import kid

    class Pictures(TensorDataset):
        def __getitem__(self, index: int) -> torch.Tensor:
            return self.tensors[0][index]

    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, number, 3, 8, 8, generator=generator)
    coarse[1] = coarse[1] * 0.8 + 0.1
    smooth = torch.nn.functional.interpolate(coarse.flatten(0, 1), size=side, mode="bicubic")
    fake, real = (smooth * 60 + 128).clamp(0, 255).to(torch.uint8).split(number)
    subset = min(number, 1000)

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.save(seeded_state(Inception.build()), weights)

        def ours() -> dict:
            net = Inception.from_file(weights)
            a, b = (extract(net, images, ("pool", "logits_unbiased"), batch_size=batch) for images in (real, fake))
            precision, recall = precision_recall(a["pool"], b["pool"], k=3)
            found = [fid(a["pool"], b["pool"], low_rank=True), kid(a["pool"], b["pool"], **subsets), precision, recall]
            return {score.name: score.value for score in [*found, is_ref(b["logits_unbiased"], shuffle=2020)]}

        def theirs() -> dict:
            sets = {"input1": Pictures(fake), "input2": Pictures(real), "batch_size": batch, "save_cpu_ram": True}
            asked = {"fid": True, "isc": True, "kid": True, "prc": True, "kid_subset_size": subset, "kid_subsets": 1}
            layers = {f"feature_layer_{name}": "2048" for name in ("fid", "kid", "prc")}  # its default for prc is another network
            net = {"feature_extractor": "inception-v3-compat", "feature_layer_isc": "logits_unbiased", **layers}
            found = torch_fidelity.calculate_metrics(
                **sets, **asked, **net, cuda=False, cache=False, verbose=False, feature_extractor_weights_path=str(weights)
            )
            names = {"FID": "frechet_inception_distance", "KID": "kernel_inception_distance_mean", "precision": "precision"}
            names |= {"recall": "recall", "IS (ref)": "inception_score_mean"}
            return {short: float(found[long]) for short, long in names.items()}

        subsets = {} if subset == number else {"subset_size": subset, "num_subsets": 1, "seed": 2020, "subsets": "torch-fidelity"}
        return take_turns(ours, theirs, rounds)


def seeded_state(net) -> dict:
    """Random weights under the published names."""
    from iplkit.extractors.base import random_state

    return random_state(net)


def from_features(number: int, width: int, rounds: int) -> tuple:
    """The Frechet distance of two sets of features, against a product of covariances and its eigenvalues."""
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    from iplkit.metrics.frechet import fid

    generator = torch.Generator().manual_seed(1)
    scale = torch.randn(width, generator=generator).mul(0.7).exp() * 0.3
    real, fake = (torch.randn(number, width, generator=generator).abs() * scale * gain for gain in (1.0, 1.1))

    def ours() -> dict:
        return {"FID": fid(real, fake, low_rank=True).value}

    def theirs() -> dict:
        statistics_of = [fid_features_to_statistics(x) for x in (fake, real)]
        return {"FID": float(fid_statistics_to_metric(*statistics_of, verbose=False)["frechet_inception_distance"])}

    return take_turns(ours, theirs, rounds)


def measure(options: argparse.Namespace) -> list[dict]:
    """All rows, printed as they come."""
    import torch

    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    jobs = [(f"Frechet distance, N = {n}, D = {options.width}", asked, from_features, (n, options.width, options.rounds))
            for n, asked in zip(options.features, (2.5, 8.0))]
    if options.images:
        title = f"FID, IS, KID, precision and recall from {options.images} + {options.images} images of {options.side} px"
        jobs.append((title, 1.5, from_images, (options.images, options.side, options.batch, options.rounds)))
    rows = []
    for title, asked, job, arguments in jobs:
        rows.append(line(title, asked, job(*arguments), options.threads, load))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure, print JSON lines, and write them where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of both sides (default 2)")
    parser.add_argument("--images", type=int, default=256, help="images a set; 0 skips this part (default 256)")
    parser.add_argument("--side", type=int, default=256, help="their side in pixels (default 256)")
    parser.add_argument("--batch", type=int, default=32, help="images a batch (default 32)")
    parser.add_argument("--features", type=int, nargs="*", default=[2500, 1000], help="features a set (default 2500 1000)")
    parser.add_argument("--width", type=int, default=2048, help="their width (default 2048)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians count (default 3)")
    parser.add_argument("--out", type=Path, help="file for the lines")
    options = parser.parse_args()
    wanted = dict.fromkeys(PINS, str(options.threads))
    if any(os.environ.get(name) != value for name, value in wanted.items()):  # libraries read them when they are loaded
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | wanted, check=False).returncode)
    rows = measure(options)
    if options.out:
        from iplkit.weights import atomic_path

        with atomic_path(options.out) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
