"""Pickles that want to run something, or to break what reads them. Each is a few bytes, written by hand."""

import io
import pickle
import struct

import torch


class Call:
    """Pickled as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def _global(module, name):
    return f"c{module}\n{name}\n".encode()


def _text(word):
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def _bytes(content):
    return b"B" + struct.pack("<I", len(content)) + content


def _storage_file(kind=b"ctorch\nFloatStorage\n", count=4, key="0", content=bytes(16), written=None, little=True):
    """A storage as torch.save wrote it before version 1.6, with whatever is wrong in it."""
    info = dict(protocol_version=1001, little_endian=little, type_sizes=dict(short=2, int=4, long=4))
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, info))
    number = b"J" + struct.pack("<i", count) if abs(count) < 1 << 31 else b"\x8a\x08" + struct.pack("<q", count)
    pointer = b"\x80\x02(" + _text("storage") + kind + _text(key) + _text("cpu") + number + b"NtQ."
    return head + pointer + pickle.dumps([key], 2) + struct.pack("<q", count if written is None else written) + content


def _tensor(storage, offset=b"K\x00", size=b"K\x04\x85", stride=b"K\x01\x85"):
    loaded = _global("torch.storage", "_load_from_bytes") + _bytes(storage) + b"\x85R"
    return b"\x80\x04" + _global("torch._utils", "_rebuild_tensor_v2") + b"(" + loaded + offset + size + stride + b"\x89NtR."


def _array(dtype=b"X\x02\x00\x00\x00f4", state=b"K\x03" + _text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00", shape=b"K\x02\x85", content=bytes(8)):
    made = _global("numpy.core.multiarray", "_reconstruct") + _global("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    kind = _global("numpy", "dtype") + dtype + b"\x89\x88\x87R(" + state + b"tb"
    return b"\x80\x04" + made + b"(K\x01" + shape + kind + b"\x89" + _bytes(content) + b"tb."


def calls(canary: str) -> dict[str, bytes]:
    """Attacks that would touch the file `canary` if anything of them were run."""
    import os
    import subprocess

    touch = f"open({canary!r}, 'w').close()"
    bad = {
        "os.system": Call(os.system, f"touch {canary}"),
        "eval": Call(eval, touch),
        "exec": Call(exec, touch),
        "open": Call(open, canary, "w"),
        "popen": Call(subprocess.Popen, ["touch", canary]),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
        "import": Call(__import__, "antigravity"),
        "compile": Call(compile, touch, "x", "exec"),
        "torch.load": Call(torch.load, canary),
        "inner pickle": Call(pickle.loads, pickle.dumps(Call(os.system, f"touch {canary}"))),
    }
    found = {f"{name}, protocol {p}": pickle.dumps(thing, p) for name, thing in bad.items() for p in (0, 2, 4)}
    nested = {"G_ema": [{"deep": (1, Call(os.system, f"touch {canary}"))}]}
    found |= {f"nested, protocol {p}": pickle.dumps(nested, p) for p in (0, 1, 2, 3, 4, 5)}
    word = _text(f"touch {canary}")
    system = _global("posix", "system")
    found |= {
        "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + word + b"\x85R.",
        "dotted name": b"\x80\x04\x8c\x07_codecs\x8c\x11encode.__globals__\x93.",
        "name in an allowed module": _global("numpy", "load") + word + b"\x85R.",
        "numpy fromfile": _global("numpy", "fromfile") + word + b"\x85R.",
        "obj": b"(" + system + word + b"o.",
        "inst": b"(" + word + b"iposix\nsystem\n.",
        "newobj": system + word + b"\x85\x81.",
        "newobj ex": system + word + b"\x85}\x92.",
        "reduce of a string": _text("posix.system") + word + b"\x85R.",
        "reduce of a class": _global("dnnlib.tflib.network", "Network") + word + b"\x85R.",
        "build of a setstate": _global("dnnlib.tflib.network", "Network") + b")\x81}" + _text("__setstate__") + system + b"sb" + word + b"b.",
        "build of a dict": b"}" + _text("__class__") + system + b"sb.",
        "build of a name": system + b"}b.",
        "build of an allowed name": _global("numpy", "ndarray") + b"}" + _text("__reduce__") + word + b"sb.",
        "build of a list": b"]}b.",
        "extension 1": b"\x82\x01.",
        "extension 2": b"\x83\x01\x00.",
        "extension 4": b"\x84\x01\x00\x00\x00.",
        "persistent id": b"Pposix.system\n.",
        "binary persistent id": word + b"Q.",
        "persistent storage": b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + b"K\x04tQ.",
        "out-of-band buffer": b"\x80\x05\x97.",
        "read-only buffer": b"\x80\x05\x97\x98.",
        "code in a codec": _global("_codecs", "encode") + word + _text("rot13") + b"\x86R.",
        "call inside a storage": _tensor(pickle.dumps(Call(os.system, f"touch {canary}"), 2)),
        "call instead of a storage": _tensor(b"\x80\x02" + system + word + b"\x85R."),
        "a storage inside a storage": _tensor(_global("torch.storage", "_load_from_bytes") + _bytes(b"x") + b"\x85R."),
        "persistent module with source": _global("torch_utils.persistence", "_reconstruct_persistent_obj") + b"}" + _text("module_src") + word + b"s\x85R.",
        "a jit archive": _global("torch.jit", "load") + word + b"\x85R.",
        "a code object": b"\x80\x04\x8c\x05types\x8c\x08CodeType\x93.",
    }
    return found


def broken() -> dict[str, bytes]:
    """Files that ask for what they do not have: memory, depth, sizes, order."""
    deep = b"\x80\x04" + b"]" * 40_000 + b"a" * 39_999 + b"."
    tuples = b"\x80\x04)" + b"\x85" * 60_000
    torch_size = io.BytesIO()
    torch.save(torch.ones(4).untyped_storage(), torch_size, _use_new_zipfile_serialization=False)
    found = {
        "nothing": b"\x80\x04.",
        "only a protocol": b"\x80\x04",
        "unknown protocol step": b"\x80\x04\xfe.",
        "pop of nothing": b"\x80\x040.",
        "pop below a mark": b"\x80\x04(\x85.",
        "mark that was never set": b"\x80\x041.",
        "memo that was never set": b"\x80\x04h\x07.",
        "huge memo": b"\x80\x04K\x01r\xff\xff\xff\x7f.",
        "huge text memo": b"\x80\x04K\x01p99999999999999999999\n.",
        "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
        "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
        "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
        "huge array of bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 50) + b"x.",
        "huge number": b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b"\x01.",
        "negative number of digits": b"\x80\x04\x8b" + struct.pack("<i", -4) + b"\x01.",
        "number of many digits": b"\x80\x04L" + b"9" * 60_000 + b"L\n.",
        "a line without an end": b"\x80\x04S'" + b"x" * 70_000,
        "names with spaces": b"cnumpy core\nndarray x\n.",
        "deep lists": deep,
        "deep tuples": tuples + b".",
        "a deep tuple as a key": b"\x80\x04}" + tuples[2:] + b"Ns.",
        "a deep tuple as a set": b"\x80\x04\x8f(" + tuples[2:] + b"\x90}N" + b"s.",
        "a list that holds itself": b"\x80\x04]\x94h\x00a.",
        "a dict that holds itself": b"\x80\x04}\x94" + _text("G_ema") + b"h\x00s.",
        "a network that holds itself": pickle_loop(),
        "modules without end": module_loop(),
        "one text encoded without end": b"\x80\x04" + _text("x" * (1 << 20)) + b"\x940" + (_global("_codecs", "encode") + b"h\x00" + _text("latin1") + b"\x86R0") * 5000 + b"N.",
        "an ordered dictionary of given items": _global("collections", "OrderedDict") + b"]\x85R.",
        "a set of a text": _global("builtins", "set") + _text("abc") + b"\x85R.",
        "a size of a text": _global("torch", "Size") + _text("abc") + b"\x85R.",
        "odd number of items": b"\x80\x04}(" + _text("a") + b"u.",
        "items into a list": b"\x80\x04](" + _text("a") + b"Nu.",
        "append to a dict": b"\x80\x04}Na.",
        "storage with less than it says": _tensor(_storage_file(count=8)),
        "storage with more than it says": _tensor(_storage_file(count=2)),
        "storage of huge size": _tensor(_storage_file(count=1 << 40)),
        "storage of negative size": _tensor(_storage_file(count=-4)),
        "storage with two sizes": _tensor(_storage_file(written=5)),
        "storage of an unknown type": _tensor(_storage_file(kind=b"ctorch\nQInt8Storage\n")),
        "storage of big-endian numbers": _tensor(_storage_file(little=False)),
        "storage cut short": _tensor(_storage_file(content=bytes(7))),
        "storage of no bytes": _tensor(b""),
        "untyped storage of another type": _tensor(torch_size.getvalue()[:-3]),
        "tensor larger than its storage": _tensor(_storage_file(), size=b"K\x05\x85"),
        "tensor that repeats its storage": _tensor(_storage_file(), size=b"J\x00\x00\x00\x40\x85", stride=b"K\x00\x85"),
        "tensor that starts behind its end": _tensor(_storage_file(), offset=b"K\x04"),
        "tensor of negative offset": _tensor(_storage_file(), offset=b"J\xff\xff\xff\xff"),
        "tensor of negative stride": _tensor(_storage_file(), stride=b"J\xff\xff\xff\xff\x85"),
        "tensor with a bool for a size": _tensor(_storage_file(), size=b"\x88\x85"),
        "tensor with text for a size": _tensor(_storage_file(), size=_text("4") + b"\x85"),
        "tensor with more strides than sizes": _tensor(_storage_file(), stride=b"K\x01K\x01\x86"),
        "tensor without a storage": _tensor(b"").replace(_global("torch.storage", "_load_from_bytes"), _global("builtins", "set")),
        "array of objects": _array(dtype=_text("O8")),
        "array of names": _array(dtype=_text("U9")),
        "array of records": _array(state=b"K\x03" + _text("<") + b"N" + _text("a") + b"\x85}K\x00K\x01K\x00"),
        "array in an unknown order": _array(state=b"K\x03" + _text("!") + b"NNNK\x00K\x01K\x00"),
        "array with fewer bytes": _array(content=bytes(4)),
        "array with more bytes": _array(content=bytes(800)),
        "array with half a number": _array(content=bytes(9)),
        "array of huge shape": _array(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
        "array of negative shape": _array(shape=b"J\xff\xff\xff\xff\x85"),
        "array of many axes": _array(shape=b"(" + b"K\x01" * 40 + b"K\x02t"),
        "array alone": _array(),
        "tensor alone": _tensor(_storage_file()),
    }
    return found


def pickle_loop() -> bytes:
    """A TensorFlow network whose part is itself."""
    kind = _global("dnnlib.tflib.network", "Network")
    state = b"(" + _text("components") + b"}" + _text("synthesis") + b"h\x00s" + _text("variables") + b"]" + _text("static_kwargs") + b"}d"
    return b"\x80\x04" + kind + b")\x81\x94" + state + b"bh\x00h\x00\x87."


def module_loop() -> bytes:
    """A module of torch in which every level holds the next one twice: short to write, endless to walk."""
    rebuild = _global("torch_utils.persistence", "_reconstruct_persistent_obj")
    inner = b"N\x94"
    for level in range(40):
        modules = b"(" + _text("a") + b"h" + bytes([level]) + _text("b") + b"h" + bytes([level]) + b"d"
        state = b"(" + _text("_modules") + modules + _text("_parameters") + b"}" + _text("_buffers") + b"}d"
        inner += rebuild + b"(" + _text("class_name") + _text("G") + _text("state") + state + b"d\x85R\x94"
    return b"\x80\x04" + inner + b"."
