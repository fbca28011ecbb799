"""What changes pixels is named: versions, and what the processor can do."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from mediamill.cli.local.replaying import differences
from mediamill.engine.libraries import SIMD, libraries, simd

X86 = "processor\t: {n}\nmodel name\t: A flags avx512f\nflags\t\t: fpu {flags}\nbugs\t\t: avx2\n\n"
OLD, NEW = "sse4_1 sse4_2 avx", "sse4_1 sse4_2 avx f16c avx2 fma"
SKX = "avx512f avx512cd avx512bw avx512dq avx512vl"


def cpuinfo(folder: Path, *cores: str, form: str = X86) -> Path:
    path = folder / "cpuinfo"
    path.write_text("".join(form.format(n=n, flags=flags) for n, flags in enumerate(cores)))
    return path


@pytest.mark.parametrize(
    ("cores", "told"),
    [
        ([OLD], "sse4.1 sse4.2 avx"),
        ([NEW, NEW], "sse4.1 sse4.2 avx f16c avx2 fma"),
        ([NEW, OLD], "sse4.1 sse4.2 avx"),
        ([f"{NEW} {SKX}"], "sse4.1 sse4.2 avx f16c avx2 fma avx512-skx"),
        ([f"{NEW} avx512f"], "sse4.1 sse4.2 avx f16c avx2 fma"),
        ([], ""),
    ],
)
def test_what_all_cores_can_do(tmp_path: Path, cores: list[str], told: str):
    assert simd(cpuinfo(tmp_path, *cores)) == told


def test_an_arm_says_it_otherwise(tmp_path: Path):
    arm = cpuinfo(tmp_path, "fp asimd asimdhp asimddp", form="Features\t: {flags}\n\n")
    assert simd(arm) == "neon fp16 dotprod"
    assert simd(tmp_path / "none") == ""


def test_it_is_noted_beside_the_versions():
    found = libraries()
    assert found["numpy"]
    assert found["architecture"] == platform.machine()
    if Path("/proc/cpuinfo").exists() and platform.machine() in {"x86_64", "aarch64"}:
        assert {*found["simd"].split()} <= SIMD.keys()


def test_opencv_sees_the_same_processor():
    """A line such as `SSE SSE2 SSE3 *SSE4.1 *AVX2? …`: `?` is what is not there."""
    if platform.machine() != "x86_64" or "simd" not in libraries():
        pytest.skip("the line is read for x86-64")
    import cv2

    there = {one.strip("*").lower() for one in cv2.getCPUFeaturesLine().split()}
    ours = {*libraries()["simd"].split()}
    for name in ("sse4.1", "sse4.2", "avx", "avx2", "avx512-skx"):
        assert (name in there) == (name in ours) or name not in {one.rstrip("?") for one in there}


def test_nothing_is_imported_for_it():
    code = (
        "import sys; from mediamill.engine.libraries import libraries; libraries(); "
        "sys.exit(bool({'numpy', 'cv2', 'av', 'PIL'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_processor_is_named_by_a_replay():
    then = {"numpy": "2", "architecture": "x86_64", "simd": "sse4.1 avx"}
    now = {**then, "simd": "sse4.1 avx avx2 fma"}
    assert differences(then, now) == {"simd": ("sse4.1 avx", "sse4.1 avx avx2 fma")}
    assert differences({"numpy": "2"}, now) == {}, "noted before it was"
    assert differences({"av": "1"}, {"numpy": "2"}) == {
        "av": ("1", "none"), "numpy": ("none", "2"),
    }  # fmt: skip
