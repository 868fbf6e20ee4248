"""Receivers in the real frameworks, each on a real server in this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import django
import flask
import uvicorn
from cheroot import wsgi
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from clipia_queue import AsyncWebhooks, Webhooks

PATH = "/clipia"

OnDelivery = Callable[[Any], Any] | None


@contextmanager
def serving_asgi(app: Any) -> Iterator[str]:
    """The URL of an ASGI application on uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    """The URL of a WSGI application on cheroot."""
    server = wsgi.Server(("127.0.0.1", 0), app)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


@contextmanager
def starlette_route(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    with serving_asgi(Starlette(routes=[Route(PATH, webhooks.asgi(on_delivery))])) as url:
        yield url


@contextmanager
def fastapi_route(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    with serving_asgi(FastAPI(routes=[Route(PATH, webhooks.asgi(on_delivery))])) as url:
        yield url


@contextmanager
def asgi_alone(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    with serving_asgi(webhooks.asgi(on_delivery)) as url:
        yield url


@contextmanager
def flask_view(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    app = flask.Flask(__name__)
    app.add_url_rule(PATH, view_func=webhooks.flask(on_delivery), methods=["POST"])
    with serving_wsgi(app) as url:
        yield url


@contextmanager
def django_project(
    urlpatterns: list[Any], application: Callable[[], Any] = get_wsgi_application
) -> Iterator[Any]:
    """A Django application with these URLs."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"], USE_TZ=True
        )
        django.setup()
    urls = ModuleType("urls")
    urls.urlpatterns = urlpatterns  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls):
        yield application()


@contextmanager
def django_view(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    urlpatterns = [path(PATH.removeprefix("/"), webhooks.django(on_delivery))]
    with django_project(urlpatterns) as app, serving_wsgi(app) as url:
        yield url


@contextmanager
def django_asgi_view(webhooks: Webhooks | AsyncWebhooks, on_delivery: OnDelivery) -> Iterator[str]:
    urlpatterns = [path(PATH.removeprefix("/"), webhooks.django(on_delivery))]
    with django_project(urlpatterns, get_asgi_application) as app, serving_asgi(app) as url:
        yield url


RECEIVERS = [starlette_route, fastapi_route, asgi_alone, flask_view, django_view, django_asgi_view]
