"""Errors that a person reads: one sentence saying what is wrong, where, and what to do."""


class FacadeError(Exception):
    """Something that the person who runs Facade can mend. The message is a sentence for them."""
