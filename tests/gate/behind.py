"""Small apps behind a gate, and visitors that ask them."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
OURS = {"Content-Type": "application/json"}


async def tell(request: Request) -> Response:
    """An app that tells who asked and what came, and is as open to others as Gradio."""
    try:
        body = b"".join([part async for part in request.stream()])
    except MultiPartException as error:
        return PlainTextResponse(error.message, 400)
    client = request.client.host if request.client else None
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
    return JSONResponse({"client": client, "size": len(body)}, headers=cors)


APP = Starlette(routes=[Route("/{path:path}", tell, methods=["GET", "POST", "OPTIONS", "PUT"])])


def client(
    address: str = "203.0.113.7", base: str = "http://127.0.0.1:7860", **doors
) -> TestClient:
    return TestClient(Gate(APP, Rules(**doors)), base, client=(address, 4711))


async def held(gate: Gate, addresses: list[str], during) -> list[int]:
    """Status of as many requests at once, each from its address."""

    async def ask(address: str) -> int:
        transport = httpx.ASGITransport(gate, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            return (await during(asking)).status_code

    return await asyncio.gather(*map(ask, addresses))


def slow_app(seconds: float, peak: list[int]):
    running = 0

    async def app(scope, receive, send) -> None:
        nonlocal running
        running += 1
        peak.append(running)
        await asyncio.sleep(seconds)
        running -= 1
        await JSONResponse({})(scope, receive, send)

    return app


def join(asking):
    return asking.post(JOIN, headers=OURS, content=b"{}")


def form(size: int) -> dict:
    return {"files": {"files": ("x.wav", b"\0" * size)}}
