"""Every figure by its name: the interface, the pages, the files and the verbs read it."""

from typing import Final

from services.analytics.application.figures.answering import Figure
from services.analytics.application.figures.backlog import BACKLOG
from services.analytics.application.figures.causes import ROOT_CAUSES
from services.analytics.application.figures.coverage import COVERAGE
from services.analytics.application.figures.first_contact import FIRST_CONTACT
from services.analytics.application.figures.frequency import FREQUENCY
from services.analytics.application.figures.handling import (
    APPEALS,
    DEADLINES,
    DECLINES,
    RATES,
)
from services.analytics.application.figures.passing import DWELL, HOLDING, RETURNS
from services.analytics.application.figures.repeats import REPEATED

FIGURES: Final[dict[str, Figure]] = {
    figure.name: figure
    for figure in (
        FREQUENCY,
        ROOT_CAUSES,
        COVERAGE,
        FIRST_CONTACT,
        REPEATED,
        BACKLOG,
        RATES,
        APPEALS,
        DECLINES,
        DEADLINES,
        DWELL,
        HOLDING,
        RETURNS,
    )
}
