"""Commands over the bus: asked by a department's program, answered as over HTTP."""

from collections.abc import Collection
from typing import Any, Final

from faststream.nats import NatsBroker, NatsMessage

from events import subjects
from services.handling.application.asking import carried_out, done_json, read_asked
from services.handling.application.commanding import Commanding
from services.kernel.access import Credential
from services.kernel.errors import NotFoundError
from services.kernel.questions import answered
from services.kernel.store.writer import Writer
from services.kernel.web.reading import strict_json

_ANY: Final = "any"
_ASKED: Final = subjects.do(_ANY, _ANY).replace(_ANY, "*")
_AT_ONCE: Final = 100
"""Commands carried out at the same time; they share commits."""


def answer_commands(
    broker: NatsBroker,
    commanding: Commanding,
    writer: Writer,
    *,
    departments: Collection[str],
) -> None:
    """Answer `amends.ask.do.<department>.<command>` with what was done, or the problem.

    The subject, which the broker lets nobody but the department's own user publish to,
    names the sender.
    """

    @broker.subscriber(
        _ASKED,
        queue="handling",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,  # read strictly below
        title="Commands of departments",
    )
    async def asked(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            department, command = message.raw_message.subject.split(".")[-2:]
            wanted = read_asked(
                of_department(department, departments),
                strict_json(message.body),
                command=command,
            )
            done = await carried_out(commanding, writer, wanted)
            return {"status": 200, **done_json(done)}

        return await answered(message.headers, work)


def of_department(code: str, departments: Collection[str]) -> Credential:
    """Give the credential of a department's user on the bus; raises NotFoundError."""
    if code not in departments:
        raise NotFoundError(
            "handling.no_department",
            f"There is no such department: choose one of {', '.join(departments)}.",
        )
    return Credential(actor=f"dept-{code}", role="department_handler", department=code)
