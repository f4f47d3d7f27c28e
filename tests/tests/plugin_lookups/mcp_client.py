"""Starts an MCP server, calls its tools and prints what it answered: an independent client for the tests.

Reads {"command": [...], "calls": [[tool, arguments], ...]} from stdin and writes one JSON object.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client


async def main():
    asked = json.load(sys.stdin)
    program, *args = asked["command"]
    server = StdioServerParameters(command=program, args=args)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        started = await session.initialize()
        tools = (await session.list_tools()).tools
        answers = []
        for name, arguments in asked["calls"]:
            result = await session.call_tool(name, arguments)
            text = "".join(block.text for block in result.content)
            answers.append({"tool": name, "is_error": bool(result.is_error), "text": text})
        print(
            json.dumps(
                {
                    "server": started.server_info.name,
                    "instructions": started.instructions,
                    "tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools],
                    "answers": answers,
                }
            )
        )


asyncio.run(main())
