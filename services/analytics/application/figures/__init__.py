"""The figures: what each counts, out of what, and the answers, of one state of the log."""

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    AsOf,
    Figure,
    Known,
    Line,
    Number,
    Question,
)
from services.analytics.application.figures.counting import (
    BASES,
    Basis,
    Cases,
    CauseRow,
    Figures,
    Frequency,
    FrequencyRow,
    RootCauses,
)
from services.analytics.application.figures.register import FIGURES

__all__ = [
    "BASES",
    "FIGURES",
    "Answer",
    "AsOf",
    "Asked",
    "Basis",
    "Cases",
    "CauseRow",
    "Figure",
    "Figures",
    "Frequency",
    "FrequencyRow",
    "Known",
    "Line",
    "Number",
    "Question",
    "RootCauses",
]
