"""Writes the PyTorch files that test/support/pth-writer.ts imitates: python pth_files.py FOLDER

With torch installed the files are torch's own (zip and older form). Without it Python's pickler writes the same
pickles for stand-ins of torch's classes, which is enough to compare data.pkl byte by byte.
"""
import collections
import io
import pickle
import sys
import types


def state(torch):
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    return collections.OrderedDict(weight=weight, turned=weight.t(), half=torch.tensor([1.5, -2.0], dtype=torch.float16))


def with_torch(torch, folder):
    for form in (True, False):
        name = "zip" if form else "legacy"
        torch.save(state(torch), f"{folder}/{name}.pth", _use_new_zipfile_serialization=form)


def without_torch():
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")
    sys.modules.update({"torch": torch, "torch._utils": utils})

    def stand_in(module, name):
        made = type(name, (), {})
        made.__module__, made.__qualname__ = module.__name__, name
        setattr(module, name, made)
        return made

    float_storage, half_storage = stand_in(torch, "FloatStorage"), stand_in(torch, "HalfStorage")

    def _rebuild_tensor_v2(*_):
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2

    class Storage:
        def __init__(self, kind, count):
            self.kind, self.count = kind, count

    class Tensor:
        def __init__(self, storage, size, stride):
            self.arguments = (storage, 0, size, stride, False)

        def __reduce_ex__(self, _protocol):
            return _rebuild_tensor_v2, (*self.arguments, collections.OrderedDict())

    class Pickler(pickle.Pickler):
        keys = {}

        def persistent_id(self, thing):
            if not isinstance(thing, Storage):
                return None
            key = self.keys.setdefault(id(thing), str(len(self.keys)))
            return "storage", thing.kind, key, "cpu", thing.count

    shared = Storage(float_storage, 6)
    tensors = collections.OrderedDict(
        weight=Tensor(shared, (2, 3), (3, 1)), turned=Tensor(shared, (3, 2), (1, 3)),
        half=Tensor(Storage(half_storage, 2), (2,), (1,)))
    out = io.BytesIO()
    Pickler(out, protocol=2).dump(tensors)
    return out.getvalue()


if __name__ == "__main__":
    try:
        import torch
    except ImportError:
        print(without_torch().hex())
    else:
        with_torch(torch, sys.argv[1])
