import pytest
import torch

from ectype.errors import UsageError
from ectype.training.precision import choose


@pytest.fixture
def machine(monkeypatch):
    """Pretends what the machine has."""

    def machine(*, cuda=False, gpu_bf16=False, cpu_bf16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: gpu_bf16
        )
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_bf16)

    return machine


@pytest.mark.parametrize(
    ("has", "device", "dtype", "reason"),
    [
        ({}, "cpu", torch.float32, "no AVX512-BF16"),
        ({"cpu_bf16": True}, "cpu", torch.bfloat16, "AVX512-BF16"),
        ({"cuda": True, "gpu_bf16": True}, "cuda", torch.bfloat16, "natively"),
        ({"cuda": True, "cpu_bf16": True}, "cuda", torch.float32, "no native bf16"),
    ],
)
def test_auto_is_what_the_machine_does_best(has, device, dtype, reason, machine):
    machine(**has)
    chosen = choose()
    assert (chosen.device.type, chosen.dtype) == (device, dtype)
    assert reason in chosen.reason


def test_data_that_need_their_digits_get_them(machine):
    machine(cpu_bf16=True)
    chosen = choose("cpu", tolerant=False)
    assert chosen.dtype == torch.float32
    assert "need its digits" in chosen.reason
    assert choose("cpu", "bf16", tolerant=False).dtype == torch.bfloat16, "unless asked for"


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("asked", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_what_is_asked_for_is_done(asked, dtype, fast, machine):
    machine(cpu_bf16=fast)
    chosen = choose("cpu", asked)
    assert (chosen.dtype, chosen.reason) == (dtype, f"{asked} as asked")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "there is no CUDA device"),
        ("cuda:1", "there is no CUDA device"),
        ("meta", "“meta” is not supported"),
        ("tpu9", "there is no device “tpu9”"),
    ],
)
def test_devices_that_are_not_there(device, message, machine):
    machine()
    with pytest.raises(UsageError, match=message) as error:
        choose(device)
    assert "cpu" in str(error.value.hint)


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_networks_compute_in_it(asked):
    x = torch.randn(2, 3)
    with choose("cpu", asked).autocast():
        y = torch.nn.functional.linear(x, torch.randn(4, 3))
    assert y.dtype == (torch.float32 if asked == "fp32" else torch.bfloat16)
