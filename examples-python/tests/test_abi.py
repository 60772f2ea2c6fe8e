"""The table of C functions against the header that is installed."""

import ctypes
import pathlib
import re
import unittest

from pair import environment
from sshwire import _abi, _core
from sshwire.request import Kind

_WIDTHS = {"void": None, "ssh_status": ctypes.c_int32, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32,
           "uint16_t": ctypes.c_uint16, "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64, "size_t": ctypes.c_size_t,
           "bool": ctypes.c_bool}


class Abi(unittest.TestCase):
    def setUp(self):
        text = pathlib.Path(environment("HEADER")).read_text()
        self.constants = dict(re.findall(r"^#define (SSH_\w+) (-?\d+)$", text, re.M))
        text = re.sub(r"/\*.*?\*/|^#[^\n]*$", "", text, flags=re.S | re.M)
        self.functions = {name: (result, arguments) for result, name, arguments in
                          re.findall(r"([\w][\w \n]*?[ *]+)(ssh_\w+)\(([^()]*)\);", text)}

    def check(self, name, declared, found):
        declared = " ".join(declared.replace("*", " * ").split()).removeprefix("const ")
        words = declared.split()
        if "*" in words or words[0].endswith("_callback"):
            self.assertEqual(ctypes.sizeof(found), ctypes.sizeof(ctypes.c_void_p), name)
            self.assertNotIn(found, _WIDTHS.values(), name)
        else:
            self.assertIs(found, _WIDTHS[words[0]], name)

    def test_functions(self):
        self.assertGreater(len(self.functions), 200)
        for name in _abi.FUNCTIONS:
            function = getattr(_abi.lib, name)
            result, arguments = self.functions[name]
            self.check(name, result, function.restype)
            arguments = [] if arguments.strip() == "void" else arguments.split(",")
            self.assertEqual(len(arguments), len(function.argtypes), name)
            for argument, found in zip(arguments, function.argtypes):
                self.check(f"{name}, {argument}", argument, found)

    def test_constants(self):
        for kind in Kind:
            self.assertEqual(int(self.constants["SSH_REQUEST_" + kind.name]), kind)
        numbers = {int(value) for name, value in self.constants.items() if name.startswith("SSH_ERR_")}
        self.assertLessEqual(_core._CLASSES.keys(), numbers)


if __name__ == "__main__":
    unittest.main()
