"""Random generators keyed by owner (seed, photograph, face): results do not depend on order or parallelism."""

import hashlib

import numpy as np


def generator(*owner: int | str) -> np.random.Generator:
    """The random generator of an owner: equal owners get equal generators, on every machine.

    Args:
        owner: What the numbers are for, for example `("pseudonym", seed, photograph, face number)`.
            The parts are hashed with their lengths, so that ("a", "bc") and ("ab", "c") differ.
    """
    digest = hashlib.sha256()
    for part in owner:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return np.random.default_rng(int.from_bytes(digest.digest(), "big"))
