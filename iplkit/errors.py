"""The one exception that a reader can cause."""


class UserError(ValueError):
    """Something the caller gave does not fit: one plain sentence with what was needed and what came.

    The command line prints the sentence without a traceback and exits with code 2.
    """
