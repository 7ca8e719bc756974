"""The package's build: what it packs, what it does without a compiler, and that no build leaks into another.

The engine's own sources take long to compile, so that the package built here has a small one with the same interface.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerwise.engines.native.library import SUFFIX

ROOT = Path(__file__).parents[2]
ENGINE = "layerwise/engines/native"
LIBRARY = f"{ENGINE}/_core{SUFFIX}"
NO_COMPILER = shutil.which("false") or "false"
KERNELS = """
#ifndef LW_ISA
#error the file of kernels is compiled for an instruction set
#endif
namespace layerwise::LW_ISA {
int width() {
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__FMA__)
    return 512;
#elif defined(__AVX2__) && defined(__FMA__)
    return 256;
#else
    return 128;
#endif
}
}
"""
INTERFACE = """
#include <stdexcept>
#include <string>
#include <thread>
namespace layerwise {
namespace portable { int width(); }
#ifndef LW_ONLY_PORTABLE
namespace avx2 { int width(); }
namespace avx512 { int width(); }
#endif
}
#define EXPORT extern "C" __attribute__((visibility("default")))
EXPORT int layerwise_abi() { return 7; }
EXPORT int layerwise_widths() {
    int sum = layerwise::portable::width();
#ifndef LW_ONLY_PORTABLE
    sum += layerwise::avx2::width() + layerwise::avx512::width();
#endif
    return sum;
}
EXPORT int layerwise_catches() {
    int caught = 0;
    std::thread other([&caught] {
        try { throw std::runtime_error(std::string(100, 'x')); }
        catch (const std::exception& problem) { caught = problem.what()[99] == 'x'; }
    });
    other.join();
    return caught;
}
EXPORT int hidden() { return 1; }
"""

pytest.importorskip("scikit_build_core", reason="builds packages")
if shutil.which("cmake") is None and not (Path(sys.executable).parent / "cmake").exists():
    pytest.skip("no CMake", allow_module_level=True)


@dataclass(frozen=True)
class Built:
    """What a build left: its exit code, its output, and the files in its package."""

    code: int
    said: str
    package: Path | None

    @property
    def files(self) -> set[str]:
        assert self.package is not None, self.said
        if self.package.suffix == ".whl":
            return set(zipfile.ZipFile(self.package).namelist())
        with tarfile.open(self.package) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}


class Project:
    """A copy of what decides about the build, with a small engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", ".gitignore"):
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, folder / name)
        self.write("src/layerwise/__init__.py", "")
        self.write(f"src/{ENGINE}/__init__.py", "")
        self.write(f"src/{ENGINE}/core/kernels.cpp", KERNELS)
        self.write(f"src/{ENGINE}/core/api.cpp", INTERFACE)
        self.write(f"src/{ENGINE}/runner/run_program.cpp", "int main() { return 0; }\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def files(self) -> set[Path]:
        return {path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()}

    def build(self, kind: str = "wheel", **environment: str) -> Built:
        out = self.folder.parent / f"{self.folder.name}-{kind}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERWISE_", "SKBUILD"))}
        bin_folder = str(Path(sys.executable).parent)
        usual["PATH"] = os.pathsep.join([bin_folder, usual.get("PATH", os.defpath)])
        code = f"import sys, scikit_build_core.build as b; b.build_{kind}(sys.argv[1])"
        done = subprocess.run(
            [sys.executable, "-c", code, str(out)], cwd=self.folder, env=usual | environment, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        packages = list(out.iterdir())
        assert len(packages) <= 1
        return Built(done.returncode, done.stdout, packages[0] if packages else None)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A tree that has been installed in place before: an old library lies where the tree's own belongs."""
    project = Project(tmp_path_factory.mktemp("project") / "tree")
    project.write(f"src/{LIBRARY}", "old")
    project.write("build/native/left-over.txt", "old")
    return project


@pytest.fixture(scope="module")
def wheel(project) -> Built:
    return project.build(LAYERWISE_REQUIRE_NATIVE="1")


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel.package).extract(LIBRARY, folder)
    return ctypes.CDLL(str(folder / LIBRARY))


def test_one_wheel_serves_every_python_of_a_platform(wheel):
    assert wheel.code == 0, wheel.said
    name = wheel.package.name
    assert "-py3-none-" in name
    assert not name.endswith("-any.whl")
    if sys.platform == "linux":
        assert name.endswith(sysconfig.get_platform().replace("-", "_") + ".whl")


def test_the_wheel_holds_the_library_and_no_sources(wheel):
    assert {name for name in wheel.files if name.startswith(ENGINE)} == {LIBRARY, f"{ENGINE}/__init__.py"}
    assert {name.split("/")[0].split("-")[0] for name in wheel.files} == {"layerwise"}
    assert zipfile.ZipFile(wheel.package).read(LIBRARY) != b"old"


def test_the_library_works_with_its_own_runtime(unpacked):
    assert unpacked.layerwise_abi() == 7
    assert unpacked.layerwise_catches() == 1


def test_kernels_are_compiled_for_each_instruction_set(unpacked):
    assert unpacked.layerwise_widths() in (128 + 256 + 512, 128)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the linker shows whatever the sources show")
def test_the_library_shows_its_interface_and_nothing_else(unpacked):
    assert not hasattr(unpacked, "hidden")
    assert not hasattr(unpacked, "_ZN9layerwise8portable5widthEv")


@pytest.mark.parametrize("required", ["", "0"])
def test_without_a_compiler_the_package_is_pure(project, required):
    built = project.build(CXX=NO_COMPILER, LAYERWISE_REQUIRE_NATIVE=required)
    assert built.code == 0, built.said
    assert built.package.name.endswith("-py3-none-any.whl")
    assert {name for name in built.files if name.startswith(ENGINE)} == {f"{ENGINE}/__init__.py"}
    assert "the compiled engine could not be built" in built.said


def test_without_a_compiler_that_is_required_nothing_is_built(project):
    built = project.build(CXX=NO_COMPILER, LAYERWISE_REQUIRE_NATIVE="1")
    assert built.code != 0
    assert built.package is None
    assert NO_COMPILER in built.said
    assert "CMake configuration failed" in built.said


def test_an_error_in_the_engine_cannot_hide(tmp_path):
    project = Project(tmp_path / "tree")
    project.write(f"src/{ENGINE}/core/plan.cpp", "int plan() { return undeclared; }\n")
    built = project.build(LAYERWISE_REQUIRE_NATIVE="1")
    assert built.code != 0
    assert built.package is None
    assert "undeclared" in built.said  # the compiler's own message


def test_a_name_without_a_definition_is_an_error_of_the_build(tmp_path):
    project = Project(tmp_path / "tree")
    project.write(
        f"src/{ENGINE}/core/plan.cpp", 'int nowhere(); extern "C" int layerwise_plan() { return nowhere(); }\n'
    )
    assert project.build(LAYERWISE_REQUIRE_NATIVE="1").code != 0


def test_the_source_package_holds_the_sources_and_nothing_built(project):
    built = project.build("sdist")
    assert built.code == 0, built.said
    assert {"pyproject.toml", "CMakeLists.txt", "LICENSE"} <= built.files
    native = {name.removeprefix(f"src/{ENGINE}/") for name in built.files if ENGINE in name}
    assert native == {"__init__.py", "core/api.cpp", "core/kernels.cpp", "runner/run_program.cpp"}
    assert not {name for name in built.files if name.startswith("build/")}


def test_nothing_built_is_packed_even_where_git_ignores_nothing(tmp_path):
    project = Project(tmp_path / "tree")
    project.write(f"src/{LIBRARY}", "old")
    (project.folder / ".gitignore").unlink(missing_ok=True)
    assert not [name for name in project.build("sdist").files if "_core" in name]
    assert not [name for name in project.build(CXX=NO_COMPILER).files if "_core" in name]


def test_an_editable_install_puts_the_library_into_the_tree(tmp_path):
    project = Project(tmp_path / "tree")
    own, files = project.folder / "src" / LIBRARY, project.files()
    built = project.build("editable", LAYERWISE_REQUIRE_NATIVE="1")
    assert built.code == 0, built.said
    assert own.is_file()
    assert not [name for name in built.files if "_core" in name]
    before = own.read_bytes()
    project.build("wheel", LAYERWISE_REQUIRE_NATIVE="1")
    assert own.read_bytes() == before  # builds of packages leave it alone
    assert project.files() == files | {Path("src") / LIBRARY}
    built = project.build("editable", CXX=NO_COMPILER)
    assert built.code == 0, built.said
    assert not own.exists()  # rather none than one of other sources
