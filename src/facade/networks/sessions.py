"""Where networks run: devices, and ONNX networks through onnxruntime."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime

from facade.errors import FacadeError

DEVICES = ("auto", "cpu", "cuda")
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# Algorithms that are fixed instead of timed, and float32 sums: a picture gives the same boxes in every run.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}


def check_device(device: str) -> None:
    """Refuse the name of a device that does not exist anywhere.

    Raises:
        FacadeError: It is none of `DEVICES`.
    """
    if device not in DEVICES:
        raise FacadeError(f"the device is {device!r}; choose one of {', '.join(DEVICES)}.")


def torch_device(device: str) -> str:
    """The device of a network in torch, "cpu" or "cuda".

    Args:
        device: One of `DEVICES`. "auto" takes a GPU if torch finds one.

    Raises:
        FacadeError: It is no device, or "cuda" and torch finds no GPU.
    """
    check_device(device)
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise FacadeError("the device is cuda, but torch finds no GPU here. Use auto or cpu.")
    return "cpu"


@lru_cache(maxsize=1)
def _share_memory() -> None:
    """Let all networks of the process take turns in one arena that grows by what is needed, instead of by doubling.

    With this, and without memory patterns, YuNet and CenterFace joined at 1280 x 720 pixels take 380 MB instead of 453,
    in the same time.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1}))


class OnnxNetwork:
    """An ONNX network, on one CPU thread or on a GPU.

    One thread, because workers share the cores, and floating-point sums are equal everywhere.

    Attributes:
        file: Where it came from, for error messages.
        device: The provider that runs it: `CPU` or `CUDA`.
        inputs: Shape of each input by name; the size of a dynamic axis is a string or None.
        outputs: The same of the outputs.
        metadata: `metadata_props` of the file.
    """

    def __init__(self, file: Path, device: str = "cpu", content: bytes | None = None) -> None:
        """Load a network.

        Args:
            file: The ONNX file.
            device: One of `DEVICES`. "auto" takes a GPU if onnxruntime finds one.
            content: What to load instead of the file's content, or None.

        Raises:
            FacadeError: The file is damaged; or `device` is no device, or "cuda" and onnxruntime finds no GPU.
        """
        check_device(device)
        providers: list[str | tuple[str, dict[str, str]]] = [CPU]
        if device != "cpu" and CUDA in onnxruntime.get_available_providers():
            providers.insert(0, (CUDA, CUDA_OPTIONS))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        # A pattern is a block for all intermediate values, for each size of input: memory without a gain in time.
        options.enable_mem_pattern = False
        if len(providers) == 1:
            _share_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            session = onnxruntime.InferenceSession(
                str(file) if content is None else content, options, providers=providers
            )
        except Exception as error:  # noqa: BLE001 - a parser fed damaged bytes may raise anything
            raise FacadeError(
                f"{file} cannot be read by onnxruntime as an ONNX file ({_reason(error)}). Replace the file."
            ) from None
        # onnxruntime falls back to the CPU silently if the GPU or its libraries are missing.
        self.device: str = session.get_providers()[0]
        if device == "cuda" and self.device != CUDA:
            raise FacadeError(
                "the device is cuda, but onnxruntime finds no GPU here. Install onnxruntime-gpu in place of "
                "onnxruntime, or use auto or cpu."
            )
        self.file = file
        self.inputs = {value.name: value.shape for value in session.get_inputs()}
        self.outputs = {value.name: value.shape for value in session.get_outputs()}
        self.metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
        self._session = session

    def run(self, outputs: Sequence[str], pixels: np.ndarray) -> list[np.ndarray]:
        """Run the network on the first input.

        Args:
            outputs: Names of the outputs to return.
            pixels: (1, 3, H, W) float32.

        Raises:
            FacadeError: The network does not take such an input.
        """
        try:
            return list(self._session.run(list(outputs), {next(iter(self.inputs)): pixels}))
        except Exception as error:  # noqa: BLE001 - a damaged network may raise anything
            raise FacadeError(
                f"{self.file} fails on an input of shape {pixels.shape} ({_reason(error)}). Replace the file."
            ) from None

    def input_size(self) -> tuple[int, int] | None:
        """Width and height of the input in pixels, or None if the network takes any size.

        Raises:
            FacadeError: The input is no picture.
        """
        shape: list[int | str | None] = next(iter(self.inputs.values()), [])
        if len(shape) != 4 or shape[1] != 3:
            raise FacadeError(f"{self.file} has an input of shape {shape}, but a face detector takes 1 x 3 x H x W.")
        _, _, height, width = shape
        return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
