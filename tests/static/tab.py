"""A page of the browser, for the tests of its modules."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import Page

PRELUDE = """async () => {
    const { World, outcome, pretend, publication, soFar } = await import("/harness.js");
    const world = new World();
    const { hub, clock } = world;
"""


@dataclass(frozen=True, slots=True)
class Tab:
    """A page that has the harness; `faults` is what its console would show in red."""

    page: Page
    faults: list[str] = field(default_factory=list)

    async def run(self, body: str) -> object:
        """Run the body of an async function beside a fresh `world`; what it returns."""
        return await self.page.evaluate(f"{PRELUDE}{body}}}")

    async def settle(self) -> None:
        """Return when the browser has told all faults so far."""
        await self.page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")
