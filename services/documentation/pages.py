"""`/docs` and `/asyncapi`: how programs talk to amends, for the people who write them.

The HTTP interface is shown by Swagger UI, the bus by a page of our own: AsyncAPI's
viewer is larger than everything else that amends serves together.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from markupsafe import Markup, escape

from events import words
from events.catalogue import EVENTS
from events.codec import encode
from events.envelope import Event, Heading
from events.examples import EXAMPLES
from events.reference import Field, codes, fields, parts, vocabularies
from services.documentation.asyncapi import CONSUMERS, published
from services.kernel.web.pages import Pages, Viewers
from services.kernel.web.pages.browsers import wants_page

FOLDER: Final = Path(__file__).parent
HTTP: Final = "/docs"
BUS: Final = "/asyncapi"
BUS_JSON: Final = "/asyncapi.json"

_LINK: Final = re.compile(r"\[(\w+)\]\((#\w+)\)")


@dataclass(frozen=True, slots=True)
class Told:
    """One event, with where it is published and who reads it there."""

    event: type[Event]
    places: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Stream, subject, readers."""
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Question:
    """What may be asked on the bus, and who answers."""

    title: str
    subject: str
    answered_by: str


def documentation_pages(
    *,
    viewers: Viewers,
    time_zone: str,
    demonstration: bool = False,
    staging: bool = False,
) -> Pages:
    return Pages(
        "documentation",
        FOLDER,
        viewers=viewers,
        secret=secrets.token_bytes(32),  # these pages have no forms of strangers
        time_zone=time_zone,
        words=words.WORDS,
        locales=[words.LOCALE],
        demonstration=demonstration,
        staging=staging,
    )


def router(pages: Pages, bus: Mapping[str, Any], openapi: Sequence[str]) -> APIRouter:
    """Build the routes; `bus` is the AsyncAPI document, `openapi` where the others are."""
    routes = APIRouter()

    @routes.get(BUS_JSON, tags=["documentation"], summary="The bus, as AsyncAPI 3")
    def document() -> Response:
        return JSONResponse(bus)

    routes.include_router(_pages(pages, bus, openapi))
    return routes


def _pages(pages: Pages, bus: Mapping[str, Any], openapi: Sequence[str]) -> APIRouter:
    routes = pages.router()
    events = tuple(told(event) for event in EVENTS.values())
    asked = tuple(questions(bus))

    @routes.get(HTTP)
    async def http(request: Request) -> Response:
        asked = request.query_params.get("of")
        shown = asked if asked in openapi else openapi[0]
        return pages.render(
            request, "documentation/http.html", openapi=openapi, shown=shown
        )

    @routes.get(BUS)
    async def readable(request: Request) -> Response:
        """Show the page to a browser, the document to a program."""
        if not wants_page(request.headers):
            return JSONResponse(bus, headers={"Vary": "Accept"})
        answer = pages.render(
            request,
            "documentation/bus.html",
            events=events,
            questions=asked,
            envelope=tuple(fields(Heading)),
            parts=[(part, tuple(fields(part))) for part in parts()],
            codes=[(name, shape["pattern"]) for name, shape in codes()],
            vocabularies=tuple(vocabularies()),
            linked=linked,
        )
        answer.headers["Vary"] += ", Accept"
        return answer

    return routes


def told(event: type[Event]) -> Told:
    example = json.loads(encode(EXAMPLES[event.__name__]))
    return Told(
        event,
        tuple(
            (stream, subject, CONSUMERS[stream])
            for stream, each, subject in published()
            if each is event
        ),
        tuple(fields(event)),
        json.dumps(example, ensure_ascii=False, indent=2),
    )


def questions(bus: Mapping[str, Any]) -> Iterator[Question]:
    """Give what the services answer, as their brokers say."""
    for title, channel in bus["channels"].items():
        if bus["operations"][title]["action"] == "receive":
            queue = channel["bindings"]["nats"].get("queue", "")
            yield Question(title, channel["address"], queue)


def linked(markdown: str) -> Markup:
    """Turn the links of the reference into HTML."""
    link = r'<a href="\2">\1</a>'
    return Markup(_LINK.sub(link, str(escape(markdown))))  # noqa: S704 escaped before
