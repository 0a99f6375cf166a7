"""Keeps a server running for as long as whoever started it lives.

Usage: serve.py DIRECTORY COMMAND [ARGUMENT]...

Runs the command in a process group of its own. When stdin ends - because the starter closed it, or died
in whatever way - the group is ended and DIRECTORY removed. When a line comes on stdin, the group is killed
at once, and DIRECTORY stays. When the command ends by itself, so does
this script, with its exit code.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5


def signal_group(group, number):
    """Whether the group was still there to get the signal."""
    try:
        os.killpg(group, number)
        return True
    except ProcessLookupError:
        return False


def end_with_stdin(server, directory, told):
    killed = bool(os.read(0, 4096))
    told.set()
    if killed:
        signal_group(server.pid, signal.SIGKILL)
        os._exit(0)
    signal_group(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while signal_group(server.pid, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_group(server.pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


def main():
    directory, *command = sys.argv[1:]
    # A terminal's ctrl-c goes to everyone; the server is to end when the starter has let go of it.
    # Handlers, unlike SIG_IGN, are not inherited by the command.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    told = threading.Event()
    watch = threading.Thread(target=end_with_stdin, args=(server, directory, told), daemon=True)
    watch.start()
    code = server.wait()
    # If it ended because it was told to, what is left to do is the watch's.
    if told.is_set():
        watch.join()
    signal_group(server.pid, signal.SIGKILL)
    sys.exit(code if code >= 0 else 128 - code)


main()
