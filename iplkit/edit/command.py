"""What ``iplkit edit`` and ``iplkit directions`` do: everything given is checked first, then models load, then files are written."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from iplkit import zoo
from iplkit.clip.prompts import TEMPLATES
from iplkit.edit import mapper_command
from iplkit.edit.draw import draw
from iplkit.edit.edits import DIGITS, Edit, Known
from iplkit.edit.global_directions import draw_edit
from iplkit.edit.prepared import PEOPLE, Prepared, base_codes, prepare
from iplkit.edit.published_files import read_published_statistics
from iplkit.edit.relevance import Eye, finite_differences, reverse_matrix
from iplkit.edit.relevance_files import read_relevance, write_relevance
from iplkit.edit.selection import parse_beta
from iplkit.edit.statistics import StyleStatistics, read_statistics, style_statistics, write_statistics
from iplkit.edit.strips import STRIPS, Strip, frame_offsets, parse_offsets, write_film, write_frames, write_strip
from iplkit.edit.style_space import style_space
from iplkit.edit.text_edits import TextEdit, TextMove, read_text_edit, write_text_edit
from iplkit.devices import move
from iplkit.errors import UserError
from iplkit.images import write_image
from iplkit.invert.latent_files import read_latent
from iplkit.latents import z_from_seeds
from iplkit.weights import sha256

FILM_FRAMES = 30
OFFSETS = "-1..5"


def load_two(profile: str, device: str) -> tuple[nn.Module, nn.Module]:
    """Generator and CLIP of a profile on a device."""
    return load_on(device, profile, "generator", "clip")


def load_on(device: str, profile: str, *names: str) -> tuple[nn.Module, ...]:
    """Models of a profile on a device.

    Raises:
        UserError: a device that is not here.
    """
    models = tuple(zoo.load(name, profile) for name in names)
    move(device, *models)
    return models


def statistics_from(path: Path | None, generator: nn.Module) -> StyleStatistics:
    """From our file or a published one, or measured now."""
    if path is None:
        return style_statistics(generator)
    read = read_statistics if path.suffix == ".safetensors" else read_published_statistics
    return read(path, style_space(generator.config))


def known_edits(generator: nn.Module, profile: str, record: dict | None = None) -> Known:
    """What a file can name: the shipped models, and directions by the number of people that the file itself tells."""
    from iplkit.web.directions import FIRST, shipped_edits
    from iplkit.world.factors import NAMES

    if profile != "world":
        name = zoo.entry("generator", profile).file
        return Known(generator.num_ws, name, {name: sha256(zoo.path_of("generator", profile))}, ())
    origin = (record or {}).get("directions") or {}
    people, first = origin.get("people", 600), origin.get("first", FIRST)
    if not all(isinstance(v, int) and 0 < v <= 100_000 for v in (people, first)):
        raise UserError(f"the directions of an edit need people and first as numbers from 1 to 100000; got {people!r} and {first!r}")
    return shipped_edits(generator.num_ws, NAMES, people, zoo.adapted_names(), first)


def run_edit(
    latent: Path | None, seed: int | None, edit_file: Path | None, neutral: str | None, target: str | None, beta: str, offset: str | None, output: Path,
    matrix: Path | None, stats: Path | None, frames: int | None, film: bool, allow_unknown: bool, profile: str, device: str, dry_run: bool,
    mapper: str | None = None,
) -> Iterator[str]:  # fmt: skip
    """Carry out ``iplkit edit``; yields what to say."""
    if sum(x is not None for x in (latent, seed, edit_file)) > 1:
        raise UserError("one of --latent, --seed and --edit is needed; more than one was given")
    if (neutral is None) != (target is None):
        raise UserError("--neutral and --target belong together; one of them is missing")
    if edit_file is not None and target is not None:
        raise UserError("--edit already names its texts; --neutral and --target cannot be given with it")
    if mapper is not None and any(x is not None for x in (edit_file, target, matrix, stats)):
        raise UserError("--mapper is an edit by itself; --edit, --target, --directions and --stats cannot be given with it")
    chosen, offsets = parse_beta(beta), parse_offsets(offset or (OFFSETS if mapper is None else mapper_command.OFFSETS))
    count = frames or (FILM_FRAMES if film else 0)
    if frames is not None or film:
        frame_offsets(offsets, count)  # refuses a number that does not fit
    if mapper is not None:
        found, (generator,) = mapper_command.find_mapper(mapper, profile), load_on(device, profile, "generator")
        yield from mapper_command.run_mapper(found, generator, latent, seed or 0, offsets, output, count, film, dry_run)
        return
    generator, clip = load_two(profile, device)
    if edit_file is not None:
        yield from _drawn_again(edit_file, generator, clip, matrix, stats, output, profile, allow_unknown, dry_run)
        return
    strips = STRIPS if target is None else (Strip(target, neutral, target),)
    person = read_latent(latent, generator.num_ws, generator.config.w_dim).ws.to(device) if latent else None
    prepared = _prepared(generator, clip, matrix, stats, profile, allow_unknown)
    for strip in strips:
        prepared.text(strip.neutral, strip.target)  # refuses a text before anything is measured
    if dry_run:
        yield f"Would write {len(strips)} strips of {len(offsets)} pictures into {output}"
        return
    base = Edit(seed or 0, 1.0, seed or 0, generator.num_ws)
    ws = person if person is not None else generator.mapping(z_from_seeds([base.seed], generator.config.z_dim).to(device))
    code, known = prepared.eye.space.flat(generator.synthesis.styles(ws)), known_edits(generator, profile)
    steps = [prepared.direction(strip.neutral, strip.target, chosen) for strip in strips]  # refuses a beta before anything is written
    output.mkdir(parents=True, exist_ok=True)
    file = digest = ""
    if latent:
        file, digest = latent.name, sha256(latent)[:DIGITS]
        if latent.resolve() != (output / file).resolve():
            shutil.copyfile(latent, output / file)
    for strip, step in zip(strips, steps, strict=True):
        path = write_strip(output, strip.name, draw_edit(generator, code, step.delta, offsets)[0])
        moves = (TextMove(strip.neutral, strip.target, beta, offsets[-1]),)
        saved = TextEdit(base, moves, file, digest, prepared.origin)
        write_text_edit(path.with_suffix(".json"), saved, known)
        if count:
            images = draw_edit(generator, code, step.delta, frame_offsets(offsets, count))[0]
            write_frames(output, strip.name, images)
            if film:
                write_film(path.with_suffix(".gif"), images)
        yield f"{strip.name}: {len(step.taken)} channels at beta {step.beta:.3g} -> {path}"


def _prepared(generator: nn.Module, clip: nn.Module, matrix: Path | None, stats: Path | None, profile: str, allow_unknown: bool, people: int = PEOPLE) -> Prepared:
    statistics = statistics_from(stats, generator)
    origin = {"by": "slopes" if matrix is None else sha256(matrix)[:DIGITS]}
    if stats is not None:
        origin["file"] = sha256(stats)[:DIGITS]
    relevance = None if matrix is None else read_relevance(matrix, statistics.space)
    from iplkit.world.captions import WORLD_TEMPLATES, ZERO_SHOT

    templates = WORLD_TEMPLATES if profile == "world" else TEMPLATES
    words = tuple(dict.fromkeys(text for question in ZERO_SHOT.values() for text in question))  # plain English, for any CLIP
    options = dict(templates=templates, words=words, allow_unknown=allow_unknown, origin=origin)
    return prepare(generator, clip, statistics, people, matrix=relevance, **options)


@torch.no_grad()
def _drawn_again(
    path: Path, generator: nn.Module, clip: nn.Module, matrix: Path | None, stats: Path | None, output: Path, profile: str, allow_unknown: bool, dry_run: bool
) -> Iterator[str]:  # fmt: skip
    """The one picture of a saved edit."""
    known = known_edits(generator, profile, _peek(path))
    edit = read_text_edit(path, known)
    if dry_run:
        yield f"Would write the picture of {path} into {output}"
        return
    if edit.texts and edit.edit.domain:
        raise UserError("an edit moves S by text or draws with an adapted generator; this one asks for both")
    if edit.texts:
        image = _text_picture(edit, path, generator, _prepared(generator, clip, matrix, stats, profile, allow_unknown), known)
    else:
        image = draw(edit.edit, generator, _directions(edit.edit, generator, known), _adapted(edit.edit))[0]
    output.mkdir(parents=True, exist_ok=True)
    write_image(output / f"{path.stem}.png", image.clamp(-1, 1))
    yield f"{path.name} -> {output / f'{path.stem}.png'}"


def _text_picture(edit: TextEdit, path: Path, generator: nn.Module, prepared: Prepared, known: Known) -> Tensor:
    if dict(edit.styles) != json.loads(json.dumps(prepared.origin)):
        raise UserError(f"the edit's steps need to be made as {json.dumps(edit.styles)}; here they are made as {json.dumps(prepared.origin)}")
    ws = _codes(edit, path, generator, known)
    code = prepared.eye.space.flat(generator.synthesis.styles(ws))
    for move in edit.texts:
        with torch.enable_grad():
            step = prepared.direction(move.neutral, move.target, parse_beta(move.beta))
        code = code + move.strength * step.delta
    return prepared.eye.draw(code)[0]


def _codes(edit: TextEdit, path: Path, generator: nn.Module, known: Known) -> Tensor:
    from iplkit.edit.draw import edited_ws

    directions = _directions(edit.edit, generator, known)
    if not edit.file:
        one, two = generator.mapping.w(z_from_seeds([edit.edit.seed, edit.edit.second], generator.config.z_dim))
        return edited_ws(edit.edit, generator.num_ws, one, two, generator.mapping.w_avg, directions)
    ws = read_latent(path.parent / edit.file, generator.num_ws, generator.config.w_dim).ws
    from iplkit.latents import add_to_rows

    for shift in edit.edit.moves:
        ws = add_to_rows(ws, directions[shift.direction], shift.rows, shift.strength)
    return ws


def _directions(edit: Edit, generator: nn.Module, known: Known) -> dict[str, Tensor]:
    """The factor directions that an edit names."""
    names = tuple(dict.fromkeys(move.direction for move in edit.moves))
    if not names:
        return {}
    from iplkit.web.directions import factor_directions

    found = factor_directions(generator, zoo.load("judge"), names, known.origin["people"], known.origin["first"])
    return dict(zip(names, found, strict=True))


def _adapted(edit: Edit) -> dict[str, nn.Module]:
    return {edit.domain: zoo.adapted(edit.domain)} if edit.domain else {}


def _peek(path: Path) -> dict | None:
    """The file's content where it is one; what is wrong with it is said later."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("directions", {}), dict) else None


def write_stats(people: int, seed: int, psi: float, output: Path, profile: str, device: str, dry_run: bool) -> str:
    """Carry out ``iplkit directions stats``."""
    if output.suffix != ".safetensors":
        raise UserError(f"statistics are written as .safetensors; got {output.name}")
    generator, _ = load_two(profile, device)
    if dry_run:
        return f"Would measure {people} people and write {output}"
    write_statistics(output, style_statistics(generator, people, seed, psi))
    return f"Written: {output}, {style_space(generator.config).channels} channels from {people} people"


def write_extract(people: int, by: str, base: str, step: float, output: Path, stats: Path | None, profile: str, device: str, dry_run: bool) -> str:
    """Carry out ``iplkit directions extract``."""
    if output.suffix not in (".npy", ".safetensors"):
        raise UserError(f"a relevance matrix is written as .npy or .safetensors; got {output.name}")
    if by == "reverse" and base != "independent":
        raise UserError("--base cumulative needs --by differences: a derivative pushes nothing that could add up")
    generator, clip = load_two(profile, device)
    eye, statistics = Eye(generator, clip), statistics_from(stats, generator)
    codes = base_codes(generator, people)
    if dry_run:
        return f"Would measure {len(eye.space.convolutions)} channels in {people} pictures and write {output}"
    how = {"by": by, "people": people} | ({"base": base, "step": step} if by == "differences" else {})
    if by == "reverse":
        found = reverse_matrix(eye, codes, statistics.std)
    else:
        found = finite_differences(eye, codes, statistics.mean, statistics.std, step=step, base=base)
    write_relevance(output, found, eye.space, how | {"statistics": statistics.origin})
    return f"Written: {output}, {len(found.columns)} channels, {found.renders} pictures' work"


