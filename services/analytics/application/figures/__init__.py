"""The figures: what each counts, out of what, and the answers, of one state of the log."""

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    AsOf,
    Basis,
    Figure,
    Kind,
    Known,
    Line,
    Number,
    Question,
)
from services.analytics.application.figures.causes import BASES, ROOT_CAUSES
from services.analytics.application.figures.counting import (
    Cases,
    Figures,
    Frequency,
    FrequencyRow,
)
from services.analytics.application.figures.frequency import FREQUENCY
from services.analytics.application.figures.register import FIGURES

__all__ = [
    "BASES",
    "FIGURES",
    "FREQUENCY",
    "ROOT_CAUSES",
    "Answer",
    "AsOf",
    "Asked",
    "Basis",
    "Cases",
    "Figure",
    "Figures",
    "Frequency",
    "FrequencyRow",
    "Kind",
    "Known",
    "Line",
    "Number",
    "Question",
]
