"""Every figure by its name: the interface, the pages, the files and the verbs read it."""

from typing import Final

from services.analytics.application.figures.answering import Figure
from services.analytics.application.figures.backlog import BACKLOG
from services.analytics.application.figures.handling import (
    APPEALS,
    DEADLINES,
    DECLINES,
    RATES,
)
from services.analytics.application.figures.passing import DWELL, HOLDING, RETURNS

FIGURES: Final[dict[str, Figure]] = {
    figure.name: figure
    for figure in (
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
