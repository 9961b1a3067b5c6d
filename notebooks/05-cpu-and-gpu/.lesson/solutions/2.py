import os


def device():
    return "cpu" if os.environ.get("CUDA_VISIBLE_DEVICES") == "" else "gpu"
