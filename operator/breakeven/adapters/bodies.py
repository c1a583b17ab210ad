"""Bodies of answers from servers that are not trusted to end them."""

import aiohttp


async def bounded_body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body, however many packets it comes in; a little more than so many bytes when it is longer."""
    data = bytearray()
    async for part in answer.content.iter_any():
        data += part
        if len(data) > most:
            break
    return bytes(data)
