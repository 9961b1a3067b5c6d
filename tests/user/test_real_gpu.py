"""On a machine with an NVIDIA GPU: the local engine finds it, its kernel reaches it, and it computes."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support.person import MakePerson, Person, Workbench

pytestmark = [pytest.mark.gpu, pytest.mark.xdist_group("gpu")]

CUDA = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES', 'as it is'))"

COUNT = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int()
print(cuda.cuDeviceGetCount(ctypes.byref(count)) if not cuda.cuInit(0) else 0, count.value)
"""
"""Without a GPU in sight `cuInit` fails (100: no device), and the count stays 0."""

WITH_TORCH = """
import torch
values = torch.arange(1000.0, device="cuda")
print(int((values * 2 + 1).sum().item()))
"""

WITH_DRIVER = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, f"{name}: error {code}"
def new(kind):
    value = kind()
    return value, ctypes.byref(value)
text = b'''
.version 6.0
.target sm_50
.address_size 64
.visible .entry compute(.param .u64 values)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<3>;
    ld.param.u64 %rd1, [values];
    cvta.to.global.u64 %rd1, %rd1;
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd1, %rd1, %rd2;
    ld.global.u32 %r2, [%rd1];
    mad.lo.u32 %r2, %r1, %r2, 1;
    st.global.u32 [%rd1], %r2;
    ret;
}
'''
(device, device_), (context, context_) = new(ctypes.c_int), new(ctypes.c_void_p)
(module, module_), (function, function_) = new(ctypes.c_void_p), new(ctypes.c_void_p)
memory, memory_ = new(ctypes.c_uint64)
call("cuInit", 0)
call("cuDeviceGet", device_, 0)
call("cuDevicePrimaryCtxRetain", context_, device)
call("cuCtxSetCurrent", context)
call("cuMemAlloc_v2", memory_, ctypes.c_size_t(4 * 1000))
call("cuMemsetD32_v2", memory, ctypes.c_uint(2), ctypes.c_size_t(1000))
call("cuModuleLoadData", module_, text)
call("cuModuleGetFunction", function_, module, b"compute")
arguments = (ctypes.c_void_p * 1)(ctypes.addressof(memory))
call("cuLaunchKernel", function, 1, 1, 1, 1000, 1, 1, 0, None, arguments, None)
call("cuCtxSynchronize")
back = (ctypes.c_uint * 1000)()
call("cuMemcpyDtoH_v2", back, memory, ctypes.c_size_t(4 * 1000))
call("cuMemFree_v2", memory)
print(sum(back))
"""
"""A thousand threads compute `index * 2 + 1`: the driver alone is enough for that."""

EXPECTED = sum(index * 2 + 1 for index in range(1000))


def gpus() -> list[str]:
    """What nvidia-smi lists on this machine, or the end of the test with the reason why it lists none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        pytest.skip("this machine has no NVIDIA GPU (nvidia-smi is not there)")
    done = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=60)
    found = [line for line in done.stdout.splitlines() if line.startswith("GPU ")]
    if done.returncode or not found:
        pytest.skip(f"this machine has no NVIDIA GPU that answers: {(done.stdout + done.stderr).strip()[:200]}")
    return found


@pytest.fixture(scope="module")
def bench(somebody_for_long: MakePerson) -> Iterator[tuple[Person, Workbench]]:
    gpus()
    me = somebody_for_long("local")
    yield me, me.launch(me.project("notebooks-only"), "--gpu")


def test_the_gpu_is_found(bench: tuple[Person, Workbench]) -> None:
    me, started = bench
    found = me.run("workbench", "stats", "--json", started.name).ok().json()[0]["gpus"]
    assert len(found) == len(gpus())
    assert all(each["uuid"] in " ".join(gpus()) and each["memory"] > 1 << 30 for each in found)
    told = {each["what"]: each for each in me.run("workbench", "doctor", "--json").ok().json()}
    assert told["NVIDIA driver"]["ok"] and told["GPU with local"]["ok"]
    assert found[0]["name"] in told["GPU 0"]["found"]


def test_the_gpu_kernel_computes_on_it(bench: tuple[Person, Workbench]) -> None:
    started = bench[1].jupyter
    assert started.call("GET", "api/kernelspecs")["kernelspecs"]["python3"]["spec"]["display_name"] == "Python (GPU)"
    has_torch = started.run("import importlib.util; print(importlib.util.find_spec('torch') is not None)") == "True\n"
    assert started.run(WITH_TORCH if has_torch else WITH_DRIVER) == f"{EXPECTED}\n"


def test_the_cpu_kernel_sees_no_gpu(bench: tuple[Person, Workbench]) -> None:
    with bench[1].jupyter.kernel("python3-cpu") as kernel:
        assert kernel.run(CUDA).ok() == "\n"
        assert kernel.run(COUNT).ok() == "0 0\n"


def test_one_gpu_of_the_machine(somebody: MakePerson) -> None:
    gpus()
    me = somebody("local")
    started = me.launch(me.project("notebooks-only"), "--device", "gpu:0").jupyter
    assert started.run(CUDA) == "0\n"
    assert started.run(COUNT) == "0 1\n"
