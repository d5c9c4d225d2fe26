"""The pages of one service: routes, templates, languages, refusals as pages."""

import contextlib
import datetime as dt
import zoneinfo
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import jinja2
import structlog
from babel import dates, numbers
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from markupsafe import Markup
from starlette.requests import Request

from services.kernel.access import Credential
from services.kernel.clock import last_day, stated_day
from services.kernel.errors import (
    AmendsError,
    NotFoundError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.i18n import LANGUAGES, LOCALE, Catalogues, language_of, msgid, tag
from services.kernel.logs import correlation_id
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from services.kernel.web.pages.compiling import CompiledTemplates, at_rendering
from services.kernel.web.pages.forms import (
    CSRF_FIELD,
    NONCE_COOKIE,
    Form,
    FormGuard,
    read_form,
)
from services.kernel.web.pages.multipart import SentFile, read_form_and_files
from services.kernel.web.pages.viewers import STRANGER, Viewer, Viewers
from services.kernel.web.problems import status_of

LOGIN: Final = "/access/login"
LANGUAGE_COOKIE: Final = "amends_lang"
TEMPLATES: Final = Path(__file__).parent.parent / "templates"

_COMPILED: Final = CompiledTemplates()
_YEAR: Final = 365 * 24 * 3600
_CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_SECURITY,
    # With no-referrer browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
}


class Section(NamedTuple):
    """One place of the navigation; of the staff's, each sees what they may open."""

    path: str
    title: str
    staff: bool


SECTIONS: Final = (
    Section("/", msgid("Make a complaint"), staff=False),
    Section("/status", msgid("Check progress"), staff=False),
    Section("/desk", msgid("Desk"), staff=True),
    Section("/insight", msgid("Insight"), staff=True),
    Section("/import", msgid("Import"), staff=True),
    Section("/access", msgid("Access"), staff=True),
)

SERVICES: Final[Mapping[str, str]] = {
    "intake": msgid("Intake"),
    "handling": msgid("Handling"),
    "analytics": msgid("Analytics"),
}
"""Whose parts of one page stand side by side, each answered for by its own service."""

_TITLES: Final[Mapping[int, str]] = {
    400: msgid("This could not be read"),
    401: msgid("Please sign in"),
    403: msgid("This is not allowed"),
    404: msgid("There is nothing here"),
    405: msgid("This address cannot be opened"),
    409: msgid("This cannot be done now"),
    412: msgid("Somebody else was faster"),
    413: msgid("This is too much at once"),
    422: msgid("Something is missing or wrong"),
    429: msgid("Too many requests"),
    503: msgid("This cannot be promised now"),
}
_REMEDIES: Final[Mapping[str, str]] = {
    "http.not_found": msgid(
        "Look for a mistake in the address, or begin again from the start."
    ),
    "http.method_not_allowed": msgid(
        "It takes what a form sends. Open the page with the form, and send it there."
    ),
    "http.too_large": msgid(
        "Nothing was kept. Go back: what you typed is still there. Make the longest text"
        " shorter, and send it again."
    ),
    "http.form_too_large": msgid(
        "The files together have more than 10 MB: nothing was kept. Go back, leave some"
        " out and send it again. Add the others later, with the access code."
    ),
    "form.stale": msgid(
        "This page was open too long, or cookies are off. Send it again."
    ),
    "form.foreign": msgid("Open the page here and send the form from it."),
    "internal.unexpected": msgid(
        "It is not certain what was done. Open the page again and look."
    ),
    "form.unreadable": msgid("The form could not be read. Open the page again."),
    "access.role": msgid("Only administrators may do this. Ask one."),
    "quarantine.not_next": msgid(
        "An earlier event of this case is missing or in quarantine too. Settle that one"
        " first."
    ),
    "quarantine.unknown": msgid(
        "It is not in quarantine any more: it was handled, or let go."
    ),
}

_UNEXPECTED: Final = AmendsError("internal.unexpected", "Try again.")
_NOWHERE: Final = NotFoundError("http.not_found", "Check the address.")

_log = structlog.get_logger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Pages:
    """What the pages of one service are made with.

    `folder` holds `templates/`, `locale/` and, where needed, `static/`. `words` are
    tables of codes by kind (`{"state": {"CLOSED": "Closed"}}`) for the filter `word`;
    `remedies` say for codes of refusals what to do, in the reader's words. `locales`
    are further folders of catalogues. In a `demonstration`, and in a
    `staging` copy, each page says so.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        viewers: Viewers,
        secret: bytes,
        time_zone: str,
        words: Mapping[str, Mapping[str, str]] | None = None,
        remedies: Mapping[str, str] | None = None,
        locales: Iterable[Path] = (),
        demonstration: bool = False,
        staging: bool = False,
    ) -> None:
        self.name = name
        self._viewers = viewers
        self._guard = FormGuard(secret)
        self.zone = zoneinfo.ZoneInfo(time_zone)
        self.demonstration = demonstration
        self._staging = staging
        self._words = words or {}
        self._remedies = {**_REMEDIES, **(remedies or {})}
        static = folder / "static"
        self._own = Assets(name, static) if static.is_dir() else None
        self._assets = {"kernel": Assets("kernel", KERNEL_STATIC)}
        if self._own is not None:
            self._assets[name] = self._own
        catalogues = Catalogues((LOCALE, *locales, folder / "locale"))
        loader = jinja2.FileSystemLoader([folder / "templates", TEMPLATES])
        self._translations = {locale: catalogues.of(locale) for locale in LANGUAGES}
        self._environments = {
            locale: self._environment(loader, locale) for locale in LANGUAGES
        }

    # -- routes --------------------------------------------------------------

    def router(self) -> APIRouter:
        """Make a router whose refusals are pages, with the service's static files."""
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                handle = super().get_route_handler()

                async def serve(request: Request) -> Response:
                    request.state.viewer = STRANGER
                    try:
                        request.state.viewer = await pages._viewers.viewer(request)
                        return await handle(request)
                    except UnauthenticatedError:
                        return pages.to_login(request)
                    except RequestValidationError:  # an id in the path that is none
                        return pages.refusal(request, _NOWHERE)
                    except AmendsError as error:
                        return pages.refusal(request, error)
                    except Exception:  # noqa: BLE001 a person reads a page, not JSON
                        _log.exception("pages.failed", pages=pages.name)
                        return pages.refusal(request, _UNEXPECTED)

                return serve

        routes = APIRouter(route_class=PageRoute, include_in_schema=False)
        if self._own is not None:
            routes.include_router(self._own.router())
        return routes

    def viewer(self, request: Request) -> Viewer:
        viewer: Viewer = request.state.viewer
        return viewer

    def require_known(self, request: Request) -> Credential:
        """Give who signed in. Raises `UnauthenticatedError`, which leads to the login."""
        viewer = self.viewer(request)
        if not viewer.known:
            raise UnauthenticatedError("access.session_needed", "Sign in.")
        return viewer.credential

    async def form(self, request: Request) -> Form:
        """Read a form that one of our own pages sent; else raises `ForbiddenError`."""
        form = await read_form(request)
        self.require_csrf(request, form)
        return form

    async def form_and_files(self, request: Request) -> tuple[Form, list[SentFile]]:
        """As `form`, of a form that may bring files."""
        form, files = await read_form_and_files(request)
        self.require_csrf(request, form)
        return form, files

    def require_csrf(self, request: Request, form: Form) -> None:
        self._guard.require(request, self.viewer(request), form)

    # -- answers -------------------------------------------------------------

    def render(
        self, request: Request, template: str, *, status: int = 200, **context: object
    ) -> HTMLResponse:
        """Render in the reader's language; headers as every page has them."""
        locale = self.locale(request)
        viewer = self.viewer(request)
        nonce, fresh = self._guard.nonce(request)
        forms = 0

        def csrf_field() -> Markup:
            nonlocal forms
            forms += viewer.csrf is None
            token = viewer.csrf or self._guard.token(nonce)
            return Markup('<input type="hidden" name="{}" value="{}">').format(
                CSRF_FIELD, token
            )

        body = (
            self._environments[locale]
            .get_template(template)
            .render(
                **context,
                viewer=viewer,
                request=request,
                locale=locale,
                path=request.url.path,
                csrf_field=csrf_field,
                csrf_token=lambda: viewer.csrf or self._guard.token(nonce),
                sections=_sections(viewer),
                address=lambda **changed: _address(request, changed),
            )
        )
        response = HTMLResponse(body, status_code=status, headers=_HEADERS)
        if forms and fresh:
            self._set_cookie(request, response, NONCE_COOKIE, nonce)
        if "lang" in request.query_params:
            self._set_cookie(request, response, LANGUAGE_COOKIE, tag(locale))
        return response

    async def told(
        self, request: Request, error: AmendsError, *, status: int
    ) -> Response:
        """Tell a refusal that none of our routes gave: of an unknown address, say."""
        request.state.viewer = STRANGER
        with contextlib.suppress(AmendsError):
            request.state.viewer = await self._viewers.viewer(request)
        return self.refusal(request, error, status=status)

    def refusal(
        self,
        request: Request,
        error: AmendsError,
        *,
        status: int | None = None,
        faults: Sequence[str] = (),
    ) -> Response:
        """Tell a refusal as a page: what happened, what to do, where to go back."""
        status = status or status_of(error)
        response = self.render(
            request,
            "refusal.html",
            status=status,
            title=_TITLES.get(status, msgid("Something failed here")),
            remedy=self.remedy(request, error),
            faults=faults,
            code=error.code,
            correlation=correlation_id(),
            ours=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        if isinstance(error, TooManyError | UnavailableError):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def remedy(self, request: Request, error: AmendsError) -> str:
        """Say what to do about a refusal; its own English where nobody translated it."""
        known = self._remedies.get(error.code)
        return error.detail if known is None else self.text(request, known)

    def to_login(self, request: Request) -> Response:
        """Send whoever has to sign in to the login, and back afterwards."""
        if request.method == "GET":
            query = request.url.query
            back = request.url.path + (f"?{query}" if query else "")
        else:  # a form cannot be sent again by an address
            back = "/" + request.url.path.split("/")[1]
        target = f"{LOGIN}?next={quote(back, safe='/')}"
        if request.headers.get("hx-request") == "true":
            return Response(status_code=204, headers={"HX-Redirect": target})
        return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)

    def redirect(self, address: str, **query: str) -> RedirectResponse:
        """Answer a form that was obeyed; what is to be told goes into the address."""
        target = f"{address}?{urlencode(query)}" if query else address
        return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)

    # -- language ------------------------------------------------------------

    def locale(self, request: Request) -> str:
        return language_of(
            request.query_params.get("lang"),
            request.cookies.get(LANGUAGE_COOKIE),
            accept=request.headers.get("accept-language"),
        )

    def text(self, request: Request, message: str, **values: object) -> str:
        """Translate a message and fill in `%(name)s`."""
        translated: str = self._translations[self.locale(request)].ugettext(message)
        return translated % values if values else translated

    def _environment(
        self, loader: jinja2.BaseLoader, locale: str
    ) -> jinja2.Environment:
        environment = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        translations = self._translations[locale]
        # The extension adds this method; its stubs do not know.
        environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
        environment.globals |= {
            "demonstration": self.demonstration,
            "staging": self._staging,
            "asset": self._asset,
            "languages": [(each, tag(each), own) for each, own in LANGUAGES.items()],
            "lang": tag(locale),
            "zone_name": _zone_name(self.zone, locale),
            "colon": "\uff1a" if locale.startswith("zh") else ":",
        }
        filters: dict[str, Callable[..., Any]] = {
            "word": lambda code, kind: self._word(translations, kind, code),
            "worded": lambda codes, kind: [
                (str(code), self._word(translations, kind, code)) for code in codes
            ],
            "currencies": lambda codes: [
                (code, f"{code} · {numbers.get_currency_name(code, locale=locale)}")
                for code in codes
            ],
            "translated": translations.ugettext,
            "when": lambda instant, form="long": self._when(locale, instant, form),
            "day": lambda day: _day(locale, day),
            "ahead": lambda instant, now: dates.format_timedelta(
                instant - now, add_direction=True, locale=locale
            ),
            "stated": lambda instant, precision, form="short": self._stated(
                locale, instant, precision, form
            ),
            "last_day": lambda end: _day(locale, last_day(end, self.zone)),
            "number": lambda value: numbers.format_decimal(value, locale=locale),
            "bytes": lambda size: _bytes(locale, size),
            "percent": lambda value, digits=0: _percent(locale, value, digits),
            "money": lambda amount, currency: numbers.format_currency(
                Decimal(amount), currency, locale=locale
            ),
        }
        environment.filters |= {
            name: at_rendering(apply) for name, apply in filters.items()
        }
        return environment

    def _asset(self, path: str) -> str:
        name, _, file = path.partition("/")
        return self._assets[name].url(file)

    def _word(self, translations: Any, kind: str, code: object) -> str:
        """Say a code in words; a code that nobody gave words for stands for itself."""
        word = self._words[kind].get(str(code))
        return str(code) if word is None else str(translations.ugettext(word))

    def _when(self, locale: str, instant: dt.datetime, form: str) -> Markup:
        """Write an instant in the organisation's zone: long, short, or exact.

        The short form is for lists: it leaves the zone to the foot of the page.
        """
        local = instant.astimezone(self.zone)
        hour = "medium" if form == "exact" else "short"
        shown = str(dates.get_datetime_format("medium", locale=locale)).format(
            dates.format_time(local, hour, locale=locale),
            dates.format_date(local, "medium", locale=locale),
        )
        if form != "short":
            shown += f" {dates.get_timezone_gmt(local, 'long', locale=locale)}"
        stamp = local.isoformat(timespec="seconds")
        return Markup('<time datetime="{}">{}</time>').format(stamp, shown)

    def _stated(
        self, locale: str, instant: dt.datetime, precision: str, form: str
    ) -> Markup:
        """Write when something happened, as exactly as that is known."""
        if precision == "day":
            return _day(locale, stated_day(instant))
        if precision == "not_before":
            local = instant.astimezone(self.zone).date()
            return Markup("\u2265\u00a0{}").format(_day(locale, local))
        return self._when(locale, instant, form)

    def _set_cookie(
        self, request: Request, response: Response, name: str, value: str
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=_YEAR,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )


def _sections(viewer: Viewer) -> list[Section]:
    """Give the navigation, one's own work first; a stranger has no work here."""
    first = sorted(SECTIONS, key=lambda section: not section.staff)
    return [each for each in first if not each.staff or each.path in viewer.sections]


def _address(request: Request, changed: Mapping[str, object]) -> str:
    """Give the present address with some parameters changed; None takes one away."""
    query: Sequence[tuple[str, str]] = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in changed
    ]
    added = [(name, str(value)) for name, value in changed.items() if value is not None]
    whole = urlencode([*query, *added])
    return request.url.path + (f"?{whole}" if whole else "")


def _day(locale: str, day: dt.date) -> Markup:
    text = dates.format_date(day, "medium", locale=locale)
    return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), text)


def _zone_name(zone: zoneinfo.ZoneInfo, locale: str) -> str:
    if zone.key in {"UTC", "Etc/UTC"}:
        return "UTC"  # its generic name is that of an unknown region
    return dates.get_timezone_name(zone, "long", zone_variant="generic", locale=locale)


def _bytes(locale: str, size: int) -> str:
    """Write a size as people say it: 812 kB, 1.2 MB."""
    for unit, power in (("MB", 2), ("kB", 1)):
        if size >= 1000**power:
            number = numbers.format_decimal(
                size / 1000**power, format="#,##0.#", locale=locale
            )
            return f"{number} {unit}"
    return f"{numbers.format_decimal(size, locale=locale)} B"


def _percent(locale: str, value: float, digits: int) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "") + "%"
    return numbers.format_percent(value, pattern, locale=locale)
