"""Chat is measured on a disk, and its commits are the server's own count."""

from __future__ import annotations

from pathlib import Path

from bench.chat import Kept, file_system, kept

MOUNTS = """/dev/vda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/disk xfs rw 0 0
tmpfs /run/twice tmpfs rw 0 0
/dev/vdc /run/twice btrfs rw 0 0
"""


def test_the_innermost_mount_holds_a_path() -> None:
    """A directory in memory is no disk, and one below it may be one again."""
    kinds = [
        file_system(Path(path), MOUNTS)
        for path in ("/nowhere/a", "/tmp/a", "/tmp/disk/a", "/tmpa")  # noqa: S108
    ]
    assert kinds == ["ext4", "tmpfs", "xfs", "ext4"]


def test_a_later_mount_hides_an_earlier_one() -> None:
    """As the kernel does."""
    assert file_system(Path("/run/twice/a"), MOUNTS) == "btrfs"


def test_commits_are_read_from_the_metrics() -> None:
    """Among others that begin alike."""
    metrics = (
        "# HELP hubbub_commits_total Transactions.\n"
        "hubbub_commits_total 12.0\n"
        "hubbub_commits_failed_total 1.0\n"
        "hubbub_committed_total 480.0\n"
    )
    assert kept(metrics) == Kept(12, 480)
