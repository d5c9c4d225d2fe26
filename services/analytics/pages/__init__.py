"""Pages of figures for staff: `/insight` and the complaints behind each number."""

from services.analytics.pages.exports import exports_router
from services.analytics.pages.insight import insight_pages, insight_router

__all__ = ["exports_router", "insight_pages", "insight_router"]
