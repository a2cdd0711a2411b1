"""How far a fitted factor can be believed: the fit's error where the truth is known, by factor and domain.

No bar is asked for. A factor with R2 below 0.5 in a domain is left out wherever something is said about people there.
"""

import pandas as pd
from torch import nn

from iplkit.adapt.draws import draw_seed
from iplkit.bars.row import Row, value_row
from iplkit.bars.sets import Scale
from iplkit.world.factors import NAMES
from iplkit.world.fit import LEAST_R2, fit_error
from iplkit.world.render import DOMAINS

QUANTITY = "fit, R2 of {} in {}"


def fitting(scale: Scale, judge: nn.Module) -> list[Row]:
    """R2 of every factor in every domain, on fresh renders; the note says what is left out."""
    rows, total = [], 0
    for domain in DOMAINS:
        found = fit_error(domain, lambda images: judge(images).factors, scale.fitted, draw_seed(scale.seed, f"fit {domain}"), size=scale.size, device=scale.device)
        total += len(found.left_out)
        for row in found.factors:
            note = f"mean absolute error {row.error:.3f}; first guess {row.start_r2:.2f}" + ("" if row.known else "; left out")
            rows.append(value_row("FIT", QUANTITY.format(row.factor, domain), row.r2, found.n, note=note))
    note = f"of {len(rows)} pairs of factor and domain"
    return [value_row("FIT", f"factors left out, R2 below {LEAST_R2}", total, scale.fitted, note=note)] + rows


def fit_table(rows: list[Row]) -> pd.DataFrame:
    """The rows of `fitting` as one line a factor and one column a domain; a factor that is left out has a dash."""
    values = {row.quantity: row.value for row in rows}
    table = []
    for factor in NAMES:
        cells = {domain: values.get(QUANTITY.format(factor, domain), float("nan")) for domain in DOMAINS}
        table.append({"factor": factor.replace("_", " ")} | {d: f"{v:.2f}" if v >= LEAST_R2 else "–" for d, v in cells.items()})
    return pd.DataFrame(table)
