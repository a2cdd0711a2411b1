"""Draw the grid of pictures at the top of the README from the shipped weights: ``python bench/readme_grid.py``.

Rows: the source generator, then NADA and IPL for each domain that has both. Columns: the same people in every row,
seeds 0, 1, 2, ... in order, none left out.
"""

import torch

from iplkit import paths, zoo
from iplkit.images import grid, resize, write_image
from iplkit.latents import z_from_seeds

COLUMNS, PSI, SCALE = 10, 0.8, 2


def main() -> None:
    torch.set_num_threads(1)
    names = zoo.adapted_names()
    domains = sorted({name.split("-", 1)[1] for name in names if "ipl-" + name.split("-", 1)[1] in names})
    z = z_from_seeds(range(COLUMNS))
    generators = [zoo.load("generator"), *(zoo.adapted(f"{method}-{domain}") for domain in domains for method in ("nada", "ipl"))]
    with torch.no_grad():
        images = torch.cat([g(z, truncation_psi=PSI, noise_mode="const").clamp(-1, 1) for g in generators])
    size = images.shape[-1] * SCALE
    write_image(paths.root() / "figures" / "readme-grid.png", grid(resize(images, size).clamp(-1, 1), columns=COLUMNS, gap=4))
    print("rows: source, " + ", ".join(f"{m} {d}" for d in domains for m in ("NADA", "IPL")))


if __name__ == "__main__":
    main()
