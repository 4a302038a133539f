"""A Django site of two pages; Django is configured once in a process."""

from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path


def hello(request: HttpRequest, rest: str = "") -> HttpResponse:
    return HttpResponse("hello", headers={"X-Own": "1"})


def wsgi_application() -> Any:
    if not settings.configured:
        urls = ModuleType("urls")
        urls.urlpatterns = [path("", hello), path("api/<path:rest>", hello)]  # type: ignore[attr-defined]
        settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="of the tests", USE_TZ=True)
        django.setup()
    return get_wsgi_application()
