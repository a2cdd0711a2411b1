"""``iplkit edit`` and ``iplkit directions``: what a text does to a person, with the flags of PaddleGAN's tool."""

from pathlib import Path

import click

from iplkit.cli_options import device_option, dry_run_option, profile_option

FILE = click.Path(dir_okay=False, path_type=Path)
stats_option = click.option("--stats", "--stat-path", "--stat_path", "stats", type=FILE, help="Statistics of S.  [default: measured now]")


@click.command()
@click.option("--latent", type=FILE, help="Latent of a person, .npy, as iplkit invert writes it.")
@click.option("--seed", type=click.IntRange(min=0), help="Person of a seed, in place of --latent.  [default: 0]")
@click.option("--edit", "edit_file", type=FILE, help="A saved edit (.json), of this command or of the live page, in place of both.")
@click.option("--neutral", help="What is there, for example face.")
@click.option("--target", help="What shall be, for example \"happy face\".  [default: the six strips]")
@click.option("--beta-threshold", "--beta_threshold", "beta", default="0.1", show_default=True, help="Which channels move: 0.1, or 20c for 20 channels, or 5% for that share of false ones.")
@click.option("--direction-offset", "--direction_offset", "offset", help="Strength, in standard deviations: 5, or 0,2.5,5, or -1..5; of a mapper, 1 is the published one.  [default: -1..5; with --mapper 0,0.5,1]")
@click.option("--output", "--output_path", "output", type=click.Path(file_okay=False, path_type=Path), default=Path("edited"), show_default=True)
@click.option("--directions", "--direction-path", "--direction_path", "matrix", type=FILE, help="A relevance matrix: fs3.npy, or of iplkit directions extract.  [default: differentiated for the prompt]")
@stats_option
@click.option("--mapper", metavar="WHICH", help="A trained mapper in place of directions: happy, angry or long hair; of profile paper afro, mohawk, ...; or a published file.")
@click.option("--frames", type=int, help="Also so many frames from the least to the largest offset.")
@click.option("--film", is_flag=True, help="Also a film (.gif) of these frames; 30 if --frames is not given.")
@click.option("--allow-unknown", is_flag=True, help="Let words through that the CLIP never saw.")
@profile_option
@device_option
@dry_run_option
def edit(**options) -> None:
    """Edit a person by text: StyleCLIP's global directions, or one of its mappers.

    For each text are written a strip of pictures (.png) and the edit (.json), which this command reads again. A mapper writes
    the edited code (.npy), which --latent takes.

    \b
    Examples:
      iplkit edit --seed 3                                       the six strips at offsets -1 to 5
      iplkit edit --latent inverted/me.npy --neutral face --target "happy face" --direction-offset 5
      iplkit edit --seed 3 --neutral face --target "face with glasses" --beta-threshold 20c --film
      iplkit edit --edit saved.json                              the picture of a saved edit
      iplkit edit --seed 3 --mapper happy                        what was trained for one text
      iplkit edit --latent inverted/me.npy --mapper mapper-afro.pt --profile paper
    """
    from iplkit.edit.command import run_edit

    for line in run_edit(**options):
        click.echo(line)


@click.group()
def directions() -> None:
    """What text edits need beforehand: statistics of S, and the relevance of its channels."""


@directions.command()
@click.option("--people", type=click.IntRange(min=2), default=20_000, show_default=True, help="Published: 100000.")
@click.option("--seed", type=click.IntRange(min=0), default=5, show_default=True)
@click.option("--psi", type=float, default=0.7, show_default=True, help="Truncation; 1 for none.")
@click.option("--output", type=FILE, default=Path("S_mean_std.safetensors"), show_default=True)
@profile_option
@device_option
@dry_run_option
def stats(people: int, seed: int, psi: float, output: Path, profile: str, device: str, dry_run: bool) -> None:
    """Mean and spread of every channel of S.

    \b
    Example:
      iplkit directions stats --people 100000
    """
    from iplkit.edit.command import write_stats

    click.echo(write_stats(people, seed, psi, output, profile, device, dry_run))


@directions.command()
@click.option("--people", type=click.IntRange(min=1), default=32, show_default=True, help="Base pictures; published: 100.")
@click.option("--by", type=click.Choice(("reverse", "differences")), default="reverse", show_default=True, help="Backward passes, or the published pushes up and down.")
@click.option("--base", type=click.Choice(("independent", "cumulative")), default="independent", show_default=True, help="cumulative: as published code does, whose pushes add up.")
@click.option("--step", type=float, default=5.0, show_default=True, help="Of a push, in standard deviations.")
@click.option("--output", type=FILE, default=Path("relevance.safetensors"), show_default=True, help="Or .npy, for the published layout.")
@stats_option
@profile_option
@device_option
@dry_run_option
def extract(**options) -> None:
    """The relevance of every channel of S to CLIP's outputs; minutes.

    \b
    Examples:
      iplkit directions extract
      iplkit directions extract --by differences --base cumulative --output fs3.npy
    """
    from iplkit.edit.command import write_extract

    click.echo(write_extract(**options))
