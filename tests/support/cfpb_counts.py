"""Count receipts straight from the CFPB file, with the csv module and nothing of ours.

Run by hand: `python tests/support/cfpb_counts.py FILE [month|product|issue|…]`.
"""

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

CHANNELS = {
    "Web": "web",
    "Web Referral": "referral",
    "Referral": "referral",
    "Phone": "phone",
    "Postal mail": "letter",
    "Fax": "fax",
    "Email": "email",
}
"""How the publisher's words name our channels."""


def rows(file: Path) -> Iterator[dict[str, str]]:
    """Give each row of the file by its own column names."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def counts(file: Path) -> dict[str, Counter[str]]:
    """Count rows by each of the file's own words; an empty cell is ''.

    `model` joins product and sub-product by a dot, `cause` issue and sub-issue by `/`,
    where there is a second one; `product_month` joins the two by a bar.
    """
    found: dict[str, Counter[str]] = {
        name: Counter()
        for name in (
            "product",
            "model",
            "issue",
            "cause",
            "company",
            "channel",
            "year",
            "quarter",
            "month",
            "day",
            "product_month",
        )
    }
    for row in rows(file):
        day = row["Date received"]
        year, month = day[:4], day[:7]
        issue, detail = row["Issue"], row["Sub-issue"]
        found["product"][row["Product"]] += 1
        found["model"][_joined(".", row["Product"], row["Sub-product"])] += 1
        found["issue"][issue] += 1
        found["cause"][_joined("/", issue, detail)] += 1
        found["company"][row["Company"]] += 1
        found["channel"][CHANNELS[row["Submitted via"]]] += 1
        found["year"][year] += 1
        found["quarter"][f"{year}-Q{(int(day[5:7]) + 2) // 3}"] += 1
        found["month"][month] += 1
        found["day"][day] += 1
        found["product_month"][f"{row['Product']}|{month}"] += 1
    return found


def histories(file: Path) -> Counter[str]:
    """Count what the rows state of the past.

    `DAY sent` for each day of sending, each response that closed a complaint, disputes,
    how the rows ended, and those whose dates contradict each other.
    """
    found: Counter[str] = Counter()
    for row in rows(file):
        sent, response = (
            row["Date sent to company"],
            row["Company response to consumer"],
        )
        disputed = row["Consumer disputed?"] == "Yes"
        closed = response.split(" ")[0] == "Closed"
        if sent:
            found["sent"] += 1
            found[f"{sent} sent"] += 1
            found["sent before received"] += sent < row["Date received"]
        if closed:
            found["closed"] += 1
            found[response] += 1
        found["disputed"] += disputed
        found["ended undecided" if disputed else "ended" if closed else "open"] += 1
    return found


def _joined(mark: str, *words: str) -> str:
    return mark.join(word for word in words if word)


if __name__ == "__main__":
    everything = counts(Path(sys.argv[1]))
    chosen = sys.argv[2:] or list(everything)
    sys.stdout.write(
        json.dumps({name: everything[name].most_common() for name in chosen}, indent=1)
    )
