"""DER by hand, so that a test can bend every byte; and a reader that keeps tags and lengths as they came."""

from dataclasses import dataclass

SEQUENCE, SET, OCTETS, BITS, INTEGER, OID, NULL = 0x30, 0x31, 0x04, 0x03, 0x02, 0x06, 0x05
PRINTABLE, UTF8, IA5, T61, BMP, UTC = 0x13, 0x0C, 0x16, 0x14, 0x1E, 0x17


def length(size):
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def tlv(tag, content=b""):
    return bytes([tag]) + length(len(content)) + content


def indefinite(tag, content):
    """BER: a constructed value without a length, ended by two zero bytes."""
    return bytes([tag, 0x80]) + content + b"\0\0"


def seq(*parts):
    return tlv(SEQUENCE, b"".join(parts))


def set_of(*parts):
    """SET OF, in DER's order."""
    return tlv(SET, b"".join(sorted(parts)))


def octets(content):
    return tlv(OCTETS, content)


def bits(content):
    return tlv(BITS, b"\0" + content)


def null():
    return tlv(NULL)


def integer(number):
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted):
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        piece = bytes([arc & 0x7F])
        while arc > 0x7F:
            arc >>= 7
            piece = bytes([0x80 | arc & 0x7F]) + piece
        out += piece
    return tlv(OID, out)


def text(value, tag=PRINTABLE):
    encoding = {UTF8: "utf-8", BMP: "utf-16-be"}.get(tag, "latin-1")
    return tlv(tag, value if isinstance(value, bytes) else value.encode(encoding))


@dataclass
class Node:
    tag: int
    content: bytes
    raw: bytes

    def children(self):
        return list(read_all(self.content))

    def __getitem__(self, index):
        return self.children()[index]


def read(data):
    """(node, rest); definite lengths in their shortest form alone, because that is what DER is."""
    tag, first = data[0], data[1]
    assert tag & 0x1F != 0x1F, "a multi-byte tag"
    start = 2
    if first < 0x80:
        size = first
    else:
        count = first & 0x7F
        assert 0 < count <= 4, f"length octet {first:#x} is not DER"
        size = int.from_bytes(data[2:2 + count], "big")
        assert data[1:2 + count] == length(size), "a length that is not in its shortest form"
        start += count
    assert len(data) >= start + size, "a value that is cut short"
    return Node(tag, data[start:start + size], data[:start + size]), data[start + size:]


def read_all(data):
    while data:
        node, data = read(data)
        yield node


def read_one(data):
    node, rest = read(data)
    assert rest == b"", "bytes behind the end"
    return node


def dotted(node):
    """The text of an OBJECT IDENTIFIER node."""
    assert node.tag == OID, f"tag {node.tag:#x} is no OBJECT IDENTIFIER"
    arcs, value = [], 0
    for octet in node.content:
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(value)
            value = 0
    head = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in [head, arcs[0] - 40 * head, *arcs[1:]])
