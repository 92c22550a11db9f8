"""Owns the processes of the measures: the products that are compared, and the Stripe that is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, LiteralString


@dataclass(frozen=True)
class Product:
    """A Django project, and the Python that has what it needs."""

    name: str
    project: str
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)
    has_worker: bool = False
    """Whether a `connect_worker` runs beside it."""
    times: int = 1
    """How many times as many deliveries as the others it is given, if it is so much faster."""
    rows: LiteralString = ""
    """What counts its charges and sums up their refunds; nothing, if it does not make rows of them."""

    @property
    def database(self) -> str:
        """The name of its database."""
        return f"bench_{self.name}"


@dataclass(frozen=True)
class Taken:
    """How long deliveries took: each until it was answered, and all of them until they were done."""

    seconds: float
    each: list[float]


@dataclass(frozen=True)
class Running:
    """A product's process, ready for deliveries."""

    product: Product
    orders: IO[str]
    answers: IO[str]

    def take(self, numbers: range) -> Taken:
        """Have the deliveries of `numbers` taken; return how long that took."""
        self.orders.write(f"{numbers.start} {numbers.stop}\n")
        self.orders.flush()
        return Taken(**json.loads(_answer(self.answers)))


def run(module: str, database_url: str) -> None:
    """Run a module of ours to its end, on a database; it prints its measures itself."""
    environment = os.environ | {"DATABASE_URL": database_url}
    subprocess.run([sys.executable, "-m", module], env=environment, check=True)  # noqa: S603


@contextmanager
def running(product: Product, database_url: str, api_base: str) -> Iterator[Running]:
    """Run the process of `product` during a block."""
    command = [str(product.python), "-m", "bench.serving", product.project]
    environment = {"DATABASE_URL": database_url, "STRIPE_API_BASE": api_base, **product.environment}
    with ExitStack() as resources:
        orders, answers = resources.enter_context(_child(command, environment))
        _answer(answers)
        if product.has_worker:
            resources.enter_context(_worker(product, environment))
        yield Running(product, orders, answers)


@contextmanager
def _worker(product: Product, environment: Mapping[str, str]) -> Iterator[None]:
    settings = {"DJANGO_SETTINGS_MODULE": f"{product.project}.settings"}
    command = [str(product.python), "-m", "django", "connect_worker"]
    with subprocess.Popen(  # noqa: S603
        command, env=os.environ | environment | settings, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            _answer(process.stdout)
            yield
        finally:
            process.terminate()
            # It says at its end what it has done, and somebody has to listen.
            process.stdout.read()


@contextmanager
def stripe_api(charges: int, links: str) -> Iterator[str]:
    """Run the process that answers for Stripe during a block, for charges and what they name; provide its address."""
    command = [sys.executable, "-m", "bench.stripe_api", str(charges), links]
    with _child(command, {}) as (_, answers):
        yield _answer(answers)


@contextmanager
def _child(command: list[str], environment: dict[str, str]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a process that ends when its standard input does: at the end of the block, or of this process."""
    with subprocess.Popen(  # noqa: S603
        command,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018 - they are pipes
        yield process.stdin, process.stdout


def _answer(answers: IO[str]) -> str:
    line = answers.readline().strip()
    if not line:
        raise SystemExit("A process of the measures has ended early; it said why above.")
    return line
