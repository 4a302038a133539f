"""What is done with services, with time moved by hand and calls that end when the test says so."""

from __future__ import annotations

import sys
import threading

from esteio.serve._service import Job, ServiceMonitor, ServiceStack, in_thread
from esteio.serve._settings import RESTARTS


class Fake:
    """Starts and stops when told; `calls` is shared by all of a stage."""

    def __init__(self, name, calls):
        self.name = name
        self.calls = calls
        self.alive = False
        self.error = None

    def start(self):
        self.calls.append(("start", self.name))
        if self.error:
            raise self.error
        self.alive = True

    def is_alive(self):
        return self.alive

    def stop(self, timeout):
        self.calls.append(("stop", self.name, timeout))
        self.alive = False


class Stage:
    def __init__(self, *names, slow=False):
        self.calls = []
        self.events = []
        self.pending = []
        self.slow = slow
        self.services = [Fake(name, self.calls) for name in names]
        self.stack = ServiceStack([self._monitor(service) for service in self.services])

    def _monitor(self, service):
        return ServiceMonitor(
            service,
            backoff=RESTARTS,
            stable_after=30.0,
            chance=lambda: 0.0,
            launch=self._launch,
            note=self.events.append,
        )

    def _launch(self, call):
        job = Job()
        self.pending.append((job, call))
        if not self.slow:
            self.finish()
        return job

    def finish(self):
        while self.pending:
            job, call = self.pending.pop(0)
            try:
                call()
            except RuntimeError as exc:
                job.error = exc
            job.done = True

    def poll(self, *times):
        for now in times:
            self.stack.poll(now)

    def names(self):
        return [type(event).__name__ for event in self.events]


def test_services_start_in_order_each_after_the_one_before_is_up():
    stage = Stage("below", "above", slow=True)
    stage.poll(0, 1)
    assert not stage.stack.all_started
    stage.finish()
    assert stage.calls == [("start", "below")]
    stage.poll(2, 3)
    stage.finish()
    stage.poll(4)
    assert stage.calls == [("start", "below"), ("start", "above")]
    assert stage.stack.all_started


def test_a_start_that_fails_is_tried_again_with_back_off():
    stage = Stage("below")
    stage.services[0].error = RuntimeError("no disk")
    stage.poll(0, 0, 0, 0, 0.4)
    assert len(stage.calls) == 2
    assert [e.restart_in for e in stage.events] == [0.0, 0.5]
    assert "no disk" in str(stage.events[0])
    stage.services[0].error = None
    stage.poll(0.5, 0.5)
    assert stage.stack.all_started


def test_a_death_is_told_and_repaired_and_stability_forgives():
    stage = Stage("below")
    stage.poll(0, 0)
    stage.services[0].alive = False
    stage.poll(1, 1, 1)
    stage.services[0].alive = False
    stage.poll(2, 2.4)
    assert stage.names() == ["ServiceStarted", "ServiceDied", "ServiceRestarted", "ServiceDied"]
    assert [stage.events[1].restart_in, stage.events[3].restart_in] == [0.0, 0.5]
    stage.poll(2.5, 2.5, 40)
    stage.services[0].alive = False
    stage.poll(41)
    assert stage.events[-1].failures == 1


def test_a_question_that_raises_counts_as_death(caplog):
    stage = Stage("below")
    stage.poll(0, 0)
    stage.services[0].is_alive = lambda: 1 / 0
    stage.poll(1)
    assert stage.names()[-1] == "ServiceDied"
    assert "is_alive raised" in caplog.text


def test_services_stop_in_reverse_order_one_after_the_other():
    stage = Stage("below", "above")
    stage.poll(0, 0, 0, 0)
    while not stage.stack.stop(60.0, 1.0):
        pass
    assert stage.calls[2:] == [("stop", "above", 60.0), ("stop", "below", 60.0)]


def test_a_service_never_started_is_not_stopped():
    stage = Stage("below", "above", slow=True)
    stage.poll(0)
    stage.finish()
    while not stage.stack.stop(60.0, 1.0):
        stage.finish()
    assert stage.calls == [("start", "below"), ("stop", "below", 60.0)]


def test_a_stop_that_does_not_return_is_left_behind():
    stage = Stage("below")
    stage.poll(0, 0)
    stage.slow = True
    assert not stage.stack.stop(10.0, 1.0)
    assert not stage.stack.stop(10.0, 15.9)
    stage.stack.stop(10.0, 16.0)
    assert stage.stack.stop(10.0, 16.0)
    assert "has not returned" in str(stage.events[-1])


def test_force_ends_hard_even_while_an_orderly_stop_waits():
    stage = Stage("below")
    stage.poll(0, 0)
    stage.slow = True
    stage.stack.stop(60.0, 1.0)
    stage.stack.force(2.0)
    stage.finish()
    stage.stack.stop(60.0, 2.0)
    assert stage.stack.stop(60.0, 2.0)
    assert ("stop", "below", 0.0) in stage.calls


def test_no_thread_for_a_call_is_its_failure_and_not_the_end_of_the_loop(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    job = in_thread(lambda: None)(lambda: None)
    assert job.done
    assert isinstance(job.error, RuntimeError)


def test_a_service_that_exits_in_its_start_has_failed():
    ended = threading.Event()
    job = in_thread(ended.set)(lambda: sys.exit(3))
    assert ended.wait(10)
    assert isinstance(job.error, SystemExit)
