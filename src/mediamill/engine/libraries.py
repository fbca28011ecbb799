"""What changes outputs here, told without importing any of it: versions, and the processor.

Libraries choose their code by what the processor can do, and round otherwise with it: a rotation by
AVX2 and FMA has other last bits than one by SSE4.1 of the same version.
"""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAMES = (
    "mediamill", "numpy", "opencv-python-headless", "av", "pillow", "simplejpeg", "pillow-heif",
    "pyarrow",
)  # fmt: skip
LATER = frozenset({"architecture", "simd", "pyarrow"})
"""What earlier versions did not note."""
CPUINFO = Path("/proc/cpuinfo")
"""Linux says there what the processor can do, as programs see it; one paragraph for each core."""
FLAGS = frozenset({"flags", "Features", "features"})
SIMD = {
    "sse4.1": {"sse4_1"}, "sse4.2": {"sse4_2"}, "avx": {"avx"}, "f16c": {"f16c"}, "avx2": {"avx2"},
    "fma": {"fma"},
    "avx512-skx": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "avx512-icl": {"avx512ifma", "avx512vbmi", "avx512_vbmi2", "avx512_vnni", "avx512_bitalg",
                   "avx512_vpopcntdq"},
    "avx512-spr": {"avx512_fp16"},
    "neon": {"asimd"}, "fp16": {"asimdhp"}, "dotprod": {"asimddp"}, "bf16": {"bf16"},
    "i8mm": {"i8mm"}, "sve": {"sve"}, "sve2": {"sve2"},
    "vx": {"vx"}, "vxe": {"vxe"}, "vxe2": {"vxe2"},
}  # fmt: skip
"""What NumPy, OpenCV and codecs choose their code by on x86-64, AArch64 and s390x: the flags that
Linux has for each."""


@cache
def libraries() -> dict[str, str]:
    """Return the installed versions by name; what is not there is left out.

    Beside them `architecture`, such as `x86_64`, and `simd`, as `simd` tells it.
    """
    found = {}
    for name in NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["architecture"] = platform.machine()
    if known := simd(CPUINFO):
        found["simd"] = known
    return found


def simd(cpuinfo: Path) -> str:
    """Return the names in `SIMD` of what all cores can do, as of a file such as `/proc/cpuinfo`.

    Empty where there is no such file, or it says nothing of it.
    """
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    told = (line.partition(":") for line in lines)
    cores = [{*flags.split()} for name, _, flags in told if name.strip() in FLAGS]
    common = set[str]().union(*cores[:1]).intersection(*cores)
    return " ".join(name for name, flags in SIMD.items() if flags <= common)
