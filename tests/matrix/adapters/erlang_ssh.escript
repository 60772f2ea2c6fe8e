#!/usr/bin/env escript
%%! -noshell
%% The adapter of Erlang's ssh, client and server.
-mode(compile).
-behaviour(ssh_server_channel).
-export([init/1, handle_msg/2, handle_ssh_msg/2, terminate/2]).

told(Name) ->
    case os:getenv("PEER_" ++ Name) of
        false -> "";
        Value -> Value
    end.

algorithms() ->
    [{K, V} || {K, V} <- ssh_transport:supported_algorithms(), K =/= compression].

%% A directory with one file of the name that it is looked for under.
directory(From, Names, Mode) ->
    Place = filename:join(case told("DIRECTORY") of "" -> told("SCRATCH"); D -> D end,
                          "erlang-" ++ os:getpid() ++ "-" ++ hd(Names)),
    ok = filelib:ensure_dir(filename:join(Place, "x")),
    {ok, Content} = file:read_file(From),
    [begin ok = file:write_file(filename:join(Place, N), Content),
           ok = file:change_mode(filename:join(Place, N), Mode) end || N <- Names],
    Place.

%% The name under which a key of its type is looked for.
key_name(Prefix, File) ->
    Line = os:cmd("ssh-keygen -y -f " ++ File),
    Prefix ++ case hd(string:lexemes(Line, " ")) of
        "ssh-ed25519" -> "ed25519" ++ suffix(Prefix);
        "ssh-rsa" -> "rsa" ++ suffix(Prefix);
        "ecdsa" ++ _ -> "ecdsa" ++ suffix(Prefix)
    end.

suffix("ssh_host_") -> "_key";
suffix(_) -> "".

connect() ->
    Auth = case told("AUTH") of
        "publickey" ->
            User = directory(told("KEY"), [key_name("id_", told("KEY"))], 8#600),
            [{auth_methods, "publickey"}, {user_dir, User}];
        Method ->
            [{auth_methods, Method}, {password, told("PASSWORD")}, {user_dir, told("SCRATCH")}]
    end,
    {ok, Connection} = ssh:connect("127.0.0.1", list_to_integer(told("PORT")),
        [{user, told("USER")}, {silently_accept_hosts, true}, {save_accepted_host, false},
         {user_interaction, false}, {preferred_algorithms, algorithms()}] ++ Auth),
    Connection.

run(Connection, Command) ->
    {ok, Channel} = ssh_connection:session_channel(Connection, 30000),
    success = ssh_connection:exec(Connection, Channel, Command, 30000),
    feed(Connection, Channel),
    hear(Connection, Channel, 255).

feed(Connection, Channel) ->
    io:setopts(standard_io, [binary, {encoding, latin1}]),
    spawn(fun() -> feeding(Connection, Channel) end).

feeding(Connection, Channel) ->
    case file:read(standard_io, 32768) of
        {ok, Data} ->
            ok = ssh_connection:send(Connection, Channel, Data),
            feeding(Connection, Channel);
        eof -> ssh_connection:send_eof(Connection, Channel)
    end.

hear(Connection, Channel, Status) ->
    receive
        {ssh_cm, Connection, {data, Channel, 0, Data}} ->
            ssh_connection:adjust_window(Connection, Channel, byte_size(Data)),
            ok = file:write(standard_io, Data),
            hear(Connection, Channel, Status);
        {ssh_cm, Connection, {data, Channel, _, Data}} ->
            ssh_connection:adjust_window(Connection, Channel, byte_size(Data)),
            hear(Connection, Channel, Status);
        {ssh_cm, Connection, {exit_status, Channel, New}} -> hear(Connection, Channel, New);
        {ssh_cm, Connection, {closed, Channel}} -> Status;
        {ssh_cm, Connection, _} -> hear(Connection, Channel, Status)
    end.

forward(Connection, Host, Port) ->
    {ok, Near} = ssh:tcpip_tunnel_to_server(Connection, {127,0,0,1}, 0, Host, list_to_integer(Port)),
    {ok, Socket} = gen_tcp:connect({127,0,0,1}, Near, [binary, {active, false}, {exit_on_close, false}]),
    io:setopts(standard_io, [binary, {encoding, latin1}]),
    spawn(fun() -> feed_socket(Socket) end),
    drain(Socket).

feed_socket(Socket) ->
    case file:read(standard_io, 32768) of
        {ok, Data} -> ok = gen_tcp:send(Socket, Data), feed_socket(Socket);
        eof -> gen_tcp:shutdown(Socket, write)
    end.

drain(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} -> ok = file:write(standard_io, Data), drain(Socket);
        {error, closed} -> 0
    end.

files(Connection, Words) ->
    {ok, Sftp} = ssh_sftp:start_channel(Connection),
    case Words of
        ["put", Here, There] ->
            {ok, Data} = file:read_file(Here),
            ok = ssh_sftp:write_file(Sftp, There, Data);
        ["get", There, Here] ->
            {ok, Data} = ssh_sftp:read_file(Sftp, There),
            ok = file:write_file(Here, Data);
        ["list", There] ->
            {ok, Names} = ssh_sftp:list_dir(Sftp, There),
            [io:format("~ts~n", [Name]) || Name <- Names]
    end,
    0.


server() ->
    System = directory(told("HOST_KEY"), [key_name("ssh_host_", told("HOST_KEY"))], 8#600),
    User = directory(told("AUTHORIZED_KEYS"), ["authorized_keys"], 8#600),
    {ok, Daemon} = ssh:daemon({127,0,0,1}, 0,
        [{system_dir, System}, {user_dir, User}, {user_passwords, [{told("USER"), told("PASSWORD")}]},
         {preferred_algorithms, algorithms()}, {tcpip_tunnel_in, true}, {tcpip_tunnel_out, true},
         {subsystems, [ssh_sftpd:subsystem_spec([])]}, {ssh_cli, {?MODULE, []}}]),
    {ok, Info} = ssh:daemon_info(Daemon),
    io:format("listening ~p~n", [proplists:get_value(port, Info)]),
    wait().

%% A session's channel: a command, whose input and output come in frames, for a port cannot end the one alone.
init([]) -> {ok, none}.

handle_msg({ssh_channel_up, Channel, Connection}, none) -> {ok, {Connection, Channel, none}};
handle_msg({Port, {data, Data}}, {Connection, Channel, Port} = State) ->
    ok = ssh_connection:send(Connection, Channel, Data),
    {ok, State};
handle_msg({Port, {exit_status, Status}}, {Connection, Channel, Port} = State) ->
    ssh_connection:exit_status(Connection, Channel, Status),
    ssh_connection:send_eof(Connection, Channel),
    {stop, Channel, State};
handle_msg(_, State) -> {ok, State}.

handle_ssh_msg({ssh_cm, Connection, {exec, Channel, WantReply, Command}}, _) ->
    Framed = filename:join(filename:dirname(escript:script_name()), "framed.py"),
    Port = open_port({spawn_executable, os:find_executable("python3")},
                     [{args, [Framed, Command]}, {packet, 4}, binary, exit_status]),
    ssh_connection:reply_request(Connection, WantReply, success, Channel),
    {ok, {Connection, Channel, Port}};
handle_ssh_msg({ssh_cm, Connection, {data, Channel, _, Data}}, {_, _, Port} = State) ->
    true = port_command(Port, Data),
    ssh_connection:adjust_window(Connection, Channel, byte_size(Data)),
    {ok, State};
handle_ssh_msg({ssh_cm, _, {eof, _}}, {_, _, Port} = State) ->
    true = port_command(Port, <<>>),
    {ok, State};
handle_ssh_msg(_, State) -> {ok, State}.

terminate(_, _) -> ok.

wait() ->
    case io:get_line("") of
        eof -> 0;
        _ -> wait()
    end.

main(Words) ->
    case {told("REKEY"), Words} of
        {"", _} -> begin_work(Words);
        _ ->
            io:format(standard_error, "it looks at its limit once a minute~n", []),
            halt(254)
    end.

begin_work(["version"]) ->
    application:load(ssh),
    {ok, Version} = application:get_key(ssh, vsn),
    io:format("ssh-~s~n", [Version]);
begin_work(Words) ->
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(ssh),
    Status = try work(Words) catch Kind:Why -> io:format(standard_error, "~p ~p~n", [Kind, Why]), 255 end,
    halt(Status).

work(["server"]) -> server();
work(["client", "run", Command]) -> run(connect(), Command);
work(["client", "forward", Host, Port]) -> forward(connect(), Host, Port);
work(["client" | Words]) -> files(connect(), Words).
