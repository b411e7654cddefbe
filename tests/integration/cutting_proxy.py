"""A TCP proxy that cuts connections after as many bytes of the answers as a test says."""

import asyncio
import contextlib


class CuttingProxy:
    """Forwards to `port` of loopback. `cut` gives, for each new connection, after how many bytes of what the server
    sends it is cut, None for never. A cut closes both sides at once.
    """

    def __init__(self, port, cut):
        self._target = port
        self._cut = cut
        self.cuts = 0

    async def __aenter__(self):
        self._tasks = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer):
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader, writer):
        up = None
        sides = [writer]
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target)
            sides.append(upstream_writer)
            up = asyncio.ensure_future(_pump(reader, upstream_writer, None))
            if await _pump(upstream_reader, writer, self._cut()):
                self.cuts += 1
        except OSError:
            pass  # the server is away: so is this
        finally:
            if up is not None:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)
            for side in sides:
                side.transport.abort()


async def _pump(reader, writer, limit):
    """Carry bytes until the end, or until `limit` of them: then True."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            if limit is not None and len(data) >= limit:
                writer.write(data[:limit])
                await writer.drain()
                # The last bytes are to arrive before the connection is torn down.
                await asyncio.sleep(0.005)
                return True
            limit = None if limit is None else limit - len(data)
            writer.write(data)
            await writer.drain()
    return False
