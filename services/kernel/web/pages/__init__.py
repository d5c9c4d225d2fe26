"""Pages for people, rendered here: templates, languages, forms, who is looking."""

from services.kernel.web.pages.assets import Assets
from services.kernel.web.pages.forms import Form, FormFault
from services.kernel.web.pages.rendering import Pages
from services.kernel.web.pages.viewers import STRANGER, Strangers, Viewer, Viewers

__all__ = [
    "STRANGER",
    "Assets",
    "Form",
    "FormFault",
    "Pages",
    "Strangers",
    "Viewer",
    "Viewers",
]
