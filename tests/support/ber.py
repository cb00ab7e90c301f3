"""DER messages in the other encodings that BER has for them."""

import der


def long_length(size):
    """Four octets whatever the length."""
    return b"\x84" + size.to_bytes(4, "big")


def pieces(tag, content, size=100):
    return [der.tlv(der.OCTETS, content[at:at + size]) for at in range(0, len(content), size)] or [der.octets(b"")], tag | 0x20


def definite(node, inside):
    return der.tlv(node.tag, inside)


def indefinite(node, inside):
    return der.indefinite(node.tag, inside)


def lengthy(node, inside):
    return bytes([node.tag]) + long_length(len(inside)) + inside


def string_in_pieces(tag, content):
    parts, constructed = pieces(tag, content)
    return der.tlv(constructed, b"".join(parts))


def string_in_nested_pieces(tag, content):
    parts, constructed = pieces(tag, content)
    return der.tlv(constructed, b"".join(der.tlv(0x24, part) for part in parts))


def string_without_length(tag, content):
    parts, constructed = pieces(tag, content)
    return der.indefinite(constructed, b"".join(parts))


def string_of_long_length(tag, content):
    return bytes([tag]) + long_length(len(content)) + content


SHAPES = {
    "pieces": (definite, string_in_pieces),
    "nested pieces": (definite, string_in_nested_pieces),
    "no lengths": (indefinite, string_without_length),
    "no lengths, plain strings": (indefinite, der.tlv),
    "long lengths": (lengthy, string_of_long_length),
}


def loosen(data, shape, strings=(der.OCTETS,)):
    """DER in another encoding, but for what a signature covers: certificates and signed attributes, both [0]."""
    container, string = SHAPES[shape]
    node = der.read_one(data)
    if node.tag in strings:
        return string(node.tag, node.content)
    if node.tag not in (der.SEQUENCE, der.SET, 0xA0):
        return node.raw
    inside = b"".join(kept(child) or loosen(child.raw, shape, strings) for child in node.children())
    return container(node, inside)


def kept(node):
    """The bytes of certificates and of signed attributes; None for anything else."""
    if node.tag == 0xA0 and len(node.children()) > 0:
        first = node.children()[0]
        certificate = first.tag == der.SEQUENCE and len(first.children()) == 3 and first[2].tag == der.BITS
        attribute = first.tag == der.SEQUENCE and len(first.children()) == 2 and first[0].tag == der.OID and first[1].tag == der.SET
        if certificate or attribute:
            return node.raw
    return None
