"""The data directory: one process at a time, and what lies where in it.

    lock         held while the process lives; names the holder's pid
    hubbub.db    the SQLite database (beside it -wal and -shm)
    secret       signs cookies: 64 hexadecimal digits, made once
    copies/      the database as it was before each of the last migrations

Everything here blocks: call it before the loop runs, or in a thread.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from typing import TYPE_CHECKING, Self

from ..errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

SECRET_BYTES = 32
_SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}")


class DataDirectory:
    """A locked data directory. Close it, or use it as a context manager."""

    def __init__(self, path: Path, lock: int, secret: str) -> None:
        self.path = path
        self.secret = secret
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Lock the directory, made with mode 0700 where it is missing.

        Raises `SettingsError` if it cannot be used or another process holds it.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError([_unusable(path, error)]) from error
        try:
            _take(lock, path)
            return cls(path, lock, _secret(path / "secret"))
        except OSError as error:
            os.close(lock)
            raise SettingsError([_unusable(path, error)]) from error
        except SettingsError:
            os.close(lock)
            raise

    @property
    def database(self) -> Path:
        """Where the database file is, or will be."""
        return self.path / "hubbub.db"

    @property
    def copies(self) -> Path:
        """Where copies of the database are put before it is migrated."""
        return self.path / "copies"

    def close(self) -> None:
        """Let go of the lock; the file stays. May be called again."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unusable(path: Path, error: OSError) -> str:
    return f"The data directory {path} cannot be used: {error.strerror or error}."


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        fault = (
            f"The data directory {path} is in use by another Hubbub (process {pid})."
            " Stop that one, or choose another directory."
        )
        raise SettingsError([fault]) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _secret(path: Path) -> str:
    if not path.exists():
        _create_secret(path)
    path.chmod(0o600)
    secret = path.read_text("ascii", "replace").strip()
    if _SECRET.fullmatch(secret) is None:
        fault = (
            f"The file {path} does not hold {2 * SECRET_BYTES} hexadecimal digits."
            " Restore it, or remove it: then everybody has to sign in again."
        )
        raise SettingsError([fault])
    return secret


def _create_secret(path: Path) -> None:
    # Written aside and renamed, so that a crash leaves no half a secret.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
