# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that share a cache: many at once, killed ones, damaged entries, disks that do not work.

    python3 tests/processes/cache.py build/compiler/tools/landmark/landmark [--kills 200] [--damages 100]
"""
import argparse
import glob
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("landmark")
parser.add_argument("--kills", type=int, default=20)
parser.add_argument("--damages", type=int, default=24)
options = parser.parse_args()
scratch = tempfile.mkdtemp(prefix="landmark-cache-")
arguments = ["compile", "forward", "-D", "16", "-L", "8", "--target", "sm_80", "-o", "-"]
random.seed(1)


def command(*more):
    return [os.path.abspath(options.landmark), *(more or arguments)]


def environment(cache, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDMARK_")}
    return {**kept, "LANDMARK_CACHE_DIR": cache, **more}


def output(cache, *more, **variables):
    done = subprocess.run(command(*more), env=environment(cache, **variables), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def log(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def folder(name):
    return os.path.join(scratch, name)


def many_at_once(expected):
    """Processes that start on an empty cache: all are right, one compiles."""
    cache, journal = folder("many"), folder("many.log")
    running = [subprocess.Popen(command(), env=environment(cache, LANDMARK_LOG=journal), stdout=subprocess.PIPE) for _ in range(16)]
    for process in running:
        text, _ = process.communicate()
        assert process.returncode == 0 and text == expected
    sources = [line["source"] for line in log(journal) if line["event"] == "kernel"]
    assert sorted(sources) == ["compiler"] + 15 * ["disk"], sources


def killed(expected):
    """Processes killed at random moments: what they leave behind is whole or not there."""
    cache = folder("killed")
    start = time.monotonic()
    output(folder("warm"))
    duration = time.monotonic() - start
    for _ in range(options.kills):
        process = subprocess.Popen(command(), env=environment(cache), stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 1.1 * duration))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = subprocess.run(command("cache", "verify"), env=environment(cache), capture_output=True)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        if random.random() < 0.5:
            shutil.rmtree(os.path.join(cache, "kernels"), ignore_errors=True)
    assert output(cache) == expected
    assert output(cache) == expected
    left = [name for name in os.listdir(os.path.join(cache, "kernels")) if name.startswith(".")]
    assert not left, left


def holder_dies(expected):
    """A process that waits goes on when the one that compiles is killed."""
    cache = folder("holder")
    holder = subprocess.Popen(command(), env=environment(cache), stdout=subprocess.DEVNULL)
    while not glob.glob(os.path.join(cache, "locks", "*")) and holder.poll() is None:
        time.sleep(0.001)
    holder.send_signal(signal.SIGSTOP)
    waiting = subprocess.Popen(command(), env=environment(cache), stdout=subprocess.PIPE)
    time.sleep(0.2)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    text, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and text == expected


def damaged(expected):
    """Damaged files are found, never used, and made anew."""
    cache = folder("damaged")
    output(cache)
    for _ in range(options.damages):
        path = random.choice(glob.glob(os.path.join(cache, "kernels", "*", "*")))
        with open(path, "rb") as file:
            contents = bytearray(file.read())
        if random.random() < 0.5:
            contents[random.randrange(len(contents))] ^= 1 << random.randrange(8)
        else:
            del contents[random.randrange(len(contents)):]
        with open(path, "wb") as file:
            file.write(contents)
        verdict = subprocess.run(command("cache", "verify"), env=environment(cache), capture_output=True)
        assert verdict.returncode == 1, verdict.stdout.decode()
        assert output(cache) == expected


def unusable(expected):
    """Full and read-only disks cost the cache and nothing else."""
    # A limit on the size of files is what a full disk looks like to a writer.
    full = folder("full")
    line = " ".join(["ulimit -f 16; trap '' XFSZ;", *command()])
    done = subprocess.run(["bash", "-c", line], env=environment(full), capture_output=True)
    assert done.returncode == 0 and done.stdout == expected, done.stderr.decode()
    assert os.listdir(os.path.join(full, "kernels")) == []
    assert output("/proc/landmark") == expected
    readonly = folder("readonly")
    os.makedirs(os.path.join(readonly, "kernels"), 0o500)
    os.chmod(readonly, 0o500)
    # Modes do not bind the administrator.
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        for path in (readonly, os.path.join(readonly, "kernels")):
            os.chown(path, 65534, 65534)
        os.chmod(scratch, 0o755)
    done = subprocess.run(command(), env=environment(readonly), capture_output=True, **user)
    assert done.returncode == 0 and done.stdout == expected, done.stderr.decode()
    assert os.listdir(os.path.join(readonly, "kernels")) == []


def foreign(expected):
    """Folders that others may write to are left alone, and new ones are private."""
    cache = folder("foreign")
    os.mkdir(cache)
    os.chmod(cache, 0o777)
    assert output(cache) == expected and os.listdir(cache) == []
    base = folder("xdg")
    subprocess.run(command(), env={**environment(""), "XDG_CACHE_HOME": base}, capture_output=True, check=True)
    made = os.path.join(base, "landmark-jit")
    assert stat.S_IMODE(os.stat(made).st_mode) == 0o700 and len(os.listdir(os.path.join(made, "kernels"))) == 1


try:
    reference = output("", LANDMARK_CACHE="off")
    assert b".target sm_80" in reference
    for test in (many_at_once, killed, holder_dies, damaged, unusable, foreign):
        start = time.monotonic()
        test(reference)
        print(f"{test.__name__}: passed in {time.monotonic() - start:.1f} s", flush=True)
finally:
    shutil.rmtree(scratch, ignore_errors=True)
