"""The files that the live page fetches: graphs, weights in half precision, latents, adapted differences, controls."""

import json
import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.latents import z_from_seeds
from iplkit.web.controls import Controls
from iplkit.web.graphs import block, rows_of_size, sizes
from iplkit.weights import atomic_path, write_weights
from iplkit.zoo import ADAPTED, check_file

FOLDER = "live"  # of a run; `iplkit.stage` lays it beside the page's script
WEIGHTS, LATENTS, DEFINITION = "synthesis.safetensors", "latents.safetensors", "live.json"
SOURCE_BYTES = 6_200_000  # of the 10 MB before the first picture; the runtime takes up to 3.8
DOMAIN_BYTES = 1_500_000


def export(folder: Path, generator: nn.Module, controls: Controls, directions: Tensor) -> dict[str, int]:
    """Write everything that the page's script needs beside its own code.

    Args:
        folder: where the files go; files of an earlier export that are no longer wanted are removed.
        generator: the source generator.
        controls: what the page offers.
        directions: one a name of ``controls.known.directions``, ``[len(directions), D]``.

    Returns:
        File name -> bytes.

    Raises:
        UserError: if directions and names do not agree, or a file is larger than the page may ask for.
    """
    names = controls.known.directions
    if len(directions) != len(names):
        raise UserError(f"the live page needs one direction a name; got {len(directions)} for {', '.join(names)}")
    folder.mkdir(parents=True, exist_ok=True)
    config = generator.config
    for size in sizes(config):
        with atomic_path(folder / f"block{size}.onnx") as temporary:
            temporary.write_bytes(block(config, size).SerializeToString(deterministic=True))
    write_weights(folder / WEIGHTS, generator.synthesis.state_dict(), {"kind": "synthesis"}, torch.float16)
    write_weights(folder / LATENTS, latents(generator, controls, directions), {"kind": "latents"})
    for name in controls.domains:
        shutil.copyfile(check_file(f"{ADAPTED}/{name}.safetensors"), folder / f"{name}.safetensors")
    blocks = [{"size": size, "rows": rows_of_size(config, size)} for size in sizes(config)]
    record = controls.asdict() | {"blocks": blocks, "w_dim": config.w_dim, "weights": WEIGHTS, "latents": LATENTS}
    with atomic_path(folder / DEFINITION) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return _only(folder, {DEFINITION, WEIGHTS, LATENTS} | {f"block{b['size']}.onnx" for b in blocks}, {f"{n}.safetensors" for n in controls.domains})


@torch.no_grad()
def latents(generator: nn.Module, controls: Controls, directions: Tensor) -> dict[str, Tensor]:
    """One w for each seed of the slider, in half precision: the draw of z stays torch's own."""
    w = generator.mapping.w(z_from_seeds(range(int(controls.seed.high) + 1), generator.config.z_dim))
    return {"w": w.half(), "w_avg": generator.mapping.w_avg, "directions": directions.float()}


def _only(folder: Path, first: set[str], domains: set[str]) -> dict[str, int]:
    for path in folder.iterdir():
        if path.is_file() and path.name not in first | domains:
            path.unlink()
    found = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    if (total := sum(found[name] for name in first)) > SOURCE_BYTES:
        raise UserError(f"the live page may have {SOURCE_BYTES / 1e6:g} MB beside the runtime before the first picture; its files have {total / 1e6:.1f} MB")
    if large := [name for name in domains if found[name] > DOMAIN_BYTES]:
        raise UserError(f"a domain of the live page may have {DOMAIN_BYTES / 1e6:g} MB; larger are {', '.join(sorted(large))}")
    return found
