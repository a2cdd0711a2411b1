"""``iplkit invert`` and ``iplkit adapt-photo``: the reader's own photos."""

import sys
from pathlib import Path

import click

from iplkit.cli_options import device_option, profile_option

WAYS = ("encode", "encode+refine", "optimize", "project")
SHARED = (
    click.argument("photos", nargs=-1, required=True, metavar="PHOTO...", type=click.Path(path_type=Path)),
    profile_option,
    click.option("--method", type=click.Choice(WAYS), default="encode+refine", show_default=True, help="How the latent is found."),
    click.option("--space", type=click.Choice(("z", "w", "w+")), help="Where it is looked for.  [default: w+; w for project]"),
    click.option("--steps", type=click.IntRange(min=0), help="Of the optimisation.  [default: the method's own]"),
    click.option("--passes", type=click.IntRange(min=1), default=5, show_default=True, help="Of an encoder that looks again."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    click.option("--encoder", metavar="FILE", help="A published pSp, e4e or ReStyle file, or psp, e4e, restyle-psp, restyle-e4e; for --profile paper."),
    click.option("--kind", type=click.Choice(("psp", "e4e", "restyle-psp", "restyle-e4e")), help="What that file is, where it does not say so itself."),
    click.option("--aligned/--align", default=None, help="Take photos as portraits, uncut; or cut always.  [default: cut what is no portrait yet]"),
    click.option("--face", type=click.IntRange(min=1), help="Which face; 1 is the largest.  [default: 1]"),
    click.option("--all-faces", is_flag=True, help="Every face of a photo."),
    click.option("--landmarks", type=click.Path(dir_okay=False, path_type=Path), help="68 or 5 points of the one photo, x y a line; then dlib is not asked."),
    click.option("--points", type=click.Choice(("68", "5")), default="68", show_default=True, help="Landmarks that dlib finds."),
    click.option("--aliased", is_flag=True, help="Cut as pSp, e4e and ReStyle do, without filtering."),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("inverted"), show_default=True, help="Folder for the results."),
    device_option,
)  # fmt: skip


def _shared(command):
    for option in reversed(SHARED):
        command = option(command)
    return command


@click.command()
@_shared
def invert(**options) -> None:
    """Find the latent that draws a photo: align the face, encode, refine, measure.

    PHOTO is a picture file or a folder. For each face are written: the latent (.npy, shape 1 x rows x width), the portrait, its
    reconstruction, a strip of all, and the numbers (.json). A photo that does not fit is listed at the end, and stops no other.
    A latent file (.npy of shape 1 x rows x width, rows x width, or width) is drawn as it is.

    \b
    Examples:
      iplkit invert me.jpg                              one photo, the shipped world
      iplkit invert holiday/ --all-faces --out found    every face in a folder
      iplkit invert render.png --aligned                a portrait already, nothing is cut
      iplkit invert me.jpg --method optimize --steps 500
      iplkit invert me.jpg --profile paper --encoder restyle-e4e
    """
    from iplkit.photos.invert import write_found

    out = options["out"]
    _run(options, lambda models: (lambda found: write_found(found, out), {}))


@click.command("adapt-photo")
@_shared
@click.option("--targets", default="", help="Domains or files, with commas.  [default: all shipped ones]")
@click.option("--by", "adapted_by", help="Only generators adapted by this method, for example ipl.")
def adapt_photo(targets: str, adapted_by: str | None, **options) -> None:
    """Bring a photo into other domains: what `iplkit invert` does, then each adapted generator, then the result pasted back.

    A target is a domain whose generator is shipped or was made by `iplkit adapt`, a name such as ipl-disney, or a file.

    \b
    Examples:
      iplkit adapt-photo me.jpg                                   all shipped targets
      iplkit adapt-photo me.jpg --targets "disney,anime painting" --by ipl
      iplkit adapt-photo me.jpg --targets mine/nada-photo-to-sketch-seed0.safetensors
      iplkit adapt-photo inverted/me.npy --targets disney         a latent in place of a photo
    """
    from iplkit.photos.adapt import load_targets, write_adapted
    from iplkit.photos.targets import targets_of

    words = [word.strip() for word in targets.split(",") if word.strip()]
    chosen = targets_of(words, options["profile"], adapted_by)  # refuses an unknown word before anything is loaded

    def writer(models):
        generators = load_targets(chosen, models)
        return (lambda found: write_adapted(found, generators, models, options["out"])), generators

    _run(options, writer)


def _run(options: dict, writer) -> None:
    from iplkit.invert.pictures import pictures_in, try_each
    from iplkit.invert.portraits import read_landmarks
    from iplkit.photos.invert import Search, invert_photos
    from iplkit.photos.latents import draw_latent, is_latent
    from iplkit.photos.models import load_models

    if options["face"] and options["all_faces"]:
        raise click.UsageError("--face and --all-faces exclude each other")
    given = pictures_in(options["photos"])
    paths, latents = [p for p in given if not is_latent(p)], [p for p in given if is_latent(p)]
    landmarks = None if options["landmarks"] is None else read_landmarks(options["landmarks"])
    search = Search(**{name: options[name] for name in ("method", "space", "steps", "passes", "seed")})
    models = load_models(options["profile"], options["encoder"], options["kind"], options["device"])
    (write, generators), out = writer(models), options["out"]

    def each(found):
        written = write(found) or found
        for line in _lines(written, out):
            click.echo(line)

    def drawn(path):
        record = draw_latent(path, generators, models, out)
        click.echo(f"{path.stem}: {record['latent']} -> {out / path.stem}-reconstruction.png")
        for line in _adapted_lines(record["adapted"]):
            click.echo(line)

    done, failed = try_each(latents, drawn)
    if paths:
        report = invert_photos(paths, models, _cutting(options, models), search, each, landmarks, progress=sys.stderr.isatty())
        done, failed = done + report.done, failed + report.failed
    if failed:
        for _, sentence in failed:
            click.echo(f"Error: {' '.join(sentence.split())}", err=True)
        click.echo(f"{len(done)} portraits written; {len(failed)} of {len(given)} photos have an error.", err=True)
        sys.exit(2)


def _cutting(options: dict, models):
    from iplkit.invert.align import ALIASED, OVERSAMPLE
    from iplkit.invert.portraits import Cutting

    faces = "all" if options["all_faces"] else options["face"] or "largest"
    oversample = ALIASED if options["aliased"] else OVERSAMPLE
    return Cutting(models.size, models.framing, options["aligned"], faces, int(options["points"]), oversample=oversample)


def _lines(found, out: Path):
    n = found.numbers
    likeness = "identity not measured" if n["identity"] is None else f"identity {n['identity']:.2f}"
    yield f"{found.stem}: {n['psnr_db']:.1f} dB, {likeness}, {n['seconds']:.1f} s -> {out / found.stem}-strip.png"
    yield from _adapted_lines(n.get("adapted", {}))
    for note in found.portrait.notes:
        yield f"  note: {note}"


def _adapted_lines(adapted: dict):
    for name, numbers in adapted.items():
        likeness = "" if numbers["identity"] is None else f"identity {numbers['identity']:.2f}, "
        yield f"  {name}: {likeness}{numbers['seconds']:.1f} s"
