"""Kill runs at random moments with SIGKILL, resume each, and compare bytes with a run that nobody touched.

The test runs it for a handful of moments; by hand:

    python tests/adapt/kill_runs.py --moments 20 --method nada --method ipl --out kills.jsonl
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from iplkit.adapt import AdaptSettings, adapt
from iplkit.clip.model import ClipConfig, build_world_clip, freeze
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.weights import atomic_path, read_metadata

SIZES = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)


def models():
    """The tiny generator and CLIP of the tests."""
    clip = freeze(build_world_clip(ClipConfig(**SIZES, embed_dim=24), seed=1))
    generator = Generator(GeneratorConfig(16, (16, 12, 8), z_dim=32, w_dim=512, n_mlp=2), seed=0)
    return generator.requires_grad_(False).eval(), clip


def work(generator, clip, method: str, folder: Path) -> str:
    """One whole run, resumed from `folder` if something is there; the digest of what it made."""
    settings = AdaptSettings(
        steps=16, batch=2, lr=0.002, views=1, select_every=3, select_batch=4, save_every=1, mapper_steps=16, mapper_batch=4,
        mapper_pool=8, rows_share=1 / 2, anchor_start=4, anchor_every=5, anchor_prompt_steps=3, quirks={"adam_ages_unchosen"},
    )  # fmt: skip
    result = adapt(generator, clip, method, "photo", "sketch", settings, seed=7, resume_dir=folder, progress=False)
    whole = hashlib.sha256()
    for module in (result.generator, result.mapper):
        for tensor in module.state_dict().values() if module is not None else ():
            whole.update(tensor.contiguous().numpy().tobytes())
    for row in (*result.mapper_log, *result.log):
        whole.update(json.dumps({name: value for name, value in row.items() if name != "seconds"}, sort_keys=True).encode())
    return whole.hexdigest()


def where(folder: Path) -> list:
    """How far a killed run had come, as its folder tells: the stage, and the steps of that stage that are kept."""
    page, mapper = folder / "checkpoint.json", folder / "mapper-0.safetensors"
    if page.is_file():
        return ["generator", json.loads(page.read_text())["step"]]
    return ["mapper", len(read_metadata(mapper)["log"])] if mapper.is_file() else ["nothing kept", 0]


def child(job) -> int:
    """Run `job` in a process of its own; returns its number."""
    pid = os.fork()
    if pid == 0:
        try:
            job()
            os._exit(0)
        except BaseException as error:  # the parent reads the exit code
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return pid


def finished(pid: int) -> bool:
    """Wait for a process; whether it ended by itself and well."""
    _, status = os.waitpid(pid, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def kill(method: str, count: int, seed: int, generator, clip, room: Path) -> dict:
    """Kill `count` runs and resume each; what happened, as a line of the result. A run that ended first is done again."""
    moments, deaths, late, equal = random.Random(seed), [], 0, 0
    work(generator, clip, method, room / "warm")
    began = time.perf_counter()
    wanted = work(generator, clip, method, room / "whole")
    seconds = time.perf_counter() - began
    while len(deaths) < count:
        folder, answer = room / f"run{len(deaths) + late}", room / "answer"
        job = lambda: answer.write_text(work(generator, clip, method, folder))  # noqa: B023, E731
        pid = child(job)
        time.sleep(moments.uniform(0, seconds))
        os.kill(pid, signal.SIGKILL)
        if finished(pid):
            late += 1
            continue
        deaths.append(where(folder))
        answer.unlink(missing_ok=True)
        assert finished(child(job)), "a resumed run failed"
        equal += answer.read_text() == wanted
        left, files = sorted(p.name for p in folder.iterdir()), 2 + method.startswith("ipl")
        assert len(left) == files, f"a resumed run leaves a checkpoint, its page and perhaps a mapper, {files} files; it left {left}"
    line = {"method": method, "kills": count, "seed": seed, "equal": equal, "deaths": deaths}
    return line | {"ended_before_their_moment": late, "seconds_of_a_run": round(seconds, 2)}


def main() -> int:
    """Print one JSON line a method; exit code 1 if a resumed run differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20, help="kills (default 20)")
    parser.add_argument("--method", action="append", help="nada, ipl, air, ...; can be repeated (default ipl)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--out", type=Path, help="also write the lines here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for method in options.method or ["ipl"]:
        with tempfile.TemporaryDirectory() as room:
            lines.append(kill(method, options.moments, options.seed, *models(), Path(room)))
        print(json.dumps(lines[-1]), flush=True)
    if options.out is not None:
        with atomic_path(options.out) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return int(any(line["equal"] != line["kills"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
