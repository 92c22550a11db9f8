"""A stand-in without endpoints, and the command as a shell would run it."""

import io
import json
from dataclasses import dataclass

import pytest
from django.core.management import CommandError, call_command

from connect.testing import StandIn
from tests.connect.endpoints.at_stripe import (
    BASE,
    CONNECT,
    PLATFORM,
    at,
)


@pytest.fixture
def stripe(settings, routes):
    """A stand-in whose account has no endpoints yet, and a project without handlers."""
    with StandIn(seed=1) as running:
        settings.STRIPE_API_BASE = running.url
        settings.STRIPE_API_KEY = running.api_key
        settings.STRIPE_WEBHOOK_SECRETS = {}
        yield running


@dataclass
class Done:
    """What a run said, and the status a shell would see."""

    out: str
    err: str
    status: int

    @property
    def lines(self):
        return self.out.splitlines()


@pytest.fixture
def run(stripe):
    """Run the command. Whatever it is asked, it shows no secret."""

    def run(*arguments, base=BASE):
        out, err, status = io.StringIO(), io.StringIO(), 0
        where = ["--base-url", base] if base else []
        try:
            call_command("connect_endpoints", *where, *map(str, arguments), stdout=out, stderr=err)
        except CommandError as error:
            status = error.returncode
            err.write(str(error))
        done = Done(out.getvalue(), err.getvalue(), status)
        for secret in (s for endpoint in stripe.endpoints for s in endpoint.secrets):
            assert secret not in done.out + done.err
        assert "whsec_0" not in done.out + done.err
        return done

    return run


@pytest.fixture
def secrets(tmp_path, settings):
    """A file for secrets, and how they get from there into the settings."""

    class Secrets:
        path = tmp_path / "secrets.json"

        def __call__(self):
            return json.loads(self.path.read_text())

        def configure(self):
            settings.STRIPE_WEBHOOK_SECRETS = self()

    return Secrets()


@pytest.fixture
def installed(stripe, run, secrets):
    """Both endpoints are made and their secrets configured."""
    done = run("--secrets-to", secrets.path)
    assert done.status == 0, done.err
    secrets.configure()
    return {
        name: at(stripe, url)[0] for name, url in (("platform", PLATFORM), ("connect", CONNECT))
    }
