"""Servers that load first and fork their workers then, whose children train."""

from __future__ import annotations

import os

import pytest
from programs_tool import run

SERVER = """
import contextlib, multiprocessing, os, signal, socket, sys, threading
from numba_lstm import models, nn, training  # what a server loads before it forks
from programs_tool import LONG, done, infer, job, some_models

REQUESTS = 6 if LONG else 3  # to a child of the worker each third

def in_a_child():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(job)

def serve(listening):
    "Answer requests for ever."
    while True:
        connection, _ = listening.accept()
        with connection:
            wanted = connection.recv(100)
            answer = in_a_child() if wanted == b"child" else job()
            connection.sendall(answer.encode())

def ask(address, wanted):
    with socket.create_connection(address) as connection:
        connection.sendall(wanted)
        return connection.recv(100).decode()

def forked(work):
    in_main = threading.current_thread() is threading.main_thread()
    child = os.fork()
    if child == 0:
        try:
            work()
        except SystemExit:
            if in_main:
                raise  # an ordinary end of the interpreter
            os._exit(0)  # where a thread forked, sys.exit would end that thread alone
    return child

def one_generation():
    "Two workers, asked for a job in them or in a child of theirs, and stopped: all answers."
    with socket.create_server(("127.0.0.1", 0)) as listening:
        children = [forked(lambda: serve(listening)) for _ in range(2)]
        address = listening.getsockname()
        answers = [ask(address, b"child" if n % 3 == 2 else b"job") for n in range(REQUESTS)]
        for child in children:
            os.kill(child, signal.SIGTERM)
        for child in children:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code == 0, f"a worker ended with {code}"
    return answers

def generations(when):
    count = 20 if LONG else 1
    found = {answer for _ in range(count) for answer in one_generation()}
    assert len(found) == 1, found
    print(f"workers forked {when}: {count} generations of 2, {REQUESTS} requests each")
    return found.pop()

@contextlib.contextmanager
def busy():
    "Another thread of the parent computes meanwhile."
    model, stop, calls = some_models()[0], threading.Event(), []

    def work():
        while not stop.is_set():
            calls.append(infer(model) == expected)

    expected = infer(model)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert len(calls) > 1 and all(calls)

def by_a_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # of the workers, from their first moment
found = [generations("after the imports")]
for model in some_models():
    infer(model)
found.append(generations("after calls"))
found.append(job())
found.append(generations("after a training"))
with busy():
    found.append(generations("while a thread computes"))
    found.append(by_a_thread(lambda: generations("by another thread")))
found.append(job())
assert len(set(found)) == 1, found
done()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_workers_that_a_server_forks_and_their_children_train_with_one_set_of_bits():
    run(SERVER, NUMBA_NUM_THREADS="2")
