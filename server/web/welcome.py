"""A first start is not empty: a greeting in the lobby and a note to try things in.

Both are keyed, so that they are said once in the life of a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds.notes.seed import seed
from ..model import SERVER

if TYPE_CHECKING:
    from ..hub.hub import Hub

DURABLE = """\
**Welcome to the lobby.** Whoever opens this page is here. What is said is kept on \
this machine, and acknowledged only once it is on disk."""

FLEETING = """\
**Welcome to the lobby.** Whoever opens this page is here. This server keeps what is \
said in memory only: a restart forgets it."""

ROOMS = """\
Rooms need no setting up: write a name into *Go to room* and speak. Open this page \
in a second window to watch it arrive."""

NOTE = """# Welcome

This is a shared note. Everybody who has it open writes into the same text, and sees \
where the others are.

- **Saved** beside the title means: on disk, with fsync. (A server that runs in memory \
says so there.)
- Close the lid, go on writing, come back: what you wrote offline is merged.
- A note is Markdown; *Preview* shows it set.

Try it: open this page in a second window and write in both.
"""


async def furnish(hub: Hub) -> None:
    """Put the welcome room and note into a store that has none."""
    lobby = await hub.history(SERVER, "chat:lobby", limit=1)
    if lobby.top.offset == 0:
        kept = DURABLE if hub.is_durable("chat:lobby") else FLEETING
        for number, text in enumerate((kept, ROOMS)):
            await hub.publish("chat:lobby", {"text": text}, key=f"welcome-{number}")
    note = await hub.history(SERVER, "notes:welcome", limit=1)
    if note.top.offset == 0:
        await hub.publish("notes:welcome", seed(NOTE), event="update", key="welcome")
