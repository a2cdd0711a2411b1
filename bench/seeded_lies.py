"""Tell every lie of tests/lies on a copy of this repository, and print what `iplkit verify` says to it.

    python bench/seeded_lies.py           # print the table
    python bench/seeded_lies.py --keep    # and put it into figures/, where the book finds it

A lie is caught if a sentence that was not there before names its file. Takes about half a minute.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "tests" / "lies"), str(REPOSITORY)]

from lies import LIES  # noqa: E402
from tree import Tree  # noqa: E402

from iplkit.records import Origin, save_table  # noqa: E402
from iplkit.verify import verify  # noqa: E402

NAME = "tab-verify-lies"
COMMAND = re.compile(r"\biplkit (?:regenerate|sweep|zoo|book|models)\b[\w -]*(?<! )")


def tell_all(root: Path) -> tuple[pd.DataFrame, list[str], float]:
    """Tell all lies, one at a time.

    Args:
        root: where the copy of the repository may lie.

    Returns:
        One row a lie; what was wrong before anybody lied; seconds of the median verification.
    """
    tree, rows, seconds = Tree(root), [], []
    os.chdir(root)
    before = verify().wrong
    for tell in LIES:
        words = tell(tree)
        began = time.perf_counter()
        found = [sentence for sentence in verify().wrong if sentence not in before]
        seconds.append(time.perf_counter() - began)
        named = [sentence for sentence in found if all(word in sentence for word in words)]
        rows.append({"lie": tell.__doc__.strip(), "caught": bool(named), "what verify says": next(iter([*named, *found]), "nothing")})
        tree.undo()
    os.chdir(REPOSITORY)
    return pd.DataFrame(rows), before, sorted(seconds)[len(seconds) // 2]


def main() -> None:
    """Print the table, and store it if asked to."""
    with tempfile.TemporaryDirectory() as folder:
        table, before, seconds = tell_all(Path(folder) / "copy")
    for row in table.to_dict("records"):
        print(f"{'caught' if row['caught'] else 'MISSED'}  {row['lie']}\n        {row['what verify says']}")
    caught = int(table["caught"].sum())
    print(f"{caught} of {len(table)} lies caught; {len(before)} wrong before the first; {seconds:.2f} s a verification")
    if "--keep" in sys.argv[1:]:
        origin = Origin("bench/seeded_lies.py", out="figures")
        numbers = {"lies": len(table), "caught": caught, "wrong before": len(before)}
        said = table["what verify says"].map(lambda sentence: COMMAND.sub(r"`\g<0>`", sentence))
        save_table(table[["lie"]].assign(**{"what verify says": said}), NAME, origin, numbers=numbers, seconds={"a verification": seconds})
    sys.exit(caught < len(table) or bool(before))


if __name__ == "__main__":
    main()
