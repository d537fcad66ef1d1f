"""A second reader of compressed files, slow and plain, written from SPEC.md alone.

It shares no code with `compress`: where both agree, the page says what the files are.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import json
import lzma
import math
import struct

import onnx

# data_type -> (bits, item width, is float)
TYPES = {
    **dict.fromkeys([1], (32, 4, True)),
    **dict.fromkeys([10, 16], (16, 2, True)),
    **dict.fromkeys([11], (64, 8, True)),
    **dict.fromkeys([14], (64, 4, True)),
    **dict.fromkeys([15], (128, 8, True)),
    **dict.fromkeys([4, 5], (16, 2, False)),
    **dict.fromkeys([6, 12], (32, 4, False)),
    **dict.fromkeys([7, 13], (64, 8, False)),
    **dict.fromkeys([2, 3, 9, 17, 18, 19, 20, 24], (8, 1, False)),
    **dict.fromkeys([21, 22, 23], (4, 1, False)),
    **dict.fromkeys([25, 26], (2, 1, False)),
    **dict.fromkeys([27, 28], (6, 1, False)),
}
FIELDS = {
    "float_data": "f",
    "int32_data": "i",
    "int64_data": "q",
    "double_data": "d",
    "uint64_data": "Q",
}
NARROW = {
    **{("int32_data", kind): "B" for kind in (2, 9, *range(17, 27))},
    **{("int32_data", kind): "H" for kind in (4, 10, 16)},
    ("int32_data", 3): "b",
    ("int32_data", 5): "h",
    ("uint64_data", 12): "I",
}
POOLS = [(1, False), (2, False), (4, False), (8, False), (2, True), (4, True), (8, True)]


class RefusedError(Exception):
    """The file breaks the format."""


def must(ok, what):
    if not ok:
        raise RefusedError(what)


def read(data: bytes, *, check: bool = True) -> tuple[dict, onnx.ModelProto]:
    """Return the metadata and the model of a compressed file."""
    streams, facts = container(data, check=check)
    if facts["format"] > 1:
        for name in [name for name in streams if name.startswith("file:")]:
            lzma_decode(streams.pop(name), facts["format"])
    return facts, model(streams, len(data), facts["format"])[0]


def files(data: bytes) -> dict[str, bytes]:
    """Return the files that were packed, by name, of a compressed file that tells them."""
    streams, facts = container(data, check=True)
    streams = {name: text for name, text in streams.items() if not name.startswith("file:")}
    found = model(streams, len(data), facts["format"])[1]
    for digest, text in found.values():
        must(hashlib.sha256(text).digest() == digest, "SHA-256 of a file")
    return {name: text for name, (_, text) in found.items()}


def put_together(told, literals, tensors, file_size):
    out, n_pieces, n_bytes = {}, 0, 0
    n_files = told.number()
    must(1 <= n_files <= 4096, "number of files")
    for i in range(n_files):
        size = told.number()
        must(size <= 1024, "size of a name")
        name = told.take(size).decode()
        parts = name.split("/")
        must(name not in out, "a name stands twice")
        must(not name if i == 0 else not {"", ".", ".."} & set(parts), "name of a file")
        must(not any(ord(c) < 32 or ord(c) == 127 or c in "\\:" for c in name), "letter of a name")
        digest, count = told.take(32), told.number()
        n_pieces += count
        must(n_pieces <= 1 << 20, "number of pieces")
        pieces = []
        for _ in range(count):
            value, kind = divmod(told.number(), 4)
            must(kind < 3, "kind of piece")
            must(value if kind < 2 else value < len(tensors), "piece")
            n_bytes += value if kind < 2 else len(tensors[value])
            must(n_bytes <= (1 << 28) + 10_000 * file_size, "files too large")
            pieces.append((literals.take, bytes, tensors.__getitem__)[kind](value))
        out[name] = digest, b"".join(pieces)
    must(told.is_empty() and literals.is_empty(), "bytes left over behind files")
    return out


def container(data, *, check):
    must(len(data) >= 8, "no header")
    (size,) = struct.unpack_from("<Q", data)
    must(size <= len(data) - 8, "header cut short")
    header = json.loads(data[8 : 8 + size])
    body = data[8 + size :]
    entries = header.pop("__metadata__", {})
    must(list(entries) == ["compress"], "one metadata entry")
    text = entries["compress"]
    must(len(text.encode()) <= 1 << 20, "metadata too large")
    facts = json.loads(text, object_pairs_hook=once, parse_constant=lambda name: must(0, name))
    must(type(facts["format"]) is int and facts["format"] in (1, 2, 3, 4), "format")
    streams, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, size = end, entry["shape"][0]
        end += size
        must(entry["dtype"] == "U8" and entry["shape"] == [size], "streams are bytes")
        must(entry["data_offsets"] == [begin, end], "one stream follows the other")
        streams[name] = body[begin:end]
    must(end == len(body), "bytes left over in the file")
    before, after = text[:-77], text[-77:]
    must(after[:11] == ',"sha256":"' and after[-2:] == '"}', "sha256 comes last")
    must(set(after[11:-2]) <= set("0123456789abcdef"), "digits of sha256")
    parts = [before.encode()]
    for name in sorted(streams, key=str.encode):
        parts += [name.encode(), streams[name]]
    digest = hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts))
    must(not check or digest.hexdigest() == after[11:-2], "sha256")
    return streams, facts


def once(pairs):
    must(len(dict(pairs)) == len(pairs), "a name stands twice")
    return dict(pairs)


def model(streams, file_size, version):
    graph = lzma_decode(streams.pop("graph", b""), version)
    told, n_graph = None, len(graph)
    if "source" in streams:
        must(version > 3, "files came with format 4")
        told = Bytes(lzma_decode(streams.pop("source"), version), version)
        n_graph = told.number()
        must(n_graph <= len(graph), "graph cut short")
    proto = onnx.ModelProto.FromString(graph[:n_graph])
    missing = [t for t in walk(proto) if misses_data(t)]
    sizes = [size_of(tensor) for tensor in missing]
    must(sum(sizes) <= (1 << 28) + 10_000 * file_size, "too much")
    small = Bytes(streams.pop("small", b""), version)
    pooled = {item: [] for item in POOLS}
    decoded = [b""] * len(missing)
    learned = []  # the model that the levels so far have left
    for i, (tensor, size) in enumerate(zip(missing, sizes, strict=True)):
        name = tensor.name if isinstance(tensor.name, str) else ""
        _, width, is_float = TYPES[tensor.data_type]
        own = streams.pop(f"{i}:{name}", None)
        if own is None and small.peek() == 16:
            small.byte()
            pooled[width, is_float].append((i, size // width))
            continue
        source = small if own is None else Bytes(own, version)
        items = tensor_items(source, list(tensor.dims), size // width, width, is_float, learned)
        decoded[i] = joined(items, width)
        must(own is None or source.is_empty(), "bytes left over in a stream")
    for (width, is_float), members in pooled.items():
        if members:
            items = planes(small, sum(count for _, count in members), width, is_float)
            for i, count in members:
                decoded[i] = joined(items[:count], width)
                items = items[count:]
    must(small.is_empty(), "bytes left over in small")
    must(not streams, "streams left over")
    for tensor, data in zip(missing, decoded, strict=True):
        restore(tensor, data)
    packed = put_together(told, Bytes(graph[n_graph:]), decoded, file_size) if told else {}
    return proto, packed


def lzma_decode(stream, version):
    limit = min((1 << 20) + 256 * len(stream), 1 << (29 if version > 3 else 28))
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    decoder.decompress(bytes([4, 0, 0, 16, 0]) + b"\xff" * 8, 0)
    data = decoder.decompress(stream, limit)
    must(decoder.eof and not decoder.unused_data, "graph")
    return data


def walk(message):
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field in sorted(message.DESCRIPTOR.fields, key=lambda field: field.number):
        if field.message_type is None:
            continue
        value = getattr(message, field.name)
        if not hasattr(value, "ListFields"):
            for element in value:
                yield from walk(element)
        elif message.HasField(field.name):
            yield from walk(value)


def misses_data(tensor):
    must(tensor.data_location != onnx.TensorProto.EXTERNAL, "data in another file")
    if tensor.data_type not in TYPES or len(tensor.dims) > 64 or any(d < 1 for d in tensor.dims):
        return False
    if size_of(tensor) < 64 or tensor.HasField("raw_data"):
        return False
    if any(len(getattr(tensor, field)) for field in FIELDS):
        return False
    if not tensor.external_data:
        return True
    entry = tensor.external_data[0]
    if entry.key != "compress.field" or entry.value not in FIELDS:
        return False
    width = struct.calcsize("<" + element_format(tensor, entry.value))
    must(size_of(tensor) % width == 0, "size is no multiple of the element")
    return True


def size_of(tensor):
    elements = 1
    for size in tensor.dims:
        elements *= size
    return (elements * TYPES[tensor.data_type][0] + 7) // 8


def element_format(tensor, field):
    return NARROW.get((field, tensor.data_type), FIELDS[field])


def restore(tensor, data):
    if not tensor.external_data:
        tensor.raw_data = data
        return
    field = tensor.external_data[0].value
    elements = [e for (e,) in struct.iter_unpack("<" + element_format(tensor, field), data)]
    getattr(tensor, field).extend(elements)
    tensor.ClearField("external_data")


def tensor_items(source, dims, count, width, is_float, learned):
    head = source.byte()
    must(head < 32 and (source.version > 1 or (head < 16 and head % 4 < 3)), "head")
    kind, transposed, has_codebook, has_steps = head % 4, head & 4, head & 8, head & 16
    must(has_codebook or not (has_steps or kind == 3), "head")
    if kind == 3:
        book = codebook_items(source, count, width, is_float, has_steps)
        return level_items(source, dims, count, book, is_float, transposed, learned)
    n = count
    has_value = range(count)
    if kind:
        n = source.number()
        must(n <= count, "too many values")
    if kind == 1:
        g, m = source.byte(), source.number()
        must(1 <= g <= 16, "bits of a gap")
        must(m <= n + count // (2**g - 1), "too many gaps")
        gaps = symbols(source, m)
    if kind == 2:
        mask = byte_symbols(source, (count + 7) // 8)
    if has_codebook:
        codebook = codebook_items(source, n, width, is_float, has_steps)
        codes = symbols(source, n)
        must(all(code < len(codebook) for code in codes), "code")
        values = [codebook[code] for code in codes]
    else:
        values = planes(source, n, width, is_float)
    if kind == 1:
        has_value = gap_positions(gaps, 2**g - 1, count)
    if kind == 2:
        ones = [8 * j + b for j, byte in enumerate(mask) for b in range(8) if byte >> b & 1]
        must(all(p < count for p in ones), "padding of the mask")
        has_value = ones
    must(len(has_value) == n, "number of values")
    items = [0] * count
    if not transposed:
        for p, value in zip(has_value, values, strict=True):
            items[p] = value
        return items
    must(kind, "all positions have no other order")
    must(len(dims) > 1 and dims[0] > 1 and count % dims[0] == 0, "no transposed order")
    rows = dims[0]
    columns = count // rows
    must(columns > 1, "no transposed order")
    for p, value in zip(has_value, values, strict=True):
        items[p % rows * columns + p // rows] = value
    return items


def codebook_items(source, n, width, is_float, has_steps):
    k = source.number()
    must(1 <= k <= min(n, 65536), "size of the codebook")
    if has_steps:
        must(width <= 4, "steps are of 32 bits at most")
        t = source.byte()
        must(t < 8 * width, "zero bits of steps")
        items = steps(source.take(source.number()), k, 8 * width - t)
        return [item << t for item in items]
    codebook = planes(source, k, width, is_float)
    must(all(a < b for a, b in itertools.pairwise(codebook)), "codebook order")
    return codebook


def steps(data, k, width):
    bits, counters = Interval(data), [Counter() for _ in range(80)]
    items, last, length = [], -1, width - 1
    for _ in range(k):
        u = 0
        while u < 80 and counters[u].bit(bits):
            u += 1
        length += (u + 1) // 2 if u % 2 else -(u // 2)
        must(0 <= length <= width, "length of a step")
        step = 1
        for _ in range(length):
            step = 2 * step + bits.next(2**15)
        last += step
        must(last < 2**width, "item of a codebook")
        items.append(last)
    bits.finish()
    return items


def level_items(source, dims, count, book, is_float, goes_on, learned):
    f, z = source.number(), source.number()
    k = len(book)
    must(k <= 4096 and f <= k and z < k, "levels")
    book = (book[f:][::-1] if is_float else book[f:]) + book[:f]
    columns, kernel = min(count, 256), 1
    if len(dims) > 1 and math.prod(dims) == count and count // dims[0] <= 65536:
        columns, kernel = count // dims[0], math.prod(dims[2:])
    chunk = max(1, 2**21 // columns) * columns
    items = []
    for begin in range(0, count, chunk):
        must(begin or not goes_on or learned, "levels that go on with none")
        if begin or not goes_on:
            learned[:] = [Model()]
        bits = Interval(source.take(source.number()))
        sizes = min(chunk, count - begin)
        levels = learned[0].levels(bits, sizes, columns, kernel, range(-z, k - z))
        bits.finish()
        items += [book[level + z] for level in levels]
    return items


class Interval:
    def __init__(self, data):
        self.data, self.at = data, 0
        self.low, self.high = 0, 2**32 - 1

    def byte(self, i):
        return self.data[i] if i < len(self.data) else 0

    def next(self, p):
        value = int.from_bytes(bytes(self.byte(self.at + i) for i in range(4)), "big")
        width = self.high - self.low
        mid = self.low + (width >> 16) * p + (((width % 2**16) * p) >> 16)
        one = value <= mid
        if one:
            self.high = mid
        else:
            self.low = mid + 1
        while self.low >> 24 == self.high >> 24:
            self.at += 1
            must(self.at <= len(self.data), "bits cut short")
            self.low = self.low % 2**24 << 8
            self.high = self.high % 2**24 << 8 | 255
        return int(one)

    def finish(self):
        rest = self.data[self.at :]
        for n in range(5):
            unit = 2 ** (32 - 8 * n)
            least = -(-self.low // unit) * unit
            if least <= self.high:
                must(rest == least.to_bytes(4, "big")[:n], "end of mixed bits")
                return
        raise AssertionError


class Counter:
    def __init__(self):
        self.p, self.t = 2**15, 0

    def bit(self, bits):
        bit = bits.next(self.p)
        self.learn(bit)
        return bit

    def learn(self, bit):
        r = 655360 // (10 * self.t + 16)
        self.p += ((65535 - self.p) * r >> 16) if bit else -(self.p * r >> 16)
        self.t = min(self.t + 1, 254)


STRETCH = [round(256 * math.log((i + 0.5) / (4095.5 - i))) for i in range(4096)]


def squash(x):
    return min(max(round(65536 / (1 + math.exp(-x / 256))), 1), 65535)


def size_class(s):
    n = max(s.bit_length() - 2, 0)
    return s if s < 4 else min(2 * n + (s >> n), 15)


class Model:
    def __init__(self):
        self.counters = collections.defaultdict(Counter)
        self.weights = [[2**14] * 6 + [0] for _ in range(13)]

    def mixed(self, bits, decision, contexts):
        counters = [self.counters[decision, i, c] for i, c in enumerate(contexts)]
        inputs = [STRETCH[counter.p >> 4] for counter in counters] + [256]
        weights = self.weights[decision]
        x = sum(w * s for w, s in zip(weights, inputs, strict=True)) >> 16
        chance = squash(min(max(x, -3071), 3071))
        bit = bits.next(chance)
        for i, s in enumerate(inputs):
            weights[i] += (s * (65536 * bit - chance) + 2**16) >> 17
        for counter in counters:
            counter.learn(bit)
        return bit

    def level(self, bits, contexts):
        if not self.mixed(bits, 0, contexts):
            return 0
        negative = self.mixed(bits, 1, contexts)
        e = 0
        while e < 11 and self.mixed(bits, 2 + e, contexts):
            e += 1
        v = 1
        for i in range(e):
            v = 2 * v + self.counters[e, v if i < 7 else 0].bit(bits)
        return -v if negative else v

    def levels(self, bits, n, columns, kernel, allowed):
        out = []
        row, by_column = 0, [0] * columns
        by_channel, by_place = [0] * (columns // kernel), [0] * kernel
        for p in range(n):
            column = p % columns
            channel, place = column // kernel, column % kernel
            left = out[p - 1] if column >= 1 else 0
            left2 = out[p - 2] if column >= 2 else 0
            before = out[p - kernel] if column >= kernel else 0
            above = out[p - columns] if p >= columns else 0
            m_row, m_channel = size_class(row >> 4), size_class(by_channel[channel] >> 4)
            signs = [1 if level > 0 else 2 if level < 0 else 0 for level in (left, above)]
            contexts = [
                0,
                16 * m_row + size_class(by_column[column] >> 4),
                16 * m_channel + size_class(abs(left) + abs(left2)),
                16 * size_class(2 * abs(above)) + size_class(2 * abs(before)),
                16 * (3 * signs[0] + signs[1]) + m_channel,
                16 * size_class(by_place[place] >> 4) + m_row,
            ]
            level = self.level(bits, contexts)
            must(level in allowed, "level")
            out.append(level)
            size = 256 * min(abs(level), 255)
            row += (size - row) >> 4
            by_column[column] += (size - by_column[column]) >> 3
            by_channel[channel] += (size - by_channel[channel]) >> 5
            by_place[place] += (size - by_place[place]) >> 6
        return out


def gap_positions(gaps, filler, count):
    places, position = [], 0
    for s in gaps:
        must(s <= filler, "gap")
        position += s
        must(position < count or s == filler, "gaps run over the end")
        if s < filler:
            places.append(position)
            position += 1
        must(position <= count, "gaps run over the end")
    must(not gaps or gaps[-1] != filler, "a filler at the end")
    return places


def planes(source, n, width, is_float):
    streams = [byte_symbols(source, n) for _ in range(width)]
    items = [int.from_bytes(bytes(item), "little") for item in zip(*streams, strict=True)]
    if is_float:
        items = [item >> 1 | (item & 1) << (8 * width - 1) for item in items]
    return items


def joined(items, width):
    return b"".join(item.to_bytes(width, "little") for item in items)


def byte_symbols(source, n):
    return symbols(source, n, limit=256)


def symbols(source, n, limit=65536):
    kind = source.byte()
    must(kind < 3 or (kind == 3 and source.version > 2), "kind of stream")
    if kind == 3:
        sizes = [min(65536, n - begin) for begin in range(0, n, 65536)]
        return [s for size in sizes for s in whole(source, source.byte(), size, 256, -(-size // 4))]
    return whole(source, kind, n, limit, 65536)


def whole(source, kind, n, limit, chunk):
    must(kind < 3, "kind of stream")
    if kind == 0:
        s = source.number()
        must(s < limit, "constant")
        return [s] * n
    if kind == 1:
        b = source.byte()
        must(1 <= b <= 16 and 2**b <= limit, "bits of a field")
        bits = Bits(source.take((n * b + 7) // 8))
        out = [sum(bits.next() << i for i in range(b)) for _ in range(n)]
        bits.finish()
        return out
    size_of_alphabet = source.number()
    must(2 <= size_of_alphabet <= limit, "alphabet")
    lengths = code_lengths(source, size_of_alphabet)
    data = Bytes(source.take(source.number()))
    chunks = [min(chunk, n - begin) for begin in range(0, n, chunk)]
    sizes = [int.from_bytes(data.take(4), "little") for _ in chunks[:-1]]
    by_word = codewords(lengths)
    out = []
    for i, chunk in enumerate(chunks):
        bits = Bits(data.take(sizes[i]) if i < len(sizes) else data.rest())
        for _ in range(chunk):
            word = (0, 0)
            while word not in by_word:
                word = (word[0] + 1, word[1] << 1 | bits.next())
            out.append(by_word[word])
        bits.finish()
    must(data.is_empty(), "bytes left over behind chunks")
    return out


def code_lengths(source, n):
    lengths, length = [], 0
    bits = None
    for _ in range(n):
        ones = 0
        while True:
            if bits is None or bits.at == 8:
                bits = Bits(source.take(1))
            if not bits.next():
                break
            ones += 1
        length += (ones + 1) // 2 if ones % 2 else -ones // 2
        must(0 <= length <= 16, "length")
        lengths.append(length)
    bits.finish()
    used = [length for length in lengths if length]
    must(len(used) > 1 and lengths[-1] > 0, "used symbols")
    must(sum(2 ** (16 - length) for length in used) == 2**16, "sum of lengths")
    return lengths


def codewords(lengths):
    """Return symbols by (length, codeword)."""
    found, word = {}, 0
    for length in range(1, 17):
        word <<= 1
        for symbol, own in enumerate(lengths):
            if own == length:
                found[length, word] = symbol
                word += 1
    return found


class Bytes:
    def __init__(self, data, version=4):
        self.data, self.at, self.version = data, 0, version

    def take(self, n):
        must(n <= len(self.data) - self.at, "stream cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def byte(self):
        return self.take(1)[0]

    def peek(self):
        must(not self.is_empty(), "stream cut short")
        return self.data[self.at]

    def number(self):
        value = 0
        for i in range(9):
            byte = self.byte()
            value += (byte % 128) << 7 * i
            if byte < 128:
                must(byte or not i, "number is not the shortest")
                return value
        raise RefusedError("number is too long")

    def is_empty(self):
        return self.at == len(self.data)


class Bits:
    """The bits of some bytes, each from its lowest on; `finish` checks the padding."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        must(self.at < 8 * len(self.data), "bits cut short")
        bit = self.data[self.at // 8] >> self.at % 8 & 1
        self.at += 1
        return bit

    def finish(self):
        must(8 * len(self.data) - self.at < 8, "bytes left over behind bits")
        while self.at < 8 * len(self.data):
            must(self.next() == 0, "padding")
