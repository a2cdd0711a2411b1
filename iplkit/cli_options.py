"""Options that several commands share."""

import click

from iplkit.paths import PROFILES, TIERS

tier_option = click.option("--tier", type=click.Choice(TIERS), default="laptop", show_default=True, help="How much to compute.")
profile_option = click.option("--profile", type=click.Choice(PROFILES), default="world", show_default=True, help="Which models: the shipped ones, or the papers'.")
device_option = click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and stop.")
