"""User-facing errors: one sentence saying what is wrong, where, and what to do."""


class FacadeError(Exception):
    """An error that the user can fix. The message is a sentence for the user, shown without a traceback."""
