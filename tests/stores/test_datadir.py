from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.errors import SettingsError
from server.stores.datadir import DataDirectory

CHECKOUT = Path(__file__).parents[2]

HOLDER = """
import sys
from pathlib import Path
from server.stores.datadir import DataDirectory
with DataDirectory.open(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def mode(path: Path) -> int:
    """Return who may do what."""
    return path.stat().st_mode & 0o777


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """With the folders above it; the secret cannot be read by others."""
    with DataDirectory.open(tmp_path / "a" / "data") as directory:
        assert mode(directory.path) == 0o700
        assert mode(directory.path / "secret") == 0o600
        assert directory.database == tmp_path / "a" / "data" / "hubbub.db"


def test_the_secret_is_made_once(tmp_path: Path) -> None:
    """32 random bytes that stay, and that another directory does not share."""
    with DataDirectory.open(tmp_path / "one") as first:
        assert len(bytes.fromhex(first.secret)) == 32
    with DataDirectory.open(tmp_path / "one") as again:
        assert again.secret == first.secret
    with DataDirectory.open(tmp_path / "two") as other:
        assert other.secret != first.secret


def test_a_secret_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """A copied directory often comes with looser modes."""
    DataDirectory.open(tmp_path).close()
    (tmp_path / "secret").chmod(0o644)
    DataDirectory.open(tmp_path).close()
    assert mode(tmp_path / "secret") == 0o600


def test_a_spoilt_secret_is_refused(tmp_path: Path) -> None:
    """Cookies are not signed with half a secret; the lock is let go of."""
    (tmp_path / "secret").write_text("0123\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match="64 hexadecimal digits"):
            DataDirectory.open(tmp_path)


def test_a_crash_while_the_secret_is_made_leaves_none(tmp_path: Path) -> None:
    """What it left beside is thrown away."""
    (tmp_path / "secret.new").write_text("half")
    with DataDirectory.open(tmp_path) as directory:
        assert len(directory.secret) == 64
    assert not (tmp_path / "secret.new").exists()


def test_a_second_one_in_this_process_is_refused(tmp_path: Path) -> None:
    """Until the first is closed; closing twice is no error."""
    first = DataDirectory.open(tmp_path)
    with pytest.raises(SettingsError, match=f"process {os.getpid()}"):
        DataDirectory.open(tmp_path)
    first.close()
    first.close()
    DataDirectory.open(tmp_path).close()


def test_another_process_is_told_who_holds_it(tmp_path: Path) -> None:
    """The sentence names the directory and the process; its death frees the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SettingsError) as refused:
            DataDirectory.open(tmp_path)
        (fault,) = refused.value.faults
        assert str(tmp_path) in fault
        assert f"(process {holder.pid})" in fault
        holder.kill()
    DataDirectory.open(tmp_path).close()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """In words that name it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file cannot be used"):
        DataDirectory.open(tmp_path / "file")


def test_a_folder_in_place_of_the_secret_is_refused(tmp_path: Path) -> None:
    """And the lock is let go of."""
    (tmp_path / "secret").mkdir()
    for _ in range(2):
        with pytest.raises(SettingsError, match="cannot be used"):
            DataDirectory.open(tmp_path)
