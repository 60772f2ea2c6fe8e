/* Tests of sshwire.hpp: a server and a client in one process, and a client of an sshd if SSHWIRE_TEST_ADDRESS is set. */
#include "sshwire.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;
using sshwire::timeout;

static void check(bool condition, const char *text, int line)
{
    if (condition) return;
    std::cerr << "test.cpp:" << line << ": " << text << '\n';
    std::_Exit(1);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

/* The code that the call throws; 0 if it does not. */
template <class Call> static ssh_status thrown(Call call)
{
    try {
        call();
    } catch (const sshwire::error &failure) {
        CHECK(failure.what()[0] != '\0');
        return failure.code();
    }
    return SSH_OK;
}

struct pair {
    sshwire::key host_key = sshwire::key::generate(SSH_KEY_ED25519, 0, "host");
    sshwire::key user_key = sshwire::key::generate(SSH_KEY_ECDSA_P256);
    sshwire::server server;
    std::optional<sshwire::transport> accepted, client;

    pair()
    {
        server.add_key(host_key);
        server.on(SSH_REQUEST_AUTH_PASSWORD, [](sshwire::request question) {
            if (question.username() == "throw") throw std::string("not even an exception");
            if (question.username() == "alice" && question.password() == std::string_view("open\0sesame", 11))
                question.accept();
        });
        server.on(SSH_REQUEST_AUTH_KEY_PROVEN, [this](sshwire::request question) {
            if (question.offered_key() == user_key) question.accept();
        });
        server.on(SSH_REQUEST_CHANNEL_OPEN, [](sshwire::request question) { question.accept(); });
        server.on(SSH_REQUEST_EXEC, [](sshwire::request question) {
            std::string command(question.command());
            sshwire::channel_ref channel = question.on_channel();
            question.accept();
            if (command != "talk") return; /* the test holds this end itself */
            channel.write("out");
            channel.write_stderr("err");
            channel.send_exit_status(7);
            channel.close();
        });
    }
    void join()
    {
        int fds[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        accepted = sshwire::transport::from_fd(fds[0]);
        client = sshwire::transport::from_fd(fds[1]);
    }
    void start()
    {
        sshwire::event started;
        accepted->start_server(server, started, 30s);
        client->expect_host_key(host_key);
        client->start_client(30s);
        CHECK(started.wait(30s));
    }
    void login()
    {
        join();
        start();
        CHECK(client->auth_password("alice", std::string_view("open\0sesame", 11), 30s));
    }
};

static void ownership()
{
    static_assert(!std::is_copy_constructible_v<sshwire::transport> && !std::is_copy_assignable_v<sshwire::transport>);
    static_assert(!std::is_copy_constructible_v<sshwire::channel> && !std::is_copy_assignable_v<sshwire::channel>);
    static_assert(std::is_nothrow_move_constructible_v<sshwire::transport>);
    static_assert(std::is_nothrow_move_constructible_v<sshwire::channel>);
    static_assert(std::is_nothrow_copy_constructible_v<sshwire::error>);
    auto key = sshwire::key::generate();
    auto other = std::move(key);
    CHECK(thrown([&] { (void)key.public_key(); }) != SSH_OK); /* NOLINT: what a moved object does is the test */
    CHECK(other.is_private() && !other.public_key().is_private());
    CHECK(other == other.public_key() && sshwire::key::generate() != other);
    CHECK(sshwire::key::from_line(other.line()) == other);
    auto again = sshwire::key::load(other.private_text(SSH_KEY_FORMAT_OPENSSH, "horse"), "horse");
    CHECK(again == other && again.fingerprint() == other.fingerprint());
    CHECK(thrown([&] { sshwire::key::load(other.private_text(SSH_KEY_FORMAT_OPENSSH, "horse"), "cow"); }) ==
          SSH_ERR_PASSPHRASE_WRONG);
    CHECK(thrown([] { sshwire::key::from_line(std::string("ssh-ed25519\0AAAA", 16)); }) == SSH_ERR_INVALID_ARG);
    auto signature = other.sign_message("text", "file");
    CHECK(sshwire::key::signer(signature, "text", "file") == other);
    CHECK(thrown([&] { sshwire::key::signer(signature, "text", "git"); }) == SSH_ERR_SIGNATURE);
    CHECK(other.public_text() == other.line() + "\n");
    CHECK(thrown([] { sshwire::key::load_public_file("/nowhere/key"); }) == SSH_ERR_IO);
    CHECK(other.verify("data", again.sign("data"), "ssh-ed25519"));
    CHECK(!other.verify("date", again.sign("data"), "ssh-ed25519"));
}

static void errors()
{
    pair p;
    p.join();
    sshwire::event started;
    p.accepted->start_server(p.server, started, 30s);
    auto other = sshwire::key::generate();
    p.client->expect_host_key(other);
    try {
        p.client->start_client(30s);
        p.client->auth_none("alice", 30s);
        CHECK(false);
    } catch (const sshwire::error &failure) {
        sshwire::error copy = failure;
        CHECK(copy.code() == SSH_ERR_HOSTKEY && copy.name() == std::string("SSH_ERR_HOSTKEY"));
        CHECK(copy.expected_fingerprint() == other.fingerprint());
        CHECK(copy.found_fingerprint() == p.host_key.fingerprint());
    }
    pair q;
    q.join();
    q.start();
    try {
        q.client->auth_password("alice", "wrong", 30s);
        CHECK(false);
    } catch (const sshwire::error &failure) {
        CHECK(failure.code() == SSH_ERR_AUTH && failure.auth_methods().find("publickey") != std::string::npos);
    }
    /* What a callback throws refuses, and harms nothing. */
    CHECK(thrown([&] { q.client->auth_password("throw", "x", 30s); }) == SSH_ERR_AUTH);
    CHECK(q.client->auth_publickey("alice", q.user_key, 30s) && q.client->is_authenticated());
    CHECK(thrown([&] { (void)q.accepted->accept(timeout(-7)); }) == SSH_ERR_INVALID_ARG);
    CHECK(!q.accepted->accept(0ms) && !q.accepted->accept(1ms));
    q.client->close();
    CHECK(q.accepted->join(30s) && q.accepted->cause()->code() == SSH_ERR_DISCONNECTED);
}

static void commands_and_streams()
{
    pair p;
    p.login();
    CHECK(p.client->describe().size() > 0 && p.accepted->username() == "alice");
    CHECK(p.client->remote_server_key() == p.host_key);
    auto done = p.client->run("talk");
    CHECK(done.output == "out" && done.error_output == "err" && done.end.status == 7u);
    auto first = p.accepted->accept(30s);
    CHECK(first && first->is_closed());

    auto near = p.client->open_session(30s);
    near.exec("hold", 30s);
    auto far = p.accepted->accept(30s);
    CHECK(far.has_value());
    std::string noise(4 << 20, '\0');
    for (std::size_t i = 0; i < noise.size(); i++) noise[i] = static_cast<char>(i * 2654435761u >> 13);
    std::thread writer([&] {
        near.write(noise, 60s);
        near.send_eof();
    });
    CHECK(far->read_all(60s) == noise);
    writer.join();
    p.client->renegotiate_keys(30s);
    sshwire::event ready;
    near.set_event(ready, SSH_CHANNEL_READABLE);
    far->write("x");
    pollfd poll_fd{ready.fd(), POLLIN, 0};
    CHECK(poll(&poll_fd, 1, 30000) == 1 && ready.is_set());
    std::optional<sshwire::channel_ref> taken = ready.take_channel();
    CHECK(taken && taken->get() == near.get() && !ready.take_channel());
    char byte = 0;
    CHECK(near.read(&byte, 1, 30s) == 1 && byte == 'x');
    CHECK(thrown([&] { near.read(&byte, 1, 1ms); }) == SSH_ERR_TIMEOUT);
    CHECK(thrown([&] { near.read(&byte, 1, 0ms); }) == SSH_ERR_TIMEOUT);

    /* A reader that waits is woken by the end of the object in another thread. */
    std::thread reader([&far] {
        char rest[8];
        CHECK(far->read(rest, sizeof rest, 60s) == 0);
    });
    near = p.client->open_session(30s);
    reader.join();
    std::atomic<bool> woken{false};
    std::thread waiting([&] {
        CHECK(thrown([&] { (void)p.client->accept(60s); }) == SSH_ERR_CANCELLED);
        woken = true;
    });
    while (!woken) { /* it may not wait yet */
        p.client->cancel();
        std::this_thread::sleep_for(1ms);
    }
    waiting.join();
}

/* Objects that end in every order, also inside their own callbacks. */
static void orders()
{
    for (int order = 0; order < 6; order++) {
        auto p = std::make_unique<pair>();
        p->login();
        std::optional<sshwire::channel> channel = p->client->open_session(30s);
        auto far = p->accepted->accept(30s);
        CHECK(far.has_value());
        if (order % 3 == 0) p->client.reset();
        if (order % 3 == 1) p->accepted.reset();
        if (order >= 3) channel.reset();
        if (order % 3 == 2) p.reset();
        if (channel) CHECK(thrown([&] { channel->exec("x", 30s); }) != SSH_OK);
    }
    pair p;
    p.join();
    std::promise<void> ended;
    p.client->on(SSH_REQUEST_HOST_KEY, [&](sshwire::request) {
        p.client.reset();
        ended.set_value();
    });
    sshwire::event started, begun;
    p.accepted->start_server(p.server, started, 30s);
    p.client->start_client(begun, 30s);
    CHECK(ended.get_future().wait_for(60s) == std::future_status::ready);
}

/* Each function given to C ends once: when it is replaced, or with its object. */
static void callbacks_end()
{
    auto alive = std::make_shared<int>(0);
    {
        sshwire::server server;
        for (int i = 0; i < 3; i++) server.on(SSH_REQUEST_EXEC, [alive](sshwire::request) {});
        server.on_subsystem_named("x", [alive](sshwire::channel_ref, std::string_view) { return 0u; });
    }
    for (int i = 0; i < 3000 && alive.use_count() > 1; i++) std::this_thread::sleep_for(10ms);
    CHECK(alive.use_count() == 1);
    sshwire::server none;
    (void)none.release();
    CHECK(thrown([&] { none.on(SSH_REQUEST_EXEC, [alive](sshwire::request) {}); }) == SSH_ERR_BAD_HANDLE);
    CHECK(alive.use_count() == 1);
}

static void subsystems_and_later_answers()
{
    pair p;
    p.server.on_subsystem_named("upper", [](sshwire::channel_ref channel, std::string_view name) {
        for (char &c : channel.read_all(30s)) channel.write(std::string(1, static_cast<char>(std::toupper(c))));
        return static_cast<std::uint32_t>(name.size());
    });
    p.server.on_subsystem_named("bad", [](sshwire::channel_ref, std::string_view) -> std::uint32_t { throw 1; });
    std::mutex lock;
    std::vector<sshwire::request> kept;
    p.server.on(SSH_REQUEST_SHELL, [&](sshwire::request question) {
        std::lock_guard guard(lock);
        kept.push_back(std::move(question));
    });
    p.login();
    auto channel = p.client->open_session(30s);
    channel.subsystem("upper", 30s);
    channel.write("shout");
    channel.send_eof();
    CHECK(channel.read_all(30s) == "SHOUT" && channel.wait_exit(30s).status == 5u);
    auto bad = p.client->open_session(30s);
    bad.subsystem("bad", 30s);
    CHECK(!bad.wait_exit(30s).status);
    auto shell = p.client->open_session(30s);
    std::thread answer([&] {
        for (;; std::this_thread::sleep_for(1ms)) {
            std::lock_guard guard(lock);
            if (kept.empty()) continue;
            kept.front().accept();
            CHECK(thrown([&] { kept.front().accept(); }) == SSH_ERR_STATE);
            break;
        }
    });
    shell.shell(30s);
    answer.join();
}

class socket_stream : public sshwire::stream {
public:
    socket_stream(int fd, bool broken) : fd_(fd), broken_(broken) {}
    ~socket_stream() override { ::close(fd_); }
    std::int32_t read(void *buffer, std::size_t capacity, timeout time) override
    {
        if (broken_) throw std::runtime_error("broken");
        pollfd wait{fd_, POLLIN, 0};
        if (poll(&wait, 1, static_cast<int>(time.count())) == 0) return SSH_ERR_TIMEOUT;
        return static_cast<std::int32_t>(recv(fd_, buffer, std::min<std::size_t>(capacity, 1 << 20), 0));
    }
    std::int32_t write(const void *data, std::size_t length, timeout) override
    {
        return static_cast<std::int32_t>(send(fd_, data, std::min<std::size_t>(length, 1 << 20), MSG_NOSIGNAL));
    }
    void close() override { shutdown(fd_, SHUT_RDWR); }

private:
    int fd_;
    bool broken_;
};

static void transports_over_streams()
{
    for (bool broken : {false, true}) {
        pair p;
        int fds[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        p.accepted = sshwire::transport::from_fd(fds[0]);
        p.client = sshwire::transport::from_stream(std::make_unique<socket_stream>(fds[1], broken));
        if (broken) {
            CHECK(thrown([&] { p.client->start_client(30s); }) == SSH_ERR_CALLBACK);
            continue;
        }
        p.start();
        CHECK(p.client->auth_publickey("alice", p.user_key, 30s));
        CHECK(p.client->run("talk").output == "out");
    }
}

static void after_fork()
{
    pair p;
    p.login();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(thrown([&] { (void)p.client->open_session(30s); }) == SSH_ERR_FORKED);
        p.client->atfork();
        p.accepted->atfork();
        pair own;
        own.login();
        CHECK(own.client->run("talk").output == "out");
        std::_Exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(p.client->run("talk").output == "out");
}

/* Connections over loopback, served, counted and refused. */
static void listeners()
{
    pair p;
    sshwire::listener listener;
    listener.set_penalty_bounds(15s, 600s, 0);
    std::uint16_t port = listener.bind("127.0.0.1");
    CHECK(port != 0 && listener.is_listening() && !listener.accept(0ms));
    std::string address = "127.0.0.1:" + std::to_string(port);
    std::thread serving([&] { listener.serve(p.server); });
    for (int round = 0; round < 3; round++) {
        auto client = sshwire::transport::connect(address, 30s);
        client.expect_host_key(p.host_key);
        client.start_client(30s);
        CHECK(client.auth_password("alice", std::string_view("open\0sesame", 11), 30s));
        CHECK(client.run("talk").output == "out");
    }
    CHECK(listener.counter(SSH_LISTENER_ACCEPTED) == 3 && listener.counter(SSH_LISTENER_UNAUTHENTICATED) == 0);
    listener.stop();
    serving.join();
    CHECK(!listener.is_listening() && thrown([&] { listener.accept(); }) == SSH_ERR_CLOSED);

    /* To a function, which may throw; and one more from the same source is refused. */
    sshwire::listener other;
    std::mutex lock;
    std::vector<sshwire::transport> kept;
    other.set_max_per_source(1);
    other.set_penalty(SSH_PENALTY_NO_AUTH, 0ms);
    other.on_accept([&](sshwire::transport came) {
        std::lock_guard<std::mutex> guard(lock);
        kept.push_back(std::move(came));
        throw 1;
    });
    port = other.bind("127.0.0.1");
    auto first = sshwire::transport::connect("127.0.0.1:" + std::to_string(port), 30s);
    auto count = [&] {
        std::lock_guard<std::mutex> guard(lock);
        return kept.size();
    };
    while (count() == 0) std::this_thread::sleep_for(1ms);
    auto second = sshwire::transport::connect("127.0.0.1:" + std::to_string(port), 30s);
    CHECK(thrown([&] { second.start_client(30s); }) == SSH_ERR_CONN_LOST);
    CHECK(other.counter(SSH_LISTENER_REFUSED_PER_SOURCE) == 1 && count() == 1);
    CHECK(thrown([&] { other.bind("example.org"); }) == SSH_ERR_INVALID_ARG);
    CHECK(thrown([&] { other.set_max_unauthenticated(2, 30, 1); }) == SSH_ERR_INVALID_ARG);
    CHECK(thrown([&] { other.add_exempt("example.org"); }) == SSH_ERR_INVALID_ARG);
}

static void against_sshd(const char *address)
{
    auto transport = sshwire::transport::connect(address, 30s);
    transport.expect_host_key(sshwire::key::from_line(std::getenv("SSHWIRE_TEST_HOST_KEY")));
    transport.start_client();
    CHECK(transport.auth_publickey(std::getenv("SSHWIRE_TEST_USER"),
                                   sshwire::key::load_file(std::getenv("SSHWIRE_TEST_KEY"))));
    std::string input(3 << 20, 'x');
    auto done = transport.run("cat; echo oops >&2; exit 3", input, 60s);
    CHECK(done.output == input && done.error_output == "oops\n" && done.end.status == 3u);
    /* A command that does not read what it is given. */
    CHECK(transport.run("exit 4", input, 60s).end.status == 4u);
    CHECK(transport.run("kill -TERM $$", {}, 60s).end.signal == "TERM");
}

int main()
{
    alarm(300);
    sshwire::set_log(SSH_LOG_ERROR, [](std::int32_t, std::string_view, std::string_view) { throw 1; });
    ownership();
    errors();
    commands_and_streams();
    orders();
    callbacks_end();
    subsystems_and_later_answers();
    transports_over_streams();
    after_fork();
    listeners();
    const char *address = std::getenv("SSHWIRE_TEST_ADDRESS");
    if (address) against_sshd(address);
    std::cout << "C++: ok, in one process" << (address ? " and against sshd\n" : "\n");
}
