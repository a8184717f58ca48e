"""The wheel is built, installed into a clean environment, and works there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from bakeoff.own_packages import HOME, PACKAGES

pytestmark = pytest.mark.slow  # half a minute: a build and an environment

RESULTS = HOME / "experiments" / "results"
DATA = [
    "toolkit/catalog/models.yaml",
    "toolkit/catalog/datasets.yaml",
    "toolkit/catalog/methods.yaml",
    "toolkit/catalog/formats.yaml",
    "experiments/studies/quickstart.yaml",
    "experiments/design/findings.yaml",
    "bakeoff/py.typed",
    *(f"{name}/py.typed" for name in PACKAGES),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of the sources, so that nothing is left beside them."""
    source = tmp_path_factory.mktemp("source")
    for name in ("bakeoff", *PACKAGES):
        shutil.copytree(HOME / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(HOME / name, source)
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(source),
    ]
    done = subprocess.run([sys.executable, *build], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("bakeoff-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The `bin` folder of a new environment with the wheel; a .pth file adds this one's dependencies."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    packages = next(place.glob("lib/python3*/site-packages"))
    # Not `--prefix`: pip would uninstall bakeoff from the environment that runs this.
    there = ["--python", str(place / "bin" / "python")]
    target = ["-m", "pip", *there, "install", "--no-deps", "--quiet", str(wheel)]
    done = subprocess.run([sys.executable, *target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = [entry for entry in sys.path if entry.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (packages / "dependencies.pth").write_text("".join(f"{entry}\n" for entry in ours))
    return place / "bin"


def test_the_wheel_holds_the_data_files(wheel):
    """Every file that the code reads beside itself: all YAML, all templates, the markers of typing."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in DATA:
        assert name in names
    for package in PACKAGES:
        for kind in ("yaml", "html", "md", "css", "js"):
            for file in (HOME / package).rglob(f"*.{kind}"):
                if RESULTS in file.parents:
                    continue
                assert str(file.relative_to(HOME)) in names, f"{file} is not in the wheel"
    assert not any(name.startswith(("tests/", "docs/", "experiments/results/")) for name in names)


def test_the_wheel_holds_no_results(wheel):
    """Studies that were run are megabytes of records and pictures; the code is a few hundred kilobytes."""
    assert (RESULTS / "NOTICE.md").is_file()
    assert wheel.stat().st_size < 2_000_000


@pytest.mark.parametrize(
    "code",
    [
        "import bakeoff, toolkit; assert 'site-packages' in toolkit.__file__, toolkit.__file__",
        "import bakeoff; assert bakeoff.score(['a b c d'] * 2, ['a b c d'] * 2).value > 99.9",
        "import bakeoff; assert bakeoff.study('quickstart').name == 'quickstart'",
    ],
)
def test_the_door_works_where_it_is_installed(installed, tmp_path, code):
    """From an empty folder, with the packages of the wheel."""
    done = subprocess.run(
        [str(installed / "python"), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["catalog", "studies"]])
def test_the_command_works_where_it_is_installed(installed, tmp_path, arguments):
    """The console script of the wheel."""
    done = subprocess.run(
        [str(installed / "bakeoff"), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
