"""Commands of ``iplkit zoo`` about published files: tell, get, check, bundle, convert."""

import sys
from contextlib import contextmanager
from pathlib import Path

import click

from iplkit.errors import UserError

folder_option = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where they stand; default: the folder that IPLKIT_PAPER_WEIGHTS names."
)


@click.command("show")
@click.argument("name")
def zoo_show(name: str) -> None:
    """Tell about one published file: what for, whose, where, how large, which hash, what its licence allows.

    \b
    Examples:
      iplkit zoo show generator
      iplkit zoo show dog-pkl
    """
    from iplkit.download import address
    from iplkit.zoo import entry
    from iplkit.zoo_get import copies, facts

    found, told = entry(name, "paper"), facts(name)
    click.echo(f"{found.name}: {found.purpose}")
    click.echo(f"file     {found.file}" + (f", about {told.megabytes} MB" if told.megabytes else ", size unknown"))
    click.echo(f"licence  {found.license}. {told.limits}")
    click.echo(f"page     {told.page}")
    for copy in copies(found):
        click.echo(f"copy     {address(copy.url)}")
        click.echo(f"         SHA-256 {copy.sha256 or 'not published; written down at first use'}")
    if not copies(found):
        click.echo(f"copy     no lasting address; get it from the page, then: iplkit zoo get {name} --from FILE")


@click.command("get")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--from", "source", metavar="PLACE", help="A file, a folder or an address to take it from, instead of the known ones.")
@folder_option
def zoo_get(names: tuple[str, ...], source: str | None, folder: Path | None) -> None:
    """Bring files of the paper profile to where they are looked for, and check them. Nothing else downloads.

    A broken download goes on where it broke off. The known addresses are tried in order; see them with: iplkit zoo show NAME

    \b
    Examples:
      iplkit zoo get judge                                download the Inception of FID
      iplkit zoo get generator e4e                        two files
      iplkit zoo get identity --from model_ir_se50.pth    a copy you have
      iplkit zoo get clip --from /media/usb/weights       a folder that holds it
      iplkit zoo get e4e --from hf:OWNER/REPOSITORY/FILE  another copy on the Hugging Face Hub
    """
    from iplkit.zoo import entry
    from iplkit.zoo_get import get

    for name in names:
        entry(name, "paper")  # refuses an unknown name before anything is fetched
    if source is not None and len(names) > 1 and not Path(source).is_dir():
        raise UserError("several names need a folder after --from; it is one file or address")
    for name in names:
        with _bar(name) as progress:
            path = get(name, source, folder, progress)
        click.echo(f"There: {path}")


@contextmanager
def _bar(name: str):
    """Bytes, speed and time left, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, unit="B", unit_scale=True, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield progress


@click.command("bundle")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@folder_option
def zoo_bundle(target: Path, names: tuple[str, ...], folder: Path | None) -> None:
    """Write one archive of your files for machines without internet, with hashes and licences in it.

    Read what the licences allow before you pass it on.

    \b
    Examples:
      iplkit zoo bundle class.tar                    all files that you have
      iplkit zoo bundle class.tar generator clip     two of them
    """
    from iplkit.zoo_bundle import bundle

    lines = bundle(names, target, folder)
    for line in lines:
        click.echo(f"{line['file']}: {line['license']}. {line['limits']}")
    click.echo(f"Bundled {len(lines)} files, {sum(e['size'] for e in lines) / 1e6:.0f} MB: {target}")


@click.command("unbundle")
@click.argument("source", type=click.Path(path_type=Path))
@folder_option
def zoo_unbundle(source: Path, folder: Path | None) -> None:
    """Put the files of a bundle into place, after checking all of them.

    \b
    Example:
      iplkit zoo unbundle class.tar
    """
    from iplkit.zoo import entries, path_of
    from iplkit.zoo_bundle import unbundle

    folder = folder or path_of(entries("paper")[0].name, "paper").parent
    for line in unbundle(source, folder):
        click.echo(f"{line['file']}: {line['license']}. {line['limits']}")
    click.echo(f"There: {folder}")


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--layout", default="ours", show_default=True, help="Of the target: ours, nvidia (both .safetensors) or rosinality (.pt).")
def zoo_convert(source: Path, target: Path, layout: str) -> None:
    """Rewrite a StyleGAN2 generator: rosinality's .pt or NVIDIA's .pkl, which is read without running it, to safetensors and back.

    \b
    Examples:
      iplkit zoo convert afhqdog.pkl afhqdog.safetensors
      iplkit zoo convert stylegan2-church-config-f.pkl church.pt --layout rosinality
      iplkit zoo convert adapted.safetensors adapted-nvidia.safetensors --layout nvidia
    """
    from iplkit.stylegan2.convert import convert

    recipe = convert(source, target, layout)
    sizes = recipe["config"]
    click.echo(f"{recipe['source']} ({recipe['layout']}, SHA-256 {recipe['sha256']})")
    click.echo(f"{sizes['size']} px, channels {', '.join(map(str, sizes['channels']))}, {sizes['n_mlp']} mapping layers, z {sizes['z_dim']}, w {sizes['w_dim']}")
    click.echo(f"Written: {target}")


def check_files(accepted: tuple[str, ...], folder: Path | None = None) -> bool:
    """Say of every published file whether it is here and the same; whether all that are here are."""
    from iplkit.zoo import entries, path_of
    from iplkit.zoo_files import check_same, write_down
    from iplkit.zoo_get import check_file

    fine, files = True, {e.file: e for e in entries("paper")}
    if unknown := [name for name in accepted if name not in files]:
        raise UserError(f"--accept needs the name of a published file; {unknown[0]} is none")
    for found in files.values():
        path = path_of(found.name, "paper", folder)
        if not path.is_file():
            click.echo(f"absent   {found.file}")
            continue
        try:
            origin = check_file(path, found)
            digest = write_down(path) if found.file in accepted else check_same(path)
            click.echo(f"{'fine' if origin == 'published' else 'same':<8} {found.file}  {digest[:12]}" + ("" if origin == "published" else ", no published hash"))
        except UserError as error:
            fine = False
            click.echo(f"WRONG    {error}")
    return fine


COMMANDS = (zoo_show, zoo_get, zoo_bundle, zoo_unbundle, zoo_convert)
