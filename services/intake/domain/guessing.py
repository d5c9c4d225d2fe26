"""Guesses from a table's own words which column is what; says what it is not sure of."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from events.vocabulary import Channel
from services.intake.domain.dates import ISO_FORMS, UnreadDateError, read_date
from services.intake.domain.mapping import TableMapping

_NAMES: Final[Mapping[str, str]] = {
    "key": "complaint id|complaint no|complaint number|case id|case no|case number|"
    "ticket|ticket no|ticket id|id|number|no|投诉编号|工单号|工单编号|单号|案件编号|编号",
    "occurred_on": "date received|received|received date|received on|received at|"
    "occurred at|created|created date|created at|opened|complaint date|date|投诉日期|"
    "投诉时间|受理日期|受理时间|来电时间|登记日期|登记时间|日期",
    "statement": "statement|description|complaint|narrative|details|content|words|"
    "投诉内容|内容|描述|问题描述|投诉描述|情况说明",
    "channel": "channel|received via|submitted via|method received|渠道|投诉渠道|"
    "受理渠道|投诉方式|来源渠道",
    "model": "product|model|product model|product name|产品|产品型号|产品名称|型号|商品",
    "supplier": "supplier|manufacturer|brand|maker|供应商|厂家|制造商|品牌",
    "category": "category|issue|topic|complaint type|类别|分类|投诉类别|投诉类型|问题类型",
    "contact.name": "name|customer|customer name|contact name|客户姓名|姓名|客户|"
    "客户名称|投诉人|联系人",
    "contact.email": "email|e mail|contact email|邮箱|电子邮箱|电子邮件",
    "contact.phone": "phone|telephone|mobile|phone number|contact phone|电话|手机|"
    "手机号|联系电话|电话号码",
    "contact.customer_no": "customer no|customer id|customer number|contact customer no|"
    "客户编号|客户号|会员号",
    "order_no": "order|order no|order id|order number|订单号|订单编号",
    "upstream_no": "upstream no|dealer no|reference|上游单号|经销商单号",
    "product.serial": "serial|serial no|serial number|product serial|序列号|机身号",
    "product.lot": "lot|batch|lot no|batch no|product lot|批号|批次|批次号",
    "purchase_date": "purchase date|bought on|购买日期|购买时间",
    "event_at": "event at|incident date|发生时间|事发时间",
    "desired_outcome": "desired outcome|wish|demand|诉求|客户诉求|期望结果",
}
"""What columns are called, in English and Chinese, by the field that they hold."""

_CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.PHONE: "phone|call|telephone|hotline|电话|来电|热线",
    Channel.EMAIL: "email|e-mail|mail box|邮件|电子邮件|邮箱",
    Channel.WEB: "web|website|online|internet|form|网站|网页|官网|在线",
    Channel.CHAT: "chat|live chat|在线客服|聊天|客服",
    Channel.SOCIAL: "social|social media|twitter|facebook|weibo|微博|微信|社交媒体",
    Channel.FAX: "fax|传真",
    Channel.LETTER: "letter|post|postal mail|信函|信件|来信|邮寄",
    Channel.COUNTER: "counter|desk|in person|walk-in|柜台|门店|现场",
    Channel.SUGGESTION_BOX: "suggestion box|意见箱",
    Channel.VISIT: "visit|走访|来访|上门",
    Channel.REFERRAL: "referral|referred|转办|转来",
}
_DATES: Final = (
    *ISO_FORMS,
    "YYYY-MM-DD hh:mm",
    "YYYY/M/D",
    "YYYY/M/D h:mm",
    "YYYY/M/D h:mm:ss",
    "YYYY年M月D日",
    "DD.MM.YYYY",
    "M/D/YYYY",
    "D/M/YYYY",
    "M/D/YYYY h:mm:ss AM",
    "M/D/YYYY h:mm",
    "D/M/YYYY h:mm",
)
_LIKE: Final = 1_000  # rows whose dates and channels are looked at
_FIELDS: Final = {name: words.split("|") for name, words in _NAMES.items()}
_WORDS: Final = {
    word: channel.value
    for channel, words in _CHANNELS.items()
    for word in words.split("|")
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping as far as it can be told, and what a person must decide about it."""

    values: Mapping[str, Any]
    doubts: tuple[str, ...]

    def mapping(self) -> TableMapping | None:
        """Give the mapping where nothing is in doubt."""
        return None if self.doubts else TableMapping.model_validate(self.values)

    def columns(self) -> dict[str, str]:
        """Give each field's column."""
        found: dict[str, str] = {}
        for name in ("key", "occurred_on", "statement", "channel", "supplier"):
            if name in self.values:
                found[name] = self.values[name].removeprefix("table:").strip("{}")
        for name in ("model", "category"):
            if name in self.values:
                found[name] = self.values[name][0]
        return found | dict(self.values["fields"])

    def draft(self) -> str:
        """Write a mapping file to be corrected: doubts as comments above it."""
        lines = [
            "# Which column is which field. Correct it, then import with --format."
        ]
        lines += [f"# Decide: {doubt}" for doubt in self.doubts]
        tables = []
        for name, value in self.values.items():
            if isinstance(value, Mapping):
                tables.append(f"\n[{name}]")
                tables += [
                    f"{_toml(key)} = {_toml(each)}" for key, each in value.items()
                ]
            else:
                lines.append(f"{name} = {_toml(value)}")
        return "\n".join([*lines, *tables]) + "\n"


def likeness(cells: Sequence[str]) -> int:
    """Say how many of the cells are names of columns that are known."""
    known = {word for words in _FIELDS.values() for word in words}
    return sum(_plain(cell) in known for cell in cells)


def guess(header: Sequence[str], rows: Iterable[Mapping[str, str]], zone: str) -> Guess:
    """Guess by names alone; the first rows decide how dates and channels are written."""
    doubts: list[str] = []
    found = _columns(header, doubts)
    values: dict[str, Any] = {"format": "table", "zone": zone}
    sample = [row for row, _ in zip(rows, range(_LIKE), strict=False)]
    dated = [
        found[n] for n in ("occurred_on", "purchase_date", "event_at") if n in found
    ]
    values["dates"] = _dates(sample, dated, zone, doubts)
    values["key"] = f"table:{{{found.pop('key')}}}"
    for name in ("occurred_on", "statement", "channel", "supplier"):
        if name in found:
            values[name] = found.pop(name)
    for name in ("model", "category"):
        if name in found:
            values[name] = [found.pop(name)]
    values["fields"] = found
    if "channel" in values:
        values["channels"] = _channels(sample, values["channel"], doubts)
    return Guess(values, tuple(doubts))


def channels_of(words: Iterable[str]) -> dict[str, str]:
    """Give the channel that each word seems to name; "" where it names none of ours."""
    return {word: _WORDS.get(word.strip().lower(), "") for word in words}


def _columns(header: Sequence[str], doubts: list[str]) -> dict[str, str]:
    """Give the column of each field that one seems to have."""
    found: dict[str, str] = {}
    for name, words in _FIELDS.items():
        columns = [column for column in header if _plain(column) in words]
        if len(columns) > 1:
            doubts.append(f"{name} may be {' or '.join(columns)}.")
        if columns:
            found[name] = columns[0]
    for name, what in (
        ("key", "tells a complaint from all others"),
        ("occurred_on", "holds the day of the complaint"),
    ):
        if name not in found:
            doubts.append(f"{name} is not known: name the column that {what}.")
            found[name] = header[0] if header else ""
    return found


def _channels(
    sample: Sequence[Mapping[str, str]], column: str, doubts: list[str]
) -> dict[str, str]:
    words = channels_of(row[column] for row in sample)
    doubts += [
        f"{column} {word!r} is none of our channels, or which one?"
        for word, channel in words.items()
        if not channel
    ]
    return words


def _dates(
    sample: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    zone: str,
    doubts: list[str],
) -> list[str]:
    """Choose the form that reads most of the dates; two that read all are a doubt."""
    texts = [row[column] for row in sample for column in columns if row[column].strip()]
    read = {form: sum(_reads(text, form, zone) for text in texts) for form in _DATES}
    most = max(read.values())
    best = [form for form in _DATES if read[form] == most]
    if not most:
        doubts.append(f"dates are written in no known way: {texts[0] if texts else ''}")
        return [ISO_FORMS[0]]
    if len(best) > 1:
        doubts.append(f"dates are {' or '.join(best)}.")
    return best[:1]


def _reads(text: str, form: str, zone: str) -> bool:
    try:
        read_date(text, (form,), zone)
    except UnreadDateError:
        return False
    return True


def _plain(name: str) -> str:
    return re.sub(r"[\s_./-]+", " ", name.strip().lower()).strip()


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
