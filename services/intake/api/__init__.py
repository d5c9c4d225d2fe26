"""Intake over HTTP: complaints, the channels that hand them in, imports, erasures."""

from services.intake.api.complaints import (
    channels_router,
    privacy_router,
    router,
    uploader,
)
from services.intake.api.imports import imports_router

__all__ = [
    "channels_router",
    "imports_router",
    "privacy_router",
    "router",
    "uploader",
]
