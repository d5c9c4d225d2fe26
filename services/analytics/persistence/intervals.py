"""Intervals in SQL: between receipts, and from a source's document to its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import timedelta

DAY: Final = 86_400_000_000
"""Microseconds of a day."""


def rhythms(column: str, where: str) -> str:
    """Query the last receipt, and the count, median and 99th percentile of intervals."""
    return f"""
        SELECT of_it, MAX(received_at), COUNT(waited),
            AVG(CASE WHEN place IN ((known + 1) / 2, (known + 2) / 2)
                THEN waited END),
            MAX(CASE WHEN place = (99 * known + 99) / 100 THEN waited END)
        FROM (
            SELECT of_it, received_at, waited,
                COUNT(waited) OVER (PARTITION BY of_it) AS known,
                ROW_NUMBER() OVER (
                    PARTITION BY of_it
                    ORDER BY CASE WHEN waited IS NULL THEN 1 ELSE 0 END, waited
                ) AS place
            FROM (
                SELECT {column} AS of_it, received_at, received_at
                    - LAG(received_at) OVER (
                        PARTITION BY {column} ORDER BY received_at
                    ) AS waited
                FROM complaint_row{where}
            ) AS waits
        ) AS places
        GROUP BY of_it"""  # noqa: S608 our own names


def registration_days(column: str, where: str, offset: timedelta) -> str:
    """Query the median of days between the dates of document and receipt."""
    shift = int(offset.total_seconds()) * 1_000_000
    return f"""
        SELECT of_it, AVG(days)
        FROM (
            SELECT of_it, days, COUNT(*) OVER (PARTITION BY of_it) AS known,
                ROW_NUMBER() OVER (PARTITION BY of_it ORDER BY days) AS place
            FROM (
                SELECT {column} AS of_it,
                    (received_at + {shift}) / {DAY} - documented_day AS days
                FROM complaint_row{where} AND documented_day IS NOT NULL
                    AND received_precision <> 'not_before'
            ) AS waits
        ) AS places
        WHERE place IN ((known + 1) / 2, (known + 2) / 2)
        GROUP BY of_it"""  # noqa: S608 our own names


def repeating(same: str, state: str) -> str:
    """Condition of complaints that came at most `?` after one of the same person.

    What is not counted, such as a demonstration, repeats only its like.
    """
    alike = "" if same == "any" else f", {same}"
    stated = "" if same == "any" else f" AND {same} IS NOT NULL"
    return f"""case_id IN (
        SELECT case_id
        FROM (
            SELECT case_id, received_at - LAG(received_at) OVER (
                PARTITION BY subject, CASE
                    WHEN origin IN ('live', 'migration') THEN 'counted' ELSE origin
                END{alike}
                ORDER BY received_at, case_id
            ) AS since
            FROM complaint_row WHERE {state}{stated}
        ) AS earlier
        WHERE since <= ?
    )"""  # noqa: S608 our own names
