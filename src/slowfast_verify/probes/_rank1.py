# ruff: noqa: F821 (the functions that travel to the child use each other's names there)
"""The second of two processes: what it runs, and how it is talked to from here.

Runs in the target. Not a probe: the host puts this text in front of each probe that opens with `# with: rank1`. Python 3.6 syntax.
Rank 1 gets its functions as marshalled code (this text is no file, so it cannot be imported), its orders as lines over a socket, and leaves when
that closes: no child outlives its parent.
"""

import json
import marshal
import os
import queue
import socket
import subprocess
import sys
import threading
import time

CHILD = """import marshal, sys, types
space = {"__name__": "rank1", "__builtins__": __builtins__}
with open(sys.argv[1], "rb") as handle:
    for name, code in marshal.load(handle).items():
        space[name] = types.FunctionType(code, space, name)
space["follow"]()
"""


def collectives(torch, dist, rank, device):
    """What every program relies on, with numbers that tell the ranks apart; see the check for what they must be."""
    reduced = torch.full((3,), rank + 1.0, device=device)
    dist.all_reduce(reduced)
    gathered = [torch.zeros(2, device=device) for _ in range(2)]
    dist.all_gather(gathered, torch.tensor([rank * 10.0, rank * 10.0 + 1], device=device))
    told = torch.tensor([7.0 if rank == 1 else 0.0], device=device)
    dist.broadcast(told, src=1)
    linear = torch.nn.Linear(3, 2).to(device)
    with torch.no_grad():
        linear.weight.fill_(0.5 if rank == 0 else 9.0)  # rank 1 starts elsewhere: wrapping must bring it to rank 0's weights
        linear.bias.fill_(1.0 if rank == 0 else 9.0)
    model = torch.nn.parallel.DistributedDataParallel(linear, device_ids=[rank] if device != "cpu" else None)
    output = model(torch.full((2, 3), rank + 1.0, device=device))
    output.sum().backward()
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter -= 0.1 * parameter.grad
    return {
        "all_reduce": reduced.tolist(),
        "all_gather": [tensor.tolist() for tensor in gathered],
        "broadcast": told.tolist(),
        "ddp": {
            "output": output.detach().cpu()[0].tolist(),
            "weight": linear.weight.detach().cpu().reshape(-1).tolist(),
            "bias": linear.bias.detach().cpu().tolist(),
        },
    }


def helpers(torch, dist, rank, module, functions):
    """{function: result or {error}} of the subject's helpers; a process that could not import them tells the other, so none waits."""
    import importlib

    error, imported = None, None
    try:
        imported = importlib.import_module(module)
    except Exception as caught:
        error = "%s: %s" % (type(caught).__name__, caught)
    ready = torch.tensor([0.0 if error else 1.0])
    dist.all_reduce(ready)
    if ready.item() < 2:
        return {"error": error or "the other process could not import %s" % module}
    tensor = torch.tensor([[rank + 1.0, 10.0 * (rank + 1)]])
    arguments = {
        "all_gather": ([tensor],),
        "all_reduce": ([tensor.clone()],),
        "cat_all_gather": (tensor,),
        "synchronize": (),
        "all_gather_unaligned": ({"rank": rank, "text": "x" * (rank * 7)},),
    }
    found = {}
    for name in functions:
        try:
            result = getattr(imported, name)(*arguments[name])
        except Exception as caught:
            found[name] = {"error": "%s: %s" % (type(caught).__name__, caught)}
            continue
        parts = result if isinstance(result, list) else [result]
        found[name] = [part.tolist() if hasattr(part, "tolist") else part for part in parts]
    return found


def meet(torch, dist, rank, order):
    """Join the other process as the order says, work, part; {seconds, ...} or {error}."""
    import datetime  # here and below: what travels to the child as code has no module around it
    import os
    import time

    if rank == 1:
        time.sleep(0.05)  # a client that comes before the server listens tries again after a whole second
    begun, facts = time.monotonic(), {}
    os.environ.update(dict(order["env"], RANK=str(rank)) if order["env"] else {})
    device = "cpu"
    if order["backend"] == "nccl":
        device = "cuda:%d" % rank
        torch.cuda.set_device(rank)
    try:
        how = {} if order["env"] else {"rank": rank, "world_size": 2}
        dist.init_process_group(
            order["backend"], init_method=order["init_method"], timeout=datetime.timedelta(seconds=order["timeout"]), **how
        )
        facts["joined"] = time.monotonic() - begun
        if order["module"]:
            facts.update(helpers(torch, dist, rank, order["module"], order["functions"]))
        else:
            facts.update(collectives(torch, dist, rank, device))
    except Exception as error:
        facts["error"] = "%s: %s" % (type(error).__name__, error)
    if dist.is_initialized():
        dist.destroy_process_group()
    facts["seconds"] = time.monotonic() - begun
    return facts


def follow():
    """Rank 1: say hello once torch is there, follow the orders, leave when the parent closes the line or dies."""
    import json
    import os
    import queue
    import socket
    import sys
    import threading

    line = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    orders = queue.Queue()

    def listen():
        with line.makefile("r", encoding="ascii") as stream:
            for text in stream:
                orders.put(json.loads(text))
        os._exit(0)  # at once: a collective that waits for a dead parent never returns

    threading.Thread(target=listen, daemon=True).start()
    import torch
    import torch.distributed as dist

    answer = {"hello": torch.__version__}
    while True:
        line.sendall((json.dumps(answer) + "\n").encode("ascii"))
        answer = meet(torch, dist, 1, orders.get())


class Peer(object):
    """Rank 1, as seen from here. What it prints is kept until somebody asks about it: it would stand with another question's noise."""

    def __init__(self, argv, folder, variables):
        code = dict((function.__name__, function.__code__) for function in (collectives, helpers, meet, follow))
        for name, data in (("rank1.py", CHILD.encode("ascii")), ("rank1.code", marshal.dumps(code))):
            with open(os.path.join(folder, name), "wb") as handle:
                handle.write(data)
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(1)
        self.server.settimeout(0.2)
        self.line, self.answers = None, queue.Queue()
        port = str(self.server.getsockname()[1])
        self.process = subprocess.Popen(
            list(argv) + ["-B", "-u", os.path.join(folder, "rank1.py"), os.path.join(folder, "rank1.code"), port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, **variables),
        )
        self.held, self.lock = [], threading.Lock()
        for work in (self.listen, self.pass_on):
            thread = threading.Thread(target=work)
            thread.daemon = True
            thread.start()

    def pass_on(self):
        """What the second process prints goes with the noise of the question that it serves."""
        for line in self.process.stdout:
            with self.lock:
                text = line.decode("utf-8", "replace")
                if self.held is None:
                    sys.stderr.write(text)
                else:
                    self.held.append(text)

    def speak_up(self):
        """From now on its output is passed on at once."""
        with self.lock:
            sys.stderr.write("".join(self.held or []))
            self.held = None

    def listen(self):
        while self.line is None and self.process.poll() is None:
            try:
                self.line = self.server.accept()[0]
            except socket.timeout:
                continue
            except (OSError, IOError):
                break
        try:
            if self.line is not None:
                self.line.settimeout(None)
                with self.line.makefile("r", encoding="ascii") as stream:
                    for text in stream:
                        self.answers.put(json.loads(text))
        except (OSError, IOError, ValueError):
            pass  # it died in the middle of a word
        self.answers.put({"error": "the second process left with exit status %s" % self.process.wait()})

    def tell(self, order):
        try:
            self.line.sendall((json.dumps(order) + "\n").encode("ascii"))
        except (OSError, IOError, AttributeError):
            pass  # it is gone: its answer says so

    def hear(self, seconds):
        try:
            return self.answers.get(timeout=seconds)
        except queue.Empty:
            return {"error": "the second process gave no answer within %g s" % seconds}

    def end(self):
        self.server.close()
        try:
            self.line.shutdown(socket.SHUT_RDWR)
        except (OSError, IOError, AttributeError):
            pass
        begun = time.monotonic()
        while self.process.poll() is None and time.monotonic() - begun < 3:
            time.sleep(0.01)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def loopback():
    """The name of the loopback interface, or None: gloo otherwise looks the host's name up, which not every machine can."""
    try:
        names = [name for _, name in socket.if_nameindex()]
    except (AttributeError, OSError):
        return None
    return next((name for name in names if name in ("lo", "lo0")), None)


def variables_of(backend):
    """What both processes are started with: gloo otherwise looks the host's name up, which not every machine can."""
    found = loopback() if backend == "gloo" and "GLOO_SOCKET_IFNAME" not in os.environ else None
    return {"GLOO_SOCKET_IFNAME": found} if found else {}
