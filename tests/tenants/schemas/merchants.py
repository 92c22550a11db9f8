"""Merchants that are not there yet, and the commands that are about merchants."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from tenants.merchants.models import Merchant
from tests.tenants.rows import A, B

NEW, OTHER = "acct_1NEW", "acct_1OTHER"
SCHEMAS = {A, B, "platform"}


def run(name, *arguments):
    """Run a command; return what it printed."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=out, no_color=True)
    return out.getvalue()


def state(account):
    return Merchant.objects.get(connect_account_id=account).state
