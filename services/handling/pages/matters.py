"""What people call the categories and causes that amends starts with.

A policy with trees of its own is read as well: a path without words stands for itself.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.kernel.i18n import msgid

WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "category": {
            "product": msgid("Product"),
            "product/defect": msgid("Product: defect"),
            "product/safety": msgid("Product: safety"),
            "product/leak": msgid("Product: leak"),
            "product/noise": msgid("Product: noise"),
            "product/specification": msgid("Product: not as specified"),
            "product/quantity": msgid("Product: quantity"),
            "quality": msgid("Quality of goods"),
            "quality/leak": msgid("Quality: leak"),
            "quality/material": msgid("Quality: material"),
            "quality/workmanship": msgid("Quality: workmanship"),
            "contract": msgid("Contract"),
            "contract/price": msgid("Contract: price"),
            "contract/terms": msgid("Contract: terms"),
            "delivery": msgid("Delivery"),
            "delivery/late": msgid("Delivery: late"),
            "delivery/damaged": msgid("Delivery: damaged"),
            "delivery/wrong-goods": msgid("Delivery: wrong goods"),
            "service": msgid("Service"),
            "service/conduct": msgid("Service: conduct"),
            "service/installation": msgid("Service: installation"),
            "service/repair": msgid("Service: repair"),
            "billing": msgid("Billing"),
            "billing/amount": msgid("Billing: amount"),
            "billing/refund": msgid("Billing: refund"),
            "information": msgid("Information"),
            "information/advertising": msgid("Information: advertising"),
            "information/manual": msgid("Information: manual"),
            "other": msgid("Something else"),
        },
        "cause": {
            "product": msgid("Product"),
            "product/design": msgid("Product: design"),
            "product/specification": msgid("Product: specification"),
            "material": msgid("Material"),
            "material/part": msgid("Material: a part"),
            "material/supplier": msgid("Material: supplier"),
            "process": msgid("Process"),
            "process/assembly": msgid("Process: assembly"),
            "process/inspection": msgid("Process: inspection"),
            "process/packing": msgid("Process: packing"),
            "delivery": msgid("Delivery"),
            "delivery/transport": msgid("Delivery: transport"),
            "delivery/storage": msgid("Delivery: storage"),
            "service": msgid("Service"),
            "service/advice": msgid("Service: advice"),
            "service/work": msgid("Service: work done"),
            "service/conduct": msgid("Service: conduct"),
            "information": msgid("Information"),
            "information/manual": msgid("Information: manual"),
            "information/advertising": msgid("Information: advertising"),
            "use": msgid("Use"),
            "use/misuse": msgid("Use: misuse"),
            "use/wear": msgid("Use: wear"),
            "unknown": msgid("Not found"),
        },
    }
)
