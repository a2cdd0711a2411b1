"""Draw the grid of pictures at the top of the README from the shipped weights: ``python bench/readme_grid.py``.

Rows: the source generator, then NADA and IPL for each domain that has both. Columns: the same people in every row,
seeds 0, 1, 2, ... in order, none left out.
"""

import torch

from iplkit import zoo
from iplkit.latents import z_from_seeds
from iplkit.plotting import image_grid
from iplkit.records import Origin, save_figure

COLUMNS, PSI, SCALE = 10, 0.8, 2


def main() -> None:
    torch.set_num_threads(1)
    names = zoo.adapted_names()
    domains = sorted({name.split("-", 1)[1] for name in names if "ipl-" + name.split("-", 1)[1] in names})
    z = z_from_seeds(range(COLUMNS))
    generators = [zoo.load("generator"), *(zoo.adapted(f"{method}-{domain}") for domain in domains for method in ("nada", "ipl"))]
    with torch.no_grad():
        images = torch.cat([g(z, truncation_psi=PSI, noise_mode="const").clamp(-1, 1) for g in generators])
    rows = ["source", *(f"{method}, {domain}" for domain in domains for method in ("NADA", "IPL"))]
    origin = Origin("bench/readme_grid.py", out="figures")
    save_figure(image_grid(images, rows, scale=SCALE), "readme-grid", origin, seeds=range(COLUMNS), inputs=["generator"])


if __name__ == "__main__":
    main()
