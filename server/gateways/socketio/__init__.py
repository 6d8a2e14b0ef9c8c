"""Socket.IO over Engine.IO, straight on aiohttp and the hub."""
