"""Lies about the results of this repository, each told on a copy of it. The docstring says what the lie is.

A lie takes the copy, changes it, and returns words that the sentence of `iplkit verify` must hold.
"""

import json
import re
from collections.abc import Callable

from tree import RUN, Tree

Lie = Callable[[Tree], tuple[str, ...]]
LIES: list[Lie] = []


def lie(tell: Lie) -> Lie:
    """Put a lie on the list."""
    LIES.append(tell)
    return tell


def other_digit(text: str, after: str = "") -> str:
    """A text with the last digit of its first decimal number changed, behind some words."""
    start = text.index(after) + len(after)
    found = re.search(r"\d+\.\d+", text[start:])
    place = start + found.end() - 1
    return f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"


@lie
def csv_digit(tree: Tree) -> tuple[str, ...]:
    """A digit is changed in the CSV of a table."""
    tree.write("figures/tab-world-domains.csv", other_digit(tree.read("figures/tab-world-domains.csv"), "disney"))
    return "figures/tab-world-domains.json", "tab-world-domains.csv"


@lie
def printed_digit(tree: Tree) -> tuple[str, ...]:
    """A digit is changed in the table as the page prints it."""
    tree.write("figures/tab-results-means.md", other_digit(tree.read("figures/tab-results-means.md"), "FID"))
    return "figures/tab-results-means.json", "tab-results-means.md"


@lie
def printed_digit_with_its_hashes(tree: Tree) -> tuple[str, ...]:
    """The same, and every hash is made to fit."""
    printed_digit(tree)
    tree.forge("tab-results-means")
    return "figures/tab-results-means.json", "tab-results-means.md prints"


@lie
def both_digits_with_their_hashes(tree: Tree) -> tuple[str, ...]:
    """A number is changed in the CSV and in print, and every hash is made to fit; the record still knows it."""
    row = next(line for line in tree.read("figures/tab-world-domains.md").splitlines() if line.startswith("| disney "))
    shown = row.split("|")[-2].strip()
    exact = next(line for line in tree.read("figures/tab-world-domains.csv").splitlines() if line.startswith("disney,")).split(",")[-1]
    tree.replace("figures/tab-world-domains.md", row, row.replace(f"| {shown} |", "| 99 |"))
    tree.replace("figures/tab-world-domains.csv", exact, "99.0")
    tree.forge("tab-world-domains")
    return "figures/tab-world-domains.json", "holds", "99"


@lie
def recorded_digit(tree: Tree) -> tuple[str, ...]:
    """A digit is changed in the numbers of a record, from where the text takes them."""
    tree.write("figures/fig-metrics-few.json", other_digit(tree.read("figures/fig-metrics-few.json"), '"numbers"'))
    return ("figures/fig-metrics-few.json",)


@lie
def recorded_digit_with_its_hash(tree: Tree) -> tuple[str, ...]:
    """The same with a hash that fits, after the chapter was computed again."""
    tree.recompute("12_metrics")
    numbers = tree.record("tab-metrics-resize")["numbers"]
    tree.forge("tab-metrics-resize", numbers=numbers | {"n": 9 * numbers["n"]})
    return "figures/tab-metrics-resize.json", "came out as"


@lie
def exchanged_pictures(tree: Tree) -> tuple[str, ...]:
    """Two figures made of pixels are exchanged."""
    tree.exchange("figures/fig-latent-ways.png", "figures/fig-latent-mixing.png")
    return "figures/fig-latent-ways.json", "fig-latent-ways.png"


@lie
def exchanged_plots(tree: Tree) -> tuple[str, ...]:
    """Two plots are exchanged."""
    tree.exchange("figures/fig-results-why.svg", "figures/fig-results-differences.svg")
    return "figures/fig-results-why.json", "fig-results-why.svg"


@lie
def exchanged_pictures_with_their_hashes(tree: Tree) -> tuple[str, ...]:
    """Two figures are exchanged and every hash is made to fit, after the chapter was computed again."""
    tree.recompute("02_latent_spaces")
    exchanged_pictures(tree)
    tree.forge("fig-latent-ways")
    tree.forge("fig-latent-mixing")
    return "figures/fig-latent-ways.json", "fig-latent-ways.png"


@lie
def redrawn(tree: Tree) -> tuple[str, ...]:
    """A plot is drawn again with one line moved, and its record is not."""
    tree.write("figures/fig-latent-spread.svg", other_digit(tree.read("figures/fig-latent-spread.svg"), 'id="line2d_'))
    return "figures/fig-latent-spread.json", "fig-latent-spread.svg"


@lie
def exchanged_captions(tree: Tree) -> tuple[str, ...]:
    """The captions of two figures of a chapter are exchanged."""
    page = "notebooks/02_latent_spaces.ipynb"
    one, other = (json.dumps(tree.record(name)["caption"], ensure_ascii=False) for name in ("fig-latent-ways", "fig-latent-mixing"))
    tree.replace(page, one, '"?"')
    tree.replace(page, other, one)
    tree.replace(page, '"?"', other)
    return page, "fig-latent-ways", "caption"


@lie
def exchanged_table_captions(tree: Tree) -> tuple[str, ...]:
    """The captions of two tables of a page are exchanged."""
    page = "book/model_cards.md"
    one, other = (tree.record(name)["caption"] for name in ("tab-world-models", "tab-world-fit"))
    tree.replace(page, one, "?")
    tree.replace(page, other, one)
    tree.replace(page, "{table} ?", f"{{table}} {other}")
    return page, "tab-world-models", "caption"


@lie
def rewritten_caption(tree: Tree) -> tuple[str, ...]:
    """A caption claims the opposite, and nothing was computed for it."""
    caption = json.dumps(tree.record("fig-metrics-few")["caption"], ensure_ascii=False)
    tree.replace("notebooks/12_metrics.ipynb", caption, f'{caption[:-1]} So it is for KID."')
    return "notebooks/12_metrics.ipynb", "fig-metrics-few", "caption"


@lie
def moved_to_another_chapter(tree: Tree) -> tuple[str, ...]:
    """A figure is filed under another chapter's name, with a record that fits."""
    for ending in (".png", ".run.json"):
        tree.write(f"figures/fig-prompts-ways{ending}", tree.path(f"figures/fig-latent-ways{ending}").read_bytes())
    tree.write("figures/fig-prompts-ways.json", tree.read("figures/fig-latent-ways.json").replace("fig-latent-ways", "fig-prompts-ways"))
    tree.forge("fig-prompts-ways", notebook="notebooks/01_prompts_and_tokens.ipynb")
    for ending in (".png", ".run.json", ".json"):
        tree.remove(f"figures/fig-latent-ways{ending}")
    return ("figures/fig-prompts-ways.json",)


@lie
def another_chapter_claims_it(tree: Tree) -> tuple[str, ...]:
    """A record says that another chapter made the figure."""
    tree.forge("fig-latent-ways", notebook="notebooks/00_world.ipynb")
    return "figures/fig-latent-ways.json", "notebooks/02_latent_spaces.ipynb"


@lie
def typed_number(tree: Tree) -> tuple[str, ...]:
    """A measured number is typed into the text of a chapter."""
    tree.replace("notebooks/13_results.ipynb", "{numref}`tab-results-means`", "an FID of 31, see {numref}`tab-results-means`,")
    return "notebooks/13_results.ipynb", "FID of 31"


@lie
def typed_count(tree: Tree) -> tuple[str, ...]:
    """A count of wins is typed into a page, as whole numbers and beside a citation."""
    tree.write("book/related_work.md", tree.read("book/related_work.md") + "\nAs in {cite}`guo2023ipl`, IPL wins in 12 of 13 domains.\n")
    return "book/related_work.md", "12 of 13"


@lie
def typed_number_in_a_caption(tree: Tree) -> tuple[str, ...]:
    """A measured number is typed into the caption of a figure, as a formula."""
    caption = json.dumps(tree.record("fig-latent-spread")["caption"], ensure_ascii=False)
    tree.replace("notebooks/02_latent_spaces.ipynb", caption, f'{caption[:-1]} It is $12.7$ at most."')
    return "notebooks/02_latent_spaces.ipynb", "12.7"


@lie
def key_of_another_record(tree: Tree) -> tuple[str, ...]:
    """A number of the text points at a key that another record holds."""
    tree.replace("notebooks/13_results.ipynb", "{num}`tab-results-cells:all`", "{num}`tab-results-means:all`")
    return "notebooks/13_results.ipynb", "all of tab-results-means"


@lie
def record_that_is_not_there(tree: Tree) -> tuple[str, ...]:
    """A number of the text points at a record that nobody made."""
    tree.replace("notebooks/13_results.ipynb", "{num}`tab-results-cells:all`", "{num}`tab-results-best:all`")
    return "notebooks/13_results.ipynb", "tab-results-best"


@lie
def missing_alt(tree: Tree) -> tuple[str, ...]:
    """The alt text of a figure is emptied."""
    tree.replace("notebooks/02_latent_spaces.ipynb", json.dumps(tree.record("fig-latent-ways")["alt"]), '""')
    return "notebooks/02_latent_spaces.ipynb", "fig-latent-ways has no alt text"


@lie
def alt_of_another(tree: Tree) -> tuple[str, ...]:
    """A figure has the alt text of another."""
    tree.replace("notebooks/02_latent_spaces.ipynb", tree.record("fig-latent-ways")["alt"], tree.record("fig-latent-mixing")["alt"])
    return "notebooks/02_latent_spaces.ipynb", "alt text of fig-latent-mixing"


@lie
def other_weights(tree: Tree) -> tuple[str, ...]:
    """The hash of a weight is changed in a record."""
    digest = tree.record("fig-latent-ways")["inputs"]["generator"]
    tree.replace("figures/fig-latent-ways.json", digest, digest[::-1])
    return ("figures/fig-latent-ways.json",)


@lie
def other_weights_with_a_hash(tree: Tree) -> tuple[str, ...]:
    """The same with a record whose hash fits, after the chapter was computed again."""
    tree.recompute("02_latent_spaces")
    inputs = tree.record("fig-latent-ways")["inputs"]
    tree.forge("fig-latent-ways", inputs=inputs | {"generator": inputs["generator"][::-1]})
    return "figures/fig-latent-ways.json", "generator"


@lie
def other_seeds(tree: Tree) -> tuple[str, ...]:
    """A record says that other seeds were drawn, with a hash that fits, after the chapter was computed again."""
    tree.recompute("02_latent_spaces")
    tree.forge("fig-latent-ways", seeds=[1, 2, 3])
    return "figures/fig-latent-ways.json", "seeds"


@lie
def cell_digit(tree: Tree) -> tuple[str, ...]:
    """One digit of one cell of the thesis table is changed, so that the tables disagree with it."""
    name = "figures/full/cells/ipl-sketch-seed0.json"
    tree.write(name, other_digit(tree.read(name), '"FID"'))
    return "figures/tab-results-cells.json", "ipl-sketch-seed0.json"


@lie
def cell_deleted(tree: Tree) -> tuple[str, ...]:
    """A cell that spoils the mean is deleted."""
    tree.remove("figures/full/cells/ipl-sketch-seed3.json")
    return "figures/tab-results-cells.json", "ipl-sketch-seed3.json"


@lie
def exchanged_parts(tree: Tree) -> tuple[str, ...]:
    """Two strips of pictures from which a figure is put together are exchanged."""
    tree.exchange("figures/full/steer-sketch.png", "figures/full/steer-statue.png")
    return "figures/fig-world-steered.json", "steer-sketch.png"


@lie
def better_card(tree: Tree) -> tuple[str, ...]:
    """A score on a model's card is changed."""
    name = "iplkit/shipped/cards/judge.json"
    tree.write(name, other_digit(tree.read(name), '"kinds accuracy, photo"'))
    return name, "not the file that was shipped"


@lie
def record_deleted(tree: Tree) -> tuple[str, ...]:
    """The record of a figure is deleted."""
    tree.remove("figures/fig-latent-ways.json")
    return ("figures/fig-latent-ways.png",)


@lie
def pasted_table(tree: Tree) -> tuple[str, ...]:
    """A page holds a copy of a table, which will grow stale, in place of the table."""
    table = tree.read("figures/tab-world-models.md")
    tree.replace("book/model_cards.md", "```{include} ../figures/tab-world-models.md\n```", table)
    return "book/model_cards.md", "tab-world-models"


@lie
def another_table(tree: Tree) -> tuple[str, ...]:
    """A page prints another table under the name."""
    tree.replace("notebooks/13_results.ipynb", "../figures/tab-results-means.md", "../figures/tab-results-methods.md")
    return "notebooks/13_results.ipynb", "shows tab-results-methods under the name tab-results-means"


@lie
def stale_page(tree: Tree) -> tuple[str, ...]:
    """The built page prints a table as it was before."""
    tree.build("notebooks/13_results", "tab-results-means", "tab-results-methods")
    page = "_build/stage/_build/html/notebooks/13_results.html"
    tree.write(page, other_digit(tree.read(page), "FID"))
    return page, "tab-results-means"


@lie
def other_output(tree: Tree) -> tuple[str, ...]:
    """An executed chapter shows another picture than the one on disk."""
    tree.recompute("02_latent_spaces")
    chapter = f"{RUN}/notebooks/02_latent_spaces.ipynb"
    content = json.loads(tree.read(chapter))
    shown = [output for cell in content["cells"] for output in cell.get("outputs", []) if output["data"]["text/plain"] in ("fig-latent-ways", "fig-latent-mixing")]
    shown[0]["data"], shown[1]["data"] = (shown[k]["data"] | {"text/plain": shown[1 - k]["data"]["text/plain"]} for k in (1, 0))
    tree.write(chapter, json.dumps(content))
    return chapter, "fig-latent-ways"


@lie
def outside_the_interval(tree: Tree) -> tuple[str, ...]:
    """A value of this machine lies far outside the interval of its printed cell."""
    name = "nada-sketch-seed0.json"
    cell = json.loads(tree.read(f"figures/full/cells/{name}"))
    cell["scores"]["FID"] *= 3
    tree.write(f"{RUN}/cells/{name}", json.dumps(cell))
    return f"figures/full/cells/{name}", "FID came out as"
