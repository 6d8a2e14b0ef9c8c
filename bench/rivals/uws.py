# mypy: ignore-errors
# (Its package stands in the bench's own environment, where no type checker looks.)
"""uWebSockets through socketify; speaks what `bench/rivals/bare.py` does."""

from __future__ import annotations

import socket

from socketify import App, OpCode, Request, Response, WebSocket


def main() -> None:
    """Serve for ever: uWebSockets' own topics are the rooms."""
    app = App()

    def upgrade(response: Response, request: Request, context: object) -> None:
        response.upgrade(
            request.get_header("sec-websocket-key"),
            request.get_header("sec-websocket-protocol"),
            request.get_header("sec-websocket-extensions"),
            context,
            request.get_url(),
        )

    def opened(ws: WebSocket) -> None:
        ws.send('{"type":"reply"}', OpCode.TEXT)
        ws.subscribe(ws.get_user_data())

    def said(ws: WebSocket, text: str, opcode: OpCode) -> None:
        # The app's publish, not the socket's: its speaker hears it too.
        app.publish(ws.get_user_data(), text, opcode)

    app.ws(
        "/ws/open/:name",
        {
            "upgrade": upgrade,
            "open": opened,
            "message": said,
            "max_backpressure": 1024 * 1024,
        },
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app.listen(
        {"host": "127.0.0.1", "port": port},
        lambda _: print(f"uWebSockets is at http://127.0.0.1:{port}", flush=True),
    )
    app.run()


if __name__ == "__main__":
    main()
