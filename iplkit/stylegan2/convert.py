"""A published generator, in any layout, written once as safetensors with its recipe: where it came from, and its hash."""

from pathlib import Path

from iplkit.errors import UserError
from iplkit.stylegan2.checkpoints import load_generator, save_generator, save_nvidia, save_rosinality
from iplkit.stylegan2.nvidia import load_nvidia_pickle
from iplkit.weights import file_kind, sha256

WRITERS = {"ours": save_generator, "nvidia": save_nvidia}
LAYOUTS = (*WRITERS, "rosinality")


def convert(source: str | Path, target: str | Path, layout: str = "ours") -> dict:
    """Read a generator in whatever layout, and write it in one of `LAYOUTS`.

    Args:
        source: our safetensors, rosinality's ``.pt``, NVIDIA's ``.pkl``, or NVIDIA's names in safetensors.
        target: the file to write; "ours" and "nvidia" are safetensors, "rosinality" is a ``.pt``.
        layout: of the target.

    Returns:
        The recipe: source file, its SHA-256, its layout and what it said, and the sizes found. It stands in the
        target too, except in a ``.pt``, which has no place for it.

    Raises:
        UserError: an unknown layout, a target that is the source or has a misleading ending, or a source that is refused.
    """
    source, target = Path(source), Path(target)
    ending = ".pt" if layout == "rosinality" else ".safetensors"
    if layout not in LAYOUTS:
        raise UserError(f"a layout is one of {', '.join(LAYOUTS)}; got {layout!r}")
    if target.suffix != ending or target.resolve() == source.resolve():
        raise UserError(f"the layout {layout} needs a file of its own that ends in {ending}; got {target}")
    kind = file_kind(source)
    generator, said = None, {"layout": {"safetensors": "safetensors", "zip": "rosinality"}.get(kind, "rosinality, old torch")}
    if kind == "pickle":
        try:
            generator, said = load_nvidia_pickle(source)
        except UserError:
            generator = load_generator(source)  # an old torch file, or the same refusal
    generator = load_generator(source) if generator is None else generator
    recipe = {"source": source.name, "sha256": sha256(source), **said}
    if layout == "rosinality":
        save_rosinality(target, generator)
    else:
        WRITERS[layout](target, generator, {"recipe": recipe})
    return recipe | {"config": generator.config.asdict()}
