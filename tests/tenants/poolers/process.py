"""One of a site's several processes: told its settings and its requests by the standard input, it prints its tally."""

import json
import sys
from dataclasses import asdict

import django
from django.conf import settings


def serve():
    """Send the requests that this process is told of."""
    told, requests, first, workers = json.load(sys.stdin)
    for name, value in told.items():
        setattr(settings, name, value)
    django.setup()
    from tests.tenants.poolers.traffic import by_threads  # noqa: PLC0415 - needs the settings

    json.dump(asdict(by_threads(requests, first=first, workers=workers)), sys.stdout)


if __name__ == "__main__":
    serve()
