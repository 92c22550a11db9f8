"""Owns the file that new signing secrets are written to: the one place where they are, besides Stripe."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Final

FORM: Final = '{"platform": ["whsec_…"], "connect": ["whsec_…"]}'


class UnusableSecretsFile(ValueError):
    """Secrets cannot be kept in this file. The command says so before it makes one."""


def fingerprint(secret: str) -> str:
    """Return what a secret can be recognised by, and by nobody guessed from: it is 32 random characters."""
    return sha256(secret.encode()).hexdigest()


class SecretsFile:
    """JSON as ``STRIPE_WEBHOOK_SECRETS`` takes it: each endpoint's secrets, the newest last.

    It is replaced whole, never written to, and nobody but its owner may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Write what is there once more: what fails then has not cost a secret, which Stripe tells only once.

        Raises UnusableSecretsFile.
        """
        self._write(self._read())

    def add(self, name: str, secret: str) -> None:
        """Put the newest secret of the endpoint `name` behind those that are there. Raises UnusableSecretsFile."""
        secrets = self._read()
        secrets.setdefault(name, []).append(secret)
        self._write(secrets)

    def forget(self, name: str, fingerprints: Collection[str]) -> None:
        """Take these secrets of the endpoint `name` out. Raises UnusableSecretsFile."""
        secrets = self._read()
        kept = [s for s in secrets.get(name, []) if fingerprint(s) not in fingerprints]
        if kept != secrets.get(name, []):
            self._write(secrets | {name: kept})

    def _read(self) -> dict[str, list[str]]:
        # A device or a pipe is a way to show it to somebody; /dev/stdout is a link.
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise UnusableSecretsFile(f"{self.path} is no regular file; secrets are never shown.")
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(error) from None
        try:
            secrets = json.loads(text)
        except ValueError:
            secrets = None
        if not isinstance(secrets, dict) or not all(map(_is_texts, secrets.values())):
            # What it says stays unsaid: it may well be secrets.
            raise UnusableSecretsFile(f"{self.path} is not JSON of the form {FORM}.")
        return secrets

    def _write(self, secrets: dict[str, list[str]]) -> None:
        try:
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        except OSError as error:
            raise self._unusable(error) from None
        try:
            # mkstemp's file is its owner's alone, whatever the umask.
            with os.fdopen(descriptor, "w") as file:
                json.dump(secrets, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except OSError as error:
            Path(name).unlink(missing_ok=True)
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> UnusableSecretsFile:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return UnusableSecretsFile(f"{self.path} cannot be used: {reason}.")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
