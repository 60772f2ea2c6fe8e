"""The table of C functions against the header that is installed."""

import ctypes
import fnmatch
import pathlib
import re
import unittest

from pair import environment
from sshwire import _abi, agent, config, errors, key
from sshwire.authorized_keys import Permit
from sshwire.certificate import Holder
from sshwire.known_hosts import Verdict
from sshwire.listener import Count, Penalty
from sshwire.request import Kind

_WIDTHS = {"void": None, "ssh_status": ctypes.c_int32, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32,
           "uint16_t": ctypes.c_uint16, "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64, "size_t": ctypes.c_size_t,
           "bool": ctypes.c_bool}

# What the package leaves out, and why.
_LEFT_OUT = {
    "Packets by themselves are for scanners and test tools, which do better in C.":
        "ssh_packetizer_* ssh_message_*",
    "What is begun and asked about later: here a thread waits, or an Event for the start of a session.":
        "ssh_*_begin_* ssh_*_status ssh_transport_request_event ssh_transport_accept_event",
    "A thread reads each channel, or asyncio does by the event of each.":
        "ssh_event_take_channel",
    "A thread accepts; a call that waits ends with the listener.":
        "ssh_listener_set_callback ssh_listener_accept_event ssh_listener_cancel",
    "Python objects have attributes of their own.":
        "ssh_*_userdata",
    "Something else does the same.":
        "ssh_error_class ssh_key_kind ssh_version_number ssh_transport_connect ssh_transport_stop_thread "
        "ssh_transport_is_alive ssh_transport_get_exception ssh_transport_add_server_key ssh_transport_get_server_key "
        "ssh_transport_accept_host_key ssh_transport_security_options ssh_transport_use_compression ssh_channel_*_ready "
        "ssh_channel_write ssh_channel_write_stderr ssh_channel_*_timeout ssh_transport_set_timeout "
        "ssh_request_answer_prompts ssh_server_pull_requests ssh_sftp_attributes_type ssh_sftp_dir_close "
        "ssh_sftp_new_channel ssh_key_info_is_encrypted ssh_key_load_asking ssh_key_load_file_asking",
    "Objects free their handles by themselves.":
        "ssh_handle_count",
    "The interpreter ends sessions when it ends.":
        "ssh_transport_*_daemon",
    "The log of the process is enough, with a name for each transport.":
        "ssh_transport_*_log_* ssh_transport_*_hexdump",
    "Limits and details that few programs set.":
        "ssh_set_io_threads ssh_transport_set_window_cap ssh_transport_require_strict_kex ssh_transport_send_ignore "
        "ssh_channel_shutdown ssh_channel_id ssh_channel_exit_message ssh_channel_exit_core_dumped "
        "ssh_request_break_length_ms ssh_sftp_server_set_max_* ssh_sftp_limits ssh_sftp_set_window ssh_text_printable",
    "File systems that a program makes up; the package serves directories.":
        "ssh_sftp_operation_* ssh_sftp_server_new_virtual ssh_sftp_server_set_callback",
    "Host keys that change: a request of the kind may be accepted, and that keeps them.":
        "ssh_request_host_key* ssh_known_hosts_update ssh_server_add_next_key ssh_server_set_tell_host_keys "
        "ssh_transport_wait_host_keys",
    "Known hosts line by line, and certificates.":
        "ssh_known_hosts_entry_* ssh_known_hosts_find ssh_known_hosts_hash ssh_known_hosts_order "
        "ssh_known_hosts_replace ssh_known_hosts_check_authority",
    "An agent at a socket or a channel is enough.":
        "ssh_agent_new_stream",
    "X11, and forwarded channels by hand.":
        "ssh_*x11* ssh_transport_open_forwarded_tcpip_channel",
    "Files: what has a form by path or position is there in that form only.":
        "ssh_sftp_*setstat ssh_sftp_attributes_new ssh_sftp_attributes_set_* ssh_sftp_attributes_long_name "
        "ssh_sftp_users_groups_by_id ssh_sftp_file_p* ssh_sftp_file_ch* ssh_sftp_file_utime ssh_sftp_file_statvfs "
        "ssh_sftp_file_copy_data ssh_sftp_get_* ssh_sftp_put_*",
}


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

    def test_every_function_is_there_or_left_out(self):
        patterns = " ".join(_LEFT_OUT.values()).split()
        others = self.functions.keys() - _abi.FUNCTIONS.keys()
        unknown = {name for name in others if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)}
        self.assertEqual(unknown, set(), "new in the header: to be bound, or left out with a reason")
        idle = [pattern for pattern in patterns if not fnmatch.filter(others, pattern)]
        self.assertEqual(idle, [], "nothing is left out by these")

    def test_every_function_in_the_table_is_used(self):
        package = pathlib.Path(_abi.__file__).parent
        used = " ".join(path.read_text() for path in package.glob("*.py") if path.name != "_abi.py")
        idle = {name for name in _abi.FUNCTIONS if not re.search(rf"\b{name}\b", used)
                and not name.startswith("ssh_error_")}  # errors.py makes these names
        self.assertEqual(idle, set())

    def test_constants(self):
        formats = {name: int(value) for name, value in self.constants.items() if name.startswith("SSH_KEY_FORMAT_")}
        self.assertEqual({name: getattr(key, name.removeprefix("SSH_KEY_FORMAT_")) for name in formats}, formats)
        hashes = {name: int(value) for name, value in self.constants.items() if name.startswith("SSH_HASH_")}
        self.assertEqual({name: getattr(key, name.removeprefix("SSH_HASH_")) for name in hashes}, hashes)
        for family, ours in (("SSH_PENALTY_", Penalty), ("SSH_LISTENER_", Count)):
            kinds = {name: int(value) for name, value in self.constants.items() if name.startswith(family)}
            self.assertEqual({family + kind.name: kind.value for kind in ours}, kinds)
        kinds = {name: int(value) for name, value in self.constants.items() if name.startswith("SSH_REQUEST_")}
        self.assertEqual({"SSH_REQUEST_" + kind.name: kind for kind in Kind}, kinds)
        verdicts = {name: int(value) for name, value in self.constants.items()
                    if name.startswith("SSH_KNOWN_HOSTS_") and "MARKER" not in name}
        self.assertEqual({"SSH_KNOWN_HOSTS_" + verdict.name: verdict for verdict in Verdict}, verdicts)
        self.assertEqual({"SSH_CERTIFICATE_" + holder.name: holder for holder in Holder},
                         {name: int(value) for name, value in self.constants.items()
                          if re.fullmatch("SSH_CERTIFICATE_(USER|HOST)", name)})
        permits = {name: int(value) for name, value in self.constants.items() if name.startswith("SSH_PERMIT_")}
        self.assertEqual({"SSH_PERMIT_" + permit.name: permit for permit in Permit}, permits)
        for name in ("AGENT_FIRST", "NAMED_FIRST", "NAMED_ONLY"):
            self.assertEqual(int(self.constants["SSH_AUTH_" + name]), getattr(agent, name))
        for name in ("LOCAL", "REMOTE", "DYNAMIC"):
            self.assertEqual(int(self.constants["SSH_CONFIG_FORWARD_" + name]), getattr(config, name))
        numbers = {int(value) for name, value in self.constants.items() if name.startswith("SSH_ERR_")}
        self.assertLessEqual(errors._CLASSES.keys(), numbers)
        for name in ("BAD_HANDLE CALLBACK IO TIMEOUT CLOSED CONN_LOST AUTH SIGNATURE PASSPHRASE_MISSING "
                     "PASSPHRASE_WRONG REVOKED").split():
            self.assertEqual(int(self.constants["SSH_ERR_" + name]), getattr(errors, name))


if __name__ == "__main__":
    unittest.main()
