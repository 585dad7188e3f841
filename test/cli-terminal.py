"""Runs a command in a pseudo-terminal and plays a human: reads steps as JSON from argv[1], prints what was seen as JSON.

A step is {"wait": text} (until a human sees it), {"gone": text} (until no more), {"send": text}, {"run": command} (beside it, to
its end) or {"size": [rows, columns]}.
"""
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time
from cli_screen import Screen

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
seen, screen, status = b"", Screen(), None
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))


def read(timeout):
    global seen
    if not select.select([terminal], [], [], timeout)[0]:
        return True
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        return False
    seen += chunk
    screen.feed(chunk)
    return chunk != b""


# What is not seen by then never will be, on whatever machine.
def wait_for(text, is_there, limit=120):
    end = time.monotonic() + limit
    while (text in screen.text()) != is_there:
        if time.monotonic() > end or not read(0.1):
            return (text in screen.text()) == is_there
    return True


failed = None
for step in steps:
    if "wait" in step and not wait_for(step["wait"], True):
        failed = step["wait"]
        break
    if "gone" in step and not wait_for(step["gone"], False):
        failed = "not " + step["gone"]
        break
    if "send" in step:
        os.write(terminal, step["send"].encode())
    if "run" in step:
        beside = subprocess.run(step["run"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if beside.returncode != 0:
            sys.exit(f"{step['run']} ended with {beside.returncode}: {beside.stderr}")
    if "size" in step:
        screen.resize(*step["size"])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *step["size"], 0, 0))
        os.kill(pid, signal.SIGWINCH)
end = time.monotonic() + 60
while time.monotonic() < end and read(0.2):
    pass
try:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done == 0:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
except ChildProcessError:
    pass
print(json.dumps({"raw": seen.decode(errors="replace"), "seen": screen.text(), "code": os.waitstatus_to_exitcode(status), "missed": failed}))
