"""Train any shipped model from its seeds, and put a trained one into the package.

\b
    python -m iplkit.train.run pool --part 0/2          fill the pool of portraits, first of two processes
    python -m iplkit.train.run judge --minutes 10       train within a time budget
    python -m iplkit.train.run judge                    train for the recipe's own number of steps
    python -m iplkit.train.run ship judge               put it into the package, with its card
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
import torch

from iplkit.errors import UserError
from iplkit.train import pool as pools
from iplkit.weights import atomic_path, sha256
from iplkit.zoo import SHIPPED, nearest, record_hashes

CACHE = Path(".cache")
MODELS = ("critic", "judge", "identity", "clip", "generator", "encoder", "bridge", "styleclip")  # in this order: each needs some before it
POOLS = {"pool": pools.PoolSettings(), "pairs": pools.PoolSettings(16 * 1024, kind="pairs", seed=1)}
SMOKE_COUNT = 2 * pools.CHUNK  # pictures of a pool when only some steps are asked for


def recipe(name: str):
    """The recipe of a model.

    Raises:
        UserError: if there is none of this name.
    """
    if name not in MODELS:
        raise UserError(f"a model that can be trained is one of {', '.join(MODELS)}; for {name!r}, {nearest(name, MODELS)}")
    return import_module(f"iplkit.train.{name}").RECIPE


def fill_pool(name: str, cache: Path = CACHE, count: int | None = None, part: int = 0, parts: int = 1, log=print) -> None:
    """Make and fill a pool of portraits ("pool") or of pairs ("pairs"); goes on where it was stopped."""
    settings = POOLS[name] if count is None else replace(POOLS[name], count=count)
    pools.create(cache / name, settings)
    pools.fill(cache / name, part, parts, log)


def retrain(
    names: Sequence[str] = (), steps: int | None = None, device: str = "cpu", threads: int = 1, cache: Path | None = None
) -> list[Path]:
    """Make models anew from their seeds, pools included.

    Args:
        names: which; none means all.
        steps: so many in every phase, to prove that the code runs; pools are then small and apart. None trains fully.
        device: "cpu" or "cuda".
        threads: of a CPU; one makes the results repeatable.
        cache: folder of pools and trainings.

    Returns:
        The files of the trained models, in the cache; `ship` puts them into the package.

    Raises:
        UserError: for an unknown name.
    """
    recipes = [recipe(name) for name in names or MODELS]
    cache = Path(cache or (CACHE if steps is None else CACHE / "smoke"))
    torch.set_num_threads(threads)
    for name in dict.fromkeys(name for r in recipes for name in getattr(r, "pools", {})):
        fill_pool(name, cache, None if steps is None else SMOKE_COUNT)
    return [r.train(cache, steps=steps, device=device, threads=threads) for r in recipes]


def ship(name: str, cache: Path = CACHE, folder: Path = SHIPPED) -> Path:
    """Put a trained model into the package: weights in half precision, its card, and the list of hashes.

    Raises:
        UserError: if the model has not been trained to its end.
    """
    trained, card_path = cache / name / "final.safetensors", cache / name / "card.json"
    if not trained.is_file() or not card_path.is_file():
        raise UserError(f"ship needs a finished training in {cache / name}; there is none")
    loader, module = import_module("iplkit.zoo").entry(name).loader.split(":")[::-1]
    model = getattr(import_module(module), loader)(trained)
    target = folder / f"{name}.safetensors"
    card = json.loads(card_path.read_text(encoding="utf-8"))
    recipe(name).save(target, model, {"card": {"name": name, "scores": card["scores"]}}, torch.float16)
    card |= {"file": target.name, "bytes": target.stat().st_size, "sha256": sha256(target)}
    with atomic_path(folder / "cards" / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    record_hashes(folder)
    return target


@click.command(help=__doc__)
@click.argument("what", type=click.Choice([*POOLS, *MODELS, "ship"]))
@click.argument("names", nargs=-1)
@click.option("--threads", default=1, show_default=True, help="Of torch, on a CPU.")
@click.option("--minutes", type=float, help="Fit the training into this time.")
@click.option("--steps", type=int, help="So many steps in every phase.")
@click.option("--count", type=int, help="Pictures of a pool.")
@click.option("--part", default="0/1", show_default=True, help="Of a pool: this process / all processes.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), default=CACHE, show_default=True)
def main(what, names, threads, minutes, steps, count, part, device, cache) -> None:
    torch.set_num_threads(threads)
    try:
        if what == "ship":
            for name in names:
                click.echo(ship(name, cache))
        elif what in POOLS:
            first, _, parts = part.partition("/")
            fill_pool(what, cache, count, int(first), int(parts or 1), lambda line: click.echo(line))
        else:
            click.echo(recipe(what).train(cache, steps=steps, minutes=minutes, device=device, threads=threads))
    except UserError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
