"""Kill runs at random moments with SIGKILL, resume each, and compare bytes with a run that nobody touched.

The test runs it for a handful of moments; by hand:

    python tests/adapt/kill_runs.py --moments 20 --method ipl
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

SIZES = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)


def models():
    """The tiny generator and CLIP of the tests."""
    clip = freeze(build_world_clip(ClipConfig(**SIZES, embed_dim=24), seed=1))
    generator = Generator(GeneratorConfig(16, (16, 12, 8), z_dim=32, w_dim=512, n_mlp=2), seed=0)
    return generator.requires_grad_(False).eval(), clip


def work(generator, clip, method: str, folder: Path) -> str:
    """One whole run, resumed from `folder` if something is there; the digest of what it made."""
    settings = AdaptSettings(
        steps=16, batch=2, lr=0.002, views=1, select_every=3, select_batch=4, save_every=1, mapper_steps=4, mapper_batch=4,
        mapper_pool=8, rows_share=1 / 2, anchor_start=4, anchor_every=5, anchor_prompt_steps=3, quirks={"adam_ages_unchosen"},
    )  # fmt: skip
    result = adapt(generator, clip, method, "photo", "sketch", settings, seed=7, resume_dir=folder, progress=False)
    whole = hashlib.sha256()
    for tensor in result.generator.state_dict().values():
        whole.update(tensor.contiguous().numpy().tobytes())
    for row in result.log:
        whole.update(json.dumps([row["step"], row["loss"], row["moved"], row["rows"]]).encode())
    return whole.hexdigest()


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


def main() -> int:
    """Print one JSON line; exit code 1 if a resumed run differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20, help="kills (default 20)")
    parser.add_argument("--method", default="ipl", help="nada, ipl, air, ... (default ipl)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator, clip = models()
    moments, killed, steps, equal = random.Random(options.seed), 0, [], 0
    with tempfile.TemporaryDirectory() as room:
        room = Path(room)
        began = time.perf_counter()
        wanted = work(generator, clip, options.method, room / "whole")
        seconds = time.perf_counter() - began
        for number in range(options.moments):
            folder, answer = room / f"run{number}", room / f"answer{number}"
            job = lambda: answer.write_text(work(generator, clip, options.method, folder))  # noqa: B023, E731
            pid = child(job)
            time.sleep(moments.uniform(0, seconds))
            os.kill(pid, signal.SIGKILL)
            killed += not finished(pid)
            page = folder / "checkpoint.json"
            steps.append(json.loads(page.read_text())["step"] if page.is_file() else 0)
            answer.unlink(missing_ok=True)
            assert finished(child(job)), "a resumed run failed"
            equal += answer.read_text() == wanted
            left = sorted(p.name for p in folder.iterdir())
            wanted_files = 2 + options.method.startswith("ipl")
            assert len(left) == wanted_files, f"a resumed run leaves one checkpoint, its page and a mapper; it left {left}"
    line = {"method": options.method, "moments": options.moments, "killed": killed, "steps_at_death": steps, "equal": equal}
    print(json.dumps(line))
    return int(equal != options.moments)


if __name__ == "__main__":
    sys.exit(main())
