"""However many threads the service has, glibc keeps few heaps for them."""

import platform
import subprocess
import sys

import pytest

HEAPS_OF_SIXTEEN_THREADS = """
import ctypes, sys, tempfile, threading
from cylinder_api.heaps import share_heaps

if sys.argv[1] == "shared":
    share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
all_here = threading.Barrier(16)

def take():
    all_here.wait()
    libc.malloc(ctypes.c_size_t(100_000))
    all_here.wait()

threads = [threading.Thread(target=take) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
with tempfile.NamedTemporaryFile() as told:
    stream = ctypes.c_void_p(libc.fdopen(told.fileno(), b"w"))
    libc.malloc_info(0, stream)
    libc.fflush(stream)
    print(open(told.name).read().count("<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc does not give each thread a heap")
def test_sixteen_threads_at_once_share_two_heaps_and_would_have_taken_more() -> None:
    assert heaps("shared") <= 2 < heaps("as they come")


def heaps(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HEAPS_OF_SIXTEEN_THREADS, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)
