"""How a notebook begins: which models of the profile "paper" are there, which are missing, and what then happens.

One line of a notebook, after its `Origin`: ``begin(PROFILE, "generator, clip")``. With the world's models it does nothing.
"""

from iplkit.errors import UserError
from iplkit.paper_files import commands, is_random, names_of, there, why_not


def begin(profile: str, needs: str, better: str = "", *, pictures: bool = False) -> None:
    """Name the models that a notebook uses, and refuse to go on without those it cannot do without.

    Under "paper", cells that need what only the world knows, or a model that is missing, are left out from here on; see
    `iplkit.paper_cells`.

    Args:
        profile: "world" or "paper".
        needs: names in the zoo without which nothing runs, with commas; a literal, since the workflow reads it, too.
        better: names of models that single cells use.
        pictures: the notebook's renders of the world are pictures like others, compared with nothing that a model of the
            profile drew; cells with them run.

    Raises:
        UserError: a needed file is missing; the sentence holds the command that gets it.
    """
    if profile == "world":
        return
    needed, useful = names_of(needs), names_of(better)
    if why := why_not(needed):
        raise UserError(f"this notebook {why}")
    lost = [name for name in useful if not there(name)]
    print(f"Profile paper: {', '.join(n for n in needed + useful if n not in lost) or 'no model'} from your files.")
    if lost:
        print(f"Not there, so cells that ask for it are left out: {', '.join(lost)}. Get it with: {commands(lost)}")
    if random := [name for name in needed + useful if is_random(name)]:
        print(f"Random weights, so its pictures and numbers mean nothing: {', '.join(random)}.")
    _leave_out(pictures)


def _leave_out(pictures: bool) -> None:
    """Look at every cell from the next one on, where a notebook runs this."""
    from IPython import get_ipython

    from iplkit.paper_cells import HOOK, PaperCells

    if (shell := get_ipython()) is None:
        return
    shell.ast_transformers[:] = [t for t in shell.ast_transformers if not isinstance(t, PaperCells)]
    cells = PaperCells(pictures, shell.user_ns)
    cells.learn_imports(shell.user_ns)
    shell.ast_transformers.append(cells)
    shell.user_ns[HOOK] = cells
