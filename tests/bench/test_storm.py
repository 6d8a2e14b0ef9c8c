"""A storm that loses or doubles anything has no figures."""

from __future__ import annotations

import pytest

from bench.generator import CrowdError, Returned
from bench.storm import check


def test_who_was_told_just_what_was_missed_has_recovered() -> None:
    """However often it had to knock."""
    check(Returned(0, 0, 0, retried=7, wall_s=1.0))


@pytest.mark.parametrize(
    "returned",
    [
        Returned(1, 0, 0, 0, 1.0),
        Returned(0, 1, 0, 0, 1.0),
        Returned(0, 0, 1, 0, 1.0),
    ],
)
def test_anything_else_is_a_fault(returned: Returned) -> None:
    """One lost, one doubled, one not recovered: each is enough."""
    with pytest.raises(CrowdError):
        check(returned)
