"""Expression transfer: w1 + t (w3 - w2), where w2 and w3 are one person without and with an expression, and w1 is another person.

Abdal et al. 2019, Sec. 4.4. Here both pictures of the second person are renders whose factors are known, and so is what the first
person would look like: the truth is rendered, and the factors of the result are read by the fit through the renderer.
"""

import torch
from torch import Tensor

from iplkit.findings import Finding
from iplkit.images import from_uint8, to_uint8
from iplkit.invert.result import decibels
from iplkit.invert.studies.lab import Lab, interval
from iplkit.world.factors import IDENTITY, NAMES, index, indices
from iplkit.world.fit import fit

STRENGTHS = (0.5, 1.0, 1.5)
EXPRESSION = {"smile": (0.35, 0.9), "mouth_open": (0.05, 0.7)}  # neutral, expressive
SOURCES = ("optimisation", "encoder")


def dressed(factors: Tensor, level: int) -> Tensor:
    """The same people, neutral (0) or expressive (1)."""
    factors = factors.clone()
    for name, values in EXPRESSION.items():
        factors[:, index(name)] = values[level]
    return factors


def expressions(lab: Lab) -> Finding:
    """By strength: how much of the expression arrives, what it costs the person, and how near the true picture is."""
    first, second = lab.people("who receives"), lab.people("who shows it")
    shots = [lab.shots(dressed(first, 0), purpose="receives"), lab.shots(dressed(second, 0), purpose="shows")]
    shots += [lab.shots(dressed(second, 1), purpose="shows"), lab.shots(dressed(first, 1), purpose="receives")]
    columns = indices(EXPRESSION)
    rows, shown = [], {"w1": shots[0][:6], "w2": shots[1][:6], "w3": shots[2][:6], "truth": shots[3][:6]}
    whole = torch.tensor([high - low for low, high in EXPRESSION.values()])
    for source in SOURCES:
        w1, w2, w3 = (lab.find(x).ws if source == "optimisation" else lab.encode(x) for x in shots[:3])
        at_rest = read(lab, lab.draw(w1))
        for strength in STRENGTHS:
            made = lab.draw(w1 + strength * (w3 - w2))
            change = read(lab, made) - at_rest
            row = {"codes by": source, "strength": strength}
            row |= {f"{name} arrives": interval(change[:, c] / w) for name, c, w in zip(EXPRESSION, columns, whole)}
            others = [k for k in range(len(NAMES)) if k not in columns]
            row |= {"others move": interval(change[:, others].abs().mean(1)), "identity moves": interval(change[:, indices(IDENTITY)].abs().mean(1))}
            rows.append(row | {"likeness": interval(lab.likeness(made, lab.draw(w1))), "dB to truth": interval(decibels(made, shots[3]))})
            shown[f"{source}, {strength:g}"] = made[:6]
    return Finding("expressions", rows, lab.about | {"expression": EXPRESSION, "read by": "fit through the renderer"}, shown)


def read(lab: Lab, images: Tensor) -> Tensor:
    """Factors by the gradient fit, which sees a mouth that the judge's head does not, ``[N, F]``."""
    judge = lab.model("judge")
    return fit(from_uint8(to_uint8(images)), "photo", lambda x: judge(x).factors).factors
