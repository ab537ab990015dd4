"""Random generators that belong to something: a seed, a photograph, a face. Order and parallelism change nothing."""

import hashlib

import numpy as np


def generator(*owner: int | str) -> np.random.Generator:
    """The random generator of one thing, the same wherever and whenever it is asked for.

    Args:
        owner: What the numbers are for, for example `("pseudonym", seed, photograph, face number)`.
            The parts are hashed with their lengths, so that ("a", "bc") and ("ab", "c") differ.
    """
    digest = hashlib.sha256()
    for part in owner:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return np.random.default_rng(int.from_bytes(digest.digest(), "big"))
