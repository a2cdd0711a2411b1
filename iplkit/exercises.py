"""A reader's answer against the right one: no answer is no error, a wrong one gets a hint and never the solution."""

from collections.abc import Collection
from numbers import Real

from iplkit.errors import UserError


class WrongAnswer(AssertionError):
    """The answer is of the right kind, and wrong; the message leads on."""


def check(answer, right, hint: str, *, within: float = 0.0) -> None:
    """Say whether a reader is right.

    Args:
        answer: what the reader wrote; None where there is nothing yet.
        right: a number, a word, True or False, or several words or numbers, whose order does not count.
        hint: for a wrong answer: a sentence that helps and does not tell.
        within: how far a number may be from `right`, in its own unit.

    Raises:
        WrongAnswer: with the hint.
        UserError: if the answer is of another kind than `right`.
    """
    if answer is None:
        print("No answer yet. Write it in place of None in the cell above, and run both.")
        return
    kind = _kind(right)
    if _kind(answer) != kind:
        raise UserError(f"the answer needs to be {kind}; it is {answer!r}")
    if not _same(answer, right, kind, within):
        raise WrongAnswer(f"{answer!r} is not it. {hint}")
    print("Right.")


def _kind(value) -> str:
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, Real):
        return "a number"
    if isinstance(value, str):
        return "a word in quotes"
    return "several things in brackets, with commas between" if isinstance(value, Collection) else "something else"


def _same(answer, right, kind: str, within: float) -> bool:
    if kind == "a number":
        return abs(answer - right) <= within
    if kind == "a word in quotes":
        return answer.strip().lower() == right.strip().lower()
    return answer == right if kind == "True or False" else set(answer) == set(right)
