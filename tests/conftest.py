"""What all tests share."""

from __future__ import annotations

pytest_plugins = (
    "tests.contracts.matrix",
    "tests.machine",
    "tests.services.postgres",
    "tests.services.redis",
)
