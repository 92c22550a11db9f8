"""What holds of the source as a whole."""

import ast
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("django_stripe", "connect", "tenants", "example_platform")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_imports_go_one_way():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_test_uses_mocks():
    word = "unittest." + "mock"
    assert not [path for path in (ROOT / "tests").rglob("*.py") if word in path.read_text()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_account_of_a_call_is_never_among_its_parameters(path):
    """Among its parameters Stripe ignores it, and the call runs on the platform."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            for argument in node.args:
                keys = argument.keys if isinstance(argument, ast.Dict) else []
                names = [key.value for key in keys if isinstance(key, ast.Constant)]
                assert "stripe_account" not in names, f"{path.name}:{node.lineno}"


def test_the_wheels_hold_the_three_packages_and_nothing_else(tmp_path):
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"django_stripe", "connect", "tenants"}
    assert {f"{package}/py.typed" for package in tops} <= set(names)
    assert "django_stripe/charge/migrations/0001_initial.py" in names
    assert any(name.startswith("django_stripe/templates/") for name in names)
