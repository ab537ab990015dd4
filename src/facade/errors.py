"""User-facing errors: one sentence saying what is wrong, where, and what to do."""

import errno

# What systems report of disks that are full, and of disks and folders that are gone.
FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = (
    errno.EIO,
    errno.ENOENT,
    errno.ENODEV,
    errno.ENOTCONN,
    errno.ENOTDIR,
    errno.EROFS,
    errno.ESTALE,
    errno.ETIMEDOUT,
)


class FacadeError(Exception):
    """An error that the user can fix. The message is a sentence for the user, shown without a traceback."""


def disk_error(error: OSError) -> FacadeError | None:
    """What a user should do about a disk; None if the error is about something else, such as a mistake in the code."""
    if error.errno in FULL:
        where = "" if error.filename is None else f" to write {error.filename}"
        return FacadeError(f"no space is left{where}. Free some space, and run the same command again.")
    if error.errno in GONE and error.filename is not None:
        return FacadeError(
            f"{error.filename} cannot be read or written ({error.strerror}). Check that its disk and its folder are "
            "there, and run the same command again."
        )
    return None
