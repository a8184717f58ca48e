"""The web application: one page, one stream of texts, bounded input, queue and time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from eval.metrics.structure.checks import check_structure
from experiments.playground.live.arms import Arms, names_of
from experiments.playground.live.writing import Piece, write
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.format import opening
from toolkit.specs import AnyFormat, Conversation, Decoding, Format

MOST_BODY = 32_768
CHECK_EVERY = 8
"""Tokens between two looks at the structure of a text that is still growing."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one visitor may ask for."""

    prompt_characters: int = 4000
    new_tokens: int = 512
    waiting: int = 4
    """Requests that wait for the one that is being written; more are turned away."""
    seconds: float = 180.0
    """A stream is ended after this time."""


class Asked(BaseModel):
    """One request of the page."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str = Field(default="", max_length=300)
    ingredients: str = Field(default="", max_length=2000)
    prompt: str = Field(default="", max_length=20_000)
    arms: tuple[str, ...] = Field(min_length=1, max_length=32)
    temperature: float = Field(default=0.8, ge=0, le=5)
    top_p: float = Field(default=0.9, gt=0, le=1)
    new_tokens: int = Field(default=256, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)


class Playground:
    """The state of one application: its arms, and whose turn it is."""

    def __init__(
        self, arms: Arms, document_format: AnyFormat | None, limits: Limits, study: str, report: Path | None
    ) -> None:
        self.arms, self.format, self.limits, self.study, self.report = (
            arms,
            document_format,
            limits,
            study,
            report,
        )
        self._template = None
        if isinstance(document_format, Conversation):
            self._template = ChatTemplate(document_format, arms.tokenizer)
        self._turn = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._waiting = 0

    async def page(self, request: Request) -> Response:
        """The page itself."""
        environment = Environment(
            loader=PackageLoader("experiments.playground.live"), autoescape=True, undefined=StrictUndefined
        )
        form = self.format
        sections = [section.name for section in form.sections] if isinstance(form, Format) else []
        text = environment.get_template("playground.html.jinja").render(
            study=self.study,
            arms=names_of(self.arms.arms),
            titled=bool(sections),
            chat=self._template is not None,
            listed="ingredients" in sections[1:2],
            limits=self.limits,
            report=self.report is not None,
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})

    async def results(self, request: Request) -> Response:
        """The study's report: its table and figures."""
        if self.report is None or not self.report.is_file():
            return Response("The study has no report yet: bakeoff report STUDY", status_code=404)
        return HTMLResponse(await run_in_threadpool(self.report.read_text, encoding="utf-8"))

    async def write(self, request: Request) -> Response:
        """Stream the texts as server-sent events."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _refusal("send JSON", 415)
        body = await request.body()
        if len(body) > MOST_BODY:
            return _refusal("the request is too long", 413)
        try:
            asked = Asked.model_validate_json(body)
            prompt = self._prompt(asked)
        except ValidationError as error:
            first = error.errors()[0]
            return _refusal(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 422)
        except ValueError as error:
            return _refusal(str(error), 422)
        if self._waiting >= self.limits.waiting:
            return _refusal("too many people are waiting; please try again in a minute", 503)
        return StreamingResponse(
            self._events(request, asked, prompt),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _prompt(self, asked: Asked) -> str:
        """The prompt's text: written out, or from title and ingredients. Raises ValueError."""
        unknown = set(asked.arms) - set(names_of(self.arms.arms))
        if unknown:
            raise ValueError(f"unknown model '{min(unknown)}'")
        if asked.new_tokens > self.limits.new_tokens:
            raise ValueError(f"at most {self.limits.new_tokens} new tokens")
        if asked.prompt or not isinstance(self.format, Format):
            prompt = asked.prompt
        else:
            bodies = [" ".join(asked.title.split())]
            if asked.ingredients.strip():
                bodies.append(
                    ", ".join(part.strip() for part in asked.ingredients.split(",") if part.strip())
                )
            prompt = opening(self.format, *bodies) if bodies[0] else ""
        if not prompt.strip():
            raise ValueError("give a title or a prompt")
        if len(prompt) > self.limits.prompt_characters:
            raise ValueError(f"the prompt is longer than {self.limits.prompt_characters} characters")
        return prompt

    async def _events(self, request: Request, asked: Asked, prompt: str) -> AsyncIterator[str]:
        """Yield what is written, by a task of its own: a visitor who stops reading holds nobody's turn."""
        events: asyncio.Queue[str | None] = asyncio.Queue()
        gone = asyncio.Event()
        task = asyncio.create_task(self._write(asked, prompt, events, gone))
        try:
            while (event := await events.get()) is not None:
                if await request.is_disconnected():
                    return
                yield event
            await task
        finally:
            gone.set()
            if self._writing is not task:  # it waits for its turn; at work it ends after the next token
                task.cancel()

    async def _write(
        self, asked: Asked, prompt: str, events: asyncio.Queue[str | None], gone: asyncio.Event
    ) -> None:
        """Write the texts when it is their turn, until the visitor is ``gone``; None is the last event."""
        self._waiting += 1
        waiting = True
        try:
            if self._turn.locked():
                events.put_nowait(_event("waiting", {"ahead": self._waiting}))
            async with self._turn:
                self._waiting -= 1
                waiting = False
                self._writing = asyncio.current_task()
                decoding = Decoding(temperature=asked.temperature, top_p=asked.top_p)
                pieces = write(
                    self.arms, asked.arms, prompt, decoding, asked.new_tokens, asked.seed, self._template
                )
                ends = time.monotonic() + self.limits.seconds
                async for piece in _in_thread(pieces):
                    if gone.is_set():
                        return
                    events.put_nowait(_event("piece", self._piece(piece, prompt)))
                    if time.monotonic() > ends:
                        text = f"stopped after {self.limits.seconds:.0f} s"
                        events.put_nowait(_event("stopped", {"text": text}))
                        return
                events.put_nowait(_event("done", {}))
        finally:
            if waiting:
                self._waiting -= 1
            events.put_nowait(None)

    def _piece(self, piece: Piece, prompt: str) -> dict[str, Any]:
        value: dict[str, Any] = {
            "arm": piece.arm, "text": piece.text, "tokens": piece.tokens, "ended": piece.ended
        }  # fmt: skip
        if isinstance(self.format, Format) and (piece.ended or piece.tokens % CHECK_EVERY == 0):
            value["checks"] = check_structure(prompt + piece.text, self.format, piece.ended == "end_of_text")
        return value


POLICY = "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'"


def application(playground: Playground, hosts: list[str], password: str | None) -> Starlette:
    """The application: answers only to these host names, and only with the password if there is one."""
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    if password:
        middleware.append(Middleware(BaseHTTPMiddleware, dispatch=_password(password)))
    routes = [
        Route("/", playground.page),
        Route("/results", playground.results),
        Route("/write", playground.write, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=middleware)


def _password(password: str) -> Callable[..., Awaitable[Response]]:
    async def check(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            _, _, word = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            word = ""
        if kind.lower() == "basic" and secrets.compare_digest(word.encode(), password.encode()):
            return await call_next(request)
        wanted = {"WWW-Authenticate": 'Basic realm="bakeoff playground", charset="UTF-8"'}
        return Response("a password is needed", status_code=401, headers=wanted)

    return check


async def _in_thread(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    """The pieces, each computed in a thread, so that the server answers meanwhile."""
    end = object()
    while (piece := await run_in_threadpool(next, pieces, end)) is not end:
        assert isinstance(piece, Piece)  # noqa: S101 - for the type checker
        yield piece


def _event(kind: str, value: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"


def _refusal(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status_code=status)
