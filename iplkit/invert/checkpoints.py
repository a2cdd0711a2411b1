"""Files of published encoders, read without running anything in them: tensors, options, mean code, and the generator beside.

Options are read with doubt, since the tools that wrote them disagree: e4e calls the picture's side ``stylegan_size`` and the others
``output_size``; old files of pSp have neither it nor ``learn_in_w``; some hold a ``Namespace`` instead of a dictionary; a device or
a path in them belongs to another machine.
"""

import argparse
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit.errors import UserError
from iplkit.invert.published_nets import DESIGNS, KINDS
from iplkit.weights import file_kind, zip_inside

GUESSED_SIZE = 1024  # of a file of pSp from before the option was written down


@dataclass(frozen=True)
class Checkpoint:
    """A file as it is.

    Args:
        encoder: tensors of the encoder, without the prefix.
        decoder: tensors of the generator; empty where the file has none.
        options: what the file says about itself.
        latent_avg: ``[R, D]`` or ``[1, D]``; None where the file has none.
        origin: the path, for refusals.
    """

    encoder: dict[str, Tensor]
    decoder: dict[str, Tensor]
    options: dict
    latent_avg: Tensor | None
    origin: str

    def type_name(self, kind: str | None) -> str:
        """The encoder's name in `DESIGNS`.

        Args:
            kind: one of `KINDS`, where the reader says what the file is; needed only if its options do not.

        Raises:
            UserError: an unknown kind or name, options that contradict the reader, or neither.
        """
        if kind is not None and kind not in KINDS:
            raise UserError(f"an encoder is one of {', '.join(KINDS)}; got {kind!r}")
        said = self.options.get("encoder_type")
        if said is None and kind is None:
            raise UserError(f"{self.origin} does not say whether it is {', '.join(KINDS)}, whose tensors have the same names: say it (kind)")
        if said is not None and said not in DESIGNS:
            raise UserError(f"{self.origin} needs one of the encoders {', '.join(DESIGNS)}; it holds {said!r}")
        name = said or KINDS[kind]
        if kind is not None and kind not in kinds_of(name, self.channels()):
            raise UserError(f"{self.origin} holds {' or '.join(kinds_of(name, self.channels()))} ({name}); got {kind!r}")
        return name

    def channels(self) -> int:
        """Of the encoder's input, by its first kernel; 0 if there is none."""
        first = self.encoder.get("input_layer.0.weight", self.encoder.get("conv1.weight"))
        return 0 if first is None or first.ndim != 4 else first.shape[1]

    def num_ws(self) -> int:
        """Rows of W+, from the options, and from the number of heads where there are some.

        Raises:
            UserError: a size that is none, or another number of heads.
        """
        size = self.options.get("stylegan_size", self.options.get("output_size", GUESSED_SIZE))
        if not isinstance(size, int) or size < 8 or size & (size - 1):
            raise UserError(f"{self.origin} needs a generator size that is a power of 2 in its options; it says {size!r}")
        rows = 2 * (size.bit_length() - 1) - 2
        heads = len({name.split(".")[1] for name in self.encoder if name.startswith("styles.")})
        if heads and heads != rows:
            raise UserError(f"{self.origin} needs {rows} heads for its generator of {size} px; it has {heads}")
        return rows


def kinds_of(name: str, channels: int) -> tuple[str, ...]:
    """Under which kinds an encoder goes; a single w is offered by both pSp and e4e."""
    design, again = DESIGNS[name], channels == 6
    if design.code == "w":
        return ("psp", "e4e")
    return (("restyle-" if again else "") + ("e4e" if design.code == "deltas" else "psp"),)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of pSp, e4e or ReStyle.

    Raises:
        UserError: a missing, empty, damaged or foreign file, one that would run code, or one without an encoder.
    """
    content = load_plain(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        held = "a generator alone" if isinstance(content, dict) and "g_ema" in content else "something else"
        raise UserError(f"{path} needs the checkpoint of an encoder, with state_dict and opts; it holds {held}")
    parts = {prefix: _part(state, prefix) for prefix in ("encoder", "decoder")}
    if not parts["encoder"]:
        raise UserError(f"{path} needs tensors whose names begin with encoder.; it has {', '.join(list(state)[:3]) or 'none'}")
    return Checkpoint(parts["encoder"], parts["decoder"], options_of(content, path), _latent_avg(content, path), str(path))


def _part(state: dict, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): t for name, t in state.items() if name.startswith(f"{prefix}.") and isinstance(t, Tensor)}


def load_plain(path: str | Path, what: str = "the checkpoint of an encoder"):
    """What a ``.pt`` holds, if that is tensors and plain options; nothing in it is run.

    Raises:
        UserError: a missing, empty, damaged or foreign file, or one that would run code.
    """
    kind = file_kind(path)
    if kind not in ("zip", "pickle"):
        found = {"html": "a web page, so the download failed", "empty": "empty", "safetensors": "safetensors"}.get(kind, "something else")
        raise UserError(f"{path} needs to be {what} (.pt); it is {found}")
    if packed := zip_inside(path):
        raise UserError(f"{path} needs to be {what} (.pt); it is an archive with {packed} inside, so unpack it first")
    if kind == "zip" and not zipfile.is_zipfile(path):
        raise UserError(f"{path} needs to be a whole checkpoint; it is cut short: download it again")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except Exception as error:
        code = "Unsupported" in str(error) or "unsupported" in str(error)
        why = "it holds objects that could run code" if code else "it is damaged: download it again"
        raise UserError(f"{path} needs to be a checkpoint of tensors and plain options; {why}") from error


def options_of(content: dict, path: str | Path) -> dict:
    """What a checkpoint says about itself; empty where it says nothing."""
    options = content.get("opts", {})
    options = vars(options) if isinstance(options, argparse.Namespace) else options
    if not isinstance(options, dict):
        raise UserError(f"{path} needs options (opts) with names; it has a {type(options).__name__}")
    return options


def _latent_avg(content: dict, path: str | Path) -> Tensor | None:
    mean = content.get("latent_avg")
    if mean is None:
        return None
    if not isinstance(mean, Tensor) or not bool(mean.isfinite().all()):
        raise UserError(f"{path} needs a latent_avg of finite numbers; it has {'others' if isinstance(mean, Tensor) else type(mean).__name__}")
    mean = mean.detach().float()
    return mean.reshape(-1, mean.shape[-1]) if mean.ndim and mean.numel() else mean.reshape(1, -1)


def fill_exactly(net: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Put every tensor into its place; a net on the "meta" device becomes real.

    Raises:
        UserError: says how many tensors are missing, unknown, of another shape or not finite, and names the first of each.
    """
    wanted = net.state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    wrong = {
        "missing": [n for n in wanted if n not in state and n not in counters],
        "unknown": [n for n in state if n not in wanted],
        "of another shape": [n for n in state if n in wanted and n not in counters and state[n].shape != wanted[n].shape],
    }
    wrong["not finite"] = [n for n, t in state.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if any(wrong.values()):
        found = "; ".join(f"{len(names)} {how}, such as {names[0]}" for how, names in wrong.items() if names)
        raise UserError(f"{origin} needs {len(wanted)} tensors of the encoder; {found}")
    zeros = {name: torch.zeros((), dtype=torch.long) for name in counters}
    net.load_state_dict(zeros | {n: t.float() if t.is_floating_point() else t for n, t in state.items()}, assign=True)
