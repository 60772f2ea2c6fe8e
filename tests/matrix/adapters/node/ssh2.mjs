// The adapter of ssh2 for Node, client and server.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";

const require = createRequire(import.meta.url);
const ssh2 = require("ssh2");
const { SUPPORTED_CIPHER, SUPPORTED_KEX, SUPPORTED_MAC } = require("ssh2/lib/protocol/constants.js");
const told = (name) => process.env[`PEER_${name}`] ?? "";
const [role, what, first, second] = process.argv.slice(2);
const algorithms = { cipher: SUPPORTED_CIPHER, kex: SUPPORTED_KEX, hmac: SUPPORTED_MAC };

function fail(error) {
  console.error(String(error));
  process.exit(255);
}

// A server of it renews keys when it is told to, so that the bytes are counted here.
function renew(connection, ...streams) {
  const limit = Number(told("REKEY"));
  let since = 0, renewing = limit === 0;
  for (const stream of streams) {
    stream.on("data", (data) => {
      since += data.length;
      if (since < limit || renewing) return;
      since = 0;
      renewing = true;
      connection.rekey(() => { renewing = false; });
    });
  }
}

function carry(channel, finish) {
  let status = 0;
  process.stdin.pipe(channel);
  channel.pipe(process.stdout);
  channel.stderr?.pipe(process.stderr);
  channel.on("exit", (code) => { status = code ?? 255; });
  channel.on("close", () => process.stdout.write("", () => finish(status)));
  channel.on("end", () => { if (!channel.stderr) process.stdout.write("", () => finish(0)); });
}

function work(client) {
  const then = (action) => (error, value) => (error ? fail(error) : action(value));
  const done = then(() => process.exit(0));
  switch (what) {
    case "run":
      return client.exec(first, then((channel) => carry(channel, process.exit)));
    case "forward":
      return client.forwardOut("127.0.0.1", 1, first, Number(second), then((channel) => carry(channel, process.exit)));
    case "put":
      return client.sftp(then((sftp) => sftp.fastPut(first, second, done)));
    case "get":
      return client.sftp(then((sftp) => sftp.fastGet(first, second, done)));
    case "list":
      return client.sftp(then((sftp) => sftp.readdir(first, then((entries) => {
        for (const entry of entries) console.log(entry.filename);
        process.exit(0);
      }))));
  }
}

function runClient() {
  const client = new ssh2.Client();
  client.on("error", fail);
  client.on("keyboard-interactive", (name, text, language, prompts, answer) => answer(prompts.map(() => told("PASSWORD"))));
  client.on("ready", () => work(client));
  const method = told("AUTH");
  client.connect({
    host: "127.0.0.1",
    port: Number(told("PORT")),
    username: told("USER"),
    password: told("PASSWORD"),
    privateKey: method === "publickey" ? readFileSync(told("KEY")) : undefined,
    tryKeyboard: method === "keyboard-interactive",
    authHandler: [method],
    algorithms,
  });
}

function start(client, accept, command) {
  const channel = accept();
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "pipe", "inherit"] });
  renew(client, channel, child.stdout);
  channel.pipe(child.stdin);
  child.stdin.on("error", () => {});
  child.stdout.pipe(channel, { end: false });
  child.on("close", (code) => {
    channel.exit(code ?? 255);
    channel.end();
  });
}

function serve(client) {
  const known = readFileSync(told("AUTHORIZED_KEYS"), "utf8").split("\n").filter(Boolean).map((line) => ssh2.utils.parseKey(line))
    .filter((key) => !(key instanceof Error));
  client.on("error", (error) => console.error(String(error)));
  client.on("authentication", (context) => {
    switch (context.method) {
      case "password":
        return context.password === told("PASSWORD") ? context.accept() : context.reject();
      case "keyboard-interactive":
        return context.prompt([{ prompt: "Password: ", echo: false }], (answers) =>
          answers[0] === told("PASSWORD") ? context.accept() : context.reject());
      case "publickey": {
        const key = known.find((one) => one.getPublicSSH().equals(context.key.data));
        const proven = key && (!context.signature || key.verify(context.blob, context.signature, context.hashAlgo) === true);
        return proven ? context.accept() : context.reject();
      }
      default:
        return context.reject(["publickey", "password", "keyboard-interactive"]);
    }
  });
  client.on("tcpip", (accept, reject, info) => {
    const there = connect(info.destPort, info.destIP, () => {
      const channel = accept();
      channel.pipe(there).pipe(channel);
    });
    there.on("error", () => {});
  });
  client.on("session", (accept) => {
    const session = accept();
    session.on("exec", (accepted, reject, info) => start(client, accepted, info.command));
    session.on("subsystem", (accepted, reject, info) =>
      info.name === "sftp" ? start(client, accepted, "exec /usr/lib/openssh/sftp-server") : reject());
  });
}

if (role === "version") {
  console.log(require("ssh2/package.json").version);
} else if (role === "client" && told("REKEY") !== "") {
  console.error("ssh2 has a call for that in servers only, although its README tells of one for clients");
  process.exit(254);
} else if (role === "client") {
  runClient();
} else {
  const server = new ssh2.Server({ hostKeys: [readFileSync(told("HOST_KEY"))], algorithms }, serve);
  server.listen(0, "127.0.0.1", () => console.log("listening", server.address().port));
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}
