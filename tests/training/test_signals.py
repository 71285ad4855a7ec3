import signal
import subprocess
import sys
import threading

import pytest

from ectype.training.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number):
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert stop.received == 0
        signal.raise_signal(number)
        assert stop.received == number
        assert signal.getsignal(number) is before, "the second acts as usual"
    assert signal.getsignal(number) is before


def test_the_second_interrupt_interrupts():
    # started in the background, a shell has it ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_the_second_signal_ends_the_process():
    code = (
        "import signal\n"
        "from ectype.training.signals import StopSignals\n"
        "with StopSignals() as stop:\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('saving', stop.received, flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"saving {signal.SIGTERM:d}\n"
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("fails", [False, True])
def test_handlers_of_the_caller_come_back(fails):
    caught = []

    def own(number, frame):
        caught.append(number)

    before = signal.signal(signal.SIGTERM, own)
    stop = StopSignals()
    try:
        with stop:
            if fails:
                raise ValueError
    except ValueError:
        assert fails
    finally:
        assert signal.getsignal(signal.SIGTERM) is own
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
    assert caught == [signal.SIGTERM]
    assert stop.received == 0


def test_in_another_thread_nothing_is_caught():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with StopSignals() as stop:
            seen.append((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
        seen.append(stop.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, 0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
